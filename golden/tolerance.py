"""How far a correct replay in float64 may be from what is stored, so that a reader in any language needs no bound.

The free-running bound of `reference.bounded_step` beside the case, rounded up to a power of two, element by element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from golden.case import Case, GoldenError
from golden.trajectory import named, trajectory
from reference import Bound, Rounding

REPLAY = Rounding(
    compute="float64",
    powers="float64",
    step_size="float64",
    power_form="product",
    first_moment="lerp",
    second_moment="lerp",
)
"""float64 throughout, and of the usual forms the one that errs most: beta^t as a running product, averages as
m + (1 - beta)(g - m). What computes beta^t by a power function and averages as the formula stands is within it too."""
_ANOTHER_LIBRARY = 2.0**-30
"""Of a bound: what another mathematical library may change of it, where it is next to a power of two.
No value is judged by it."""


def with_tolerance(case: Case) -> Case:
    """The case with a tolerance at every step that is stated; `GoldenError` where float64 certifies no value."""
    expected = []
    for stored, _, bound in trajectory(case, REPLAY):
        tolerance = {name: tuple(power_above(limit) for limit in limits) for name, limits in _limits(bound)}
        if not all(np.all(np.isfinite(limit)) for limits in tolerance.values() for limit in limits):
            raise GoldenError(f"{case.id} cannot be certified: in step {stored.step} the bound of float64 is infinite")
        expected.append(replace(stored, tolerance=tolerance))
    return replace(case, expected=tuple(expected))


def differences(case: Case) -> Iterator[tuple[int, str, int]]:
    """Step, quantity and parameter of every tolerance that is not the power of two next above the bound."""
    for stored, _, bound in trajectory(case, REPLAY):
        for name, limits in _limits(bound):
            for i, limit in enumerate(limits):
                ends = (power_above(limit * (1 - _ANOTHER_LIBRARY)), power_above(limit * (1 + _ANOTHER_LIBRARY)))
                if not np.all((stored.tolerance[name][i] == ends[0]) | (stored.tolerance[name][i] == ends[1])):
                    yield stored.step, name, i


def power_above(bound: Any) -> Any:
    """The smallest power of two that is not below; 0 for 0."""
    mantissa, exponent = np.frexp(np.asarray(bound, dtype=np.float64))
    power = np.ldexp(1.0, np.where(mantissa == 0.5, exponent - 1, exponent))
    return np.where((mantissa == 0) | ~np.isfinite(mantissa), mantissa, power)


def to_exponents(tolerance: Mapping[str, tuple[Any, ...]]) -> dict[str, list[list[int | None]]]:
    """As the files have it: e for 2^e, None for 0."""
    return {
        name: [[int(np.frexp(x)[1]) - 1 if x else None for x in array.ravel()] for array in arrays]
        for name, arrays in tolerance.items()
    }


def from_exponents(exponents: list[int | None], shape: tuple[int, ...]) -> Any:
    """An array of `to_exponents`, back."""
    values = [0.0 if e is None else float(np.ldexp(1.0, e)) for e in exponents]
    return np.array(values, dtype=np.float64).reshape(shape)


def _limits(bound: Bound) -> Iterator[tuple[str, tuple[Any, ...]]]:
    yield from ((name, limits) for name, limits in named(bound).items() if limits)
