"""Work that is the same for many files, on as many processors as there are."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from golden.case import GoldenError

Item = TypeVar("Item")
Result = TypeVar("Result")
_FEW = 8
"""Items that are not worth a process."""


def in_processes(do: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """What `do`, a function of a module, makes of each, in their order."""
    workers = min(len(items), len(os.sched_getaffinity(0)))
    if len(items) < _FEW or workers < 2:
        yield from map(do, items)
        return
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=fork, initializer=_end_with_parent, initargs=(os.getpid(),)) as pool:
        try:
            yield from pool.map(do, items)
        except BrokenProcessPool as error:
            raise GoldenError("a process that looks at the files was killed; accepted: to be run again") from error


def _end_with_parent(parent: int) -> None:
    """Whatever ends the command, SIGKILL too, ends its workers (Linux, prctl(2): PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that
        os._exit(1)
