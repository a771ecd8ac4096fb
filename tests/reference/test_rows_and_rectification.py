"""Worked cases of row-sparse gradients and of RectifiedAdam, computed here from the formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from random_problems import Array

from reference import DIALECTS, Hyperparameters, State, dialect, initial_state, step
from reference import stages as s

LAZY = [name for name in DIALECTS if name.endswith("-lazy")]
SCATTER = [name for name, d in DIALECTS.items() if s.scatter_rows in d.stages]
SUMMING = [name for name, d in DIALECTS.items() if s.sum_duplicate_rows in d.stages]
THETA = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
TFA = dialect("tfa-rectified-adam")


def rows(*numbers: int, values: Any = 1.0) -> tuple[Array, Array]:
    return np.array(numbers, dtype=int), np.broadcast_to(values, (len(numbers), 2)).astype(float)


def run(name: str, *gradients: Any, theta: Array = THETA, **hyperparameters: Any) -> State:
    h = Hyperparameters(**hyperparameters)
    state = initial_state([theta], h)
    for gradient in gradients:
        state = step(dialect(name), h, state, [gradient])
    return state


def close(got: Any, wanted: Any) -> None:
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=0)


# Rows


@pytest.mark.parametrize("name", LAZY)
def test_lazy_leaves_the_other_rows_alone(name: str) -> None:
    """Bit for bit: theta, its moments, and no L2 term; but the step count goes on."""
    first = run(name, np.ones((3, 2)), l2=0.1)
    then = run(name, np.ones((3, 2)), rows(2, 0), l2=0.1)
    for field in ("theta", "m", "v"):
        before, after = getattr(first, field)[0], getattr(then, field)[0]
        np.testing.assert_array_equal(before[1], after[1])
        assert (before[[0, 2]] != after[[0, 2]]).all()
    assert then.t == (2,)


@pytest.mark.parametrize("name", LAZY)
def test_lazy_counts_a_gradient_without_rows(name: str) -> None:
    """The row that comes after two empty gradients is corrected for t = 3."""
    values: dict[str, Any] = {"learning_rate": 1.0, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-30}
    state = run(name, rows(), rows(), rows(1), **values)
    assert state.t == (3,)
    moved = math.sqrt(1 - 0.9**3) / (1 - 0.8**3) * 0.2 / math.sqrt(0.1)
    close(state.theta[0][1], THETA[1] - moved)
    np.testing.assert_array_equal(state.theta[0][[0, 2]], THETA[[0, 2]])


@pytest.mark.parametrize("name", [name for name in SCATTER if not dialect(name).rectifies])
def test_rows_that_are_not_named_move_by_their_momentum(name: str) -> None:
    first = run(name, np.ones((3, 2)))
    then = run(name, np.ones((3, 2)), rows(2))
    close(then.m[0][0], 0.9 * first.m[0][0])
    close(then.v[0][0], 0.999 * first.v[0][0])
    assert (then.theta[0] < first.theta[0]).all()


@pytest.mark.parametrize("name", ["mxnet2-adam", "mxnet1-adam"])
def test_l2_reaches_every_row_of_a_standard_update(name: str) -> None:
    state = run(name, rows(1), beta_1=0.0, l2=0.1)
    close(state.m[0], np.array([[0.1, 0.2], [1.3, 1.4], [0.5, 0.6]]))


@pytest.mark.parametrize("name", ["mxnet2-adam-lazy", "mxnet1-adam-lazy"])
def test_l2_reaches_the_named_rows_of_a_lazy_update(name: str) -> None:
    state = run(name, rows(1), beta_1=0.0, l2=0.1)
    close(state.m[0], np.array([[0.0, 0.0], [1.3, 1.4], [0.0, 0.0]]))


@pytest.mark.parametrize("name", [name for name in SUMMING if name != "keras3-adam"])
def test_duplicates_are_summed_before_they_are_squared(name: str) -> None:
    """(1 + 1 + 1)^2 = 9, not 1 + 1 + 1."""
    state = run(name, rows(2, 0, 2, 2), beta_1=0.0, beta_2=0.0)
    close(state.m[0], np.array([[1.0, 1.0], [0.0, 0.0], [3.0, 3.0]]))
    close(state.v[0], np.array([[1.0, 1.0], [0.0, 0.0], [9.0, 9.0]]))


def test_keras_3_squares_duplicates_before_they_are_summed() -> None:
    """v: 1 + 4 + 9 = 14, not (1 - 2 + 3)^2 = 4; m is that of the sum."""
    values = [[1.0, 1.0], [5.0, 5.0], [-2.0, -2.0], [3.0, 3.0]]
    state = run("keras3-adam", rows(2, 0, 2, 2, values=values), beta_1=0.5, beta_2=0.75, learning_rate=1.0)
    close(state.m[0], np.array([[2.5, 2.5], [0.0, 0.0], [1.0, 1.0]]))
    close(state.v[0], np.array([[6.25, 6.25], [0.0, 0.0], [3.5, 3.5]]))
    close(THETA[2] - state.theta[0][2], np.full(2, 1.0 / (math.sqrt(3.5) + 1e-7)))
    dense = np.array([[5.0, 5.0], [0.0, 0.0], [2.0, 2.0]])
    close(run("keras3-adam", dense).v[0], run("tf-keras-adam", dense).v[0])


@pytest.mark.parametrize("name", SUMMING)
def test_duplicates_that_cancel_still_name_their_row(name: str) -> None:
    state = run(name, rows(1, 1, values=[[2.0, -1.0], [-2.0, 1.0]]), weight_decay=0.0)
    np.testing.assert_array_equal(state.m[0], np.zeros((3, 2)))
    np.testing.assert_array_equal(state.theta[0], THETA)


@pytest.mark.parametrize("name", LAZY + SCATTER)
def test_rows_of_a_1_d_parameter(name: str) -> None:
    state = run(name, (np.array([2]), np.array([1.0])), theta=np.array([1.0, 2.0, 3.0]), beta_1=0.0)
    np.testing.assert_array_equal(state.m[0], [0.0, 0.0, 1.0])


# RectifiedAdam


def test_tfa_rows_are_a_hybrid() -> None:
    """Moments of all rows decay; only the named row moves, and only it decays."""
    values: dict[str, Any] = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "weight_decay": 0.5}
    first = run("tfa-rectified-adam", np.ones((3, 2)), **values)
    then = run("tfa-rectified-adam", np.ones((3, 2)), rows(1), **values)
    close(first.theta[0], THETA - 0.1 * (1 + 0.5 * THETA))
    close(then.m[0][[0, 2]], 0.8 * first.m[0][[0, 2]])
    close(then.v[0][[0, 2]], 0.9 * first.v[0][[0, 2]])
    np.testing.assert_array_equal(then.theta[0][[0, 2]], first.theta[0][[0, 2]])
    moved = 0.1 * (0.36 / 0.36 + 0.5 * first.theta[0][1])  # m = 0.8 * 0.2 + 0.2, 1 - 0.8^2
    close(then.theta[0][1], first.theta[0][1] - moved)


def watched(h: Hyperparameters, state: State, gradient: float) -> tuple[State, s.Working]:
    """One step of RectifiedAdam, and the quantities after its last stage."""
    last: list[s.Working] = []

    def watch(i: int, stage: s.Stage, before: s.Working, after: s.Working) -> None:
        last[:] = [after]

    return step(TFA, h, state, [np.array([gradient])], watch=watch), last[0]


def rectified_word_for_word(gradients: list[float], beta_2: float) -> list[tuple[float, bool]]:
    """TF-Addons, rectified_adam.py: the update of every step for learning rate 1, epsilon 1e-30; whether rectified."""
    m = v = 0.0
    found = []
    sma_inf = 2 / (1 - beta_2) - 1
    for t, g in enumerate(gradients, start=1):
        m, v = 0.8 * m + 0.2 * g, beta_2 * v + (1 - beta_2) * g * g
        sma_t = sma_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        m_hat, v_hat = m / (1 - 0.8**t), math.sqrt(v / (1 - beta_2**t))
        if sma_t >= 5:
            r_t = math.sqrt((sma_t - 4) / (sma_inf - 4) * (sma_t - 2) / (sma_inf - 2) * sma_inf / sma_t)
            found.append((r_t * m_hat / (v_hat + 1e-30), True))
        else:
            found.append((m_hat, False))
    return found


def test_tfa_is_rectified_from_step_6_on() -> None:
    """beta_2 = 0.999: rho_5 = 4.996, rho_6 = 5.994."""
    g = [3.0, -1.0, 2.0, 0.5, 1.0, -2.0, 1.5, 4.0]
    wanted = rectified_word_for_word(g, 0.999)
    assert [branch for _, branch in wanted] == [False] * 5 + [True] * 3
    h = Hyperparameters(learning_rate=1.0, beta_1=0.8, epsilon=1e-30)
    state = initial_state([np.array([0.0])], h)
    for gradient, (update, branch) in zip(g, wanted, strict=True):
        new, after = watched(h, state, gradient)
        assert after.rectified is branch
        np.testing.assert_allclose(state.theta[0] - new.theta[0], update, rtol=1e-9)  # the words above cancel
        state = new


def test_the_threshold_is_inclusive() -> None:
    """sma_t >= sma_threshold; torch's RAdam says `> 5`."""
    at_5 = State((np.ones(1),), (np.ones(1),), (np.ones(1),), None, (5,))
    rho_6 = watched(Hyperparameters(), at_5, 1.0)[1].rho_t
    for threshold, branch in ((rho_6, True), (math.nextafter(rho_6, 9), False)):
        assert watched(Hyperparameters(sma_threshold=threshold), at_5, 1.0)[1].rectified is branch


