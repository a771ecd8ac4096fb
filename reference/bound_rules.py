"""One rule per stage: how the errors of one parameter grow in it (the formulas stand in `reference.bound`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from reference import bound_rates, clipping, multipliers, rates
from reference import stages as s
from reference.bias_correction import momentum, one_minus_momentum, one_minus_momentum_product, one_minus_power
from reference.bound_beside import BESIDE
from reference.bound_errors import Errors as Errors
from reference.bound_errors import Rule as Rule
from reference.bound_errors import norm_error, overflows, sqrt_error
from reference.bound_scalars import correction_errors, rectification_error
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64
from reference.rounding import C, Rounding, unit
from reference.stages import Stage, Working

# Rules: what is a parameter's own


def _multiply(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """A product of the caller's numbers. That of l2 is one of the roundings that are granted to its term."""
    if h.lr_mult:
        e.rate = e.rate + unit("float64")


# Rules: gradient


def _rescale(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e.g = h.rescale_grad * e.g + C * a.u * abs(after.g) + a.tiny


def _clip(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Clipping is a contraction; the bound itself may be rounded on its way in."""
    if h.clip_gradient is not None:
        e.g = e.g + a.u * h.clip_gradient


def _clip_values(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """As `_clip`; what is within the bound, errors and its own rounding aside, stays as it is."""
    if after.g is not before.g:
        near = abs(before.g) + e.g >= (1 - a.u) * h.clipvalue
        e.g = e.g + np.where(near, a.u * h.clipvalue, 0.0)


def _clip_norm(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.clipnorm is not None:
        e.norm = norm_error([before.g], [e.g], a)
        _scale(before, after, e, h.clipnorm, a)


def _global_norm(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.global_clipnorm is not None:
        e.norm = norm_error(before.all_g, [each.g for each in e.company], a)


def _clip_global_norm(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.global_clipnorm is not None:
        _scale(before, after, e, h.global_clipnorm, a)


def _clip_in_one_way(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.clipnorm:
        _clip_norm(before, after, e, h, a)
    elif h.global_clipnorm:
        _clip_global_norm(before, after, e, h, a)
    elif h.clipvalue:
        _clip_values(before, after, e, h, a)


def _dense_by_global_norm(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if before.rows is not None and after.rows is None:
        summed = before.snapshot()
        s.sum_duplicate_rows(summed, h, FLOAT64)
        _sum_duplicate_rows(before, summed, e, h, a)
        _scatter_rows(summed, after, e, h, a)


def _l2(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if h.l2:
        term = before.l2 * abs(before.theta)
        e.g = e.g + before.l2 * e.theta + C * a.u * (abs(before.g) + term) + C * a.tiny


# Rules: rows


def _square_rows(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """The rounding of a square is one of those granted to v; what underflows has no share in that."""
    if before.rows is not None:
        e.square = (2 * abs(before.g) + e.g) * e.g + np.full(after.square.shape, a.tiny)


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
    e.g = total(np.broadcast_to(e.g, before.g.shape)) + additions * total(abs(before.g))
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
    if before.decays and (before.weight_decay or e.weight_decay):
        rate = before.learning_rate * before.weight_decay
        rounding = C * a.u * rate * abs(before.theta) + 2 * a.u * abs(after.theta) + a.tiny
        rounding = rounding + _share(e.rate, (1 + C * a.u) * rate * (abs(before.theta) + e.theta))
        e.update = rate * e.theta + rounding
        e.theta = abs(1 - rate) * e.theta + rounding


def _decay_direction(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    if before.weight_decay or e.weight_decay:
        rate = before.learning_rate * before.weight_decay
        magnitude = abs(before.direction) + rate * abs(before.theta)
        of_decay = _share(e.weight_decay, (1 + C * a.u) * rate * (abs(before.theta) + e.theta))
        e.direction = e.direction + rate * e.theta + C * a.u * magnitude + C * a.tiny + of_decay


# Rules: moments


def _first_moment(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e.out_of_range = e.out_of_range | (abs(before.g) + e.g > a.largest)
    kept = 1 if a.first_moment == "lerp" else h.beta_1
    magnitude = kept * abs(before.m) + (1 - h.beta_1) * abs(before.g)
    e.m = h.beta_1 * e.m + (1 - h.beta_1) * e.g + C * a.u * magnitude + C * a.tiny


def _second_moment(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    square = before.g * before.g if before.square is None else before.square
    e.out_of_range = e.out_of_range | overflows(square, a)
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
        e.out_of_range = e.out_of_range | overflows(second + e.v / bias_2, a)
        e.v_max = np.maximum(e.v_max, e.v / bias_2 + (e_2 + C * a.u_step) * second + a.tiny)


def _no_error(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Rounding of epsilon is part of the denominator's."""


def _epsilon_hat(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e_1, e_2 = correction_errors(before.t, h, a)
    second, e_second = (after.v, e.v) if after.v_max is None else (after.v_max, e.v_max)
    adaptive = 0.5 * e_2 * after.epsilon if h.adaptive_epsilon else 0.0
    e_denominator = sqrt_error(second, e_second) + C * a.u * after.denominator + adaptive + a.tiny
    e.direction = _quotient_error(after, e.m, e_denominator, C * a.u_step + e_1 + e_2 / 2, a, a.tiny)


def _paper_epsilon(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e_1, e_2 = correction_errors(before.t, h, a)
    bias_2 = one_minus_power(h.power_beta_2, before.t, FLOAT64)
    second, e_second = (after.v, e.v) if after.v_max is None else (after.v_max, e.v_max)
    # Algorithm 1 forms v / (1 - beta_2^t) itself, which can overflow where no square did.
    e.out_of_range = e.out_of_range | overflows((second + e_second) / bias_2, a)
    root = np.sqrt(second / bias_2)
    e_denominator = (
        sqrt_error(second / bias_2, e_second / bias_2) + 0.5 * e_2 * root + C * a.u_step * after.denominator + a.tiny
    )
    # Folded into both sides of the quotient, sqrt(1 - beta_2^t) makes what is flushed weigh more.
    e.direction = _quotient_error(after, e.m, e_denominator, C * a.u_step + e_1, a, a.tiny / float(np.sqrt(bias_2)))


def _root_epsilon(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e_1, _ = correction_errors(before.t, h, a)
    e_denominator = _rooted_error(before, after, e, h, a)
    # The learning rate comes last, and multiplies what has been flushed before.
    e.direction = _quotient_error(
        after, e.m, e_denominator, C * a.u_step + e_1, a, a.tiny * max(1, before.learning_rate)
    )


def _rectifying(adaptive: Rule) -> Rule:
    """The rule of a rectified stage; adaptive: of the direction that r_t multiplies."""

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        if after.rectified:
            adaptive(before, after, e, h, a)
            e.direction = e.direction + abs(after.direction) * rectification_error(after, h, a)
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
    e.out_of_range = e.out_of_range | (overflows(abs(before.direction) + e.direction, a) & np.isfinite(e.direction))
    of_rate = _share(e.rate, abs(before.direction) + e.direction)  # every direction is a multiple of the learning rate
    error = e.direction + of_rate + 2 * a.u * abs(after.theta) + a.u * abs(before.direction) + a.tiny
    error = np.where(e.moves, error, 0.0)
    e.theta = e.theta + error
    e.update = e.update + error


def _lookahead(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """The roundings are those of a lerp. theta moves by (1 - slow_step_size)(slow - theta) once more."""
    if after.slow is before.slow:
        return
    taken, kept = h.slow_step_size, 1 - h.slow_step_size
    e.out_of_range = e.out_of_range | overflows(abs(before.theta) + abs(before.slow), a)
    rounding = C * a.u * (abs(before.slow) + taken * abs(before.theta)) + C * a.tiny
    e.update = e.update + kept * (e.slow + e.theta) + rounding
    e.slow = kept * e.slow + taken * e.theta + rounding
    e.theta = e.slow


RULES: Mapping[Stage, Rule] = MappingProxyType(
    {
        **BESIDE,
        multipliers.multiply: _multiply,
        s.rescale: _rescale,
        s.clip: _clip,
        clipping.clip_values: _clip_values,
        clipping.clip_norm: _clip_norm,
        clipping.global_norm: _global_norm,
        clipping.clip_global_norm: _clip_global_norm,
        clipping.clip_in_one_way: _clip_in_one_way,
        clipping.dense_by_global_norm: _dense_by_global_norm,
        s.l2: _l2,
        s.square_rows: _square_rows,
        s.sum_duplicate_rows: _sum_duplicate_rows,
        s.scatter_rows: _scatter_rows,
        s.gather_rows: _gather_rows,
        s.restore_rows: _restore_rows,
        s.named_rows_move: _named_rows_move,
        rates.scheduled_rate: bound_rates.scheduled_rate,
        rates.scheduled_by_updates: bound_rates.scheduled_by_updates,
        s.inverse_time_decay: bound_rates.inverse_time_decay,
        rates.warm_up: bound_rates.warm_up,
        rates.scheduled_weight_decay: bound_rates.scheduled_weight_decay,
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


# Elements


def _share(relative: float, of: Any) -> Any:
    """relative times `of`: infinite where it is infinite, of 0 too."""
    return relative * of if relative < np.inf else np.inf


def _scale(before: Working, after: Working, e: Errors, limit: float, a: Rounding) -> None:
    """g c / max(N, c), in either order, or with the reciprocals of both: four roundings, the one of c included."""
    norm = float(after.norm)
    least, between, most = (max(n, limit) for n in (norm - e.norm, norm, norm + e.norm))
    if not (least > 0 and np.isfinite(most)):
        e.g = np.full(np.shape(before.g), np.inf)
        return
    relative = max(between / least - 1, 1 - between / most)
    size = abs(before.g)
    flushed = (C + size + 1 / least) * a.tiny
    error = limit / least * e.g + abs(after.g) * (relative + C * a.u) + flushed
    e.g = np.where(overflows(size * limit, a), np.inf, error)


def _rooted_error(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> Any:
    """Error of sqrt(v / (1 - beta_2^t) + epsilon_root) + epsilon, or of that with v_max."""
    second, e_second, relative = after.v_max, e.v_max, 0.0
    if after.v_max is None:
        _, relative = correction_errors(before.t, h, a)
        bias_2 = one_minus_power(h.power_beta_2, before.t, FLOAT64)
        second, e_second = after.v / bias_2, e.v / bias_2
        e.out_of_range = e.out_of_range | overflows(second + e_second, a)
    inside = second + h.epsilon_root
    return sqrt_error(inside, e_second) + 0.5 * relative * np.sqrt(inside) + C * a.u_step * after.denominator + a.tiny


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
    tiny = C * a.tiny * max(1, p.learning_rate)
    error = (
        direction * C * a.u_step
        + (p.learning_rate * (from_state + rounded) + direction * e_denominator + tiny) / smallest
    )
    e.direction = np.where(smallest > 0, error, np.inf)


def _quotient_error(p: Working, e_m: Any, e_denominator: Any, rho: float, a: Rounding, tiny: float) -> Any:
    """Error of step_size m / D; infinite where D may be 0."""
    smallest = p.denominator - e_denominator
    direction = abs(p.step_size * p.m / p.denominator)
    error = direction * (rho + C * a.u) + (p.step_size * e_m + direction * e_denominator + C * tiny) / smallest
    return np.where(smallest > 0, error, np.inf)
