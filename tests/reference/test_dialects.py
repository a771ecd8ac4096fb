"""Worked cases: each dialect's numbers, computed here from the formulas of its source."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from reference import DIALECTS, Hyperparameters, State, dialect, initial_state, step

KERAS = ["keras-v2-adam", "tf-keras-adam", "keras3-adam"]
EPSILON_HAT = [*KERAS, "mxnet2-adam", "mxnet2-adam-lazy", "mxnet1-adam", "mxnet1-adam-lazy"]
MXNET = EPSILON_HAT[3:]
LAZY = ["mxnet2-adam-lazy", "mxnet1-adam-lazy"]
OPTAX = ["optax-adam", "optax-radam", "optax-nadam"]
LOOKAHEAD = ["tfa-lookahead-keras-v2-adam", "tfa-lookahead-rectified-adam"]
ONE_T_PER_OPTIMIZER = [*KERAS, "tfa-rectified-adam", *LOOKAHEAD, *OPTAX]
PAPER_EPSILON = ["torch-adam", "optax-adam"]
ADAM = [*EPSILON_HAT, *PAPER_EPSILON, "torch-sparse-adam"]
"""Those that neither rectify nor have Nesterov's momentum."""


def run(name: str, theta: Any, *steps: list[Any], **hyperparameters: Any) -> State:
    """The state after `steps`, from parameters `theta`."""
    h = Hyperparameters(**hyperparameters)
    state = initial_state([np.array(array, dtype=float) for array in theta], h)
    for gradients in steps:
        state = step(dialect(name), h, state, [np.array(g) if isinstance(g, list) else g for g in gradients])
    return state


def close(got: Any, wanted: Any) -> None:
    """Equal but for some roundings of float64."""
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=0)


