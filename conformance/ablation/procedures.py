"""What the laws of procedures expect, with one thing taken out of it: a real framework must break the law then.

What replicas, a caller's functions, the end of a training and master copies change are numbers too, and no stage of
the reference is for them: the law itself says what they become. Each is judged twice on one problem: as it is, where
nothing may be found, and without the one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adapters.contract import Claim, Implementation, State
from conformance import checks
from conformance.ablation.shown import Shown
from conformance.check import Breach, Check
from conformance.findings import Finding
from conformance.laws import aggregation, beside, formats
from conformance.laws.procedures import Steps
from conformance.subjects import subjects


@dataclass(frozen=True)
class Expected:
    """One thing that a law expects, and the law without it."""

    name: str
    law: str
    """Name of the check."""
    instead: str
    """What is expected without it."""
    where: Any
    """The module or class that has it."""
    attribute: str
    without: Callable[[Any], Any]
    """What stands there, to what stands in its place."""

    @property
    def check(self) -> Check:
        """The law."""
        return next(check for check in checks.CHECKS if check.name == self.law)

    @contextmanager
    def taken_out(self) -> Iterator[None]:
        """While it is."""
        whole = getattr(self.where, self.attribute)
        setattr(self.where, self.attribute, self.without(whole))
        try:
            yield
        finally:
            setattr(self.where, self.attribute, whole)


def _weights_alone(states: Any) -> Any:
    def of(*given: Any, **more: Any) -> tuple[State, ...]:
        found = states(*given, **more)
        return tuple(replace(s, parameters=tuple(np.float32(w) for w in s.weights or ())) for s in found)

    return of


def _of_the_first(related: Any) -> Any:
    found: list[tuple[State, ...]] = []

    def of(*given: Any) -> tuple[State, ...]:
        found.append(related(*given))
        return found[0]

    return of


EXPECTED: tuple[Expected, ...] = (
    Expected(
        "sum over replicas",
        "law-replicas",
        "all move by the first one's gradients",
        aggregation,
        "_sum",
        lambda whole: lambda first, second: first,
    ),
    Expected(
        "gradients of each replica, not aggregated",
        "law-unaggregated",
        "all move by the first one's gradients",
        aggregation,
        "related",
        _of_the_first,
    ),
    Expected(
        "gradient_aggregator",
        "law-transformers",
        "the transformers alone",
        aggregation,
        "_through",
        lambda whole: lambda changes, g: whole(changes[1:], g),
    ),
    Expected(
        "gradient_transformers",
        "law-transformers",
        "the aggregator alone",
        aggregation,
        "_through",
        lambda whole: lambda changes, g: whole(changes[:1], g),
    ),
    Expected(
        "functions in the place of numbers",
        "law-forms",
        "what they return in the first step",
        Steps,
        "as_reference",
        lambda whole: lambda self, observed, held: whole(self, observed, [held[0]] * len(held)),
    ),
    Expected(
        "finalize_variable_values",
        "law-finalized",
        "the parameters stay",
        beside,
        "at_the_end",
        lambda whole: lambda last, averaged: last,
    ),
    Expected(
        "float32 master copies",
        "law-master",
        "a step begins at the rounded weights",
        formats,
        "states",
        _weights_alone,
    ),
)
"""By the field's names."""


def expected_of(claims: Sequence[Claim]) -> tuple[Expected, ...]:
    """What applies to any of them; functions in the place of numbers to those who take them."""
    return tuple(
        e
        for e in EXPECTED
        if any(e.check.applies(c) and (e.law != "law-forms" or "callables" in c.procedures) for c in claims)
    )


def shown_without(expected: Expected, those: Sequence[Implementation], seed: int = 0) -> Shown | None:
    """The first problem on which one of them keeps the law as it is, and breaks it without the one thing."""
    check = expected.check
    for implementation in those:
        if expected not in expected_of([implementation.claim]):
            continue
        for k, problem in enumerate(subjects(implementation, check.problems, 1, seed)):
            if check.judge(implementation, problem).findings:
                continue
            with expected.taken_out():
                findings = [f for f in check.judge(implementation, problem).findings if not isinstance(f, Breach)]
            if findings:
                return Shown(implementation.name, f"{check.problems} problem {k} of {check.name}", _words(findings[0]))
    return None


def _words(finding: Finding) -> str:
    return finding.message.partition(";")[0]
