"""Errors of a step's scalars: beta^t, the bias corrections and the rectification."""

from __future__ import annotations

import math

from reference.bias_correction import one_minus_power, sma_inf, squared_rectification
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64
from reference.rounding import C, Rounding
from reference.stages import Working


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


def rectification_error(p: Working, h: Hyperparameters, a: Rounding) -> float:
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
