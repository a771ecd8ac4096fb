"""Rows that need a process of their own: what a first step costs, and memory that grows during steps.

python -m benchmarks.fresh first-step ARM     seconds of construction and first step, the framework imported
python -m benchmarks.fresh memory ARM 1x20M   bytes at the peak, and by which later steps raise it
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.arm import Arm, Running
from benchmarks.catalogue import CPU
from benchmarks.report import FirstStep, Memory
from benchmarks.task import Task, make, of_shapes
from benchmarks.workloads import WORKLOADS, Case

FIRST_STEP = "1x1M"
"""Large enough for the threaded path."""
_OWN = ("numba", "fused_adam")
"""Imported by the first step of ours, which pays for them."""
_CACHES = ("FUSED_ADAM_CACHE_DIR", "NUMBA_CACHE_DIR")
_GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""The C library returns freed memory to the system at once, so that allocating it again raises the peak. What
pools of their own keep (TensorFlow, MXNet) shows in the first peak alone."""
_TIME_LIMIT = 300.0
_STEPS = 3


class FreshFailed(Exception):
    """A process of its own did not say what it should."""


def first_steps(arm: Arm, repeats: int) -> Iterator[FirstStep]:
    """Rows of one arm: cold and cached for ours, which keep compiled code, and one row for a peer."""
    if arm.role != "ours":
        yield _first_step(arm, "", [_seconds(arm, {}) for _ in range(repeats)])
        return
    cold, cached = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            environment = dict.fromkeys(_CACHES, folder)
            cold.append(_seconds(arm, environment))
            cached.append(_seconds(arm, environment))
    yield _first_step(arm, "cold", cold)
    yield _first_step(arm, "cached", cached)


def memory(arm: Arm, workload: str) -> Memory:
    """The row of one arm."""
    peak, growth = _child(["memory", arm.name, workload], _GIVE_BACK)
    return Memory(arm=arm.name, elements=Case(workload).elements, peak=int(peak), growth=int(growth))


def _first_step(arm: Arm, cache: str, found: Sequence[Sequence[float]]) -> FirstStep:
    construction, step = zip(*found, strict=True)
    return FirstStep(arm=arm.name, cache=cache, construction=construction, seconds=step)


def _seconds(arm: Arm, environment: Mapping[str, str]) -> list[float]:
    return _child(["first-step", arm.name, FIRST_STEP], environment)


def _child(arguments: Sequence[str], environment: Mapping[str, str]) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.fresh", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).resolve().parent.parent,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
            check=True,
        )
        return [float(number) for number in json.loads(done.stdout.splitlines()[-1])]
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise FreshFailed(f"{' '.join(arguments)}: {last}") from error
    except (subprocess.TimeoutExpired, ValueError, TypeError, IndexError) as error:
        raise FreshFailed(f"{' '.join(arguments)}: {error}") from error


# In the child


def time_first_step(arm: Arm, task: Task) -> tuple[float, float]:
    """Seconds of construction, and of the first step."""
    cls = arm.load()
    start = time.perf_counter()
    running = cls(task)
    constructed = time.perf_counter()
    running.step()
    return constructed - start, time.perf_counter() - constructed


def peaks(arm: Arm, task: Task) -> tuple[int, int]:
    """Bytes: the peak of resident memory above what was there before construction, and by how much steps
    after the first ones raise it.

    A small task goes before, so that libraries and compiled code are no part of either.
    """
    arm.start(of_shapes(((1_000_000,),))).step()
    before = _resident()
    running = arm.start(task)
    _forget_peak()
    _steps(running)
    peak = _peak() - before
    settled = _resident()
    _forget_peak()
    _steps(running)
    return peak, max(0, _peak() - settled)


def _steps(running: Running) -> None:
    for _ in range(_STEPS):
        running.step()


def _resident() -> int:
    return machine.memory("VmRSS", "/proc/self/status")


def _peak() -> int:
    return machine.memory("VmHWM", "/proc/self/status")


def _forget_peak() -> None:
    """From here on the peak is what is resident now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as the last line."""
    arms = {arm.name: arm for arm in CPU}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fresh", description="Figures out of a new process.")
    parser.add_argument("row", choices=("first-step", "memory"))
    parser.add_argument("arm", choices=tuple(arms), metavar="ARM")
    parser.add_argument("workload", nargs="?", default=FIRST_STEP, choices=tuple(WORKLOADS), metavar="WORKLOAD")
    options = parser.parse_args(arguments)
    arm = arms[options.arm]
    for name in arm.needs:
        if name not in _OWN:
            importlib.import_module(name)
    task = make(Case(options.workload))
    print(json.dumps(time_first_step(arm, task) if options.row == "first-step" else peaks(arm, task)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
