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


# By norm


@pytest.mark.parametrize("name", CLIPPING)
@pytest.mark.parametrize(("norm", "m"), [(2.5, [1.5, -2.0, 0.0]), (5.0, [3.0, -4.0, 0.0]), (50.0, [3.0, -4.0, 0.0])])
def test_clipnorm_scales_what_is_longer_and_nothing_else(name: str, norm: float, m: list[float]) -> None:
    state = run(name, [np.zeros(3), np.zeros(2)], [np.array([3.0, -4.0, 0.0]), np.array([0.25, 0.5])], clipnorm=norm)
    np.testing.assert_allclose(state.m[0], m, rtol=1e-15)
    np.testing.assert_array_equal(state.m[1], [0.25, 0.5])


@pytest.mark.parametrize("name", CLIPPING)
def test_the_global_norm_is_that_of_all_gradients_which_are_there(name: str) -> None:
    """3, 4 and 12 make 13; without the last 5."""
    zeros, g = [np.zeros(1)] * 3, [np.array([3.0]), np.array([-4.0]), np.array([12.0])]
    np.testing.assert_allclose(run(name, zeros, g, global_clipnorm=6.5).m, [[1.5], [-2.0], [6.0]], rtol=1e-15)
    np.testing.assert_allclose(
        run(name, zeros, [*g[:2], None], global_clipnorm=2.5).m, [[1.5], [-2.0], [0.0]], rtol=1e-15
    )
    np.testing.assert_array_equal(run(name, zeros, g, global_clipnorm=13.5).m, g)


@pytest.mark.parametrize("norm", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("name", CLIPPING)
def test_duplicates_are_in_the_norm_one_by_one(name: str, norm: str) -> None:
    """3 and -4 make 5, not 1. Keras 3 squares them one by one too, but not where the global norm makes them dense."""
    rows = np.array([1, 1]), np.array([3.0, -4.0])
    state = run(name, [np.zeros(2)], [rows], beta_2=0.0, **{norm: 2.5})
    np.testing.assert_allclose(state.m[0], [0.0, -0.5], rtol=1e-15)
    apart = name == "keras3-adam" and norm == "clipnorm"
    np.testing.assert_allclose(state.v[0], [0.0, 1.5**2 + 2**2 if apart else 0.25], rtol=1e-15)


def test_global_clipnorm_changes_what_keras_3_squares_also_where_it_does_not_clip() -> None:
    rows = np.array([1, 1]), np.array([3.0, -4.0])
    for name, v in (("keras3-adam", 25.0), ("tf-keras-adam", 1.0)):
        assert run(name, [np.zeros(2)], [rows], beta_2=0.0).v[0][1] == v
        assert run(name, [np.zeros(2)], [rows], beta_2=0.0, global_clipnorm=100.0).v[0][1] == 1.0


@pytest.mark.parametrize("name", OLDER)
def test_values_are_clipped_before_norms(name: str) -> None:
    """3 and -4 become 3 and -3, whose norm is sqrt(18); the other order would have made 1.5 and -2."""
    for norm in ("clipnorm", "global_clipnorm"):
        state = run(name, [np.zeros(2)], [np.array([3.0, -4.0])], clipvalue=3.0, **{norm: 2.5})
        np.testing.assert_allclose(state.m[0], np.array([1, -1]) * 2.5 / np.sqrt(2), rtol=1e-15)


@pytest.mark.parametrize("name", NEWER)
def test_only_the_first_way_that_is_above_0_acts(name: str) -> None:
    def m(**clips: float) -> list[float]:
        return [float(x[0]) for x in run(name, [np.zeros(1)] * 2, [np.array([3.0]), np.array([-4.0])], **clips).m]

    assert m(clipvalue=1.0, clipnorm=2.0) == [2.0, -2.0]
    assert m(clipvalue=1.0, global_clipnorm=2.5) == [1.5, -2.0]
    assert m(clipvalue=1.0, clipnorm=0.0) == [1.0, -1.0]
    assert m(clipnorm=0.0) == m(global_clipnorm=0.0) == [3.0, -4.0]


@pytest.mark.parametrize("norm", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("name", OLDER)
def test_a_norm_of_zero_clips_to_zero_and_makes_nan_of_nothing(name: str, norm: str) -> None:
    assert run(name, [[0.0]], [np.array([3.0])], **{norm: 0.0}).m[0] == 0
    with np.errstate(invalid="ignore"):
        assert np.isnan(run(name, [[0.0]], [np.array([0.0])], **{norm: 0.0}).m[0])


@pytest.mark.parametrize("norm", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("name", CLIPPING)
def test_gradients_of_nothing_stay(name: str, norm: str) -> None:
    state = run(name, [np.zeros(2), np.zeros(0)], [np.zeros(2), np.zeros(0)], **{norm: 1.0})
    assert (state.m[0] == 0).all()


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
