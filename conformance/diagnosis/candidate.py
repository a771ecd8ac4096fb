"""An explanation that can be tried: words, and what every observed state would become if they were true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import reference
from conformance import oracle
from conformance.diagnosis.trail import Trail
from reference.bound import RULES, Rule, bounded_step
from reference.stages import Stage

Prediction = tuple[reference.State, reference.Bound]
Hyper = Callable[[reference.Hyperparameters], reference.Hyperparameters]
Counts = Callable[[Trail, int], Sequence[int]]
"""t of every parameter in step k, which is 0 in the first one."""
Gradients = Callable[[Trail, int], Sequence[Any]]


class Candidate(Protocol):
    """One explanation."""

    @property
    def words(self) -> str:
        """What is wrong, if it is this."""
        ...

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """Every step of the trail, from the state observed before it, with a rounding bound."""
        ...


_ALL = frozenset().union(*(d.hyperparameters for d in reference.DIALECTS.values()))


def _as_they_are(h: reference.Hyperparameters) -> reference.Hyperparameters:
    return h


@dataclass(frozen=True, kw_only=True, eq=False)
class Variant:
    """A dialect with something changed: stages, hyper-parameters, step counts or gradients."""

    words: str
    dialect: reference.Dialect
    rules: Mapping[Stage, Rule] = field(default_factory=lambda: RULES)
    """Of the stages; one that stands in another's place has that one's."""
    h: Hyper = _as_they_are
    counts: Counts | None = None
    gradients: Gradients | None = None
    arithmetic: Mapping[str, Any] = field(default_factory=dict)
    """Roles in which it differs from what is declared."""

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """The changed dialect's steps."""
        return (self.at(trail, k) for k in range(len(trail.gradients)))

    def at(self, trail: Trail, k: int) -> Prediction:
        """Step k, the first being 0."""
        arithmetic = replace(trail.arithmetic, **self.arithmetic)
        h, rounding = self.h(oracle.received(trail.problem, arithmetic)), oracle.rounding(arithmetic)
        d = replace(self.dialect, hyperparameters=_ALL)
        before = trail.states[k]
        gradients = trail.gradients[k] if self.gradients is None else tuple(self.gradients(trail, k))
        if self.counts is not None:
            t = tuple(count - 1 for count in self.counts(trail, k))
            before, d = replace(before, t=t), replace(d, step_count="optimizer")
        return bounded_step(d, h, rounding, before, reference.initial_bound(before), gradients, rules=self.rules)


def swapped(d: reference.Dialect, changes: Mapping[Stage, Stage | tuple[Stage, ...] | None]) -> dict[str, Any]:
    """`dialect` and `rules` of a `Variant`: stages replaced, by one or several, or dropped.

    A stage that comes into the place of another one has its rule, unless it has one in `RULES`.
    """
    stages: list[Stage] = []
    rules = dict(RULES)
    for stage in d.stages:
        into = changes.get(stage, stage)
        new = () if into is None else into if isinstance(into, tuple) else (into,)
        stages += new
        for one in new:
            rules.setdefault(one, RULES[stage])
    return {"dialect": replace(d, stages=tuple(stages)), "rules": rules}
