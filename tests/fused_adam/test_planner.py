"""The planner's arithmetic, without the memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fused_adam import planner
from fused_adam.layout import CHUNK


@given(st.lists(st.integers(0, 5 * 16), max_size=40), st.integers(1, 9))
def test_every_element_once_in_segments_and_parts(sizes: list[int], threads: int) -> None:
    chunk = 16
    plan = planner.plan(sizes, chunk)
    covered = [(int(t), k) for t, first, n in plan.segments for k in range(first, first + n)]
    assert covered == [(t, k) for t, size in enumerate(sizes) for k in range(size)]
    assert all(1 <= n <= chunk for n in plan.segments[:, 2])
    assert plan.elements == sum(sizes)
    boundaries = planner.parts(plan.segments, threads)
    assert boundaries[0] == 0
    assert boundaries[-1] == len(plan.segments)
    assert (np.diff(boundaries) >= 0).all()
    assert len(boundaries) == threads + 1


def test_parts_are_balanced() -> None:
    plan = planner.plan([1000] * 1000)
    loads = [
        plan.segments[a:b, 2].sum()
        for a, b in zip(*(lambda p: (p, p[1:]))(planner.parts(plan.segments, 7)), strict=False)
    ]
    assert max(loads) - min(loads) <= 2000


def test_sizes_beyond_32_bits() -> None:
    size = 2**33 + 5
    plan = planner.plan([3, size, 0])
    assert plan.elements == size + 3
    assert len(plan.segments) == 1 + size // CHUNK + 1
    assert plan.segments[-1].tolist() == [1, size // CHUNK * CHUNK, size % CHUNK]
    assert plan.segments.dtype == np.int64
    half = planner.parts(plan.segments, 2)[1]
    assert abs(int(plan.segments[:half, 2].sum()) - size // 2) <= 2 * CHUNK


def test_overlap_is_refused_by_name() -> None:
    planner.refuse_overlap(["a", "b", "c"], [0, 8, 8], [8, 4, 0])
    with pytest.raises(ValueError, match="memory of b is 'shared with a'"):
        planner.refuse_overlap(["a", "b"], [0, 7], [8, 4])
