"""The stages' arithmetic in mpmath, at 50 significant digits: what certifies the float64 reference.

Needs mpmath, which `reference` itself does not. Arrays are NumPy arrays of dtype object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np


class _Context(mpmath.MPContext):  # type: ignore[misc]  # which has no types
    """mpmath, which prints the array that it cannot convert in every product of a number and an array, unread."""

    def convert(self, x: Any, strings: bool = True) -> Any:
        if isinstance(x, np.ndarray):
            raise TypeError("an array is no number; NumPy takes over")
        return super().convert(x, strings)


class FiftyDigits:
    """A `reference.namespace.Namespace` on mpmath numbers of 50 significant digits."""

    def __init__(self) -> None:
        self._mp = _Context()
        self._mp.dps = 50
        self.pi: Any = +self._mp.pi
        self._sqrt = np.frompyfunc(self._scalar_sqrt, 1, 1)
        self._number = np.frompyfunc(self._mp.mpf, 1, 1)

    def _scalar_sqrt(self, value: Any) -> Any:
        return self._mp.sqrt(value) if value >= 0 else self._mp.nan

    def number(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return np.asarray(self._number(value), dtype=object)
        return self._mp.mpf(value)

    def sqrt(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return np.asarray(self._sqrt(value), dtype=object)
        return self._scalar_sqrt(value)

    def log(self, value: Any) -> Any:
        return self._mp.log(value) if value > 0 else -self._mp.inf

    def expm1(self, value: Any) -> Any:
        return self._mp.expm1(value)

    def cos(self, value: Any) -> Any:
        return self._mp.cos(value)

    def power(self, base: Any, exponent: Any) -> Any:
        return self._mp.power(base, exponent)

    def at_most(self, a: Any, b: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        return then() if a <= b else otherwise()
