"""The rounding bound: how far an implementation with stated arithmetic may be from the reference.

A first-order running error analysis, per element, beside the float64 trajectory. Every stage has one
rule, which says how its errors grow; u is the unit roundoff, and `C` roundings are granted to every
quantity that an implementation may form with up to four operations of its own choice (the conversion
of a scalar, two products, a sum). Nothing here knows an implementation, and nothing is tuned.

    m:          E_m <- beta_1 E_m + (1 - beta_1) E_g + C u (beta_1 |m| + (1 - beta_1) |g|) + C eta
                with |m| for beta_1 |m| where m is formed as m + (1 - beta_1)(g - m)
    v:          E_v <- beta_2 E_v + (1 - beta_2)(2 |g| + E_g) E_g + C u (beta_2 v + (1 - beta_2) g^2) + C eta
                with v for beta_2 v, and C + 1 for C, where v is formed as v + (1 - beta_2)(g^2 - v)
    beta^t:     relative error (C + t |log beta|) u by a power function, (C + t) u as a running product, or where
                beta is rounded for the power alone
    step size:  rho = C u + e_1 + e_2 / 2, with e_i = u + beta_i^t / (1 - beta_i^t) times the error of beta_i^t
    D:          E_D = E_v / sqrt(v) + C u D + eta   (sqrt(v + E_v) for v < E_v)
    direction:  E = |d| (rho + C u) + (alpha E_m + |d| E_D + C eta) / (D - E_D)
                with a E_m + b E_g + |a m| (e_a + C u) + |b g| (e_b + C u) for alpha E_m where it is a m + b g
    theta:      E_theta <- E_theta + E + 2 u |theta| + u |d| + eta
    slow:       E_slow <- (1 - a) E_slow + a E_theta + C u (|slow| + a |theta|) + C eta, and E_theta <- E_slow, where
                Lookahead synchronises; a is slow_step_size, and both sides of <- are seen before it

eta is the smallest normal number, since some frameworks flush subnormals. An element is *ambiguous*
where the format's range or the error of D decides the result: there the bound is infinite and every
result is accepted and counted. The rectified branch is ambiguous where rho_t is nearer to the
threshold than its own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from reference import stages as s
from reference.bias_correction import (
    momentum,
    one_minus_momentum,
    one_minus_momentum_product,
    one_minus_power,
    sma_inf,
    squared_rectification,
)
from reference.dialects import Dialect
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64
from reference.rounding import Rounding
from reference.stages import Stage, Working
from reference.step import Branches, Gradient, State, step

C = 4
"""Roundings granted to a quantity of a few operations."""


@dataclass
class Errors:
    """Absolute errors of one parameter's quantities, of the parameter's shape."""

    theta: Any
    m: Any
    v: Any
    v_max: Any
    out_of_range: Any
    """Elements whose result the format's range has decided, in this step or an earlier one."""
    g: Any = 0.0
    square: Any = 0.0
    """Of what v averages, where that is not the square of g."""
    direction: Any = 0.0
    moves: Any = True
    """Where theta is written at all."""
    update: Any = 0.0
    """Of theta_t - theta_(t-1)."""
    whole: Any = None
    slow: Any = None


@dataclass(frozen=True)
class Bound:
    """Absolute error bounds of a `State`, one entry per parameter, of its shape; infinite where ambiguous."""

    theta: tuple[Any, ...]
    m: tuple[Any, ...]
    v: tuple[Any, ...]
    v_max: tuple[Any, ...] | None
    update: tuple[Any, ...]
    """Bound on the error of theta_t - theta_(t-1)."""
    out_of_range: tuple[Any, ...]
    branch: bool = False
    """Whether the rectified branch is ambiguous in this step, for any parameter."""
    branches: tuple[bool, ...] = ()
    """For each parameter: where each has its own t, one may be at the threshold and another not."""
    slow: tuple[Any, ...] | None = None


