"""Forked children, one per task, each with a time limit; what they answer, in the order of the tasks.

A fork starts with everything that this process has imported and computed, which is most of the work of a
trial. The caller must not have started threads that the child would need.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

Task = TypeVar("Task")


@dataclass(frozen=True)
class Ended:
    """A child that did not answer: a signal, an early exit, or the time limit."""

    how: str


@dataclass(frozen=True)
class Broken:
    """A child in which the function raised."""

    traceback: str


@dataclass
class _Running:
    number: int
    process: BaseProcess
    deadline: float


def in_children(
    function: Callable[[Task], Any], tasks: Sequence[Task], *, jobs: int, seconds: float
) -> AbstractContextManager[Iterator[tuple[int, Any]]]:
    """Number of each task and its answer, `Ended` or `Broken`, as they come. Answers must be picklable.

    No child outlives the context, whatever ends it.
    """
    return closing(_in_children(function, tasks, jobs, seconds))


def _in_children(
    function: Callable[[Task], Any], tasks: Sequence[Task], jobs: int, seconds: float
) -> Generator[tuple[int, Any], None, None]:
    context = multiprocessing.get_context("fork")
    waiting = list(enumerate(tasks))[::-1]
    running: dict[Connection, _Running] = {}
    gc.collect()
    gc.freeze()  # or the first collection in a child copies every page
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number, task = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(function, task, theirs), daemon=True)
                with _undisturbed():
                    process.start()
                    theirs.close()
                    running[ours] = _Running(number, process, time.monotonic() + seconds)
            soonest = min(child.deadline for child in running.values())
            ready = wait(list(running), max(0.0, soonest - time.monotonic()))
            late = [c for c, child in running.items() if child.deadline <= time.monotonic() and c not in ready]
            for connection in [*ready, *late]:
                assert isinstance(connection, Connection)
                child = running[connection]
                answer = _answer(connection, child.process, late=connection in late, seconds=seconds)
                del running[connection]
                yield child.number, answer
    finally:
        for child in running.values():
            child.process.kill()
        for child in running.values():
            child.process.join()


def _answer(connection: Connection, process: BaseProcess, *, late: bool, seconds: float) -> Any:
    if late:
        process.kill()
    try:
        answer = None if late else connection.recv()
    except EOFError:
        answer = None
    connection.close()
    process.join()
    if answer is not None:
        return answer
    code = process.exitcode or 0
    if late:
        return Ended(f"no end within {seconds:g} s")
    return Ended(f"ended by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}")


_ENDING = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that end this process wait until it knows its child, and in the child until they end that alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child(function: Callable[[Task], Any], task: Task, connection: Connection) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    try:
        answer = function(task)
    except BaseException:
        answer = Broken(traceback.format_exc())
    connection.send(answer)
    connection.close()
    os._exit(0)
