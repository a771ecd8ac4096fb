"""Worked cases of Keras' clipping and of inverse time decay, computed here from their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reference import DIALECTS, Hyperparameters, State, dialect, initial_state, step

CLIPPING = [name for name, d in DIALECTS.items() if "clipvalue" in d.hyperparameters]
DECAYING = [name for name, d in DIALECTS.items() if "decay" in d.hyperparameters]
NEWER = ["tf-keras-adam", "keras3-adam"]
OLDER = [name for name in CLIPPING if name not in NEWER]


def run(name: str, theta: Any, *steps: Any, **hyperparameters: Any) -> State:
    """The state after `steps`, from parameters `theta`; m is g where beta_1 is 0."""
    own: dict[str, Any] = {"sync_period": 100} if "lookahead" in name else {}
    h = Hyperparameters(**{"beta_1": 0.0, **own, **hyperparameters})
    state = initial_state([np.array(array, dtype=float) for array in theta], h)
    for gradients in steps:
        state = step(dialect(name), h, state, gradients)
    return state


def test_who_clips_and_who_decays() -> None:
    assert [*DECAYING, *NEWER] == sorted(CLIPPING, key=lambda name: name in NEWER)
    assert set(NEWER) < set(CLIPPING)


# By value


@pytest.mark.parametrize("name", CLIPPING)
def test_what_is_beyond_clipvalue_on_either_side_becomes_it(name: str) -> None:
    state = run(name, [np.zeros(5)], [np.array([-3.0, -0.5, 0.0, 0.5, 3.0])], clipvalue=0.75)
    np.testing.assert_array_equal(state.m[0], [-0.75, -0.5, 0.0, 0.5, 0.75])
    np.testing.assert_allclose(state.v[0], 0.001 * state.m[0] ** 2, rtol=1e-12)


@pytest.mark.parametrize(("name", "m"), [*((name, 0.0) for name in OLDER), *((name, 3.0) for name in NEWER)])
def test_clipvalue_zero_clips_to_zero_or_not_at_all(name: str, m: float) -> None:
    assert run(name, [[0.0]], [np.array([3.0])], clipvalue=0.0).m[0] == m


@pytest.mark.parametrize("name", CLIPPING)
def test_duplicates_are_clipped_before_they_are_summed(name: str) -> None:
    """min(3, 1) + min(-0.5, 1) is 0.5; the sum by itself would become 1."""
    rows = np.array([1, 1]), np.array([3.0, -0.5])
    state = run(name, [np.zeros(2)], [rows], clipvalue=1.0, beta_2=0.0)
    np.testing.assert_array_equal(state.m[0], [0.0, 0.5])
    np.testing.assert_array_equal(state.v[0], [0.0, 1.25 if name == "keras3-adam" else 0.25])


# Decay of the learning rate


@pytest.mark.parametrize("name", DECAYING)
def test_the_learning_rate_is_divided_by_one_plus_decay_times_the_steps_before(name: str) -> None:
    """Constant gradients of one sign: with beta_1 0 every step is of the size of the learning rate."""
    gradients, sizes = [[np.array([2.0])]] * 4, []
    for count in range(1, 5):
        states = [run(name, [[0.0]], *gradients[:n], learning_rate=1.0, decay=0.5) for n in (count - 1, count)]
        plain = [run(name, [[0.0]], *gradients[:n], learning_rate=1.0) for n in (count - 1, count)]
        moved, of_it = (b.theta[0][0] - a.theta[0][0] for a, b in (states, plain))
        sizes.append(moved / of_it)
    np.testing.assert_allclose(sizes, [1, 1 / 1.5, 1 / 2, 1 / 2.5], rtol=1e-12)


def test_a_step_without_gradient_of_a_parameter_counts() -> None:
    """One count for the optimizer: what comes in the second step has the rate of the second."""
    g, theta = np.array([2.0]), [[0.0], [0.0]]
    late = run("keras-v2-adam", theta, [g, None], [None, g], learning_rate=1.0, decay=1.0)
    both = run("keras-v2-adam", theta, [g, None], [None, g], learning_rate=1.0)
    np.testing.assert_allclose(late.theta[1], both.theta[1] / 2, rtol=1e-12)
    np.testing.assert_array_equal(late.theta[0], both.theta[0])


def test_weight_decay_is_of_the_decayed_rate() -> None:
    """RectifiedAdam with gradients of 0: theta loses rate x 1/2 of itself, by the rates 1 and 1/2."""
    zeros = [np.zeros(1)]
    state = run("tfa-rectified-adam", [[8.0]], zeros, zeros, learning_rate=1.0, decay=1.0, weight_decay=0.5)
    np.testing.assert_allclose(state.theta[0], 8 * 0.5 * 0.75, rtol=1e-12)
