"""The stages of a step: each is the formula that its docstring prints, on one parameter.

A stage reads and rebinds the fields of a `Working`; it never writes into an array. A dialect is a
sequence of stages (`reference.dialects`). Notation is that of Kingma & Ba: theta, g, m, v, t; theta
has any shape, and m, v, v_max and a dense g have the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.bias_correction import (
    momentum,
    one_minus_momentum,
    one_minus_momentum_product,
    one_minus_power,
    rectification,
    sma,
)
from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace, quotient


@dataclass
class Working:
    """The quantities of one parameter while a step runs."""

    theta: Any
    m: Any
    v: Any
    v_max: Any
    t: int
    """Number of this step, the first is 1."""
    g: Any
    """The gradient; values of shape ``[k, ...]`` while `rows` is not None and nothing has scattered them."""
    rows: Any = None
    """Row numbers of a row-sparse gradient, None for a dense one."""
    square: Any = None
    """What v averages, where it is not the square of what m averages (`square_rows`); None otherwise."""
    epsilon: Any = None
    step_size: Any = None
    denominator: Any = None
    direction: Any = None
    """What is subtracted from theta."""
    rho_t: Any = None
    """Length of the simple moving average, rectified dialects only."""
    rectified: bool | None = None
    """Which branch a rectified dialect takes; None lets rho_t decide."""
    whole: Any = None
    """theta, m, v, v_max of all rows, while the others are restricted to the gradient's rows."""
    slow: Any = None
    """The slow weights of Lookahead; None without."""
    average: Any = None
    """Keras' exponential moving average of theta; None without."""
    decays: bool = True
    """Whether weight_decay reaches this parameter."""
    learning_rate: Any = None
    """Of this step."""
    l2: Any = None
    index: int = 0
    """The parameter's place in the list."""
    num_update: int = 0
    """The largest count of any parameter at this one's turn."""
    weight_decay: Any = None
    """Of this step."""
    all_g: Any = None
    """g of every parameter that has one, as they are when the stage begins."""
    norm: Any = None
    """Of the gradients, where one clips."""

    def snapshot(self) -> Working:
        """The quantities as they are now; arrays are never written into, so they are shared."""
        then = object.__new__(Working)  # a step makes one per stage, and `dataclasses.replace` costs five times as much
        then.__dict__.update(self.__dict__)
        return then


Stage = Callable[[Working, Hyperparameters, Namespace], None]


# Gradient


