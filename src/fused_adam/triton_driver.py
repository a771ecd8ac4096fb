"""The GPU driver: tables on the device, and one launch per dtype. See `engine.Driver` and docs/engine.md.

Where ``TRITON_INTERPRET=1`` is set before the first import, Triton runs the same kernel on the CPU, slowly, for tests.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from fused_adam.errors import missing, refused
from fused_adam.interrupts import uninterrupted
from fused_adam.layout import FORMULA, ROW_WIDTH, Variant
from fused_adam.planner import Plan, Step

try:
    import torch
except ImportError as _error:
    raise missing("torch", "fused_adam on a GPU", _error) from _error
try:
    import triton

    from fused_adam.triton_kernels import BLOCK, OPTIONS, formula_bits, step_segments
except ImportError as _error:
    raise missing("triton", "fused_adam on a GPU", _error) from _error

_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_NUMBERS = {"float32": triton.language.float32, "float64": triton.language.float64}
_FLOAT64 = 1 << 16
"""In a row's number, beside the bits of its formula: the row is of float64."""

INTERPRETED = not isinstance(step_segments, triton.JITFunction)


@cache
def driver_for(device: Any) -> TritonDriver:
    """The driver of a ``torch.device`` with an index."""
    return TritonDriver(device)


class TritonDriver:
    """Launches on torch's current stream of one device."""

    name = "triton interpreter" if INTERPRETED else "triton"
    chunk = BLOCK

    def __init__(self, device: Any) -> None:
        if device.type != ("cpu" if INTERPRETED else "cuda") or torch.version.hip is not None:
            accepted = "cpu, because TRITON_INTERPRET=1 is set" if INTERPRETED else "an NVIDIA GPU, cuda"
            raise refused("device", str(device), accepted, TypeError)
        self.device = device
        self._compiled: set[str] = set()

    def kernel(self, variant: Variant) -> int:
        """The bits of the variant's formula, and its dtype's. Compiles that dtype's kernel and loads it."""
        if variant.dtype not in self._compiled:
            nothing = torch.zeros(8, dtype=torch.int64, device=self.device)
            with self._current():
                _launch(variant.dtype, 0, nothing, nothing, nothing, nothing.view(_DTYPES[variant.dtype]), 1)
            self._compiled.add(variant.dtype)
        return formula_bits(variant) | (_FLOAT64 if variant.dtype == "float64" else 0)

    def load(self, plan: Plan, dtypes: Sequence[str]) -> Tables:
        """The tables on the device."""
        return Tables(plan, dtypes, self.device)

    def run(self, loaded: Tables, step: Step) -> str:
        """One launch for each dtype that has a gradient, then t; what ran."""
        with self._current():
            if not INTERPRETED and torch.cuda.is_current_stream_capturing():
                accepted = "a stream that is not being captured; CUDA graphs are not implemented yet"
                raise refused("torch.cuda.current_stream()", "capturing", accepted, RuntimeError)
            wide = step.kernels & _FLOAT64 != 0
            dtypes = [name for name, there in (("float32", ~wide), ("float64", wide)) if there.any()]
            launches = [loaded.updated(step, dtype) for dtype in dtypes]
            with uninterrupted():  # no interrupt comes between the moments and t
                ran = [_launch(dtype, *arguments) for dtype, arguments in zip(dtypes, launches, strict=True)]
                step.counts += 1 if step.together else step.pointers[:, 1] != 0
            return ran[0] if ran else "idle"

    def _current(self) -> contextlib.AbstractContextManager[Any]:
        """Makes the device torch's and Triton's current one."""
        if INTERPRETED:
            return np.errstate(all="ignore")  # NumPy computes there, and warns where NaN goes through
        context: contextlib.AbstractContextManager[Any] = torch.cuda.device(self.device)
        return context


