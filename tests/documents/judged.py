"""What a documented example must give: the reference's steps at the learning rates of that example, and their bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import reference
from adapters.contract import Array, Hyperparameters, Problem
from conformance import oracle
from golden import tolerances
from reference.rounding import unit

INFORMS = tolerances.read().informative.below
SINGLE = unit("float32")


@dataclass(frozen=True)
class Rate:
    """A learning rate as the example has it, and what a float32 computation of it may be off."""

    exact: float
    error: float = 0.0


def judge(
    adapter: Any,
    h: Hyperparameters,
    theta: Array,
    gradients: Sequence[Array],
    observed: Sequence[Array],
    rates: Iterable[Rate] | None = None,
) -> None:
    """Assert that every observed parameter is within its bound, and that the bound is below 1 % of the movement.

    A step without decay is proportional to its rate, so a rate that is off moves it by its share. rates: without them
    the learning rate is the hyper-parameter's throughout.
    """
    assert len(gradients) == len(observed) > 0
    problem = Problem(dtype="float32", hyperparameters=h, parameters=(theta,), gradients=tuple((g,) for g in gradients))
    a = adapter.arithmetic("float32")
    received, rounding = oracle.received(problem, a), oracle.rounding(a)
    state = reference.initial_state(problem.parameters, received)
    bound = reference.initial_bound(state)
    moved, drift = np.zeros(theta.shape), np.zeros(theta.shape)
    steps = [Rate(received.learning_rate)] * len(gradients) if rates is None else [*rates]
    for rate, gradient, seen in zip(steps, gradients, observed, strict=True):
        before = state.theta[0]
        now = replace(received, learning_rate=rate.exact)
        dialect = reference.dialect(adapter.claim.dialect)
        state, bound = reference.bounded_step(dialect, now, rounding, state, bound, (gradient,))
        moved = moved + abs(state.theta[0] - before)
        drift = drift + abs(state.theta[0] - before) * rate.error / rate.exact
        allowed = bound.theta[0] + drift
        assert (abs(seen - state.theta[0]) <= allowed).all(), (seen, state.theta[0], allowed)
        assert (allowed < INFORMS * moved).all()