def rescale(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- rescale_grad g. (MXNet, optimizer/adam.py: step)"""
    p.g = h.rescale_grad * p.g


def clip(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- min(max(g, -c), c) with c = clip_gradient. (MXNet, optimizer/adam.py: step)"""
    if h.clip_gradient is not None:
        p.g = np.minimum(np.maximum(p.g, -h.clip_gradient), h.clip_gradient)


def l2(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- g + l2 theta. (MXNet's wd; torch/optim/adam.py: weight_decay)"""
    p.g = p.g + p.l2 * p.theta


# Rows


def square_rows(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """Values of rows are squared one by one, so that v averages the sum of a row's squares, not its sum squared.

    (Keras 3, backend/tensorflow/sparse.py: elementwise_unary, of ops.square in optimizers/adam.py)
    """
    if p.rows is not None:
        p.square = p.g * p.g


def sum_duplicate_rows(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """Rows named several times are summed, before anything is squared.

    (Keras: OptimizerV2._deduplicate_indexed_slices)
    """
    if p.rows is None:
        return
    unique, position = np.unique(p.rows, return_inverse=True)

    def total(values: Any) -> Any:
        sums = np.zeros((len(unique), *values.shape[1:]), dtype=values.dtype)
        np.add.at(sums, position, values)
        return sums

    p.rows, p.g = unique, total(p.g)
    p.square = None if p.square is None else total(p.square)


def scatter_rows(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """Rows that are not named have gradient 0: a sparse step is the dense one."""
    if p.rows is None:
        return
    zeros = np.zeros(p.theta.shape, dtype=p.g.dtype)
    p.g = replace_rows(zeros, p.rows, p.g)
    p.square = None if p.square is None else replace_rows(zeros, p.rows, p.square)


def gather_rows(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """Lazy: everything up to `restore_rows` sees the named rows alone. (MXNet: lazy_update)"""
    if p.rows is None:
        return
    p.whole = (p.theta, p.m, p.v, p.v_max)
    p.theta, p.m, p.v = p.theta[p.rows], p.m[p.rows], p.v[p.rows]
    p.v_max = None if p.v_max is None else p.v_max[p.rows]


def restore_rows(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """Lazy: put the named rows back; the others are as they were."""
    if p.whole is None:
        return
    p.theta, p.m, p.v, p.v_max = (
        None if whole is None else replace_rows(whole, p.rows, part)
        for whole, part in zip(p.whole, (p.theta, p.m, p.v, p.v_max), strict=True)
    )
    p.whole = None


def named_rows_move(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """The moments of all rows have decayed, but only named rows of theta move.

    (TF-Addons, optimizers/rectified_adam.py: _resource_apply_sparse)
    """
    if p.rows is not None:
        p.direction = replace_rows(np.zeros_like(p.direction), p.rows, p.direction[p.rows])


def replace_rows(whole: Any, rows: Any, part: Any) -> Any:
    """A copy of `whole` whose `rows` are `part`."""
    copy = whole.copy()
    copy[rows] = part
    return copy


# Decay of the learning rate


def inverse_time_decay(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """learning_rate <- learning_rate / (1 + decay (t - 1)). (Keras, optimizers/legacy/optimizer_v2.py: _decayed_lr)"""
    p.learning_rate = p.learning_rate / (1 + h.decay * (p.t - 1))


# Decay beside the Adam step


def decay_theta(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """theta <- theta - learning_rate weight_decay theta, before the step, unless it is excluded.

    (tf_keras, optimizers/optimizer.py: _apply_weight_decay; torch/optim/adam.py: decoupled_weight_decay)
    """
    if p.weight_decay and p.decays:
        p.theta = p.theta - p.learning_rate * p.weight_decay * p.theta


def decay_direction(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- direction + learning_rate weight_decay theta.

    (TF-Addons, optimizers/rectified_adam.py: var_update += weight_decay * var, then times the rate;
    optax, _src/transform.py: add_decayed_weights before scale_by_learning_rate)
    """
    if p.weight_decay:
        p.direction = p.direction + p.learning_rate * p.weight_decay * p.theta


# Moments


def first_moment(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """m <- beta_1 m + (1 - beta_1) g. (Kingma & Ba, Algorithm 1)"""
    p.m = h.beta_1 * p.m + (1 - h.beta_1) * p.g


def second_moment(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """v <- beta_2 v + (1 - beta_2) g^2. (Kingma & Ba, Algorithm 1)"""
    square = p.g * p.g if p.square is None else p.square
    p.v = h.beta_2 * p.v + (1 - h.beta_2) * square


def amsgrad_maximum(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """v_max <- max(v_max, v), of the raw moment. (Reddi et al., Algorithm 2)"""
    if h.amsgrad:
        p.v_max = np.maximum(p.v_max, p.v)


def corrected_maximum(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """v_max <- max(v_max, v / (1 - beta_2^t)), of the moment whose bias is corrected.

    (optax, _src/transform.py: scale_by_amsgrad)
    """
    if h.amsgrad:
        p.v_max = np.maximum(p.v_max, p.v / one_minus_power(h.power_beta_2, p.t, x))


# Direction


def zero_epsilon_is_default(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """epsilon 0 becomes 1e-7, the backend's.

    (Keras, optimizers/legacy/adam.py and TF-Addons, optimizers/rectified_adam.py: epsilon or backend.epsilon())
    """
    p.epsilon = h.epsilon if h.epsilon else x.number(1e-7)


def epsilon_as_given(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """epsilon <- epsilon sqrt(1 - beta_2^t) if adaptive_epsilon. (tf_keras, optimizers/adam.py: update_step)"""
    p.epsilon = h.epsilon
    if h.adaptive_epsilon:
        p.epsilon = h.epsilon * x.sqrt(one_minus_power(h.power_beta_2, p.t, x))


def epsilon_hat(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon).

    (Kingma & Ba, the formula before section 2.1; Keras, tf_keras, MXNet)
    """
    bias_1 = one_minus_power(h.power_beta_1, p.t, x)
    bias_2 = one_minus_power(h.power_beta_2, p.t, x)
    p.step_size = p.learning_rate * x.sqrt(bias_2) / bias_1
    p.denominator = x.sqrt(_second(p)) + p.epsilon
    p.direction = quotient(p.step_size * p.m, p.denominator)


def paper_epsilon(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- learning_rate / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t)) + epsilon).

    (Kingma & Ba, Algorithm 1; torch/optim/adam.py)
    """
    bias_1 = one_minus_power(h.power_beta_1, p.t, x)
    bias_2 = one_minus_power(h.power_beta_2, p.t, x)
    p.step_size = p.learning_rate / bias_1
    p.denominator = x.sqrt(_second(p) / bias_2) + p.epsilon
    p.direction = quotient(p.step_size * p.m, p.denominator)


def root_epsilon(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- learning_rate / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t) + epsilon_root) + epsilon).

    With AMSGrad, v_max of `corrected_maximum` stands for v / (1 - beta_2^t). (optax, _src/transform.py: scale_by_adam)
    """
    p.step_size = p.learning_rate / one_minus_power(h.power_beta_1, p.t, x)
    p.denominator = _rooted(p, h, x)
    p.direction = quotient(p.step_size * p.m, p.denominator)


# Direction with Nesterov's momentum: both the average and the gradient


def nesterov(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- learning_rate (beta_1 m / (1 - beta_1^(t+1)) + (1 - beta_1) g / (1 - beta_1^t)) / D.

    D is the denominator of `root_epsilon`. (optax, _src/transform.py: scale_by_adam with nesterov)
    """
    of_m = h.beta_1 / one_minus_power(h.power_beta_1, p.t + 1, x)
    of_g = (1 - h.beta_1) / one_minus_power(h.power_beta_1, p.t, x)
    p.denominator = _rooted(p, h, x)
    p.direction = quotient(p.learning_rate * (of_m * p.m + of_g * p.g), p.denominator)


def nesterov_schedule(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- learning_rate (mu_(t+1) m / (1 - P_(t+1)) + (1 - mu_t) g / (1 - P_t)) / D.

    D = sqrt(v / (1 - beta_2^t)) + epsilon, mu_t = beta_1 (1 - 0.96^(t momentum_decay) / 2), P_t = mu_1 mu_2 ... mu_t.
    (torch/optim/nadam.py: _single_tensor_nadam)
    """
    beta_1, psi, after = h.power_beta_1, h.momentum_decay, p.t + 1
    of_m = momentum(beta_1, psi, after, x) / one_minus_momentum_product(beta_1, psi, after, x)
    of_g = one_minus_momentum(beta_1, psi, p.t, x) / one_minus_momentum_product(beta_1, psi, p.t, x)
    bias_2 = one_minus_power(h.power_beta_2, p.t, x)
    p.denominator = x.sqrt(p.v / bias_2) + p.epsilon
    p.direction = quotient(p.learning_rate * (of_m * p.m + of_g * p.g), p.denominator)


# Direction with rectification


def rectified(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- r_t times `paper_epsilon`'s if rho_t >= sma_threshold, else learning_rate m / (1 - beta_1^t).

    (Liu et al., Algorithm 2; TF-Addons, optimizers/rectified_adam.py)
    """
    _rectify(p, h, x, paper_epsilon)


def rectified_hat(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- r_t times `epsilon_hat`'s if rho_t > sma_threshold, else learning_rate m / (1 - beta_1^t).

    (torch/optim/radam.py: _single_tensor_radam, whose sma_threshold is 5)
    """
    _rectify(p, h, x, epsilon_hat, inclusive=False)


def rectified_root(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """direction <- r_t times `root_epsilon`'s if rho_t >= sma_threshold, else learning_rate m / (1 - beta_1^t).

    (optax, _src/transform.py: scale_by_radam)
    """
    _rectify(p, h, x, root_epsilon)


def _rectify(p: Working, h: Hyperparameters, x: Namespace, adaptive: Stage, *, inclusive: bool = True) -> None:
    """`adaptive` is the direction of a step that is rectified, r_t aside."""
    p.rho_t = sma(h.power_beta_2, p.t, x)
    if p.rectified is None:
        p.rectified = bool(p.rho_t >= h.sma_threshold if inclusive else p.rho_t > h.sma_threshold)
    adaptive(p, h, x)
    if p.rectified:
        r_t = rectification(h.power_beta_2, p.t, x)
        p.step_size = r_t * p.step_size
        p.direction = r_t * p.direction
    else:
        p.step_size = p.learning_rate / one_minus_power(h.power_beta_1, p.t, x)
        p.direction = p.step_size * p.m


RECTIFYING: tuple[Stage, ...] = (rectified, rectified_hat, rectified_root)
"""Stages whose formula depends on rho_t."""


def subtract(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """theta <- theta - direction. (Kingma & Ba, Algorithm 1)"""
    p.theta = p.theta - p.direction


# Beside the step


def lookahead(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """slow <- slow + slow_step_size (theta - slow), and theta <- slow, where sync_period divides t.

    (Zhang et al., arXiv 1907.08610, Algorithm 1; TF-Addons, optimizers/lookahead.py: _look_ahead_op)
    """
    if h.sync_period is not None and p.t % h.sync_period == 0:
        p.slow = p.slow + h.slow_step_size * (p.theta - p.slow)
        p.theta = p.slow


def _second(p: Working) -> Any:
    return p.v if p.v_max is None else p.v_max


def _rooted(p: Working, h: Hyperparameters, x: Namespace) -> Any:
    """sqrt(v / (1 - beta_2^t) + epsilon_root) + epsilon."""
    second = p.v / one_minus_power(h.power_beta_2, p.t, x) if p.v_max is None else p.v_max
    return x.sqrt(second + h.epsilon_root) + p.epsilon
