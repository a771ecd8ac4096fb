"""The errors of one parameter, and how those of sums and roots grow: what all rules share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.hyperparameters import Hyperparameters
from reference.rounding import C, Rounding
from reference.stages import Working


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
    average: Any = None
    rate: float = 0.0
    """Of the learning rate, relative."""
    weight_decay: float = 0.0
    """Relative."""
    norm: Any = 0.0
    company: Any = ()
    """Errors of every parameter that has a gradient in this step."""


Rule = Callable[[Working, Working, Errors, Hyperparameters, Rounding], None]


def norm_error(gradients: Sequence[Any], errors: Sequence[Any], a: Rounding) -> Any:
    """Error of the norm of all of these; infinite where the sum of the squares may leave the format.

    n terms take n roundings of the sum in any order, the square's included.
    """
    terms = sum(g.size for g in gradients)
    squares = sum((np.sum(g * g) for g in gradients), start=np.float64(0))
    given = sum((np.sum((2 * abs(g) + e) * e) for g, e in zip(gradients, errors, strict=True)), start=np.float64(0))
    error = given + terms * (a.u * (squares + given) + C * a.tiny)
    if overflows(squares + error, a):
        return np.inf
    return float(sqrt_error(squares, error) + C * a.u * np.sqrt(squares))


def sqrt_error(v: Any, error: Any) -> Any:
    """Error of sqrt(v), v being off by `error`."""
    return np.where(v >= error, error / np.sqrt(np.where(v > 0, v, 1)), np.sqrt(v + error))


def overflows(value: Any, a: Rounding) -> Any:
    """Where a quantity that an implementation may form is beyond the format's range, roundings granted."""
    return ~(abs(value) <= a.largest * (1 - C * a.u))
