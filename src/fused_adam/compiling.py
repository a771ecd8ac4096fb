"""Compiling with Numba, and where the machine code is kept from process to process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np

from fused_adam import cpu_kernels, layout
from fused_adam.forks import COMPILING


def compiled(signature: Any, source: Callable[..., Any]) -> Any:
    """`source`, of `cpu_kernels`, as a C function.

    A cache that cannot be used costs time. What is read from it is run as it is: it holds no checksum, so that machine
    code in which bytes have changed may end the process.
    """
    with COMPILING:  # Numba's configuration is changed, too
        folder = cache_folder()
        if folder is not None:
            try:
                with _numba_cache(folder):
                    return numba.cfunc(signature, cache=True, **cpu_kernels.OPTIONS)(source)
            except Exception:  # whatever is wrong with the folder or its files
                pass
        return numba.cfunc(signature, cache=False, **cpu_kernels.OPTIONS)(source)


def source_hash() -> str:
    """Of everything that decides the machine code, apart from the CPU, which Numba's own index knows."""
    digest = hashlib.sha256()
    for module in (cpu_kernels, layout):
        digest.update(Path(str(module.__file__)).read_bytes())
    facts = (numba.__version__, llvmlite.__version__, np.__version__, platform.python_version(), platform.machine())
    digest.update(repr((facts, cpu_kernels.OPTIONS["error_model"], sorted(cpu_kernels.OPTIONS["fastmath"]))).encode())
    return digest.hexdigest()[:24]


def cache_folder() -> Path | None:
    """A writable folder of this source hash, or None.

    FUSED_ADAM_CACHE_DIR, else NUMBA_CACHE_DIR, else the user's cache folder (XDG_CACHE_HOME, ~/.cache).
    """
    try:
        chosen = os.environ.get("FUSED_ADAM_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
        base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "fused_adam" / source_hash()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: no home
        return None


@contextlib.contextmanager
def _numba_cache(folder: Path) -> Iterator[None]:
    """Numba reads its cache folder where a function is decorated."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
