"""Every dialect, computed by the oracle's own lines in float32 and float16, is inside the bound.

It tries the rules of all stages: rows, duplicates, clips, decays, parameters without gradient.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from comparing import fractions, worst_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import LAW, Problem, problems

from reference import (
    DIALECTS,
    Dialect,
    Hyperparameters,
    Rounding,
    State,
    bounded_step,
    dialect,
    initial_bound,
    initial_state,
    step,
)
from reference import stages as s


class Low:
    """A `reference.namespace.Namespace` of float32 or float16."""

    def __init__(self, dtype: str) -> None:
        self.type = np.dtype(dtype).type

    def number(self, value: Any) -> Any:
        return value.astype(self.type) if isinstance(value, np.ndarray) else self.type(value)

    def sqrt(self, value: Any) -> Any:
        return np.sqrt(value)

    def log(self, value: Any) -> Any:
        return np.log(value)

    def expm1(self, value: Any) -> Any:
        return np.expm1(value)


def received(h: Hyperparameters, x: Low, d: Dialect) -> Hyperparameters | None:
    """The hyper-parameters of `d` as the format holds them; None where a beta does not survive."""
    given = {f.name: getattr(h, f.name) for f in fields(h) if f.name in d.hyperparameters or "power" in f.name}
    numbers: dict[str, Any] = {
        name: value if value is None or isinstance(value, int | tuple) else float(x.number(value))
        for name, value in given.items()
    }
    return None if max(numbers["beta_1"], numbers["beta_2"]) >= 1 else Hyperparameters(**numbers)


def in_float64(state: State) -> State:
    def arrays(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(array.astype(float) for array in values)

    v_max, slow = (None if group is None else arrays(group) for group in (state.v_max, state.slow))
    return State(arrays(state.theta), arrays(state.m), arrays(state.v), v_max, state.t, slow)


def low_precision(problem: Problem, dtype: str) -> dict[str, float]:
    """The worst fractions, of one step and of the free run, of `problem` computed in `dtype`."""
    x, a = Low(dtype), Rounding(compute=dtype, powers=dtype, step_size=dtype, momentum_product=dtype)
    h = received(problem.h, x, problem.dialect)
    if h is None:
        return {"nothing": 0.0}
    with np.errstate(all="ignore"):
        seen = initial_state(problem.theta, h, x)
    free = in_float64(seen)
    bound, found = initial_bound(free), []
    branch: dict[int, bool | None] = {}

    def watch(i: int, stage: s.Stage, before: s.Working, after: s.Working) -> None:
        branch[i] = after.rectified

    def low(gradient: Any) -> Any:
        if isinstance(gradient, tuple):
            return gradient[0], x.number(gradient[1])
        return None if gradient is None else x.number(gradient)

    for gradients in problem.gradients:
        with np.errstate(all="ignore"):
            given = tuple(low(g) for g in gradients)
            new = step(problem.dialect, h, seen, given, x=x, watch=watch)
        observed = in_float64(seen), in_float64(new)
        for start, limit in ((observed[0], initial_bound(free)), (free, bound)):
            state, after = bounded_step(problem.dialect, h, a, start, limit, given)
            if after.branch:
                taken = [branch[i] if ambiguous else None for i, ambiguous in enumerate(after.branches)]
                state, after = bounded_step(problem.dialect, h, a, start, limit, given, rectify=taken)
            found.append(fractions((observed[0], start), (observed[1], state), after))
        free, bound, seen = state, after, new
    return worst_of(found)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", DIALECTS)
@settings(LAW, max_examples=25)
@given(data=st.data())
def test_every_dialect_in_low_precision_is_inside(name: str, dtype: str, data: st.DataObject) -> None:
    found = low_precision(data.draw(problems(dialects=[dialect(name)], max_steps=20)), dtype)
    assert max(found.values()) <= 1, found
