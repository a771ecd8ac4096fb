"""Laws of row-sparse gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Implementation, Problem, Rows
from conformance.findings import Outcome
from conformance.laws.related import Comparison, bounds, each, quantities, related, states
from reference import dialect, stages


def untouched(implementation: Implementation, problem: Problem) -> Outcome:
    """Rows that a gradient does not name are as they were, bit for bit.

    Lazy: nothing of them is read or written, so theta, m and v stay, decay or not. Where only named rows
    move (TF-Addons), theta stays and the moments decay. A gradient that names no row leaves all of them.
    """
    lazy = stages.gather_rows in dialect(implementation.claim.dialect).stages
    found = Comparison(problem)
    h, before = problem.hyperparameters, None
    for k, state in enumerate(states(implementation, problem)):
        for i, (theta, g) in enumerate(zip(problem.parameters, problem.gradients[k], strict=True)):
            if not isinstance(g, Rows):
                continue
            rest = np.ones(theta.shape, dtype=bool)
            rest[g.indices] = False
            empty = {"parameters": theta, "m": 0.0, "v": 0.0, "v_max": 0.0 if h.amsgrad else None}
            was = empty if before is None else dict(quantities(before, i))
            for name, obtained in quantities(state, i):
                if lazy or name == "parameters":
                    found.equal(k + 1, i, name, obtained, was[name], rest)
        before = state
    return found.outcome


def order(implementation: Implementation, problem: Problem) -> Outcome:
    """Rows named in the reverse order give the same trajectory, bit for bit.

    Every row is named once here: no sum has an order. (Of duplicates, float sums do.)
    """

    def backwards(g: Gradient, _: Array) -> Gradient:
        if not isinstance(g, Rows):
            return g
        return Rows(indices=g.indices[::-1].copy(), values=g.values[::-1].copy())

    found = Comparison(problem)
    return found.same_runs(related(implementation, _made(problem, backwards)), states(implementation, problem))


def sparse_dense(implementation: Implementation, problem: Problem) -> Outcome:
    """Rows give what the dense gradient with zeros elsewhere gives, where the dialect says so.

    Where it does not (lazy, or only named rows move), all rows named give what the dense gradient gives. The
    two formulas are one in exact arithmetic, but frameworks write them differently, so by the triangle
    inequality |sparse - dense| <= E_sparse + E_dense, the bounds of free-running trajectories.
    """
    of = dialect(implementation.claim.dialect).stages
    scattered = stages.scatter_rows in of and stages.named_rows_move not in of
    dense = _made(problem, _filled)
    sparse = problem if scattered else _made(dense, _all_rows)
    found = Comparison(problem)
    a, b = related(implementation, sparse), related(implementation, dense)
    if not (a and b):
        return found.outcome
    for x, y in zip(bounds(implementation, sparse, a), bounds(implementation, dense, b), strict=True):
        for i in range(len(problem.parameters)):
            for (name, obtained, _, e_a), (_, wanted, _, e_b) in zip(x.free_running(i), y.free_running(i), strict=True):
                either = x.bound.branch or y.bound.branch  # an ambiguous branch may be taken once and not twice
                found.within(x.number, i, name, obtained, wanted, np.inf if either else e_a + e_b)
    return found.outcome


def _made(problem: Problem, change: Callable[[Gradient, Array], Gradient]) -> Problem:
    """The problem with every gradient changed, knowing its parameter."""

    def step(gradients: tuple[Gradient, ...]) -> tuple[Any, ...]:
        return tuple(change(g, theta) for g, theta in zip(gradients, problem.parameters, strict=True))

    return replace(problem, gradients=each(problem.gradients, step))


def _filled(g: Gradient, theta: Array) -> Gradient:
    if not isinstance(g, Rows):
        return g
    dense = np.zeros_like(theta)
    dense[g.indices] = g.values
    return dense


def _all_rows(g: Gradient, theta: Array) -> Gradient:
    if not isinstance(g, np.ndarray) or theta.ndim == 0 or theta.size == 0:
        return g
    return Rows(indices=np.arange(len(g), dtype=np.int64), values=g)
