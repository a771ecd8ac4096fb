"""The GPU's side of a run: is there one, its clock, its memory."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable


class NoGpu(Exception):
    """There is nothing to measure on."""


def name() -> str:
    """The device; raises `NoGpu` saying what is missing."""
    if importlib.util.find_spec("torch") is None:
        raise NoGpu("torch is not installed here; accepted: a tox environment that has it (bench)")
    import torch

    if not torch.cuda.is_available():
        raise NoGpu(f"torch {torch.__version__} sees no CUDA device; accepted: its CUDA build on a machine with one")
    found: str = torch.cuda.get_device_name()
    return found


def clock(call: Callable[[], object]) -> float:
    """Seconds between two CUDA events around what `call` enqueues."""
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    call()
    end.record()
    end.synchronize()
    milliseconds: float = begin.elapsed_time(end)
    return milliseconds / 1e3


def free_memory() -> int:
    """Bytes that the device can still give, what torch keeps for itself returned first."""
    import torch

    torch.cuda.empty_cache()
    return int(torch.cuda.mem_get_info()[0])
