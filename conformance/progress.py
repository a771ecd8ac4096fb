"""Progress while a run lasts: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN_LINES = 15.0


class Reporter(Protocol):
    """Told what happens to each adapter; called from several threads."""

    def event(self, adapter: str, event: dict[str, Any]) -> None:
        """One event of its child."""

    def end(self, adapter: str, verdict: str, seconds: float) -> None:
        """Its verdict is known."""


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def event(self, adapter: str, event: dict[str, Any]) -> None:
        if adapter not in self._tasks:
            self._tasks[adapter] = self._progress.add_task(escape(adapter), total=None)
        task = self._tasks[adapter]
        if event["event"] == "set":
            self._progress.update(task, description=escape(f"{adapter} ({event['set']})"), total=event["problems"])
        elif event["event"] == "problem":
            self._progress.update(task, completed=event["number"])

    def end(self, adapter: str, verdict: str, seconds: float) -> None:
        if adapter in self._tasks:
            self._progress.remove_task(self._tasks.pop(adapter))
        self._progress.console.print(f"{escape(adapter)}: {verdict} ({seconds:.0f} s)")


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._sets: dict[str, dict[str, Any]] = {}
        self._last = time.monotonic()

    def event(self, adapter: str, event: dict[str, Any]) -> None:
        if event["event"] == "set":
            self._sets[adapter] = event
        elif event["event"] == "problem" and time.monotonic() - self._last > _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            running = self._sets[adapter]
            where = f"problem {event['number']} of {running['problems']}"
            self._console.print(f"{escape(adapter)}: {running['set']}, {where}")

    def end(self, adapter: str, verdict: str, seconds: float) -> None:
        self._console.print(f"{escape(adapter)}: {verdict} ({seconds:.0f} s)")


@contextmanager
def progress(console: Console) -> Iterator[Reporter]:
    """The reporter that fits `console`."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield _Bars(bars)
