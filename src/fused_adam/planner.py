"""The planner: from a list of parameters to the tables that every driver reads. Arithmetic only, no memory.

docs/engine.md shows the layout with an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fused_adam.errors import refused
from fused_adam.layout import CHUNK


@dataclass(frozen=True)
class Plan:
    """What does not change from step to step while the parameters stay the same."""

    segments: Any
    """int64 [k, 3]: tensor, first element, number of elements; in the tensors' order."""
    elements: int


@dataclass
class Step:
    """What changes: kept by the engine, rewritten in place, read by the driver."""

    pointers: Any
    """int64 [n, 5]: addresses of p, g, m, v, v_max of every tensor."""
    row_of: Any
    """int64 [n]: the row of every tensor."""
    rows: Any
    """float64 [r, ROW_WIDTH]: the scalars, a row per (group, dtype, t)."""
    kernels: Any
    """int64 [r]: what the driver's `kernel` returned for the variant of each row."""
    counts: Any
    """int64 [n]: t before the step. The driver advances it, where there is a gradient or everywhere."""
    together: int
    """1: the optimizer has one t, which advances for tensors without gradient too."""


def plan(counts: Sequence[int], chunk: int = CHUNK) -> Plan:
    """The plan for tensors of `counts` elements.

    A segment is a piece of one tensor, of 1 to `chunk` elements.
    """
    sizes = np.asarray(counts, dtype=np.int64).reshape(-1)
    pieces = -(-sizes // chunk)
    tensor = np.repeat(np.arange(len(sizes), dtype=np.int64), pieces)
    ordinal = np.arange(len(tensor), dtype=np.int64) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = ordinal * chunk
    count = np.minimum(chunk, sizes[tensor] - first)
    segments = np.ascontiguousarray(np.stack([tensor, first, count], axis=1))
    return Plan(segments, int(sizes.sum()))


def parts(segments: Any, number: int) -> Any:
    """int64 [number + 1]: boundaries in the segment list, of about as many elements each."""
    ends = np.cumsum(segments[:, 2])
    total = int(ends[-1]) if len(ends) else 0
    targets = [total * k // number for k in range(1, number)]
    inner = np.searchsorted(ends, targets, side="left") + 1 if total else np.zeros(number - 1, dtype=np.int64)
    return np.asarray([0, *np.minimum(inner, len(ends)), len(ends)], dtype=np.int64)


def refuse_overlap(names: Sequence[str], addresses: Sequence[int], sizes: Sequence[int]) -> None:
    """ValueError if two of the memory ranges share a byte. Empty ranges share nothing."""
    ranges = sorted((a, a + n, name) for name, a, n in zip(names, addresses, sizes, strict=True) if n)
    for (_, end, one), (begin, _, other) in pairwise(ranges):
        if begin < end:
            raise refused(
                f"memory of {other}",
                f"shared with {one}",
                "parameters whose memory does not overlap or interleave, each once",
            )
