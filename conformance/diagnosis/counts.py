"""Explanations in the step count that the bias correction sees, and in the one that the state reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

import reference
from conformance.diagnosis.candidate import Counts, Variant
from conformance.diagnosis.trail import Trail


def per_optimizer(trail: Trail, k: int) -> Sequence[int]:
    """One t for all parameters."""
    return [k + 1] * len(trail.problem.parameters)


def per_parameter(trail: Trail, k: int) -> Sequence[int]:
    """A step without gradient does not advance a parameter's t."""
    return [int(t) for t in trail.present[: k + 1].sum(axis=0)]


def updates_so_far(trail: Trail, k: int) -> Sequence[int]:
    """One count, which every update of a parameter advances by one."""
    before = int(trail.present[:k].sum())
    return [before + int(t) for t in np.cumsum(trail.present[k])]


def updates_in_all(trail: Trail, k: int) -> Sequence[int]:
    """One count, which a step advances by the number of parameters before any is updated."""
    return [int(trail.present[: k + 1].sum())] * len(trail.problem.parameters)


def own(trail: Trail, k: int) -> Sequence[int]:
    """The claimed dialect's."""
    return trail.counts[k]


def _models(d: reference.Dialect) -> Iterator[tuple[str, Counts]]:
    yield "step count off by one: t + 1 where t belongs", lambda trail, k: [t + 1 for t in own(trail, k)]
    yield "step count off by one: t - 1 where t belongs", lambda trail, k: [t - 1 for t in own(trail, k)]
    text = "step count off by one: t - 1 where t belongs, from t = 2 on"
    yield text, lambda trail, k: [max(t - 1, 1) for t in own(trail, k)]
    if d.step_count == "parameter":
        yield "one step count for the whole optimizer instead of one per parameter", per_optimizer
    else:
        yield "a step count per parameter instead of one for the whole optimizer", per_parameter
    yield "one step count that every parameter's update advances", updates_so_far
    yield "one step count that a step advances by the number of its gradients", updates_in_all
    yield (
        "the step count advances by the number of parameters",
        lambda trail, k: [t * len(trail.problem.parameters) for t in own(trail, k)],
    )
    yield "the step count stays 1", lambda trail, k: [1 for _ in own(trail, k)]
    yield "the step count stays 0", lambda trail, k: [0 for _ in own(trail, k)]
    yield "the step count advances by 2", lambda trail, k: [2 * t for t in own(trail, k)]
    yield "the step count advances by 2, from 1 on", lambda trail, k: [max(2 * t - 1, 0) for t in own(trail, k)]
    for most, kind in (
        (2, ""),
        (10, ""),
        (100, ""),
        (255, ""),
        (256, " (bfloat16's last)"),
        (2048, " (float16's last)"),
    ):
        yield f"the step count sticks at {most}{kind}", _at_most(most)


def _at_most(most: int) -> Counts:
    return lambda trail, k: [min(t, most) for t in own(trail, k)]


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """Of the count that the bias correction sees, the simplest first."""
    for words, counts in _models(d):
        yield Variant(words=words, dialect=d, counts=counts)


def reported(trails: Sequence[Trail]) -> str:
    """What is reported as t, if it is not the dialect's: the words of the model that it follows."""
    for words, counts in _models(trails[0].dialect):
        if all(list(state.t) == list(counts(trail, k)) for trail in trails for k, state in enumerate(trail.observed)):
            said = words.removesuffix(" where t belongs")
            return f"state not saved: t ({said})" if "stays" in words else f"in the state, {said}"
    return "the state's t follows no count that is known here"


def misreported(trail: Trail) -> bool:
    """Whether the state's t is not the dialect's in some step."""
    return any(list(state.t) != list(own(trail, k)) for k, state in enumerate(trail.observed))