Rule = Callable[[Working, Working, Errors, Hyperparameters, Rounding], None]


def initial_bound(state: State) -> Bound:
    """No error: the state is exact."""
    zeros = tuple(np.zeros(theta.shape) for theta in state.theta)
    mask = tuple(np.zeros(theta.shape, dtype=bool) for theta in state.theta)
    v_max, slow = (None if group is None else zeros for group in (state.v_max, state.slow))
    return Bound(zeros, zeros, zeros, v_max, zeros, mask, slow=slow)


def bounded_step(
    d: Dialect,
    h: Hyperparameters,
    a: Rounding,
    state: State,
    bound: Bound,
    gradients: Sequence[Gradient],
    *,
    rectify: Branches = None,
    rules: Mapping[Stage, Rule] | None = None,
) -> tuple[State, Bound]:
    """`reference.step` from `state`, and the bound on a step that began within `bound` of it.

    rules: of the stages of `d`, where it has others than the dialects here; None for `RULES`.
    """
    rule_of = RULES if rules is None else rules
    errors = [
        Errors(
            bound.theta[i],
            bound.m[i],
            bound.v[i],
            bound.v_max[i] if bound.v_max else None,
            bound.out_of_range[i],
            slow=bound.slow[i] if bound.slow else None,
        )
        for i in range(len(state.theta))
    ]
    branches = [False] * len(state.theta)

    def watch(i: int, stage: Stage, before: Working, after: Working) -> None:
        rule_of[stage](before, after, errors[i], h, a)
        branches[i] |= stage in s.RECTIFYING and branch_is_ambiguous(after, h, a)

    with np.errstate(all="ignore"):
        new = step(d, h, state, gradients, watch=watch, rectify=rectify)
        for i, e in enumerate(errors):
            _mark_range(e, new.theta[i], new.m[i], new.v[i], a)

    def arrays(name: str) -> tuple[Any, ...]:
        # The mask is of the parameter's shape, which an error of one number takes with it.
        return tuple(np.where(e.out_of_range, np.inf, getattr(e, name)) for e in errors)

    v_max = None if new.v_max is None else arrays("v_max")
    slow = None if new.slow is None else arrays("slow")
    masks = tuple(e.out_of_range for e in errors)
    return new, Bound(
        arrays("theta"), arrays("m"), arrays("v"), v_max, arrays("update"), masks, any(branches), tuple(branches), slow
    )


def _mark_range(e: Errors, theta: Any, m: Any, v: Any, a: Rounding) -> None:
    e.out_of_range = e.out_of_range | ~np.isfinite(theta) | ~np.isfinite(m) | ~np.isfinite(v)
    for value, error in ((theta, e.theta), (m, e.m), (v, e.v)):
        e.out_of_range = e.out_of_range | (abs(value) + error > a.largest) | np.isnan(error)


def _overflows(value: Any, a: Rounding) -> Any:
    """Where a quantity that an implementation may form is beyond the format's range, roundings granted."""
    return ~(abs(value) <= a.largest * (1 - C * a.u))


# Rules: gradient


