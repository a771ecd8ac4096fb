"""Lookahead around an optimizer: its laws, and the paper's Algorithm 1 written plainly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_problems import LAW, Array, Problem, problems

from reference import (
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

AROUND = {"tfa-lookahead-keras-v2-adam": "keras-v2-adam", "tfa-lookahead-rectified-adam": "tfa-rectified-adam"}
both = pytest.mark.parametrize("name", AROUND)
U = 2.0**-24 + 2.0**-53
ETA = 2.0**-126


def inner(name: str) -> Dialect:
    """The dialect that is looked ahead of, which takes no notice of Lookahead's hyper-parameters."""
    d = dialect(AROUND[name])
    return replace(d, hyperparameters=d.hyperparameters | {"sync_period", "slow_step_size"})


def states(problem: Problem, **changes: Any) -> list[State]:
    """The state at first and after every step, with other hyper-parameters or another dialect."""
    d = changes.pop("d", problem.dialect)
    h = replace(problem.h, **changes)
    found = [initial_state(problem.theta, h)]
    with np.errstate(all="ignore"):
        for gradients in problem.gradients:
            found.append(step(d, h, found[-1], gradients))
    return found


def same(a: Any, b: Any) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


# Laws


@both
@LAW
@given(data=st.data())
def test_without_a_sync_period_it_is_what_it_is_around(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    for ours, theirs in zip(
        states(problem, sync_period=None), states(problem, sync_period=None, d=inner(name)), strict=True
    ):
        same((*ours.theta, *ours.m, *ours.v), (*theirs.theta, *theirs.m, *theirs.v))
        assert (ours.t, ours.slow) == (theirs.t, None)


@both
@LAW
@given(data=st.data())
def test_before_the_first_meeting_it_is_what_it_is_around_and_slow_weights_are_the_first(
    name: str, data: st.DataObject
) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    for ours, theirs in zip(states(problem, sync_period=9), states(problem, sync_period=9, d=inner(name)), strict=True):
        same(ours.theta, theirs.theta)
        assert ours.slow is not None
        same(ours.slow, problem.theta)


@both
@LAW
@given(data=st.data())
def test_moments_are_those_of_the_gradients_wherever_theta_is(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    ours, theirs = states(problem)[-1], states(problem, d=inner(name))[-1]
    same((*ours.m, *ours.v, *(ours.v_max or ())), (*theirs.m, *theirs.v, *(theirs.v_max or ())))
    assert ours.t == theirs.t


@both
@LAW
@given(data=st.data(), period=st.integers(1, 4))
def test_theta_and_slow_weights_are_one_after_a_meeting_and_slow_weights_stay_elsewhere(
    name: str, data: st.DataObject, period: int
) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    run = states(problem, sync_period=period)
    for before, after, gradients in zip(run[:-1], run[1:], problem.gradients, strict=True):
        assert before.slow is not None
        assert after.slow is not None
        for i, g in enumerate(gradients):
            if g is not None and after.t[i] % period == 0:
                same(after.theta[i : i + 1], after.slow[i : i + 1])
            else:
                same(after.slow[i : i + 1], before.slow[i : i + 1])


@both
@LAW
@given(data=st.data())
def test_a_share_of_nothing_goes_back_to_the_start(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    never_nan = {"epsilon": 0.1, "clipnorm": None, "global_clipnorm": None}
    start, *run = states(problem, sync_period=2, slow_step_size=0.0, **never_nan)
    for state, gradients in zip(run, problem.gradients, strict=True):
        assert state.slow is not None
        same(state.slow, start.theta)
        for i, g in enumerate(gradients):
            if g is not None and state.t[i] % 2 == 0:
                same(state.theta[i : i + 1], start.theta[i : i + 1])


@both
@LAW
@given(data=st.data(), period=st.integers(1, 4))
def test_a_share_of_all_stays_where_it_is_but_for_rounding(name: str, data: st.DataObject, period: int) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    h: dict[str, Any] = {"sync_period": period, "slow_step_size": 1.0, "epsilon": 0.1}
    ours, theirs = states(problem, **h)[-1], states(problem, **h, d=inner(name))[-1]
    for a, b in zip(ours.theta, theirs.theta, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# Algorithm 1


def algorithm_1(
    phi: Array, inner_step: Callable[[Array, int], Array], k: int, alpha: float, outer_steps: int
) -> list[Array]:
    """Zhang et al., Algorithm 1, with theta after every inner step; from (slow) phi and (fast) theta."""
    found, t = [], 0
    for _ in range(outer_steps):
        theta = phi
        for _ in range(k):
            t += 1
            theta = inner_step(theta, t)
            found.append(theta)
        phi = phi + alpha * (theta - phi)
        found[-1] = phi
    return found


@pytest.mark.parametrize(("k", "alpha"), [(1, 0.5), (2, 0.8), (3, 0.25), (5, 1.0)])
@both
def test_the_papers_algorithm_1(name: str, k: int, alpha: float) -> None:
    """The inner optimizer is the reference's, whose state goes on; the outer loop is the paper's."""
    rng = np.random.default_rng(7)
    start, gradients = rng.normal(size=5), rng.normal(size=(31, 5))
    h = Hyperparameters(learning_rate=0.1, beta_1=0.8, beta_2=0.9)
    held = [initial_state([start], h)]

    def inner_step(theta: Array, t: int) -> Array:
        held.append(step(dialect(AROUND[name]), h, replace(held[-1], theta=(theta,)), [gradients[t]]))
        return np.asarray(held[-1].theta[0])

    wanted = algorithm_1(start, inner_step, k, alpha, 30 // k)
    ahead = replace(h, sync_period=k, slow_step_size=alpha)
    state = initial_state([start], ahead)
    for t, theta in enumerate(wanted, start=1):
        state = step(dialect(name), ahead, state, [gradients[t]])
        np.testing.assert_allclose(state.theta[0], theta, rtol=1e-13, atol=1e-15)


def test_two_meetings_word_for_word() -> None:
    """beta_1 = 0 and a constant gradient: Keras' Adam moves by 1 in every step. k = 2, alpha = 1/4, from 0.

    1, 2 -> 1/2 (slow 1/2); 3/2, 5/2 -> 1 (slow 1). The sign is turned.
    """
    h = Hyperparameters(learning_rate=1.0, beta_1=0.0, beta_2=0.5, epsilon=1e-30, sync_period=2, slow_step_size=0.25)
    state = initial_state([np.zeros(1)], h)
    seen = []
    for _ in range(4):
        state = step(dialect("tfa-lookahead-keras-v2-adam"), h, state, [np.ones(1)])
        assert state.slow is not None
        seen.append((state.theta[0][0], state.slow[0][0]))
    np.testing.assert_allclose(seen, [(-1, 0), (-0.5, -0.5), (-1.5, -0.5), (-1, -1)], rtol=1e-13)


# Where TF-Addons is not the paper


@both
def test_a_parameter_without_a_gradient_is_not_synchronised(name: str) -> None:
    h = Hyperparameters(learning_rate=0.5, epsilon=1e-30, sync_period=2)
    state = initial_state([np.ones(1), np.ones(1)], h)
    for gradients in ([np.ones(1), np.ones(1)], [np.ones(1), None]):
        state = step(dialect(name), h, state, gradients)
    assert state.slow is not None
    assert state.theta[0] == state.slow[0] != 1
    np.testing.assert_allclose(state.theta[1], 0.5, rtol=1e-12)
    assert state.slow[1] == 1
    third = step(dialect(name), h, state, [None, np.ones(1)])
    fourth = step(dialect(name), h, third, [None, np.ones(1)])
    assert fourth.slow is not None
    assert fourth.theta[1] == fourth.slow[1] < 1


def test_rows_synchronise_all_rows() -> None:
    """RectifiedAdam moves named rows alone; Lookahead takes the others along."""
    h = Hyperparameters(learning_rate=0.5, sync_period=2, slow_step_size=0.25)
    state = initial_state([np.ones((2, 1))], h)
    for row in (0, 1):
        state = step(dialect("tfa-lookahead-rectified-adam"), h, state, [(np.array([row]), np.ones((1, 1)))])
    assert state.slow is not None
    np.testing.assert_allclose(state.theta[0][0], 1 - 0.25 * 0.5, rtol=1e-12)
    assert state.slow[0][0] == state.theta[0][0]


# The bound, by hand


def test_the_rule() -> None:
    """theta 8 meets slow weights of 4 with a share of 1/4: 5. Without gradient, theta itself comes with 2 u 8."""
    single = Rounding(compute="float32", powers="float32", step_size="float32")
    h = Hyperparameters(sync_period=1, slow_step_size=0.25)
    state = State((np.array([8.0]),), (np.zeros(1),), (np.zeros(1),), None, (0,), (np.array([4.0]),))
    start = replace(initial_bound(state), theta=(np.array([1e-5]),), slow=(np.array([1e-6]),))
    new, bound = bounded_step(dialect("tfa-lookahead-keras-v2-adam"), h, single, state, start, [np.zeros(1)])
    assert new.theta[0] == 5
    assert bound.slow is not None
    adam = 2 * U * 8 + ETA + 4 * ETA / 1e-7  # of the direction, which is 0
    e_theta = 1e-5 + adam
    rounding = 4 * U * (4 + 0.25 * 8) + 4 * ETA
    for got, wanted in (
        (bound.slow, 0.75 * 1e-6 + 0.25 * e_theta + rounding),
        (bound.theta, 0.75 * 1e-6 + 0.25 * e_theta + rounding),
        (bound.update, adam + 0.75 * (1e-6 + e_theta) + rounding),
    ):
        np.testing.assert_allclose(got[0], [wanted], rtol=1e-12)


def test_elsewhere_the_rule_does_nothing() -> None:
    single = Rounding(compute="float32", powers="float32", step_size="float32")
    h = Hyperparameters(sync_period=2)
    state = initial_state([np.ones(3)], h)
    _, bound = bounded_step(
        dialect("tfa-lookahead-keras-v2-adam"), h, single, state, initial_bound(state), [np.ones(3)]
    )
    plain = replace(h, sync_period=None)
    other = initial_state([np.ones(3)], plain)
    _, wanted = bounded_step(dialect("keras-v2-adam"), plain, single, other, initial_bound(other), [np.ones(3)])
    same(bound.theta, wanted.theta)
    same(bound.update, wanted.update)
    same(bound.slow or (), (np.zeros(3),))


def test_a_difference_that_overflows_is_ambiguous() -> None:
    """theta - slow of 6e38 is infinite in float32; each of the two is not."""
    single = Rounding(compute="float32", powers="float32", step_size="float32")
    h = Hyperparameters(sync_period=1)
    state = State((np.array([3e38, 1.0]),), (np.zeros(2),), (np.zeros(2),), None, (0,), (np.array([-3e38, 1.0]),))
    d = dialect("tfa-lookahead-keras-v2-adam")
    _, bound = bounded_step(d, h, single, state, initial_bound(state), [np.zeros(2)])
    assert list(bound.out_of_range[0]) == [True, False]
