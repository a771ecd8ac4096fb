"""The float64 oracle is certified by its own lines at 50 digits.

The bound of float64 arithmetic itself is what it may be off by; nothing is tuned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from comparing import fractions, worst_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import LAW, Problem, gradient_values, problems

from reference import (
    DIALECTS,
    Dialect,
    Hyperparameters,
    Rounding,
    State,
    averages,
    bounded_step,
    constraints,
    dialect,
    initial_bound,
    initial_state,
    rates,
    step,
)
from reference import stages as s
from reference.fifty_digits import FiftyDigits
from reference.multipliers import multiply

DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")
FIFTY = FiftyDigits()


def trajectory(problem: Problem, exact: Dialect, x: Any) -> Iterator[dict[str, float]]:
    """After every step the error of the free-running float64 trajectory as a fraction of its bound.

    exact, x: dialect and namespace of the 50-digit side, where errors are planted.
    """
    d, h = problem.dialect, problem.h
    ours, wanted = problem.start, initial_state(problem.theta, h, x)
    bound = initial_bound(ours)
    for gradients in problem.gradients:
        ambiguous = bounded_step(d, h, DOUBLE, ours, bound, gradients)[1].branch
        rectify = True if ambiguous else None  # both sides take one branch where float64 does not decide it
        before = in_namespace(ours, x), wanted
        ours, bound = bounded_step(d, h, DOUBLE, ours, bound, gradients, rectify=rectify)
        wanted = step(exact, h, wanted, gradients, x=x, rectify=rectify)
        assert ours.t == wanted.t
        yield fractions(before, (in_namespace(ours, x), wanted), bound)


def in_namespace(state: State, x: Any) -> State:
    """A float64 state as exact numbers of `x`."""

    def arrays(values: tuple[Any, ...]) -> tuple[Any, ...]:
        with np.errstate(invalid="ignore"):  # NumPy warns of a NaN on its way to mpmath
            return tuple(x.number(array) for array in values)

    v_max, slow, average = (None if g is None else arrays(g) for g in (state.v_max, state.slow, state.average))
    return State(arrays(state.theta), arrays(state.m), arrays(state.v), v_max, state.t, slow, average)


def worst(problem: Problem, *, exact: Dialect | None = None, x: Any = FIFTY) -> dict[str, float]:
    return worst_of(trajectory(problem, exact or problem.dialect, x))


@pytest.mark.parametrize("name", DIALECTS)
@settings(LAW, max_examples=50)
@given(data=st.data())
def test_float64_is_within_its_own_bound_of_50_digits(name: str, data: st.DataObject) -> None:
    found = worst(data.draw(problems(dialects=[dialect(name)])))
    assert max(found.values()) <= 1, found


# Planted errors of one part in 10^12, seen to fail

PLANTED = 1e-12


def acting_problem(d: Dialect, **changes: Any) -> Problem:
    """Ten steps in which every stage of `d` acts, and its result matters."""
    values: dict[str, Any] = {
        "l2": 0.5,
        "weight_decay": 0.5,
        "rescale_grad": 0.7,
        "clip_gradient": 1.5,
        "amsgrad": True,
        "adaptive_epsilon": True,
        "sync_period": 2,
        "slow_step_size": 0.8,
        "decay": 0.125,
        "clipvalue": 1.25,
        "lr_mult": (0.7,),
        "wd_mult": (1.1,),
        "begin_num_update": 3,
        "ema_momentum": 0.75,
        "ema_overwrite_frequency": 3,
        "constraint": "non_neg",
    }
    optional = {name: value for name, value in (values | changes).items() if name in d.hyperparameters}
    h = Hyperparameters(learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=0.5, **optional)
    rng = np.random.default_rng(7)
    rows = np.array([2, 0, 2] if s.sum_duplicate_rows in d.stages else [2, 0])
    gradients = [
        (rows, values[: len(rows)]) if d.takes_rows and t % 2 else values
        for t, values in enumerate(gradient_values("normal", rng, 10, (4, 2)))
    ]
    return Problem(d, h, (rng.normal(size=(4, 2)),), tuple((g,) for g in gradients))


WRITES: dict[s.Stage, str] = {
    multiply: "learning_rate",
    s.gather_rows: "m",
    s.restore_rows: "theta",
    s.named_rows_move: "direction",
    s.inverse_time_decay: "learning_rate",
    rates.scheduled_rate: "learning_rate",
    rates.warm_up: "learning_rate",
    rates.scheduled_weight_decay: "weight_decay",
    s.decay_theta: "theta",
    s.decay_direction: "direction",
    s.first_moment: "m",
    s.second_moment: "v",
    s.amsgrad_maximum: "v_max",
    s.zero_epsilon_is_default: "epsilon",
    s.epsilon_as_given: "epsilon",
    s.epsilon_hat: "direction",
    s.paper_epsilon: "direction",
    s.corrected_maximum: "v_max",
    s.root_epsilon: "direction",
    s.rectified: "direction",
    s.rectified_hat: "direction",
    s.rectified_root: "direction",
    s.nesterov: "direction",
    s.nesterov_schedule: "direction",
    s.subtract: "theta",
    s.lookahead: "slow",
    averages.average: "average",
    averages.average_all: "average",
    averages.overwrite: "theta",
    averages.overwrite_all: "theta",
    constraints.constrain: "theta",
}
"""A quantity that each stage writes; those that are left out write the gradient."""


def off_after(d: Dialect, stage: s.Stage) -> Dialect:
    """`d` with the quantity that `stage` writes off by one part in 10^12."""

    def wrong(p: s.Working, h: Hyperparameters, x: Any) -> None:
        name = WRITES.get(stage, "g")
        setattr(p, name, getattr(p, name) * (1 + x.number(PLANTED)))

    place = d.stages.index(stage) + 1
    return replace(d, stages=(*d.stages[:place], wrong, *d.stages[place:]))


ACTING = [
    pytest.param(d, stage, id=f"{d.name}-{stage.__name__}")
    for d in DIALECTS.values()
    for stage in d.stages
    if stage is not s.amsgrad_maximum or "amsgrad" in d.hyperparameters
]


@pytest.mark.parametrize(("d", "stage"), ACTING)
def test_a_stage_off_by_one_part_in_10_to_the_12_fails(d: Dialect, stage: s.Stage) -> None:
    problem = acting_problem(d)
    assert max(worst(problem).values()) <= 1
    assert max(worst(problem, exact=off_after(d, stage)).values()) > 1


class Wrong(FiftyDigits):
    """`FiftyDigits` one of whose functions is off by one part in 10^12."""

    def __init__(self, function: str) -> None:
        super().__init__()
        correct = getattr(self, function)
        setattr(self, function, lambda value: correct(value) * (1 + self.number(PLANTED)))


@pytest.mark.parametrize("function", ["sqrt", "log", "expm1"])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_function_off_by_one_part_in_10_to_the_12_fails(name: str, function: str) -> None:
    """Without adaptive epsilon, which makes numerator and denominator wrong alike."""
    problem = acting_problem(dialect(name), adaptive_epsilon=False)
    assert max(worst(problem, x=Wrong(function)).values()) > 1


# Units of the namespace


def test_numbers_are_exact_and_have_50_digits() -> None:
    assert FIFTY.number(0.1) == mpmath.mpf(0.1)
    third = FIFTY.number(1.0) / 3
    assert abs(third * 3 - 1) < mpmath.mpf(10) ** -49
    array = FIFTY.number(np.array([[0.1, 0.2]]))
    assert array.dtype == object
    assert array.shape == (1, 2)


def test_functions_follow_ieee_where_mpmath_would_raise() -> None:
    assert mpmath.isnan(FIFTY.sqrt(FIFTY.number(-1.0)))
    assert FIFTY.log(FIFTY.number(0.0)) == -mpmath.inf
    assert [bool(mpmath.isnan(root)) for root in FIFTY.sqrt(FIFTY.number(np.array([-1.0, 4.0])))] == [True, False]


def test_a_0_d_parameter_runs_at_50_digits() -> None:
    h = Hyperparameters(learning_rate=0.1)
    state = step(dialect("keras-v2-adam"), h, initial_state([np.array(1.0)], h, FIFTY), [np.array(3.0)], x=FIFTY)
    assert state.theta[0].shape == ()
    assert float(state.theta[0][()]) == pytest.approx(0.9, abs=1e-6)


def test_0_by_0_of_a_0_d_parameter_is_not_a_number() -> None:
    h = Hyperparameters(epsilon=0.0)
    state = step(dialect("torch-adam"), h, initial_state([np.array(1.0)], h, FIFTY), [np.array(0.0)], x=FIFTY)
    assert mpmath.isnan(state.theta[0][()])


def test_m_by_0_is_infinite_as_in_float64() -> None:
    """beta_2 = 0: the second gradient, 0, leaves m > 0 and v = 0."""
    h = Hyperparameters(beta_2=0.0, epsilon=0.0)
    state = initial_state([np.ones(1)], h, FIFTY)
    for g in (1.0, 0.0):
        state = step(dialect("torch-adam"), h, state, [np.array([g])], x=FIFTY)
    assert state.theta[0][0] == -mpmath.inf
