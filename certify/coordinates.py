"""Points to measure at: named coordinates, each drawn at random and moved to its neighbours, and the way uphill."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Coordinate:
    """How a value is drawn, and what is near it."""

    draw: Callable[[Random], Any]
    near: Callable[[Any, Random], Sequence[Any]]


def choice(*values: Any) -> Coordinate:
    """One of `values`."""
    return Coordinate(lambda r: r.choice(values), lambda _, r: [r.choice(values)])


def seeds() -> Coordinate:
    """A seed of arrays."""
    return Coordinate(lambda r: r.randrange(2**32), lambda _, r: [r.randrange(2**32)])


def decades(low: float, high: float, *special: Any, often: float = 0.2) -> Coordinate:
    """10^x for x between `low` and `high`; one of the special values as often as is said."""

    def draw(r: Random) -> Any:
        return r.choice(special) if special and r.random() < often else 10 ** r.uniform(low, high)

    def near(at: Any, r: Random) -> Sequence[Any]:
        if not at:
            return [draw(r)]
        return [min(max(at * 10 ** r.choice((1.0, 0.1, 1e-3, -1e-3, -0.1, -1.0)), 10**low), 10**high)]

    return Coordinate(draw, near)


def steps(most: int) -> Coordinate:
    """t from 1 on: the first ones, or any number of decades."""

    def draw(r: Random) -> int:
        return r.randint(1, min(12, most)) if r.random() < 0.4 else round(10 ** r.uniform(0, math.log10(most)))

    def near(at: int, r: Random) -> Sequence[int]:
        return [min(max(at + r.choice((-1, 1, -at // 3, at // 2)), 1), most)]

    return Coordinate(draw, near)


def multipliers(count: int) -> Coordinate:
    """None, or so many, from 1e-6 to 1e3, and 0."""
    one = decades(-6, 3, 0.0, 1.0)

    def draw(r: Random) -> tuple[float, ...]:
        return tuple(one.draw(r) for _ in range(count)) if r.random() < 0.7 else ()

    return Coordinate(draw, lambda at, r: [tuple(one.near(value, r)[0] for value in at)] if at else [draw(r)])


_COMMON = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_EDGES = (0.0, 5e-324, 2.0**-1022, math.nextafter(0.5, 0), math.nextafter(1, 0), 1 - 2.0**-52)


def betas() -> Coordinate:
    """The usual ones; next to 1 down to 1 - 1e-6; next to 0; the last float64 before either."""

    def draw(r: Random) -> float:
        kind = r.random()
        if kind < 0.25:
            return r.choice(_COMMON)
        if kind < 0.75:
            return 1 - 10 ** r.uniform(-6, 0)
        return r.choice(_EDGES) if kind < 0.85 else 10 ** r.uniform(-20, 0) * r.random()

    def near(at: float, r: Random) -> Sequence[float]:
        nudged = moved(at, r.choice((-40, -5, -2, -1, 1, 2, 5, 40)))
        from_one = 1 - (1 - at) * 10 ** r.choice((0.1, 1e-3, 1e-6, -1e-6, -1e-3, -0.1))
        return [r.choice((nudged, max(from_one, 0.0)))] if from_one < 1 else [nudged]

    return Coordinate(draw, near)


def moved(beta: float, ulps: int) -> float:
    """`beta`, so many float64 further, inside [0, 1)."""
    for _ in range(abs(ulps)):
        beta = math.nextafter(beta, 1.0 if ulps > 0 else 0.0)
    return min(beta, math.nextafter(1, 0))


def drawn(coordinates: Mapping[str, Coordinate], random: Random) -> Point:
    """A point at random."""
    return {name: coordinate.draw(random) for name, coordinate in coordinates.items()}


def uphill(
    start: Point,
    height: float,
    coordinates: Mapping[str, Coordinate],
    measure: Callable[[Point], float],
    random: Random,
    budget: int,
) -> tuple[Point, float]:
    """From `start`, where the error is `height`, to higher neighbours, `budget` measurements long."""
    names = list(coordinates)
    while budget > 0:
        name = random.choice(names)
        for value in coordinates[name].near(start[name], random):
            point = {**start, name: value}
            found = measure(point)
            budget -= 1
            if found >= height:  # along a level too, which is how one leaves it
                start, height = point, found
    return start, height


def words(point: Point) -> str:
    """The point as `name value, ...`."""
    return ", ".join(f"{name} {value!r}" for name, value in point.items())
