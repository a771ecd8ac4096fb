"""Whether an implementation shows a feature: its observed steps are out of the bound of the reference without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import reference
from adapters.contract import Arithmetic, Implementation, Problem, State
from conformance import oracle
from conformance.ablation.features import Feature

QUANTITIES = ("theta", "m", "v", "v_max", "slow", "average")


@dataclass(frozen=True)
class Shown:
    """The first step that is not the one of a reference without the feature."""

    implementation: str
    problem: str
    how: str
    """The quantity and by how many bounds it is off, or what the reference refuses."""


@dataclass(frozen=True)
class Observed:
    """What an implementation did on a problem."""

    implementation: Implementation
    name: str
    """Of the problem."""
    problem: Problem
    arithmetic: Arithmetic
    states: tuple[State, ...]


def shown_by(features: Sequence[Feature], observed: Iterable[Observed]) -> dict[Feature, Shown | None]:
    """Where each feature shows first; None if nowhere. Nothing more is observed when all have been seen."""
    found: dict[Feature, Shown | None] = dict.fromkeys(features)
    for each in observed:
        for feature in [f for f, shown in found.items() if shown is None]:
            for how in _differences(feature, each):
                found[feature] = Shown(each.implementation.name, each.name, how)
                break
        if all(found.values()):
            break
    return found


def _differences(feature: Feature, seen: Observed) -> Iterator[str]:
    """Step by step, each from the state observed before it."""
    problem = feature.of(seen.problem)
    if problem is None:
        return
    h, rounding = oracle.received(problem, seen.arithmetic), oracle.rounding(seen.arithmetic)
    counts = _counts(feature.left, problem)
    before = reference.initial_state(problem.parameters, h)
    for k, state in enumerate(seen.states):
        if state.t != counts[k]:
            yield f"step {k + 1}: t is {state.t}, not {counts[k]}"
        after = _as_held(oracle.to_reference(state, counts[k]), h)
        given = [oracle.as_gradient(g) for g in problem.gradients[k]]
        exact = reference.initial_bound(before)
        try:
            new, bound = reference.bounded_step(feature.left, h, rounding, before, exact, given, rules=feature.rules)
        except (ValueError, TypeError, AttributeError, IndexError) as refused:
            yield f"step {k + 1}: cannot be computed ({refused})"
            return
        if not bound.branch:
            fractions = {q: _fraction(getattr(after, q), getattr(new, q), getattr(bound, q)) for q in QUANTITIES}
            worst = max(fractions, key=lambda q: fractions[q])
            if fractions[worst] > 1:
                yield f"step {k + 1}: {worst} is off by {fractions[worst]:.2g} bounds"
        before = after


def _counts(d: reference.Dialect, problem: Problem) -> list[tuple[int, ...]]:
    """As `oracle.step_counts`, of a dialect that need not be in the table."""
    present = [[d.step_count == "optimizer" or g is not None for g in gradients] for gradients in problem.gradients]
    begin = [problem.hyperparameters.begin_num_update] * len(problem.parameters)
    return [tuple(row) for row in np.cumsum([begin, *present], axis=0)[1:].tolist()]


def _as_held(state: reference.State, h: reference.Hyperparameters) -> reference.State:
    """What a reference with `h` holds of a state."""
    return replace(
        state,
        v_max=state.v_max if h.amsgrad else None,
        slow=None if h.sync_period is None else state.slow,
        average=None if h.ema_momentum is None else state.average,
    )


def _fraction(observed: Any, expected: Any, bound: Any) -> float:
    """The worst error as a fraction of the bound; 0 for what is not held."""
    if observed is None or expected is None:
        return 0.0
    worst = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        for a, b, limit in zip(observed, expected, bound, strict=True):
            if a.shape != b.shape:  # of rows, which nothing has put into their places
                return float("inf")
            fraction = np.where(np.isfinite(limit) & (a != b), np.abs(a - b) / limit, 0.0)
            worst = max(worst, float(np.max(np.nan_to_num(fraction, nan=np.inf, posinf=np.inf), initial=0.0)))
    return worst
