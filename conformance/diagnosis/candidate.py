"""An explanation that can be tried: words, and what every observed state would become if they were true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import reference
from conformance import oracle
from conformance.diagnosis.forms import changed_direction, of
from conformance.diagnosis.trail import Trail
from reference.bound import bounded_step
from reference.bound_rules import RULES, Rule
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


Into = Stage | tuple[Stage, ...] | None
"""What stands in the place of a stage: one, several, or nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Variant:
    """A dialect with something changed: stages, hyper-parameters, step counts or gradients."""

    words: str
    dialect: reference.Dialect
    changes: Sequence[Mapping[Stage, Into]] = ()
    """Of its stages, one change after the other."""
    rules: Mapping[Stage, Rule] = field(default_factory=dict)
    """Of new stages; one that comes into the place of another one has that one's, if it has none here."""
    direction: Mapping[str, Any] = field(default_factory=dict)
    """What is changed in the dialect's own direction: arguments of `forms.direction`."""
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
        d, rules = self._built
        before = trail.states[k]
        gradients = trail.gradients[k] if self.gradients is None else tuple(self.gradients(trail, k))
        if self.counts is not None:
            t = tuple(count - 1 for count in self.counts(trail, k))
            before, d = replace(before, t=t), replace(d, step_count="optimizer")
        return bounded_step(d, h, rounding, before, reference.initial_bound(before), gradients, rules=rules)

    @cached_property
    def _built(self) -> tuple[reference.Dialect, Mapping[Stage, Rule]]:
        """The changed dialect, and the rules of its stages. ValueError for a change of a stage that is not there."""
        stages, rules = self.dialect.stages, {**RULES, **self.rules}
        for change in self.changes:
            stages = _swapped(stages, change, rules)
        if self.direction:
            stage, rule = changed_direction(self.dialect, self.direction)
            stages, rules[stage] = _swapped(stages, {of(self.dialect): stage}, rules), rule
        return replace(self.dialect, stages=stages, hyperparameters=_ALL), rules


def _swapped(stages: Sequence[Stage], change: Mapping[Stage, Into], rules: dict[Stage, Rule]) -> tuple[Stage, ...]:
    lacking = [stage for stage in change if stage not in stages]
    if lacking:
        raise ValueError(f"change is of {lacking[0].__name__}; accepted: a stage that is there")
    made: list[Stage] = []
    for stage in stages:
        into = change.get(stage, stage)
        new = () if into is None else into if isinstance(into, tuple) else (into,)
        made += new
        for one in new:
            rules.setdefault(one, rules[stage])
    return tuple(made)


def swapped(d: reference.Dialect, change: Mapping[Stage, Into]) -> dict[str, Any]:
    """`dialect`, `changes` and `rules` of a `Variant`: stages replaced, by one or several, or dropped."""
    return {"dialect": d, "changes": ({k: v for k, v in change.items() if k in d.stages},), "rules": {}}


TWO = "two things at once: "
"""Of the words of a pair."""


def together(a: Variant, b: Variant) -> Variant | None:
    """Both changes in one, or None where they are changes of the same thing."""
    if a.dialect is not b.dialect or (a.counts and b.counts) or (a.gradients and b.gradients):
        return None
    if a.direction.keys() & b.direction.keys():
        return None
    if a.h is not _as_they_are and b.h is not _as_they_are and a.words.split()[0] == b.words.split()[0]:
        return None  # one hyper-parameter, changed twice

    def h(given: reference.Hyperparameters) -> reference.Hyperparameters:
        return b.h(a.h(given))

    untouched = a.h is _as_they_are and b.h is _as_they_are
    both = replace(
        a,
        words=f"{TWO}{a.words}; and {b.words}",
        changes=(*a.changes, *b.changes),
        rules={**a.rules, **b.rules},
        direction={**a.direction, **b.direction},
        h=_as_they_are if untouched else h,
        counts=a.counts or b.counts,
        gradients=a.gradients or b.gradients,
        arithmetic={**a.arithmetic, **b.arithmetic},
    )
    try:
        _ = both._built
    except ValueError:
        return None
    return both
