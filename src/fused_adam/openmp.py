"""The threads: those of the OpenMP runtime that the process has, so that torch and fused_adam share one pool.

Two pools on the same cores stall each other: a worker spins for a while after its work is done.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import NamedTuple

_LIBRARY = "libgomp.so.1"
"""GCC's runtime. The loader finds torch's copy by this name if torch has been imported, else the system's
(Debian: libgomp1); torch, imported later, finds ours."""


class Runtime(NamedTuple):
    """Addresses of three functions of one runtime, and its limit on threads."""

    parallel: int
    """void GOMP_parallel(void (*task)(void *), void *data, unsigned threads, unsigned flags)"""
    thread: int
    """int omp_get_thread_num(void)"""
    team: int
    """int omp_get_num_threads(void)"""
    library: ctypes.CDLL

    def threads(self) -> int:
        """As many as torch would take on this thread: OMP_NUM_THREADS, ``torch.set_num_threads``, or the cores."""
        return max(1, int(self.library.omp_get_max_threads()))


def find() -> Runtime | None:
    """The process's runtime; None where it cannot be used: one thread then.

    There is none outside Linux. In a forked child it believes in threads that do not exist, and waits for them.
    """
    if forked():
        return None
    try:
        library = ctypes.CDLL(_LIBRARY)
        functions = [getattr(library, name) for name in ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")]
    except (OSError, AttributeError):
        return None
    parallel, thread, team = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in functions)
    return Runtime(parallel, thread, team, library)


def forked() -> bool:
    """Whether this process was forked and has not executed a program since (Linux, PF_FORKNOEXEC)."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return bool(int(fields[6]) & 0x40)
    except (OSError, ValueError, IndexError):
        return False
