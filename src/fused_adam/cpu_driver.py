"""The CPU driver: compiled kernels, where they are cached, threads and forks. See `engine.Driver`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fused_adam import layout
from fused_adam.errors import missing
from fused_adam.layout import Variant
from fused_adam.planner import Plan, Step, parts

try:
    import numba

    from fused_adam import cpu_kernels
except ImportError as _error:
    raise missing("numba", "fused_adam on the CPU", _error) from _error

SERIAL_BELOW = 131072
"""Elements up to which one thread takes no longer than waking the others, which may be asleep or behind torch's."""


class CpuDriver:
    """Serial or parallel on Numba's threads. One instance serves the process; see `cpu_driver`."""

    name = "cpu-numba"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        """Held while compiling, and while running on a threading layer that is not safe with threads."""
        self._kernels: dict[Variant, Any] = {}
        self._walks: dict[str, Callable[..., None]] = {}
        self._exclusive: bool | None = None
        self._alone = False
        """In a forked child of a process whose threads had been started: no threads here, ever."""
        self.cache_folder: Path | None = None
        """Where compiled code is kept; None where nothing was compiled yet, or in memory."""
        self.layer = "none"
        """Numba's threading layer, once it has run."""

    def kernel(self, variant: Variant) -> int:
        """Address of the compiled kernel of `variant`."""
        kernel = self._kernels.get(variant)
        if kernel is None:
            with self._lock:
                kernel = self._kernels.get(variant) or self._compile_kernel(variant)
                self._kernels[variant] = kernel
        return int(kernel.address)

    def load(self, plan: Plan) -> _Loaded:
        """Parts of the segment list, one per thread."""
        return _Loaded(plan)

    def run(self, loaded: _Loaded, step: Step) -> str:
        """One step of every tensor that has a gradient; the name of the driver that ran."""
        threads = 1
        if not self._alone and loaded.plan.elements > SERIAL_BELOW:
            threads = numba.get_num_threads()
        which = "serial" if threads == 1 else "parallel"
        walk = self._walks.get(which) or self._compile_walk(which)
        arguments = (
            loaded.parts(threads),
            loaded.plan.segments,
            step.pointers,
            step.row_of,
            step.rows,
            step.kernels,
            step.counts,
            step.together,
        )
        if threads == 1 or self._exclusive is False:
            walk(*arguments)
        else:
            self._run_exclusively(walk, arguments)
        return which

    def _run_exclusively(self, walk: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        with self._lock:
            walk(*arguments)
            self.layer = numba.threading_layer()
            # workqueue ends the process when two threads are inside.
            self._exclusive = self.layer == "workqueue"

    def _compile_kernel(self, variant: Variant) -> Any:
        source = cpu_kernels.kernel_source(variant)

        def compiled(cache: bool) -> Any:
            return numba.cfunc(cpu_kernels.KERNEL_SIGNATURE, cache=cache, **cpu_kernels.OPTIONS)(source)

        return self._cached(compiled)

    def _compile_walk(self, which: str) -> Callable[..., None]:
        source = cpu_kernels.walk_serial if which == "serial" else cpu_kernels.walk_parallel

        def compiled(cache: bool) -> Any:
            return numba.njit(
                cpu_kernels.WALK_SIGNATURE,
                cache=cache,
                nogil=True,
                parallel=which == "parallel",
                **cpu_kernels.OPTIONS,
            )(source)

        with self._lock:
            if which not in self._walks:
                self._walks[which] = self._cached(compiled)
            return self._walks[which]

    def _cached(self, compiled: Callable[[bool], Any]) -> Any:
        """Compile with the cache if there is a folder for it; a broken cache costs time and nothing else."""
        folder = _cache_folder()
        if folder is not None:
            try:
                with _numba_cache(folder):
                    result = compiled(True)
                self.cache_folder = folder
                return result
            except Exception:
                pass
        return compiled(False)

    def after_fork(self) -> None:
        """In the child: locks that another thread held, and threads that do not exist here, are gone."""
        self._lock = threading.RLock()
        self._alone = self._alone or _threads_started()


class _Loaded:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._parts: dict[int, Any] = {}

    def parts(self, threads: int) -> Any:
        """Boundaries in the segment list: as many parts as threads, of about as many elements."""
        found = self._parts.get(threads)
        if found is None:
            found = self._parts[threads] = parts(self.plan.segments, threads)
        return found


def _threads_started() -> bool:
    module = sys.modules.get("numba.np.ufunc.parallel")
    return bool(getattr(module, "_is_initialized", False))


# The cache


def source_hash() -> str:
    """Of everything that decides the machine code, apart from the CPU, which Numba's own index knows."""
    digest = hashlib.sha256()
    for module in (cpu_kernels, layout):
        digest.update(Path(str(module.__file__)).read_bytes())
    import llvmlite

    facts = (numba.__version__, llvmlite.__version__, np.__version__, platform.python_version(), platform.machine())
    digest.update(repr((facts, cpu_kernels.OPTIONS["error_model"], sorted(cpu_kernels.OPTIONS["fastmath"]))).encode())
    return digest.hexdigest()[:24]


def _cache_folder() -> Path | None:
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


DRIVER = CpuDriver()
"""The one of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DRIVER.after_fork)