def scalar_adam(
    theta: float, gradients: list[float], *, paper: bool, lr: float, b1: float, b2: float, eps: float
) -> float:
    """Kingma & Ba, Algorithm 1 (paper) or the formula before section 2.1, word for word."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        if paper:
            theta -= lr * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + eps)
        else:
            theta -= lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (math.sqrt(v) + eps)
    return theta


# The formula, and where epsilon stands


@pytest.mark.parametrize("name", ADAM)
def test_the_example_of_the_keras_document(name: str) -> None:
    """loss = x^2 / 2 at x = 10: the first step is learning_rate times the sign."""
    state = run(name, [[10.0]], [[10.0]], learning_rate=0.1)
    assert state.theta[0] == pytest.approx(9.9, abs=1e-6)
    assert state.t == (1,)


@pytest.mark.parametrize("name", ADAM)
def test_four_steps_word_for_word(name: str) -> None:
    g, values = [1.0, -2.0, 0.5, 3.0], {"lr": 0.1, "b1": 0.8, "b2": 0.9, "eps": 0.25}
    wanted = scalar_adam(2.0, g, paper=name in PAPER_EPSILON, **values)
    other = scalar_adam(2.0, g, paper=name not in PAPER_EPSILON, **values)
    got = run(name, [[2.0]], *[[[x]] for x in g], learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=0.25)
    close(got.theta[0], wanted)
    assert abs(wanted - other) > 1e-2


@pytest.mark.parametrize("name", EPSILON_HAT)
def test_epsilon_hat(name: str) -> None:
    """v = 0.1 * 1, so sqrt(0.1) / 0.2 * 0.2 / (sqrt(0.1) + 0.25)."""
    state = run(name, [[0.0]], [[1.0]], learning_rate=1.0, beta_1=0.8, beta_2=0.9, epsilon=0.25)
    close(state.theta[0], -math.sqrt(0.1) / (math.sqrt(0.1) + 0.25))
    close(state.m[0], 0.2)
    close(state.v[0], 0.1)


def test_paper_epsilon() -> None:
    state = run("torch-adam", [[0.0]], [[1.0]], learning_rate=1.0, beta_1=0.8, beta_2=0.9, epsilon=0.25)
    close(state.theta[0], -1 / 1.25)


def test_adaptive_epsilon_is_paper_epsilon() -> None:
    steps, values = [[[1.0, -3.0]], [[0.5, 2.0]], [[-1.0, 0.0]]], {"learning_rate": 0.1, "beta_2": 0.9, "epsilon": 0.25}
    adaptive = run("tf-keras-adam", [[1.0, 2.0]], *steps, **values, adaptive_epsilon=True)
    close(adaptive.theta[0], run("torch-adam", [[1.0, 2.0]], *steps, **values).theta[0])
    assert abs(adaptive.theta[0] - run("tf-keras-adam", [[1.0, 2.0]], *steps, **values).theta[0]).max() > 1e-3


@pytest.mark.parametrize("name", ["keras-v2-adam", "tfa-rectified-adam"])
def test_epsilon_0_is_the_backends_default(name: str) -> None:
    steps = [[[1e-8, 0.0]]] * 8
    zero, default = (run(name, [[1.0, 2.0]], *steps, epsilon=e) for e in (0.0, 1e-7))
    np.testing.assert_array_equal(zero.theta[0], default.theta[0])
    assert zero.theta[0][1] == 2.0


@pytest.mark.parametrize("name", ["tf-keras-adam", "keras3-adam", *MXNET, "torch-adam"])
def test_epsilon_0_stays_0(name: str) -> None:
    state = run(name, [[1.0, 2.0]], [[1e-8, 0.0]], learning_rate=0.5, epsilon=0.0)
    close(state.theta[0][0], 0.5)
    assert math.isnan(state.theta[0][1])


def test_the_bias_correction_may_have_betas_of_its_own() -> None:
    state = run("keras-v2-adam", [[0.0]], [[1.0]], learning_rate=1.0, beta_1=0.8, beta_2=0.9, epsilon=0.0,
                power_beta_1=0.5, power_beta_2=0.75)  # fmt: skip
    close(state.theta[0], -math.sqrt(0.25) / 0.5 * 0.2 / (math.sqrt(0.1) + 1e-7))


# Gradient: rescale, clip, L2


@pytest.mark.parametrize(("name", "clipped"), [(name, 2.0 if "mxnet2" in name else 1.9) for name in MXNET])
def test_clip_before_or_after_l2(name: str, clipped: float) -> None:
    """theta 10, g 1, l2 0.1, clip 1.9: MXNet 2 clips 1 and adds 1, MXNet 1.9 clips 2."""
    state = run(name, [[10.0]], [[1.0]], beta_1=0.0, l2=0.1, clip_gradient=1.9)
    close(state.m[0], clipped)


@pytest.mark.parametrize(("name", "clipped"), [(name, 10.5 if "mxnet2" in name else 0.5) for name in MXNET])
def test_clip_order_changes_the_moments(name: str, clipped: float) -> None:
    """theta 10, g 1, l2 1, clip 0.5: 0.5 + 10 against min(11, 0.5)."""
    state = run(name, [[10.0]], [[1.0]], beta_1=0.0, beta_2=0.0, l2=1.0, clip_gradient=0.5)
    close(state.m[0], clipped)
    close(state.v[0], clipped**2)


@pytest.mark.parametrize("name", MXNET)
def test_rescale_before_clip(name: str) -> None:
    state = run(name, [[0.0, 0.0]], [[4.0, -1.0]], beta_1=0.0, rescale_grad=0.25, clip_gradient=0.5)
    close(state.m[0], [0.5, -0.25])


@pytest.mark.parametrize("name", MXNET)
def test_clip_0_clips_to_zero(name: str) -> None:
    assert run(name, [[3.0]], [[4.0]], clip_gradient=0.0).theta[0] == 3.0


def test_l2_of_torch_goes_through_the_moments() -> None:
    close(run("torch-adam", [[10.0]], [[1.0]], beta_1=0.0, l2=0.1).m[0], 2.0)


# Decoupled decay


@pytest.mark.parametrize("name", ["tf-keras-adam", "keras3-adam", "torch-adam"])
def test_decoupled_decay_comes_before_the_step(name: str) -> None:
    """theta - 0.1 * 0.5 theta, then a step that sees neither: moments are those of g alone."""
    values = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9}
    decayed = run(name, [[4.0, -2.0]], [[1.0, 2.0]], **values, weight_decay=0.5)
    plain = run(name, [[4.0, -2.0]], [[1.0, 2.0]], **values)
    close(decayed.theta[0], plain.theta[0] - 0.05 * np.array([4.0, -2.0]))
    np.testing.assert_array_equal(decayed.m[0], plain.m[0])


@pytest.mark.parametrize("name", ["tf-keras-adam", "keras3-adam", "torch-adam", "tfa-rectified-adam"])
def test_parameters_without_a_gradient_do_not_decay(name: str) -> None:
    state = run(name, [[4.0], [4.0]], [None, [1.0]], weight_decay=0.5)
    assert state.theta[0] == 4.0
    assert state.theta[1] < 3.999


def test_torch_l2_sees_the_decayed_parameter() -> None:
    """torch/optim/adam.py decays first: g + l2 (1 - lr wd) theta."""
    state = run("torch-adam", [[10.0]], [[1.0]], learning_rate=0.5, beta_1=0.0, l2=0.1, weight_decay=0.5)
    close(state.m[0], 1 + 0.1 * 7.5)


# AMSGrad


@pytest.mark.parametrize(
    "name", [name for name, d in DIALECTS.items() if "amsgrad" in d.hyperparameters and name not in OPTAX]
)
def test_amsgrad_keeps_the_maximum_of_the_raw_moment(name: str) -> None:
    state = run(name, [[0.0]], [[2.0]], [[0.0]], learning_rate=1.0, beta_1=0.8, beta_2=0.5, epsilon=0.25, amsgrad=True)
    assert state.v_max is not None
    close(state.v[0], 1.0)
    close(state.v_max[0], 2.0)
    # The second step: bias corrections 0.36 and 0.75, m = 0.32, the maximum in the denominator.
    first = run(name, [[0.0]], [[2.0]], learning_rate=1.0, beta_1=0.8, beta_2=0.5, epsilon=0.25, amsgrad=True)
    moved = first.theta[0] - state.theta[0]
    hat = math.sqrt(0.75) / 0.36 * 0.32 / (math.sqrt(2.0) + 0.25)
    paper = 0.32 / 0.36 / (math.sqrt(2.0 / 0.75) + 0.25)
    unrectified = 0.32 / 0.36
    close(moved, unrectified if dialect(name).rectifies else paper if name == "torch-adam" else hat)


# Step counts


@pytest.mark.parametrize("name", [*ADAM, "tfa-rectified-adam", "torch-radam"])
def test_whose_step_count_advances_without_a_gradient(name: str) -> None:
    """A parameter whose gradient comes late is corrected for its own t, or for the optimizer's."""
    one = name in ONE_T_PER_OPTIMIZER
    values = {"learning_rate": 1.0, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-30}
    state = run(name, [[0.0], [0.0]], [[1.0], None], [[1.0], None], [[1.0], [1.0]], **values)
    assert state.t == ((3, 3) if one else (3, 1))
    hat = math.sqrt(1 - 0.9**3) / (1 - 0.8**3) * 0.2 / math.sqrt(0.1)
    late = 0.2 / (1 - 0.8**3) if name == "tfa-rectified-adam" else hat
    close(state.theta[1], -late if one else -1.0)


@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_else_changes_without_a_gradient(name: str) -> None:
    before = run(name, [[1.0, 2.0], [3.0]], [[1.0, -1.0], [1.0]])
    after = step(dialect(name), Hyperparameters(), before, [None, None])
    for field in ("theta", "m", "v"):
        for a, b in zip(getattr(before, field), getattr(after, field), strict=True):
            np.testing.assert_array_equal(a, b)
    assert after.t == ((2, 2) if name in ONE_T_PER_OPTIMIZER else (1, 1))


def test_dialects_that_differ_in_rows_alone_are_one_formula_on_dense_gradients_and_no_others_are() -> None:
    same = {(a.name, b.name) for a in DIALECTS.values() for b in DIALECTS.values() if a.computes_as(b)}
    pairs = {("mxnet2-adam", "mxnet2-adam-lazy"), ("mxnet1-adam", "mxnet1-adam-lazy"), ("tf-keras-adam", "keras3-adam")}
    assert same == {(name, name) for name in DIALECTS} | pairs | {(b, a) for a, b in pairs}