def _launch(dtype: str, programs: int, segments: Any, fixed: Any, moving: Any, rows: Any, tensors: int) -> str:
    """What Triton says it ran."""
    compiled = step_segments[(programs,)](
        segments, fixed, moving, rows, tensors, number=_NUMBERS[dtype], block=BLOCK, **OPTIONS
    )
    if compiled is None:
        return "cpu"
    target = compiled.metadata.target
    return f"{target.backend} sm_{target.arch}"


class Tables:
    """What the kernels read, on the device.

    Everything is written by copies on the current stream, behind the launches that still read the last values, so
    that one of each table is enough. Whoever steps on another stream makes it wait for this one, as he must for the
    moments.
    """

    def __init__(self, plan: Plan, dtypes: Sequence[str], device: Any) -> None:
        n = len(dtypes)
        self._device = device
        self._tensors = n
        kinds = np.array(dtypes, dtype=object)[plan.segments[:, 0]]
        self._segments = {
            dtype: torch.from_numpy(plan.segments[kinds == dtype]).to(device) for dtype in dict.fromkeys(dtypes)
        }
        self._fixed = torch.zeros((4, n), dtype=torch.int64, device=device)
        """Addresses of p, m, v, v_max."""
        self._moving = torch.zeros((2, n), dtype=torch.int64, device=device)
        """Addresses of g, numbers of rows."""
        self._rows = {
            dtype: torch.zeros((n, ROW_WIDTH), dtype=_DTYPES[dtype], device=device) for dtype in self._segments
        }
        """Room for as many rows as there can be: a tensor has one."""
        self._seen_fixed = np.zeros((n, 4), dtype=np.int64)
        self._seen_moving = np.zeros((2, n), dtype=np.int64)
        self._streams: set[int] = set()
        self.uploads: Counter[str] = Counter()
        """Copies to the device, by table."""

    def updated(self, step: Step, dtype: str) -> tuple[int, Any, Any, Any, Any, int]:
        """Bring the tables up to date; arguments of the launch for `dtype`."""
        self._send_pointers(step)
        rows = self._send_rows(step, dtype)
        segments = self._segments[dtype]
        if self._device.type == "cuda":
            self._outlive(torch.cuda.current_stream())
        return len(segments), segments, self._fixed, self._moving, rows, self._tensors

    def _send_pointers(self, step: Step) -> None:
        fixed = step.pointers[:, (0, 2, 3, 4)]
        if not np.array_equal(fixed, self._seen_fixed):
            self._send("fixed", self._fixed, np.ascontiguousarray(fixed.T))
            self._seen_fixed = fixed
        moving = np.stack([step.pointers[:, 1], step.row_of])
        if not np.array_equal(moving, self._seen_moving):
            self._send("moving", self._moving, moving)
            self._seen_moving = moving

    def _send_rows(self, step: Step, dtype: str) -> Any:
        """The rows in the precision of the kernel. Those of the other dtype are there and nobody reads them."""
        with np.errstate(over="ignore"):
            numbers = step.rows.astype(dtype)
        numbers[:, FORMULA] = step.kernels % _FLOAT64
        self._send("rows", self._rows[dtype][: len(numbers)], numbers)
        return self._rows[dtype]

    def _send(self, name: str, table: Any, values: Any) -> None:
        """Copy `values` to the device without waiting for it.

        A copy from pageable memory would make the host wait for the stream. One from pinned memory returns before it
        has been made; the pinned memory may be forgotten all the same, because torch's allocator records an event
        behind each copy from it and hands it out again only when the event has passed: a ring that grows as far as
        the device lags behind.
        """
        host = torch.from_numpy(values)
        table.copy_(host.pin_memory() if table.is_cuda else host, non_blocking=True)
        self.uploads[name] += 1

    def _outlive(self, stream: Any) -> None:
        """Tell torch's allocator which streams read the tables, so that their memory outlives those readers."""
        if stream.cuda_stream not in self._streams:
            for table in (*self._segments.values(), self._fixed, self._moving, *self._rows.values()):
                table.record_stream(stream)
            self._streams.add(stream.cuda_stream)
