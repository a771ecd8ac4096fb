"""The few functions that the stages need besides + - * /, in float64.

Stages never call NumPy's or math's transcendentals themselves, so that the same lines run in any
arithmetic that brings these functions: `Float64` here, mpmath at 50 digits in `reference.fifty_digits`.
Scalars go through `math`, whose results do not depend on the CPU's vector units as NumPy's do;
`sqrt` is correctly rounded everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np


class Namespace(Protocol):
    """Functions on arrays and scalars (number, sqrt) and on scalars alone (the rest)."""

    pi: Any

    def number(self, value: Any) -> Any:
        """A scalar or an array in this arithmetic, exactly; decimal digits, as text, rounded."""

    def sqrt(self, value: Any) -> Any:
        """Square root; NaN for negative values."""

    def log(self, value: Any) -> Any:
        """Natural logarithm; minus infinity for 0."""

    def expm1(self, value: Any) -> Any:
        """exp(value) - 1 without cancellation."""

    def cos(self, value: Any) -> Any:
        """Cosine."""

    def power(self, base: Any, exponent: Any) -> Any:
        """base^exponent of two numbers >= 0."""

    def at_most(self, a: Any, b: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """`then()` where a <= b, `otherwise()` elsewhere."""

    def __hash__(self) -> int:
        """An arithmetic is one object, by which its results are remembered."""


def quotient(numerator: Any, denominator: Any) -> Any:
    """numerator / denominator as IEEE divides, in every arithmetic and for scalars and arrays alike.

    Python's and mpmath's numbers raise where the denominator is 0, and know no negative zero.
    """
    if isinstance(denominator, np.ndarray | np.generic) and denominator.dtype.kind == "f":
        with np.errstate(divide="ignore", invalid="ignore"):
            return numerator / denominator
    with np.errstate(invalid="ignore"):
        return _ieee_quotient(numerator, denominator)


_ieee_quotient = np.frompyfunc(lambda n, d: n / d if d != 0 else n * math.inf, 2, 1)


class Float64:
    """IEEE 754 binary64."""

    pi: Any = math.pi

    def number(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.astype(np.float64, copy=False)
        return float(value)

    def sqrt(self, value: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return np.sqrt(value)

    def log(self, value: Any) -> Any:
        return math.log(value) if value > 0 else -math.inf

    def expm1(self, value: Any) -> Any:
        try:
            return math.expm1(value)
        except OverflowError:
            return math.inf

    def cos(self, value: Any) -> Any:
        return math.cos(value)

    def power(self, base: Any, exponent: Any) -> Any:
        try:
            return math.pow(base, exponent)
        except OverflowError:
            return math.inf

    def at_most(self, a: Any, b: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        return then() if a <= b else otherwise()


FLOAT64 = Float64()
