"""A child process for one implementation: a crash or a hang is an answer, not an end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.provenance import ROOT

TAIL = 2000
"""Characters of the child's own output that are kept."""
_TICK = 0.2
_RUNNING: set[subprocess.Popen[bytes]] = set()
_STOPPED = threading.Event()


@dataclass(frozen=True, kw_only=True)
class ChildEnd:
    """How a child ended."""

    events: tuple[dict[str, Any], ...]
    failure: str | None
    """Why it did not come to an end of its own: signal, time, exit status; None if it did."""
    output: str
    """The end of what it printed."""
    seconds: float


def run_child(
    order: dict[str, Any],
    *,
    time_limit: float,
    on_event: Callable[[dict[str, Any]], None],
    module: str = "conformance.child",
) -> ChildEnd:
    """Run `module` with `order`; kill it when it says nothing for `time_limit` seconds.

    module: its main is `conformance.child.answer` with what is to be done.
    """
    began = time.monotonic()
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        child = _python("-m", module, str(writer), json.dumps(order), pass_fds=[writer])
        output = _Tail(child)
        _RUNNING.add(child)
        if _STOPPED.is_set():
            _kill(child)
        os.close(writer)
        try:
            events, trouble = _listen(child, pipe.fileno(), time_limit, on_event)
        finally:
            _kill(child)
            _RUNNING.discard(child)
    finished = bool(events) and events[-1]["event"] in ("done", "cannot-test", "suite-failed", "crashed")
    failure = None if finished else trouble or _failure(child.returncode)
    return ChildEnd(events=tuple(events), failure=failure, output=output.text(), seconds=time.monotonic() - began)


def run_alone(command: Sequence[str], *, time_limit: float) -> tuple[int | None, str]:
    """Exit status of a Python command, None where it does not end in time, and the end of what it prints."""
    child = _python(*command)
    output = _Tail(child)
    _RUNNING.add(child)
    try:
        status = child.wait(time_limit)
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        _kill(child)
        _RUNNING.discard(child)
    return status, output.text()


def _python(*words: str, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Python with these words, in a session of its own; all that it prints goes into one pipe."""
    # Two children share the cores: OpenMP threads that spin while they wait would stall each other.
    environment = (
        {"OMP_WAIT_POLICY": "PASSIVE"}
        | os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    )
    return subprocess.Popen(
        [sys.executable, *words],
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


class _Tail:
    """The end of what a child prints, which may be without end."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._bytes = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was read when the child has ended; a process left behind may still hold the pipe."""
        self._thread.join(1)
        return self._bytes.decode(errors="replace")

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as stream:
            while chunk := os.read(stream.fileno(), 1 << 16):
                self._bytes = (self._bytes + chunk)[-TAIL:]


def stopped() -> bool:
    """Whether the run was interrupted: what became of a child is then no answer of its implementation."""
    return _STOPPED.is_set()


def kill_all() -> None:
    """Kill every running child and start none any more, for an interrupted run."""
    _STOPPED.set()
    for child in tuple(_RUNNING):
        _kill(child)


def _listen(
    child: subprocess.Popen[bytes], fd: int, time_limit: float, on_event: Callable[[dict[str, Any]], None]
) -> tuple[list[dict[str, Any]], str | None]:
    """The child's events until it closes the pipe or ends; what is wrong if it has to be stopped before."""
    events: list[dict[str, Any]] = []
    rest = b""
    last = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            ended = child.poll() is not None
            if selector.select(timeout=0 if ended else _TICK):
                chunk = os.read(fd, 1 << 16)
                if not chunk:
                    _wait(child, time_limit)
                    return events, None
                last = time.monotonic()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = _parsed(line)
                    if event is None:
                        return events, "wrote into the suite's own pipe"
                    events.append(event)
                    on_event(event)
            elif ended:  # a grandchild may still hold the pipe open
                return events, None
            elif time.monotonic() - last > time_limit:
                return events, f"hung: no progress for {time_limit:g} s"


def _parsed(line: bytes) -> dict[str, Any] | None:
    """An event, None for anything else."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _wait(child: subprocess.Popen[bytes], time_limit: float) -> None:
    """The pipe is closed: nothing more will be said, but the way it ends is still of interest."""
    try:
        child.wait(min(time_limit, 30))
    except subprocess.TimeoutExpired:
        _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """The child and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _failure(status: int) -> str:
    if status < 0:
        return f"died by {signal.Signals(-status).name}"
    return f"ended with exit status {status} before the checks did"
