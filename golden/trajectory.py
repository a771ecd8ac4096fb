"""The float64 reference on a case, and the bound beside it: what stored values are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from golden.between import carried, hyperparameters_by_step
from golden.case import Case, Expected
from reference import Bound, Rounding, State, bounded_step, dialect, initial_bound, initial_state


def trajectory(case: Case, rounding: Rounding) -> Iterator[tuple[Expected, State, Bound]]:
    """At the stated steps: what is stored, the float64 reference's own, and how far `rounding` may be from either.

    The bound's `branch` is whether a rectified branch was ambiguous in this step or an earlier one.
    """
    stated = {expected.step: expected for expected in case.expected}
    d = dialect(case.dialect)
    state = initial_state(case.parameters, case.hyperparameters)
    bound = initial_bound(state)
    ambiguous = False
    by_step = hyperparameters_by_step(case.hyperparameters, case.between, case.steps)
    for k, (h, gradients) in enumerate(zip(by_step, case.gradients, strict=True), 1):
        state, bound = carried(state, case.between, k - 1), carried(bound, case.between, k - 1)
        state, bound = bounded_step(d, h, rounding, state, bound, gradients)
        ambiguous = ambiguous or bound.branch
        if k in stated:
            yield stated[k], state, _with_branch(bound, ambiguous=ambiguous)


def _with_branch(bound: Bound, *, ambiguous: bool) -> Bound:
    """Which branch was taken decides theta, slow weights and average: where that is open, every one is accepted."""
    if not ambiguous:
        return bound
    theta = tuple(np.full(np.shape(error), np.inf) for error in bound.theta)
    slow, average = (None if group is None else theta for group in (bound.slow, bound.average))
    return replace(bound, theta=theta, slow=slow, average=average, branch=True)


def named(of: State | Bound) -> dict[str, tuple[Any, ...]]:
    """Every quantity of a state, or its bound, by the name that `Expected` gives it."""
    beside = {name: getattr(of, name) or () for name in ("v_max", "slow", "average")}
    return {"parameters": of.theta, "m": of.m, "v": of.v, **beside}
