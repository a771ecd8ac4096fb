"""What was observed on one problem, as the explanations are tried on it: step by step from the observed state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import reference
from adapters.contract import QUANTITIES, Arithmetic, Array, Implementation, Problem, State
from conformance import oracle

FIELDS = {name: "theta" if name == "parameters" else name for name in QUANTITIES}
"""Quantities that are compared one by one, by the reference's name; the update is the parameters' once more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trail:
    """A problem, the states that were observed on it, and what the claim makes of both."""

    label: str
    """Where it comes from, for people: set and number."""
    problem: Problem
    observed: tuple[State, ...]
    dialect: reference.Dialect
    """The one that is claimed."""
    arithmetic: Arithmetic

    @cached_property
    def h(self) -> reference.Hyperparameters:
        """As the implementation receives them."""
        return oracle.received(self.problem, self.arithmetic)

    @cached_property
    def rounding(self) -> reference.Rounding:
        """As declared."""
        return oracle.rounding(self.arithmetic)

    @cached_property
    def gradients(self) -> tuple[tuple[Any, ...], ...]:
        """As the reference takes them, ``[step][parameter]``."""
        return tuple(tuple(oracle.as_gradient(g) for g in step) for step in self.problem.gradients)

    @cached_property
    def present(self) -> Array:
        """Which parameter has a gradient, ``[step, parameter]``."""
        return np.array([[g is not None for g in step] for step in self.problem.gradients], dtype=bool)

    @cached_property
    def counts(self) -> tuple[tuple[int, ...], ...]:
        """The claimed dialect's t of every parameter after every step."""
        return tuple(oracle.step_counts(self.dialect.name, self.problem))

    @cached_property
    def states(self) -> tuple[reference.State, ...]:
        """The initial state and the observed ones, in float64, with the dialect's step counts."""
        first = reference.initial_state(self.problem.parameters, self.h)
        return (first, *(oracle.to_reference(s, t) for s, t in zip(self.observed, self.counts, strict=True)))

    @cached_property
    def claimed(self) -> tuple[Step, ...]:
        """What the claimed dialect makes of every observed state, and where that is not what was observed."""
        return tuple(_claimed(self, k) for k in range(len(self.gradients)))

    @cached_property
    def wrong(self) -> bool:
        """Whether the claim leaves anything unexplained."""
        return any(step.any_wrong for step in self.claimed)


Key = tuple[int, str]
"""Number of a parameter, and a quantity."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the claimed dialect from the observed state, beside the observed step."""

    value: dict[Key, Array]
    bound: dict[Key, Array]
    wrong: dict[Key, Array]

    @property
    def any_wrong(self) -> bool:
        """Whether anything is."""
        return any(bool(mask.any()) for mask in self.wrong.values())


def values(state: reference.State | reference.Bound) -> Iterator[tuple[Key, Array]]:
    """Every array of a state, and of a `reference.Bound`."""
    for name, of in FIELDS.items():
        for i, array in enumerate(getattr(state, of) or ()):
            yield (i, name), array


def fraction(obtained: Any, expected: Any, bound: Any) -> Array:
    """Error as a fraction of its bound; 0 where either result is accepted."""
    with np.errstate(all="ignore"):
        error = np.where(obtained == expected, 0.0, np.abs(obtained - expected))  # infinities too
        found = np.where(error > 0, error / bound, 0.0)
        found = np.where(np.isnan(error) & ~(np.isnan(obtained) & np.isnan(expected)), np.inf, found)
    return np.asarray(np.where(np.isinf(bound), 0.0, found))


def trail_of(implementation: Implementation, problem: Problem, states: Sequence[State], label: str) -> Trail:
    """Raises ValueError where the declared arithmetic does not hold the hyper-parameters."""
    made = Trail(
        label=label,
        problem=problem,
        observed=tuple(states),
        dialect=reference.dialect(implementation.claim.dialect),
        arithmetic=implementation.arithmetic(problem.dtype),
    )
    _ = made.h
    return made


def _claimed(trail: Trail, k: int) -> Step:
    before, after = trail.states[k], dict(values(trail.states[k + 1]))

    def stepped(rectify: bool | None) -> tuple[Step, bool]:
        start = reference.initial_bound(before)
        h, rounding = trail.h, trail.rounding
        made = reference.bounded_step(trail.dialect, h, rounding, before, start, trail.gradients[k], rectify=rectify)
        value, limit = dict(values(made[0])), dict(values(made[1]))
        wrong = {key: fraction(after[key], value[key], limit[key]) > 1 for key in after}
        return Step(value=value, bound=limit, wrong=wrong), made[1].branch

    step, ambiguous = stepped(None)
    return _nearer(stepped(True)[0], stepped(False)[0]) if ambiguous else step


def _nearer(a: Step, b: Step) -> Step:
    """Where the branch of the rectification is ambiguous: for each array the one that explains more."""

    def of(key: Key) -> Step:
        return a if np.count_nonzero(a.wrong[key]) <= np.count_nonzero(b.wrong[key]) else b

    return Step(
        value={key: of(key).value[key] for key in a.wrong},
        bound={key: of(key).bound[key] for key in a.wrong},
        wrong={key: of(key).wrong[key] for key in a.wrong},
    )
