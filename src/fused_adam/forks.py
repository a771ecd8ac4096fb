"""What a fork waits for: a child has one thread, and a lock that another thread held is never released in it."""

from __future__ import annotations

import logging  # noqa: F401  its lock is taken before a fork too: importing it first, ours comes before its
import os
import threading

COMPILING = threading.RLock()
"""Held while kernels are compiled and while the compiler is imported, both of which take locks of Numba's and
Python's. A fork in another thread waits until it is free; one in the thread that holds it goes on holding it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=COMPILING.acquire, after_in_parent=COMPILING.release, after_in_child=COMPILING.release)
