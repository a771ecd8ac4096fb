"""Work that is the same for many files, on as many processors as there are."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

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
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(do, items)
