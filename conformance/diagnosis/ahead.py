"""Explanations in Lookahead: when theta and the slow weights meet, where, and which of the two is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Candidate, Prediction, Variant, swapped
from conformance.diagnosis.trail import Trail
from reference import stages as s
from reference.bound_rules import Errors
from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.rounding import C, Rounding
from reference.stages import Stage, Working

Meets = Callable[[int, int], bool]
"""Of t and sync_period: whether the step synchronises."""


def _usual(t: int, period: int) -> bool:
    return t % period == 0


def meeting(
    *,
    when: Meets = _usual,
    share: Callable[[Any], Any] = lambda alpha: alpha,
    slow: bool = True,
    theta: bool = True,
) -> Stage:
    """A stage of the form of `lookahead`; slow, theta: whether each of the two is written."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        if when(p.t, h.sync_period):
            met = p.slow + share(h.slow_step_size) * (p.theta - p.slow)
            p.slow, p.theta = met if slow else p.slow, met if theta else p.theta

    return stage


def _rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """Of whatever was written, for any share: it lies between the two, and the roundings are those of a lerp."""
    error = e.slow + e.theta + 2 * C * a.u * (abs(before.slow) + abs(before.theta)) + C * a.tiny
    e.slow = e.slow if after.slow is before.slow else error
    e.theta = e.theta if after.theta is before.theta else error


@dataclass(frozen=True, kw_only=True, eq=False)
class FromZeros:
    """Slow weights that are 0 before the first step."""

    words: str = "the slow weights begin at 0"

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """The dialect's own, from there."""
        for k, gradients in enumerate(trail.gradients):
            before = trail.states[k]
            if not k:
                before = replace(before, slow=tuple(np.zeros(theta.shape) for theta in before.theta))
            exact = reference.initial_bound(before)
            yield reference.bounded_step(trail.dialect, trail.h, trail.rounding, before, exact, gradients)


def candidates(d: reference.Dialect) -> Iterator[Candidate]:
    """All of them, the simplest first; none where the dialect does not look ahead."""
    if not d.looks_ahead:
        return
    yield FromZeros()
    for words, stage in (
        ("Lookahead never synchronises", meeting(when=lambda t, period: False)),
        ("Lookahead synchronises in every step", meeting(when=lambda t, period: True)),
        ("Lookahead synchronises one step too early", meeting(when=lambda t, period: (t + 1) % period == 0)),
        ("Lookahead synchronises one step too late", meeting(when=_late)),
        ("slow_step_size and 1 - slow_step_size are exchanged", meeting(share=lambda alpha: 1 - alpha)),
        ("Lookahead moves the slow weights and not theta", meeting(theta=False)),
        ("Lookahead moves theta and not the slow weights", meeting(slow=False)),
    ):
        made = swapped(d, {s.lookahead: stage})
        made["rules"][stage] = _rule
        yield Variant(words=words, **made)


def _late(t: int, period: int) -> bool:
    return t > 1 and (t - 1) % period == 0
