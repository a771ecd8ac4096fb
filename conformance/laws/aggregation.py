"""Laws of what happens to gradients before an optimizer sees them: replicas are summed, a caller's functions act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Implementation, Problem, Rows, State
from conformance.findings import Outcome
from conformance.laws.procedures import Steps, ask, copies
from conformance.laws.related import agree, on_values, related, with_gradients
from conformance.observe import checked

Change = Callable[[Array], Array]


def replicas(implementation: Implementation, problem: Problem) -> Outcome:
    """On two replicas every one moves as the sum of their gradients says; rows of both are named one after the other.

    The second replica's gradients are -1/2 of the first's, so that a sum of them is exact and neither a mean nor one
    of the two: the trajectory of each replica is the oracle's for the summed gradients.
    """
    first, second = problem, with_gradients(problem, on_values(_minus_half))
    summed = replace(
        problem,
        gradients=tuple(
            tuple(_sum(a, b) for a, b in zip(one, other, strict=True))
            for one, other in zip(first.gradients, second.gradients, strict=True)
        ),
    )
    outcome = Outcome()
    for states in _replicated(implementation, summed, (first, second), aggregate=True):
        outcome.add(agree(implementation, summed, states))
    return outcome


def unaggregated(implementation: Implementation, problem: Problem) -> Outcome:
    """Where the caller says that gradients are aggregated, each replica moves by its own as if alone, bit for bit.

    Nothing is summed, and nothing else is shared between replicas but the count.
    """
    parts = problem, with_gradients(problem, on_values(_minus_half))
    outcome = Outcome()
    for own, states in zip(parts, _replicated(implementation, problem, parts, aggregate=False), strict=True):
        found = Steps(implementation, own)
        outcome.add(found.same_runs(states, related(implementation, own)))
    return outcome


def transformers(implementation: Implementation, problem: Problem) -> Outcome:
    """The caller's functions of the gradients act, the aggregator before the transformers, and those one by one.

    They are exact, so that the trajectory is the oracle's for gradients that have been changed like that. Taking the
    positive part and changing the sign do not commute, nor do doubling and clipping, which comes last. The aggregator
    is left out where the caller says that gradients are aggregated.
    """
    outcome = Outcome()
    ways: list[tuple[Change, tuple[Change, ...], float | None]] = [
        (_positive, (np.negative, _double), None),
        (_double, (_positive, np.negative), None),
        (_double, (), 0.5),
    ]
    for aggregator, after, clipvalue in ways:
        h = replace(problem.hyperparameters, clipvalue=clipvalue)
        for aggregate in (True, False) if len(after) == 2 and clipvalue is None else (True,):
            found = Steps(implementation, replace(problem, hyperparameters=h))
            run = ask(implementation, "start_transformed", copies(problem.parameters), h, aggregator, after)
            step = "step" if aggregate else "step_unaggregated"
            states = _taken(found, partial(ask, run, step))
            used = (aggregator, *after) if aggregate else after
            changed = with_gradients(found.problem, on_values(partial(_through, used)))
            outcome.add(agree(implementation, changed, states))
    return outcome


def _replicated(
    implementation: Any, problem: Problem, parts: Sequence[Problem], *, aggregate: bool
) -> tuple[tuple[State, ...], ...]:
    """The states of every replica."""
    run = ask(implementation, "start_replicas", copies(problem.parameters), problem.hyperparameters, len(parts))
    found: list[list[State]] = [[] for _ in parts]
    for k in range(len(problem.gradients)):
        states = ask(run, "step_replicas", tuple(part.gradients[k] for part in parts), aggregate)
        for of, state in zip(found, states, strict=True):
            of.append(checked(implementation, state, problem, k))
    return tuple(tuple(of) for of in found)


def _taken(found: Steps, step: Callable[[Sequence[Gradient]], Any]) -> tuple[State, ...]:
    """States after every step, as `Steps.take` has them."""
    taken = enumerate(found.problem.gradients)
    return tuple(checked(found.implementation, step(g), found.problem, k) for k, g in taken)


def _sum(a: Gradient, b: Gradient) -> Gradient:
    if isinstance(a, Rows) and isinstance(b, Rows):
        return Rows(indices=np.concatenate([a.indices, b.indices]), values=np.concatenate([a.values, b.values]))
    return None if a is None or b is None else np.asarray(a + b)  # type: ignore[operator]


def _minus_half(g: Array) -> Array:
    return np.asarray(g * g.dtype.type(-0.5))


def _positive(g: Array) -> Array:
    return np.asarray(np.maximum(g, g.dtype.type(0)))


def _double(g: Array) -> Array:
    return np.asarray(g * g.dtype.type(2))


def _through(changes: Sequence[Change], g: Array) -> Array:
    for change in changes:
        g = np.asarray(change(g))
    return g
