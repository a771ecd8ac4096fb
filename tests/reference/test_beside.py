"""Keras' average of the parameters, its exceptions from decay and its constraints, by hand; and their bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reference import (
    DIALECTS,
    Bound,
    Hyperparameters,
    Rounding,
    State,
    bounded_step,
    dialect,
    initial_bound,
    initial_state,
    step,
)

AVERAGING = [name for name, d in DIALECTS.items() if "ema_momentum" in d.hyperparameters]
CONSTRAINING = [name for name, d in DIALECTS.items() if "constraint" in d.hyperparameters]
SINGLE = Rounding(compute="float32", powers="float32", step_size="float32")
U = 2.0**-24 + 2.0**-53
ETA = 2.0**-126
STILL: dict[str, Any] = {"learning_rate": 0.0}
"""theta stays where it is, so that all that is seen is what acts beside the step."""


def run(name: str, theta: Any, gradients: Any, **given: Any) -> State:
    own: dict[str, Any] = {"sync_period": 2} if "lookahead" in name else {}
    h = Hyperparameters(**own, **given)
    state = initial_state([np.asarray(array, float) for array in theta], h)
    for one in gradients:
        state = step(dialect(name), h, state, [None if g is None else np.asarray(g, float) for g in one])
    return state


def lists(arrays: Any) -> list[Any]:
    return [array.tolist() for array in arrays]


# The average


@pytest.mark.parametrize(("name", "first"), [("tf-keras-adam", 8.0), ("keras3-adam", 7.5)])
def test_the_average_begins_at_the_initial_theta_or_at_the_first_one(name: str, first: float) -> None:
    """Steps of 1/2 down from 8, as v is m^2: 7.5, 7, 6.5; the average is a quarter of each."""
    h: dict[str, Any] = {"learning_rate": 0.5, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0, "ema_momentum": 0.75}
    state = run(name, [[8.0]], [[[1.0]]] * 3, **h)
    average = first
    for theta in (7.5, 7.0, 6.5):
        average = 0.75 * average + 0.25 * theta
    assert lists(state.theta) == [[6.5]]
    assert lists(state.average) == [[average]]


@pytest.mark.parametrize("name", AVERAGING)
def test_every_so_many_steps_theta_becomes_the_average(name: str) -> None:
    h: dict[str, Any] = {"learning_rate": 0.5, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0, "ema_momentum": 0.5}
    for every, equal in ((None, {1} if name == "keras3-adam" else set()), (2, {2, 4}), (3, {3})):
        found = {
            k
            for k in range(1, 5)
            for s in [run(name, [[8.0]], [[[1.0]]] * k, ema_overwrite_frequency=every, **h)]
            if lists(s.theta) == lists(s.average)
        }
        assert found == equal | ({1} if name == "keras3-adam" else set())


@pytest.mark.parametrize(("name", "follows"), [("tf-keras-adam", False), ("keras3-adam", True)])
def test_without_gradient_a_parameter_is_averaged_and_overwritten_by_keras_3_alone(name: str, follows: bool) -> None:
    h: dict[str, Any] = {"learning_rate": 0.5, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0, "ema_momentum": 0.5}
    some = [[[1.0], [1.0]], [[1.0], [1.0]], [[1.0], None]]
    before, after = (run(name, [[8.0], [8.0]], some[:k], ema_overwrite_frequency=3, **h) for k in (2, 3))
    assert before.average is not None
    assert after.average is not None
    average = 0.5 * before.average[1] + 0.5 * before.theta[1]
    assert after.theta[1] == (average if follows else before.theta[1])
    assert after.average[1] == (average if follows else before.average[1])
    assert lists(after.m)[1] == lists(before.m)[1]


@pytest.mark.parametrize("name", AVERAGING)
def test_the_average_is_of_theta_before_its_constraint(name: str) -> None:
    """theta -1 is made 0 at the end; its average began at -1, and stays there in the first step."""
    state = run(name, [[-1.0]], [[[0.0]]], ema_momentum=0.5, constraint="non_neg", **STILL)
    assert (lists(state.theta), lists(state.average)) == ([[0.0]], [[-1.0]])
    state = run(name, [[-1.0]], [[[0.0]]], ema_momentum=0.5, ema_overwrite_frequency=1, constraint="non_neg", **STILL)
    assert (lists(state.theta), lists(state.average)) == ([[0.0]], [[-1.0]])


@pytest.mark.parametrize("of_state", [None, 0.5])
def test_the_average_agrees_with_the_state(of_state: float | None) -> None:
    other = Hyperparameters(ema_momentum=0.5 if of_state is None else None)
    state = initial_state([np.ones(2)], Hyperparameters(ema_momentum=of_state))
    with pytest.raises(ValueError, match=r"ema_momentum is .*; accepted: None exactly when the state holds no average"):
        step(dialect("tf-keras-adam"), other, state, [np.ones(2)])


# Decay


@pytest.mark.parametrize("name", AVERAGING)
def test_excluded_parameters_do_not_decay(name: str) -> None:
    """A gradient of 0 leaves decay alone: 1 - 0.5 0.25."""
    h: dict[str, Any] = {"learning_rate": 0.5, "weight_decay": 0.25}
    for excluded, theta in (((), [0.875, 0.875]), ((1,), [0.875, 1.0]), ((0, 1), [1.0, 1.0])):
        state = run(name, [[1.0], [1.0]], [[[0.0], [0.0]]], exclude_from_weight_decay=excluded, **h)
        assert [float(x[0]) for x in state.theta] == theta


# Constraints


@pytest.mark.parametrize("name", CONSTRAINING)
@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("non_neg", [[3.0, 0.0], [0.0, 0.5]]),
        ("max_norm", [[3.0 * 2 / (5 + 1e-7), 0.0], [-4.0 * 2 / (5 + 1e-7), 0.5 * 0.5 / (0.5 + 1e-7)]]),
        ("unit_norm", [[3.0 / (5 + 1e-7), 0.0], [-4.0 / (5 + 1e-7), 0.5 / (0.5 + 1e-7)]]),
        ("min_max_norm", [[3.0 * 2.75 / (5 + 1e-7), 0.0], [-4.0 * 2.75 / (5 + 1e-7), 0.5 * 0.5 / (0.5 + 1e-7)]]),
        ("clip_weights", [[0.5, 0.0], [-0.5, 0.5]]),
    ],
)
def test_each_column_is_what_its_constraint_makes_of_it(name: str, constraint: str, expected: Any) -> None:
    """Columns of norm 5 and 1/2."""
    state = run(name, [[[3.0, 0.0], [-4.0, 0.5]]], [[np.zeros((2, 2))]], constraint=constraint, **STILL)
    np.testing.assert_allclose(state.theta[0], expected, rtol=1e-15)


@pytest.mark.parametrize("name", CONSTRAINING)
def test_a_parameter_without_gradient_is_not_constrained(name: str) -> None:
    state = run(name, [[-1.0], [-1.0]], [[[0.0], None]], constraint="non_neg", **STILL)
    assert lists(state.theta) == [[0.0], [-1.0]]


@pytest.mark.parametrize("name", [name for name in CONSTRAINING if "lookahead" in name])
def test_the_constraint_comes_after_the_slow_weights(name: str) -> None:
    """Slow weights of 1 and theta -2 meet at -1/2, and theta is 0 then."""
    h = Hyperparameters(sync_period=1, slow_step_size=0.5, constraint="non_neg", **STILL)
    state = replace(initial_state([np.array([-2.0])], h), slow=(np.array([1.0]),))
    state = step(dialect(name), h, state, [np.array([0.0])])
    assert (lists(state.theta), lists(state.slow)) == ([[0.0]], [[-0.5]])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ema_momentum": 1.5}, r"ema_momentum is 1.5; accepted: None or a number in \[0, 1\]"),
        ({"ema_momentum": "0.5"}, "ema_momentum is '0.5'"),
        ({"ema_overwrite_frequency": 0}, "ema_overwrite_frequency is 0; accepted: None or a whole number >= 1"),
        ({"exclude_from_weight_decay": [0]}, r"exclude_from_weight_decay is \[0\]; accepted: a tuple of numbers"),
        ({"exclude_from_weight_decay": (-1,)}, r"exclude_from_weight_decay is \(-1,\)"),
        ({"constraint": "nonneg"}, "constraint is 'nonneg'; accepted: None, non_neg, max_norm, unit_norm, "),
    ],
    ids=str,
)
def test_what_is_none_of_it_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Hyperparameters(**given)


# Bounds


def still(name: str, theta: Any, e_theta: float, *, average: float = 0.0, **given: Any) -> Bound:
    """The bound of a step that moves nothing: subtracting 0 rounds by 2 u |theta| + eta, and its tiny parts."""
    h = Hyperparameters(**STILL, **given)
    state = replace(initial_state([np.asarray(theta, float)], h), t=(1,))
    start = replace(initial_bound(state), theta=(np.full(np.shape(theta), e_theta),))
    if state.average is not None:
        start = replace(start, average=(np.full(np.shape(theta), average),))
    return bounded_step(dialect(name), h, SINGLE, state, start, [np.zeros(np.shape(theta))])[1]


E_THETA, E_AVERAGE = 2.0**-12, 2.0**-10


@pytest.mark.parametrize("name", AVERAGING)
def test_bound_of_the_average_and_of_what_it_is_written_over(name: str) -> None:
    e_theta = E_THETA + 2 * U * 8
    e_average = 0.75 * E_AVERAGE + 0.25 * e_theta + 4 * U * 8
    bound = still(name, [8.0], E_THETA, average=E_AVERAGE, ema_momentum=0.75)
    np.testing.assert_allclose([bound.theta[0][0], (bound.average or ())[0][0]], [e_theta, e_average], rtol=1e-9)
    written = still(name, [8.0], E_THETA, average=E_AVERAGE, ema_momentum=0.75, ema_overwrite_frequency=2)
    np.testing.assert_allclose(written.theta[0], [e_average], rtol=1e-9)
    np.testing.assert_allclose(written.update[0], [2 * U * 8 + e_theta + e_average], rtol=1e-9)


def test_bound_of_a_callers_own_clip_is_that_of_theta() -> None:
    """Where theta is certainly within, nothing moves it; elsewhere its movement is off at both ends."""
    e_theta = E_THETA + 2 * U * np.array([0.25, 8.0])
    bound = still("keras-v2-adam", [0.25, -8.0], E_THETA, constraint="clip_weights")
    np.testing.assert_allclose(bound.theta[0], e_theta, rtol=1e-9)
    np.testing.assert_allclose(bound.update[0], [2 * U * 0.25, 2 * U * 8 + 2 * e_theta[1]], rtol=1e-9)


def test_bound_of_a_contraction_is_that_of_theta() -> None:
    """Where theta may be on either side of 0, its movement is off at both ends."""
    e_theta = E_THETA + 2 * U * np.array([8.0, 8.0])
    bound = still("keras-v2-adam", [8.0, -8.0], E_THETA, constraint="non_neg")
    np.testing.assert_allclose(bound.theta[0], e_theta, rtol=1e-9)
    np.testing.assert_allclose(bound.update[0], [2 * U * 8, 2 * U * 8 + 2 * e_theta[1]], rtol=1e-9)


def test_a_short_norm_is_brought_nearer_to_the_least() -> None:
    """A norm of 1/4: 3/4 of the way to 1/2, which is 7/16."""
    state = run("keras-v2-adam", [[0.25]], [[[0.0]]], constraint="min_max_norm", **STILL)
    np.testing.assert_allclose(state.theta[0], [0.25 * 0.4375 / (0.25 + 1e-7)], rtol=1e-15)


@pytest.mark.parametrize("constraint", ["max_norm", "unit_norm", "min_max_norm"])
@pytest.mark.parametrize("size", [1.0, 0.125, 0.4])
def test_bound_of_a_norm_holds_of_both_ends_of_theta(constraint: str, size: float) -> None:
    """theta that is off by as much as it may be, in any direction: within the bound, and a fifth of it at least.

    Columns of norm 5 and 0.56, of 0.625 and 0.07, and of 2, where max_norm and min_max_norm have a kink, and 0.22.
    """
    theta, e_theta = size * np.array([[3.0, 0.5], [-4.0, 0.25]]), 1e-4
    bound = still("keras3-adam", theta, e_theta, constraint=constraint)
    exact, worst = run("keras3-adam", [theta], [[np.zeros((2, 2))]], constraint=constraint, **STILL), 0.0
    for signs in np.ndindex(2, 2, 2, 2):
        off = theta + e_theta * (2.0 * np.reshape(signs, (2, 2)) - 1)
        got = run("keras3-adam", [off], [[np.zeros((2, 2))]], constraint=constraint, **STILL)
        worst = max(worst, float(np.max(abs(got.theta[0] - exact.theta[0]) / bound.theta[0])))
    assert 0.2 < worst < 1


def test_a_norm_that_may_be_0_is_ambiguous() -> None:
    assert np.isinf(still("keras-v2-adam", [0.0, 1e-9], 1e-3, constraint="unit_norm").theta[0]).all()
