"""Numbers that carry a bound on their own rounding error: a running error analysis of whatever formula they enter.

`Running` is a `reference.namespace.Namespace`, so that the bound of a schedule follows from the very lines of the
schedule. Every operation is granted one rounding, every function `C`, every number that is not whole one on its way in:

    a + b, a - b:   E_a + E_b + u |a + b|
    a b:            |a| E_b + |b| E_a + E_a E_b + u |a b|
    a / b:          (E_a + |a / b| E_b) / (|b| - E_b) + u |a / b|
    cos a:          min(|sin a| E_a + E_a^2 / 2, E_a) + C u
    a^b:            the farther end of what a and b may be, + C u a^b and what rounding b log a moves
    sqrt a:         E_a / sqrt(a) (sqrt(a + E_a) for a < E_a) + C u sqrt(a)

Whole numbers, and a whole result of exact operands, are exact in every format here. Where the error of a - b decides
between two branches, both are within the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reference.namespace import FLOAT64, Namespace
from reference.rounding import C


class Running:
    """The arithmetic of numbers with errors; u: unit roundoff. `inside` computes them."""

    def __init__(self, u: float, inside: Namespace = FLOAT64) -> None:
        self.u, self.inside = u, inside
        self.pi: Any = Inexact(inside.pi, u * inside.pi, self)

    def number(self, value: Any) -> Inexact:
        """A number on its way in."""
        if isinstance(value, Inexact):
            return value
        exact = self.inside.number(value)
        return Inexact(exact, 0.0 if _is_whole(exact) else self.u * abs(exact), self)

    def sqrt(self, value: Any) -> Any:
        """Square root."""
        a = self.number(value)
        root = self.inside.sqrt(a.value)
        moved = a.error / root if a.value > 0 and a.error <= a.value else self.inside.sqrt(a.value + a.error)
        return Inexact(root, moved + C * self.u * root, self)

    def log(self, value: Any) -> Any:
        """Natural logarithm of a number that is farther from 0 than its error."""
        a = self.number(value)
        log = self.inside.log(a.value)
        return Inexact(log, a.error / (a.value - a.error) + C * self.u * abs(log), self)

    def expm1(self, value: Any) -> Any:
        """exp(value) - 1."""
        a = self.number(value)
        result = self.inside.expm1(a.value)
        return Inexact(result, (result + 1) * self.inside.expm1(a.error) + C * self.u * abs(result), self)

    def cos(self, value: Any) -> Any:
        """Cosine."""
        a = self.number(value)
        cosine = self.inside.cos(a.value)
        slope = self.inside.sqrt(max(1 - cosine * cosine, 0))
        moved = min(slope * a.error + a.error * a.error / 2, a.error)
        return Inexact(cosine, moved + C * self.u, self)

    def power(self, base: Any, exponent: Any) -> Any:
        """base^exponent; base >= 0."""
        a, b = self.number(base), self.number(exponent)
        power = self.inside.power(a.value, b.value)
        ends = [
            self.inside.power(x, y)
            for x in (max(a.value - a.error, 0), a.value + a.error)
            for y in (max(b.value - b.error, 0), b.value + b.error)
        ]
        moved = max(abs(end - power) for end in ends)
        if moved == 0 and _is_whole(power):
            return Inexact(power, 0.0, self)
        log = abs(b.value * self.inside.log(a.value)) if a.value > 0 else 0
        return Inexact(power, moved + (C + log) * self.u * (power + moved), self)

    def at_most(self, a: Any, b: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """Of both branches where the difference is within its error, a rounding of either operand included."""
        a, b = self.number(a), self.number(b)
        first, second = (then, otherwise) if a.value <= b.value else (otherwise, then)
        taken = self.number(first())
        if abs(a.value - b.value) > a.error + b.error or a.error + b.error == 0:
            return taken
        beside = self.number(second())
        return Inexact(taken.value, max(taken.error, abs(taken.value - beside.value) + beside.error), self)


@dataclass(frozen=True, eq=False)
class Inexact:
    """A number, and how far what an implementation has for it may be off."""

    value: Any
    error: Any
    of: Running

    def _made(self, value: Any, moved: Any) -> Inexact:
        rounding = 0 if moved == 0 and _is_whole(value) else self.of.u * (abs(value) + moved)
        return Inexact(value, moved + rounding, self.of)

    def __add__(self, other: Any) -> Inexact:
        b = self.of.number(other)
        return self._made(self.value + b.value, self.error + b.error)

    def __sub__(self, other: Any) -> Inexact:
        b = self.of.number(other)
        return self._made(self.value - b.value, self.error + b.error)

    def __mul__(self, other: Any) -> Inexact:
        b = self.of.number(other)
        moved = abs(self.value) * b.error + abs(b.value) * self.error + self.error * b.error
        return self._made(self.value * b.value, moved)

    def __truediv__(self, other: Any) -> Inexact:
        b = self.of.number(other)
        if abs(b.value) <= b.error:
            return Inexact(self.value, math.inf, self.of)
        quotient = self.value / b.value
        return self._made(quotient, (self.error + abs(quotient) * b.error) / (abs(b.value) - b.error))

    def __radd__(self, other: Any) -> Inexact:
        return self.of.number(other) + self

    def __rsub__(self, other: Any) -> Inexact:
        return self.of.number(other) - self

    def __rmul__(self, other: Any) -> Inexact:
        return self.of.number(other) * self

    def __rtruediv__(self, other: Any) -> Inexact:
        return self.of.number(other) / self


def _is_whole(value: Any) -> bool:
    return bool(value == int(value)) if abs(value) < 2**24 else False