@pytest.mark.parametrize("rectify", [True, False])
def test_the_branch_may_be_forced(rectify: bool) -> None:
    h = Hyperparameters(learning_rate=1.0, beta_1=0.0, epsilon=1e-30)
    start = State((np.zeros(1),), (np.zeros(1),), (np.zeros(1),), None, (99,))
    state = step(TFA, h, start, [np.array([3.0])], rectify=rectify)
    v_hat = math.sqrt(0.001 * 9 / (1 - 0.999**100))
    sma_t = 1999 - 200 * 0.999**100 / (1 - 0.999**100)
    r_t = math.sqrt((sma_t - 4) / 1995 * (sma_t - 2) / 1997 * 1999 / sma_t)
    np.testing.assert_allclose(-state.theta[0], r_t * 3 / v_hat if rectify else 3.0, rtol=1e-9)


def test_tfa_epsilon_is_the_papers() -> None:
    """Seven steps of gradient 1: m_hat = v_hat = 1."""
    states = [run("tfa-rectified-adam", *[np.ones((3, 2))] * k, learning_rate=1.0, epsilon=e) for e in (0.25, 1e-30)
              for k in (6, 7)]  # fmt: skip
    with_epsilon, without = (a.theta[0] - b.theta[0] for a, b in (states[:2], states[2:]))
    np.testing.assert_allclose(with_epsilon * 1.25, without, rtol=1e-9)


def test_where_rho_inf_is_4_no_rectified_step_is_finite() -> None:
    """beta_2 = 0.6: Liu et al. have no rectified branch; a threshold below 4 asks for it all the same."""
    h = Hyperparameters(beta_2=0.6, sma_threshold=0.0)
    state = initial_state([THETA], h)
    for a_step in range(1, 6):
        with np.errstate(invalid="ignore"):
            state = step(TFA, h, state, [np.ones((3, 2))])
        assert not np.isfinite(state.theta[0]).any(), a_step
