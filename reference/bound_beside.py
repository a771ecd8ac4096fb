"""Rules of what acts on theta behind the step: Keras' average and its constraints."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from reference import averages, constraints
from reference.averages import overwrites
from reference.bound_errors import Errors, Rule, overflows, sqrt_error
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64
from reference.rounding import C, Rounding
from reference.stages import Stage, Working


def _average(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Two products of rounded factors, and their sum."""
    if h.ema_momentum is None:
        return
    kept, taken = h.ema_momentum, 1 - h.ema_momentum
    size = kept * abs(before.average) + taken * abs(before.theta)
    e.out_of_range = e.out_of_range | overflows(size, a)
    e.average = kept * e.average + taken * e.theta + C * a.u * size + C * a.tiny


def _average_all(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """In step 1 theta times 1, and 0."""
    if before.t == 1:
        e.average = None if h.ema_momentum is None else e.theta
    else:
        _average(before, after, e, h, a)


def _overwrite(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """theta moves by average - theta once more."""
    if overwrites(before.t, h):
        e.update = e.update + e.theta + e.average
        e.theta = e.average


def _constrain(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """What is certainly left alone keeps its errors; else both ends of theta's movement are off."""
    if h.constraint is None:
        return
    given, moved = e.theta, np.asarray(True)
    if h.constraint == "non_neg":
        moved = np.asarray(before.theta <= given)
    elif h.constraint == "clip_weights":
        moved = np.asarray(abs(before.theta) + given >= constraints.LARGEST_WEIGHT)
    else:
        e.theta = _scaled(before, after, e, h, a)
    e.update = np.where(moved, e.update + given + e.theta, e.update)


def _scaled(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> Any:
    """Error of theta divided by its norm, or scaled down to one."""
    squares = np.sum(before.theta * before.theta, axis=0, keepdims=True)
    given = np.sum((2 * abs(before.theta) + e.theta) * e.theta, axis=0, keepdims=True)
    terms = before.theta.shape[0]  # of the sum, which rounds each of them, the square's rounding included
    error = given + terms * (a.u * (squares + given) + C * a.tiny)
    norm = constraints.norms(before.theta, FLOAT64)
    e_norm = np.where(overflows(squares + error, a), np.inf, sqrt_error(squares, error) + C * a.u * norm)
    divisor = constraints.EPSILON + norm
    e_divisor = e_norm + C * a.u * divisor
    least = divisor - e_divisor
    size = abs(before.theta)
    if h.constraint == "unit_norm":
        error = (e.theta + abs(after.theta) * e_divisor) / least + C * a.u * abs(after.theta) + C * a.tiny
    else:
        low, high, rate = constraints.LIMITS[h.constraint or ""]
        factor = constraints.kept_norm(norm, h.constraint or "") / divisor
        below, above = norm - e_norm < low, norm + e_norm > high  # or perhaps; the rest of them is between
        between = (norm + e_norm > low) & (norm - e_norm < high)
        slope = rate * (low * below + high * above) + constraints.EPSILON * between
        e_factor = slope * e_norm / (divisor * least) + C * a.u * factor + a.tiny
        error = factor * e.theta + (size + e.theta) * e_factor + C * a.u * factor * size + C * a.tiny
    return np.where(least > 0, error, np.inf)


BESIDE: Mapping[Stage, Rule] = MappingProxyType(
    {
        averages.average: _average,
        averages.average_all: _average_all,
        averages.overwrite: _overwrite,
        averages.overwrite_all: _overwrite,
        constraints.constrain: _constrain,
    }
)
