"""Signals that end a command, such that none is lost.

What a signal's handler raises appears wherever the main thread is. In a finalizer, a callback of the garbage
collector (Hypothesis has one) or of a fork, Python prints the exception and goes on: the command would run on to
its own end, and whoever ended it would wait. Such a signal is raised again a moment later.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

AGAIN_AFTER = 0.01
"""Seconds, after which a signal that was lost is raised again."""
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedBySignal(KeyboardInterrupt):
    """A signal asked the command to end. exit_code: what the command shall end with."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number, self.exit_code = number, 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP raise `EndedBySignal` in the main thread, which must be the caller's.

    What was to be ignored (nohup, a job in the background) stays so.
    """
    hook = sys.unraisablehook
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        sys.unraisablehook = _raise_again
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _raise)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise EndedBySignal(number)


def _raise_again(lost: Any) -> None:
    """The hook that Python calls with an exception that it is about to lose."""
    if not isinstance(lost.exc_value, EndedBySignal):
        sys.__unraisablehook__(lost)
        return
    number = lost.exc_value.number
    signal.signal(signal.SIGALRM, lambda _, frame: _raise(number, frame))  # of a timer: this hook cannot raise
    signal.setitimer(signal.ITIMER_REAL, AGAIN_AFTER)
