"""The CPU driver: compiled kernels, threads and forks. See `engine.Driver`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fused_adam import openmp
from fused_adam.errors import missing
from fused_adam.forks import COMPILING
from fused_adam.layout import CHUNK, Variant
from fused_adam.planner import Plan, Step, parts

try:
    from fused_adam import cpu_kernels
    from fused_adam.compiling import compiled
except ImportError as _error:
    raise missing("numba", "fused_adam on the CPU", _error) from _error

SERIAL_BELOW = 131072
"""Elements up to which one thread takes no longer than waking the others, which may be asleep."""


class CpuDriver:
    """On the calling thread, or on the threads of the process's OpenMP runtime. One instance serves the process."""

    name = "cpu-numba"
    chunk = CHUNK

    def __init__(self) -> None:
        self._kernels: dict[Variant, Any] = {}
        self._walk: Any = None
        self._step: Any = None
        self._call: Callable[[int], None]
        self._alone = False
        """In a forked child: its copy of the runtime believes in threads that do not exist."""
        self.runtime: openmp.Runtime | None = None
        """What gives the threads, once it has been looked for; None: there are none."""

    def kernel(self, variant: Variant) -> int:
        """Address of the compiled kernel of `variant`."""
        kernel = self._kernels.get(variant)
        if kernel is None:
            with COMPILING:
                kernel = self._kernels.get(variant) or compiled(
                    cpu_kernels.KERNEL_SIGNATURE, cpu_kernels.kernel_source(variant)
                )
                self._kernels[variant] = kernel
        return int(kernel.address)

    def load(self, plan: Plan, dtypes: Sequence[str]) -> _Loaded:
        """The plan's work table."""
        self._compile_step()
        return _Loaded(plan)

    def threads(self) -> int:
        """Threads of a large step."""
        return 1 if self._alone or self.runtime is None else self.runtime.threads()

    def run(self, loaded: _Loaded, step: Step) -> str:
        """One step of every tensor that has a gradient; the name of the driver that ran."""
        threads = self.threads() if loaded.plan.elements > SERIAL_BELOW else 1
        if step.rows is not loaded.rows or threads != loaded.threads:
            loaded.fill(step, threads, self._walk.address, self.runtime)
        self._call(loaded.address)
        return "serial" if threads == 1 else "parallel"

    def _compile_step(self) -> None:
        if self._step is None:
            with COMPILING:
                self.runtime = openmp.find()
                self._walk = compiled(cpu_kernels.WORK_SIGNATURE, cpu_kernels.walk)
                step = compiled(cpu_kernels.WORK_SIGNATURE, cpu_kernels.step)
                self._call, self._step = step.ctypes, step

    def after_fork(self) -> None:
        """In the child: the threads of the runtime are gone."""
        self._alone = True


class _Loaded:
    """The work table of one plan: what `cpu_kernels.step` reads, filled anew when an address in it changes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: Any = None
        self.threads = 0
        self._table = np.zeros(len(cpu_kernels.WORK), dtype=np.int64)
        self.address = _address(self._table)
        self._parts: Any = None

    def fill(self, step: Step, threads: int, walk: int, runtime: openmp.Runtime | None) -> None:
        """One part of the segment list per thread, of about as many elements."""
        if threads != self.threads:
            self._parts = parts(self.plan.segments, threads)
        self.rows, self.threads = step.rows, threads
        tables = (self.plan.segments, step.pointers, step.row_of, step.rows, step.kernels, step.counts)
        functions = (0, 0, 0) if runtime is None else runtime[:3]
        self._table[:] = (
            _address(self._parts),
            threads,
            *map(_address, tables),
            step.counts.size,
            step.together,
            threads,
            walk,
            *functions,
        )


def _address(table: Any) -> int:
    if not table.flags.c_contiguous or table.dtype.itemsize != 8:
        raise AssertionError("a table of the planner is contiguous, of 64-bit words")
    return int(table.ctypes.data)


DRIVER = CpuDriver()
"""The one of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DRIVER.after_fork)
