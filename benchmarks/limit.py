"""The memory's limit: an in-place sweep that reads four arrays and writes three, as Adam must.

Compiled with Numba and threaded, 28 bytes per float32 parameter, over one list of arrays however many
tensors the case has: the limit knows no tensors. Where waking the threads costs more than they save, one
thread does it; the warm-up decides which, so that the limit is the faster of the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks.task import Array, Task

_PARTS = 8
"""Pieces per thread; static, as the threads get equal shares."""


def _part(p: Any, g: Any, m: Any, v: Any, begin: int, end: int) -> None:
    # Half the sum of two ordinary numbers is one, however often.
    half = np.float32(0.5)
    for i in range(begin, end):
        mean = half * (m[i] + g[i])
        second = half * (v[i] + g[i])
        m[i] = mean
        v[i] = second
        p[i] = half * (p[i] + mean)


_sweep_part = numba.njit(_part, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def serial(p: Any, g: Any, m: Any, v: Any) -> None:
    """The sweep on the calling thread."""
    _sweep_part(p, g, m, v, 0, p.size)


@numba.njit(nogil=True, parallel=True)  # type: ignore[untyped-decorator]
def threaded(p: Any, g: Any, m: Any, v: Any) -> None:
    """The sweep on Numba's threads."""
    parts = _PARTS * numba.get_num_threads()
    for k in numba.prange(parts):
        _sweep_part(p, g, m, v, p.size * k // parts, p.size * (k + 1) // parts)


class Limit:
    """The faster of the two sweeps over the bytes that have a gradient."""

    def __init__(self, task: Task) -> None:
        parameters = [task.parameters[i].reshape(-1) for i in task.present]
        gradients = [task.gradients[i].reshape(-1) for i in task.present]
        self.arrays = [_joined(parameters), *(_joined(gradients) for _ in range(3))]
        self.sweep = min((serial, threaded), key=self._seconds)

    def _seconds(self, sweep: Callable[..., None]) -> float:
        """Best of some sweeps, compilation apart."""
        best = float("inf")
        for _ in range(6):
            start = time.perf_counter()
            sweep(*self.arrays)
            best = min(best, time.perf_counter() - start)
        return best

    def step(self) -> None:
        """One sweep."""
        self.sweep(*self.arrays)

    def renew_gradients(self) -> None:
        """A copy, as the other arms make one."""
        g = _empty(self.arrays[1].size)
        g[...] = self.arrays[1]
        self.arrays[1] = g

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """All of it: it has no tensors."""
        p, _, m, v = self.arrays
        return p, m, v


def _joined(arrays: list[Array]) -> Array:
    joined = _empty(sum(a.size for a in arrays))
    first = 0
    for a in arrays:
        joined[first : first + a.size] = a
        first += a.size
    return joined


def _empty(size: int) -> Array:
    """From the allocator of fused_adam's arrays here: torch's where it is installed, because NumPy asks for
    huge pages and torch does not, and the limit is that of the memory that is there.
    """
    try:
        import torch
    except ImportError:
        return np.empty(size, np.float32)
    return torch.empty(size, dtype=torch.float32).numpy()
