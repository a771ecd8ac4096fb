"""A signal that asks a command to end is never lost, wherever it arrives."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from conformance.ending import EndedBySignal, ended_by_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _in_plain_code(number: int) -> None:
    signal.raise_signal(number)


def _in_a_finalizer(number: int) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(number)

    Finalized()


def _in_a_callback_of_the_collector(number: int) -> None:
    def callback(phase: str, info: dict[str, int]) -> None:
        gc.callbacks.remove(callback)
        signal.raise_signal(number)

    gc.callbacks.append(callback)
    gc.collect()


def _command(work: Callable[[], None]) -> None:
    with ended_by_signals():
        work()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.001)


PLACES = (_in_plain_code, _in_a_finalizer, _in_a_callback_of_the_collector)


@contextlib.contextmanager
def not_ignored(number: signal.Signals) -> Iterator[None]:
    """Whoever runs these tests in the background may have it ignored."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def nothing_changed() -> Iterator[None]:
    """Handlers and hook are the same afterwards."""
    state = [signal.getsignal(number) for number in SIGNALS], sys.unraisablehook
    yield
    assert ([signal.getsignal(number) for number in SIGNALS], sys.unraisablehook) == state


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_ends_the_command(place: Callable[[int], None], number: signal.Signals) -> None:
    with not_ignored(number), nothing_changed(), pytest.raises(EndedBySignal, match=number.name) as ended:
        _command(lambda: place(number))
    assert ended.value.exit_code == 128 + number


def test_without_it_a_finalizer_loses_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the module is for: with Python's own handler the exception is dropped, and the code goes on."""
    lost: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda of: lost.append(of.exc_type))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _in_a_finalizer(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert lost == [KeyboardInterrupt]


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with nothing_changed(), ended_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_exceptions_of_finalizers_are_reported_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ArithmeticError("in a finalizer")

    with ended_by_signals():
        Broken()
    assert "ArithmeticError: in a finalizer" in capsys.readouterr().err
