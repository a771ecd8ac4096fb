"""A case: a problem with an immutable id, and the trajectory that it must give."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from reference import Hyperparameters

if TYPE_CHECKING:
    from golden.between import Between

MAX_PARAMETERS = 64
MAX_STEPS = 20_000
MAX_ELEMENTS = 4_096
"""Parameter elements of a case: with `MAX_STEPS`, what a case can cost whoever reads it."""
NARROW = "narrow-count"
"""The flag of cases for formats of 16 bits, which hold all of their numbers."""
MAX_NUMBERS = 1_000_000
"""Gradient elements of the cases of a file, over all steps, as `numbers` counts them."""


def numbers(steps: int, shapes: tuple[tuple[int, ...], ...]) -> int:
    """Gradient elements over all steps; an array takes as much memory as eight of them, however few it has."""
    return steps * sum(max(8, math.prod(shape)) for shape in shapes)


class GoldenError(ValueError):
    """A golden file that cannot be used; the message names file, place, value and what is accepted."""


@dataclass(frozen=True)
class Generator:
    """Gradients of a long run: xorshift32 (Marsaglia 2003, shifts 13, 17, 5), one number per element.

    Step by step, parameter by parameter, element by element in row-major order, x is the next state and
    the element is ((x >> 8) - 2^23) 2^(exponent - 23): 24 bits, in [-2^exponent, 2^exponent).
    """

    seed: int
    """State before the first number, from 1 to 2^32 - 1."""
    steps: int
    exponents: tuple[int, ...]
    """One per parameter."""

    def gradients(self, shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[Any, ...], ...]:
        """``[step][parameter]``, float64 arrays."""
        numbers = xorshift32(self.seed)

        def array(shape: tuple[int, ...], exponent: int) -> Any:
            integers = [(next(numbers) >> 8) - 2**23 for _ in range(int(np.prod(shape)))]
            return np.ldexp(np.array(integers, dtype=np.float64), exponent - 23).reshape(shape)

        return tuple(
            tuple(array(shape, exponent) for shape, exponent in zip(shapes, self.exponents, strict=True))
            for _ in range(self.steps)
        )


def xorshift32(seed: int) -> Iterator[int]:
    """The states after `seed`: 32-bit, never 0."""
    x = seed
    while True:
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        yield x


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Parameters and state after one step: the 50-digit trajectory, rounded once to float64."""

    step: int
    t: tuple[int, ...]
    parameters: tuple[Any, ...]
    m: tuple[Any, ...]
    v: tuple[Any, ...]
    v_max: tuple[Any, ...] | None
    """None without AMSGrad."""
    slow: tuple[Any, ...] | None = None
    """None without Lookahead."""
    average: tuple[Any, ...] | None = None
    """None without a moving average of the parameters."""
    tolerance: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """How far a replay in float64 may be from each of `quantities`, element by element: powers of two, and 0."""

    def quantities(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Name and arrays of each quantity that the case has."""
        for name in ("parameters", "m", "v", "v_max", "slow", "average"):
            arrays = getattr(self, name)
            if arrays is not None:
                yield name, arrays


@dataclass(frozen=True, kw_only=True)
class Case:
    """A problem and its expected trajectory. Arrays are float64."""

    id: str
    """``dialect/topic/name``; what it stands for never changes."""
    dialect: str
    description: str
    source: str
    """Where the formula was read."""
    flags: tuple[str, ...]
    """What kinds of bug it is for; the file's notes explain each."""
    hyperparameters: Hyperparameters
    parameters: tuple[Any, ...]
    """Initial ones."""
    gradients: tuple[tuple[Any, ...], ...]
    """``[step][parameter]``: an array of the parameter's shape, a pair (rows, values), or None."""
    generator: Generator | None = None
    """Where the gradients come from, if they are not stored."""
    between: tuple[Between, ...] = ()
    """What is done between steps."""
    state_order: tuple[str, ...] = ()
    """What the framework lists of its state after the last step, in its order: `golden.state_order`."""
    expected: tuple[Expected, ...] = ()
    """At the stated steps, in their order."""

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.gradients)

    @property
    def numbers(self) -> int:
        """What the gradients take."""
        return numbers(self.steps, tuple(theta.shape for theta in self.parameters))

    @property
    def gradient_kinds(self) -> frozenset[str]:
        """Out of dense, none, rows, duplicate rows, unsorted rows, empty rows."""
        return frozenset(kind for step in self.gradients for g in step for kind in _kinds(g))


def _kinds(gradient: Any) -> Iterator[str]:
    if gradient is None:
        yield "none"
    elif not isinstance(gradient, tuple):
        yield "dense"
    else:
        rows = gradient[0]
        kinds = {
            "duplicate rows": len(np.unique(rows)) < len(rows),
            "unsorted rows": bool(np.any(np.diff(rows) < 0)),
            "empty rows": len(rows) == 0,
        }
        yield from (kind for kind, holds in kinds.items() if holds)
        if not any(kinds.values()):
            yield "rows"
