"""Where the claim does not hold: the parameters and elements of which an explanation is to be true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from adapters.contract import Array
from conformance.diagnosis.trail import Trail

WIDTHS = (4, 8, 16, 32, 64)
"""Elements of a vector register, of two, and of an unrolled loop."""
Select = Callable[[Trail, int, int], Array]
"""Of trail, step and parameter: a mask of the parameter's shape."""


@dataclass(frozen=True, eq=False)
class Place:
    """Some elements, in words."""

    words: str
    select: Select
    among: Literal["parameter", "step", "run"] = "parameter"
    """Of what it is a part: what is wrong there in one of these says something only if others in it are right."""


def holding(trails: Sequence[Trail]) -> Iterator[Place]:
    """The places that hold every element that the claim does not explain, and are not everything, smallest first.

    Somewhere an element beside them must be right: of the same parameter in a step, the same step, or the same run.
    """
    found: list[tuple[int, int, Place]] = []
    for place in _known(trails):
        inside = outside = beside = whole = 0
        for trail in trails:
            for k, step in enumerate(trail.claimed):
                for i, theta in enumerate(trail.problem.parameters):
                    mask = place.select(trail, k, i)
                    wrong = _wrong(step.wrong, i, theta.shape)
                    inside += int(np.count_nonzero(wrong & mask))
                    outside += int(np.count_nonzero(wrong & ~mask))
                    whole += int(np.count_nonzero(mask))
                    fails = {"parameter": wrong.any(), "step": step.any_wrong, "run": trail.wrong}[place.among]
                    beside += int(np.count_nonzero(~mask)) if fails else 0
                    if outside:
                        break
        if inside and beside and not outside:
            found.append((whole, len(found), place))
    everything = sum(theta.size * len(t.gradients) for t in trails for theta in t.problem.parameters)
    yield from (place for whole, _, place in sorted(found, key=lambda row: row[:2]) if whole < everything)


def _wrong(wrong: dict[Any, Array], i: int, shape: tuple[int, ...]) -> Array:
    mask = np.zeros(shape, dtype=bool)
    for (j, _), one in wrong.items():
        if j == i:
            mask |= one
    return mask


def _known(trails: Sequence[Trail]) -> Iterator[Place]:
    for width in WIDTHS:
        yield _by_number(f"the elements behind the last full vector of {width}", _tail(width))
        yield _by_number(f"the elements in full vectors of {width}", _full(width))
        if width > 4:
            yield _by_number(f"every second vector of {width}", _second(width))
    yield _by_number("the first element", lambda n, size: n == 0)
    yield _by_number("the last element", lambda n, size: n == size - 1)
    first = _first_wrong(trails)
    if first:
        yield _by_number(f"the elements from number {first} on", lambda n, size: n >= first)
    yield Place("elements that are 0", lambda t, k, i: np.asarray(t.states[k].theta[i] == 0))
    yield Place("elements whose gradient is 0", _zero_gradient)
    yield Place("elements whose m is 0", lambda t, k, i: np.asarray(t.states[k].m[i] == 0))
    last = "the last of several parameters"
    yield _by_parameter(last, lambda t, i: 0 < i == len(t.problem.parameters) - 1)
    first_one = "the first of several parameters"
    yield _by_parameter(first_one, lambda t, i: i == 0 and len(t.problem.parameters) > 1)
    yield _by_parameter("all parameters but the first", lambda t, i: i > 0)
    yield _by_parameter("parameters of no axis", lambda t, i: t.problem.parameters[i].ndim == 0)
    yield _by_parameter("parameters of one axis", lambda t, i: t.problem.parameters[i].ndim == 1)
    yield _by_parameter("parameters of less than two axes", lambda t, i: t.problem.parameters[i].ndim < 2)
    yield _by_parameter("parameters of more than one axis", lambda t, i: t.problem.parameters[i].ndim > 1)
    yield _by_step("a parameter's first step", lambda k, t: t == 1)
    yield _by_step("the steps with an even t", lambda k, t: t % 2 == 0)
    yield _by_step("a parameter's steps from the second one on", lambda k, t: t > 1)
    yield _by_step("the first step", lambda k, t: k == 0)
    yield _by_step("the steps from the second one on", lambda k, t: k > 0)


def _by_number(words: str, of: Callable[[Array, int], Array]) -> Place:
    def select(trail: Trail, k: int, i: int) -> Array:
        theta = trail.problem.parameters[i]
        return np.asarray(of(np.arange(theta.size), theta.size)).reshape(theta.shape)

    return Place(words, select)


def _by_parameter(words: str, of: Callable[[Trail, int], bool]) -> Place:
    return Place(words, lambda t, k, i: np.full(t.problem.parameters[i].shape, of(t, i)), "step")


def _by_step(words: str, of: Callable[[int, int], bool]) -> Place:
    """Of the step's number, the first being 0, and the parameter's t."""
    return Place(words, lambda t, k, i: np.full(t.problem.parameters[i].shape, of(k, t.counts[k][i])), "run")


def _tail(width: int) -> Callable[[Array, int], Array]:
    return lambda n, size: n >= size // width * width


def _full(width: int) -> Callable[[Array, int], Array]:
    return lambda n, size: n < size // width * width


def _second(width: int) -> Callable[[Array, int], Array]:
    return lambda n, size: (n // width) % 2 == 1


def _zero_gradient(trail: Trail, k: int, i: int) -> Array:
    g = trail.gradients[k][i]
    if g is None or isinstance(g, tuple):
        return np.zeros(trail.problem.parameters[i].shape, dtype=bool)
    return np.asarray(g == 0)


def _first_wrong(trails: Sequence[Trail]) -> int:
    """The smallest number of an element that is wrong, in any parameter and step."""
    least = [
        int(np.flatnonzero(mask)[0])
        for trail in trails
        for step in trail.claimed
        for mask in step.wrong.values()
        if mask.any()
    ]
    return min(least, default=0)
