"""Work in processes: in order, and no process is left of a command that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from golden_copies import ROOT

from golden import GoldenError
from golden.parallel import in_processes

SLEEPING = """
import os, time
from golden.parallel import in_processes
def sleep(item):
    os.write(1, b"%d\\n" % os.getpid())  # in one piece
    time.sleep(60)
list(in_processes(sleep, range(9)))
"""


def end(item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_done_comes_in_order() -> None:
    assert list(in_processes(abs, range(-20, 0))) == [*range(20, 0, -1)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor has no workers")
def test_a_worker_that_is_killed_is_an_error() -> None:
    with pytest.raises(GoldenError, match="was killed; accepted: to be run again"):
        list(in_processes(end, range(9)))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor has no workers")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_command(how: signal.Signals) -> None:
    line = [sys.executable, "-c", SLEEPING]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        workers = [int(command.stdout.readline()) for _ in range(2)]
        assert all(map(runs, workers))
        command.send_signal(how)
    until = time.monotonic() + 10
    while any(map(runs, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    left = [pid for pid in workers if runs(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
