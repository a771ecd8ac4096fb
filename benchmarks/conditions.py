"""What happens before every timed step of a case."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks import machine
from benchmarks.arm import Running
from benchmarks.rounds import Before
from benchmarks.workloads import Case

_TORCH_ELEMENTS = 2**20
"""Of the torch operation: enough to be threaded, 4 MiB of the caches."""


def unavailable(case: Case) -> str | None:
    """Why a case cannot be measured here, or None."""
    if case.condition == "after-torch" and importlib.util.find_spec("torch") is None:
        return "torch is not installed here"
    return None


def before(case: Case) -> Before | None:
    """What to do before every timed step; None: nothing, and steps are timed in a row."""
    if case.condition == "cold":
        return _flush()
    if case.condition == "fresh":
        return _renew
    if case.condition == "after-torch":
        return _torch_operation()
    return None


def _renew(running: Running) -> None:
    running.renew_gradients()


def _flush() -> Before:
    """Sweep twice the last-level cache, on one plain thread per CPU: each core has caches of its own, and no
    arm's pool is woken.
    """
    cpus = len(machine.available_cpus())
    buffers = [np.ones(2 * machine.last_level_cache() // 4, np.float32) for _ in range(cpus)]
    threads = ThreadPoolExecutor(cpus)

    def sweep(buffer: np.ndarray) -> None:
        np.negative(buffer, out=buffer)

    def flush(running: Running) -> None:
        list(threads.map(sweep, buffers))

    return flush


def _torch_operation() -> Before:
    import torch

    tensor = torch.ones(_TORCH_ELEMENTS)
    operation: Callable[[], object] = tensor.neg_

    def operate(running: Running) -> None:
        operation()

    return operate