def _rescale(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e.g = h.rescale_grad * e.g + C * a.u * abs(after.g) + a.tiny


def _clip(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Clipping is a contraction; the bound itself may be rounded on its way in."""
    if h.clip_gradient is not None:
        e.g = e.g + a.u * h.clip_gradient


def _l2(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.l2:
        term = h.l2 * abs(before.theta)
        e.g = e.g + h.l2 * e.theta + C * a.u * (abs(before.g) + term) + C * a.tiny


# Rules: rows


def _square_rows(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """The rounding of a square is one of those granted to v; what underflows has no share in that."""
    if before.rows is not None:
        e.square = np.full(after.square.shape, a.tiny)


def _sum_duplicate_rows(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """n terms take n - 1 additions in any order: (n - 1) u times the sum of magnitudes."""
    if before.rows is None:
        return
    _, position, count = np.unique(before.rows, return_inverse=True, return_counts=True)

    def total(values: Any) -> Any:
        sums = np.zeros((len(count), *values.shape[1:]))
        np.add.at(sums, position, values)
        return sums

    additions = (count - 1).reshape(-1, *[1] * (after.g.ndim - 1)) * a.u
    e.g = additions * total(abs(before.g))
    if before.square is not None:
        e.square = total(e.square) + additions * total(before.square)


def _scatter_rows(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if before.rows is not None:
        zeros = np.zeros(after.g.shape)
        e.g = s.replace_rows(zeros, before.rows, e.g)
        e.square = s.replace_rows(zeros, before.rows, e.square)


def _gather_rows(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if before.rows is not None:
        e.whole = (e.theta, e.m, e.v, e.v_max, e.out_of_range)
        e.theta, e.m, e.v, e.v_max, e.out_of_range = (
            None if whole is None else whole[before.rows] for whole in e.whole
        )


def _restore_rows(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if before.whole is not None:
        e.update = s.replace_rows(np.zeros(after.theta.shape), before.rows, e.update)
        e.theta, e.m, e.v, e.v_max, e.out_of_range = (
            None if whole is None else s.replace_rows(whole, before.rows, part)
            for whole, part in zip(e.whole, (e.theta, e.m, e.v, e.v_max, e.out_of_range), strict=True)
        )


def _named_rows_move(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if before.rows is not None:
        e.moves = s.replace_rows(np.zeros(after.direction.shape, dtype=bool), before.rows, True)


# Rules: decay


def _decay_theta(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.weight_decay:
        rate = h.learning_rate * h.weight_decay
        rounding = C * a.u * rate * abs(before.theta) + 2 * a.u * abs(after.theta) + a.tiny
        e.update = rate * e.theta + rounding
        e.theta = abs(1 - rate) * e.theta + rounding


def _decay_direction(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.weight_decay:
        rate = h.learning_rate * h.weight_decay
        magnitude = abs(before.direction) + rate * abs(before.theta)
        e.direction = e.direction + rate * e.theta + C * a.u * magnitude + C * a.tiny


# Rules: moments


def _first_moment(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e.out_of_range = e.out_of_range | (abs(before.g) + e.g > a.largest)
    kept = 1 if a.first_moment == "lerp" else h.beta_1
    magnitude = kept * abs(before.m) + (1 - h.beta_1) * abs(before.g)
    e.m = h.beta_1 * e.m + (1 - h.beta_1) * e.g + C * a.u * magnitude + C * a.tiny


def _second_moment(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    square = before.g * before.g if before.square is None else before.square
    e.out_of_range = e.out_of_range | _overflows(square, a)
    # v + w (g g - v) rounds w, the square, the difference, the product and the sum: one more than `C`.
    kept, roundings = (1, C + 1) if a.second_moment == "lerp" else (h.beta_2, C)
    magnitude = kept * before.v + (1 - h.beta_2) * square
    from_g = (2 * abs(before.g) + e.g) * e.g if before.square is None else e.square
    e.v = h.beta_2 * e.v + (1 - h.beta_2) * from_g + roundings * a.u * magnitude + roundings * a.tiny


def _amsgrad_maximum(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """|max(a, b) - max(a', b')| <= max(|a - a'|, |b - b'|)."""
    if h.amsgrad:
        e.v_max = np.maximum(e.v_max, e.v)


# Rules: direction


def _corrected_maximum(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.amsgrad:
        _, e_2 = correction_errors(before.t, h, a)
        bias_2 = one_minus_power(h.power_beta_2, before.t, FLOAT64)
        second = after.v / bias_2
        e.out_of_range = e.out_of_range | _overflows(second + e.v / bias_2, a)
        e.v_max = np.maximum(e.v_max, e.v / bias_2 + (e_2 + C * a.u_step) * second + a.tiny)


def _no_error(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Rounding of epsilon is part of the denominator's."""


def _epsilon_hat(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e_1, e_2 = correction_errors(before.t, h, a)
    second, e_second = (after.v, e.v) if after.v_max is None else (after.v_max, e.v_max)
    adaptive = 0.5 * e_2 * after.epsilon if h.adaptive_epsilon else 0.0
    e_denominator = _sqrt_error(second, e_second) + C * a.u * after.denominator + adaptive + a.tiny
    e.direction = _quotient_error(after, e.m, e_denominator, C * a.u_step + e_1 + e_2 / 2, a, a.tiny)


def _paper_epsilon(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e_1, e_2 = correction_errors(before.t, h, a)
    bias_2 = one_minus_power(h.power_beta_2, before.t, FLOAT64)
    second, e_second = (after.v, e.v) if after.v_max is None else (after.v_max, e.v_max)
    # Algorithm 1 forms v / (1 - beta_2^t) itself, which can overflow where no square did.
    e.out_of_range = e.out_of_range | _overflows((second + e_second) / bias_2, a)
    root = np.sqrt(second / bias_2)
    e_denominator = (
        _sqrt_error(second / bias_2, e_second / bias_2) + 0.5 * e_2 * root + C * a.u_step * after.denominator + a.tiny
    )
    # Folded into both sides of the quotient, sqrt(1 - beta_2^t) makes what is flushed weigh more.
    e.direction = _quotient_error(after, e.m, e_denominator, C * a.u_step + e_1, a, a.tiny / float(np.sqrt(bias_2)))


def _root_epsilon(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e_1, _ = correction_errors(before.t, h, a)
    e_denominator = _rooted_error(before, after, e, h, a)
    # The learning rate comes last, and multiplies what has been flushed before.
    e.direction = _quotient_error(after, e.m, e_denominator, C * a.u_step + e_1, a, a.tiny * max(1, h.learning_rate))


def _rectifying(adaptive: Rule) -> Rule:
    """The rule of a rectified stage; adaptive: of the direction that r_t multiplies."""

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        if after.rectified:
            adaptive(before, after, e, h, a)
            e.direction = e.direction + abs(after.direction) * _rectification_error(after, h, a)
        else:
            e_1, _ = correction_errors(before.t, h, a)
            relative = C * a.u_step + e_1 + C * a.u
            e.direction = abs(after.direction) * relative + after.step_size * e.m + C * a.tiny

    return rule


def _nesterov(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    of_m = h.beta_1 / one_minus_power(h.power_beta_1, before.t + 1, FLOAT64)
    of_g = (1 - h.beta_1) / one_minus_power(h.power_beta_1, before.t, FLOAT64)
    e_of_m, e_of_g = (correction_errors(t, h, a)[0] for t in (before.t + 1, before.t))
    _two_terms(after, e, h, a, (of_m, e_of_m), (of_g, e_of_g), _rooted_error(before, after, e, h, a))


def _nesterov_schedule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Relative errors: (2 C + 1) u of mu, as y exp(-y) < 1 bounds what rounding y = t psi does to 0.96^y; of P_t that
    of t factors, each with two roundings where it meets the product.
    """
    t, beta, psi = before.t, h.power_beta_1, h.momentum_decay
    mu, mu_next = (momentum(beta, psi, k, FLOAT64) for k in (t, t + 1))
    rest = one_minus_momentum(beta, psi, t, FLOAT64)
    bias, bias_next = (one_minus_momentum_product(beta, psi, k, FLOAT64) for k in (t, t + 1))
    e_mu = (2 * C + 1) * a.u_powers
    e_product = t * (e_mu + 2 * a.u_product)
    e_of_m = e_mu + (1 - bias_next) * (e_product + e_mu + a.u_powers) / bias_next + C * a.u_powers
    e_of_g = mu * e_mu / rest + (1 - bias) * e_product / bias + C * a.u_powers
    terms = (mu_next / bias_next, e_of_m), (rest / bias, e_of_g)
    _two_terms(after, e, h, a, *terms, _rooted_error(before, after, e, h, a))


def _subtract(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e.out_of_range = e.out_of_range | (_overflows(abs(before.direction) + e.direction, a) & np.isfinite(e.direction))
    error = e.direction + 2 * a.u * abs(after.theta) + a.u * abs(before.direction) + a.tiny
    error = np.where(e.moves, error, 0.0)
    e.theta = e.theta + error
    e.update = e.update + error


def _lookahead(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """The roundings are those of a lerp. theta moves by (1 - slow_step_size)(slow - theta) once more."""
    if after.slow is before.slow:
        return
    taken, kept = h.slow_step_size, 1 - h.slow_step_size
    e.out_of_range = e.out_of_range | _overflows(abs(before.theta) + abs(before.slow), a)
    rounding = C * a.u * (abs(before.slow) + taken * abs(before.theta)) + C * a.tiny
    e.update = e.update + kept * (e.slow + e.theta) + rounding
    e.slow = kept * e.slow + taken * e.theta + rounding
    e.theta = e.slow


RULES: Mapping[Stage, Rule] = MappingProxyType(
    {
        s.rescale: _rescale,
        s.clip: _clip,
        s.l2: _l2,
        s.square_rows: _square_rows,
        s.sum_duplicate_rows: _sum_duplicate_rows,
        s.scatter_rows: _scatter_rows,
        s.gather_rows: _gather_rows,
        s.restore_rows: _restore_rows,
        s.named_rows_move: _named_rows_move,
        s.decay_theta: _decay_theta,
        s.decay_direction: _decay_direction,
        s.first_moment: _first_moment,
        s.second_moment: _second_moment,
        s.amsgrad_maximum: _amsgrad_maximum,
        s.corrected_maximum: _corrected_maximum,
        s.zero_epsilon_is_default: _no_error,
        s.epsilon_as_given: _no_error,
        s.epsilon_hat: _epsilon_hat,
        s.paper_epsilon: _paper_epsilon,
        s.root_epsilon: _root_epsilon,
        s.rectified: _rectifying(_paper_epsilon),
        s.rectified_hat: _rectifying(_epsilon_hat),
        s.rectified_root: _rectifying(_root_epsilon),
        s.nesterov: _nesterov,
        s.nesterov_schedule: _nesterov_schedule,
        s.subtract: _subtract,
        s.lookahead: _lookahead,
    }
)


# Errors of scalars


def _power_error(beta: float, t: int, a: Rounding) -> float:
    """Relative error of beta^t."""
    growth = t * abs(FLOAT64.log(beta)) if a.power_form == "pow" else t
    return (C + growth) * a.u_powers


def correction_errors(t: int, h: Hyperparameters, a: Rounding) -> tuple[float, float]:
    """Relative errors of 1 - beta_1^t and 1 - beta_2^t."""

    def one(beta: float) -> float:
        correction = one_minus_power(beta, t, FLOAT64)
        power = 1 - correction
        from_power = power * _power_error(beta, t, a) / correction if power > 0 else 0.0
        return from_power + a.u_powers

    return one(h.power_beta_1), one(h.power_beta_2)


def _sma_error(rho_t: float, t: int, h: Hyperparameters, a: Rounding) -> float:
    """Absolute error of rho_t = rho_inf - 2 t beta_2^t / (1 - beta_2^t) formed as it is written.

    The two terms are of the size of 1 / (1 - beta_2) and cancel to about t.
    """
    rho_inf = sma_inf(h.power_beta_2)
    _, e_2 = correction_errors(t, h, a)
    subtracted = rho_inf - rho_t
    relative = e_2 + _power_error(h.power_beta_2, t, a) + C * a.u_powers if subtracted > 0 else 0.0
    return float(C * a.u_powers * (rho_inf + 1) + subtracted * relative + a.u_powers * abs(rho_t))


def branch_is_ambiguous(p: Working, h: Hyperparameters, a: Rounding) -> bool:
    """Whether rho_t is nearer to the threshold than its own error."""
    return bool(abs(p.rho_t - h.sma_threshold) <= _sma_error(p.rho_t, p.t, h, a))


def _rectification_error(p: Working, h: Hyperparameters, a: Rounding) -> float:
    """Relative error of r_t: the worse end of rho_t's interval.

    r_t grows with rho_t from 4 on and falls up to 2; between 2 and 4 it is greatest at the root of 8, and flatter
    there than at either end. rho_inf is rounded as well, and r_t depends on it through three factors. Infinite where
    either interval reaches a point at which r_t is not a number, or not bounded.
    """
    rho_inf, error = sma_inf(h.power_beta_2), _sma_error(p.rho_t, p.t, h, a)
    e_inf = C * a.u_powers * (rho_inf + 1)
    r_t, low, high = (
        FLOAT64.sqrt(squared_rectification(rho, rho_inf)) for rho in (p.rho_t, p.rho_t - error, p.rho_t + error)
    )
    from_4, from_2 = abs(rho_inf - 4), abs(rho_inf - 2)
    if min(from_4, from_2) <= e_inf or not math.isfinite(r_t + low + high):
        return math.inf
    from_inf = e_inf / from_4 + e_inf / from_2 + e_inf / rho_inf
    return float(max(abs(low - r_t), abs(high - r_t)) / r_t + from_inf / 2 + 2 * C * a.u_powers)


# Errors of elements


def _sqrt_error(v: Any, error: Any) -> Any:
    return np.where(v >= error, error / np.sqrt(np.where(v > 0, v, 1)), np.sqrt(v + error))


def _rooted_error(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> Any:
    """Error of sqrt(v / (1 - beta_2^t) + epsilon_root) + epsilon, or of that with v_max."""
    second, e_second, relative = after.v_max, e.v_max, 0.0
    if after.v_max is None:
        _, relative = correction_errors(before.t, h, a)
        bias_2 = one_minus_power(h.power_beta_2, before.t, FLOAT64)
        second, e_second = after.v / bias_2, e.v / bias_2
        e.out_of_range = e.out_of_range | _overflows(second + e_second, a)
    inside = second + h.epsilon_root
    return _sqrt_error(inside, e_second) + 0.5 * relative * np.sqrt(inside) + C * a.u_step * after.denominator + a.tiny


def _two_terms(
    p: Working,
    e: Errors,
    h: Hyperparameters,
    a: Rounding,
    of_m: tuple[float, float],
    of_g: tuple[float, float],
    e_denominator: Any,
) -> None:
    """Error of learning_rate (a m + b g) / D; of_m, of_g: a and b with their relative errors.

    The terms may cancel, and may be divided and reach theta one by one: each takes `C` roundings of its own size
    (its factor's, the product's, the quotient's, and its share of theta between the two).
    """
    (a_m, e_a), (b_g, e_b) = of_m, of_g
    from_state = a_m * e.m + b_g * e.g
    rounded = abs(a_m * p.m) * (e_a + C * a.u_step) + abs(b_g * p.g) * (e_b + C * a.u_step)
    smallest = p.denominator - e_denominator
    direction = abs(p.direction)
    tiny = C * a.tiny * max(1, h.learning_rate)
    error = (
        direction * C * a.u_step
        + (h.learning_rate * (from_state + rounded) + direction * e_denominator + tiny) / smallest
    )
    e.direction = np.where(smallest > 0, error, np.inf)


def _quotient_error(p: Working, e_m: Any, e_denominator: Any, rho: float, a: Rounding, tiny: float) -> Any:
    """Error of step_size m / D; infinite where D may be 0."""
    smallest = p.denominator - e_denominator
    direction = abs(p.step_size * p.m / p.denominator)
    error = direction * (rho + C * a.u) + (p.step_size * e_m + direction * e_denominator + C * tiny) / smallest
    return np.where(smallest > 0, error, np.inf)
