"""Laws of row-sparse gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Implementation, Problem, Rows, State
from conformance import oracle
from conformance.findings import Outcome
from conformance.laws.related import Comparison, bounds, each, quantities, related, states
from reference import dialect, stages


def untouched(implementation: Implementation, problem: Problem) -> Outcome:
    """Rows that a gradient does not name are as they were, bit for bit.

    Lazy: nothing of them is read or written, so theta, m and v stay, decay or not. Where only named rows
    move (TF-Addons), theta stays and the moments decay. A gradient that names no row leaves all of them. A step in
    which Lookahead synchronises is left out: it takes all rows of theta along.
    """
    lazy = stages.gather_rows in dialect(implementation.claim.dialect).stages
    found = Comparison(problem)
    h, before = problem.hyperparameters, None
    counts = oracle.step_counts(implementation.claim.dialect, problem)
    for k, state in enumerate(states(implementation, problem)):
        for i, (theta, g) in enumerate(zip(problem.parameters, problem.gradients[k], strict=True)):
            if not isinstance(g, Rows) or (h.sync_period is not None and counts[k][i] % h.sync_period == 0):
                continue
            rest = np.ones(theta.shape, dtype=bool)
            rest[g.indices] = False
            empty = {"parameters": theta, "m": 0.0, "v": 0.0, "v_max": 0.0, "slow": theta}
            was = empty if before is None else dict(quantities(before, i))
            for name, obtained in quantities(state, i):
                if lazy or name in ("parameters", "slow"):
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


def permutation(implementation: Implementation, problem: Problem) -> Outcome:
    """Parameters whose rows are in the reverse order move the same, in the reverse order, bit for bit.

    Row k of a parameter of n rows becomes row n - 1 - k, and a gradient names it so, rows in order where they were. No
    formula knows the number of a row. Every row is named once: no sum has an order.
    """

    def backwards(g: Gradient, theta: Array) -> Gradient:
        if isinstance(g, Rows):
            return Rows(indices=len(theta) - 1 - g.indices[::-1], values=g.values[::-1].copy())
        return None if g is None else _upside_down(g)

    upside_down = replace(_made(problem, backwards), parameters=each(problem.parameters, _upside_down))
    wanted = [_of_all(state, lambda x: (_upside_down(x),)) for state in states(implementation, problem)]
    return Comparison(problem).same_runs(related(implementation, upside_down), wanted)


def split(implementation: Implementation, problem: Problem) -> Outcome:
    """A parameter cut in two between its rows is two parameters with the same trajectory.

    As `permutation`; each part is given those of the rows that are its own, perhaps none, and its t advances with
    the whole's. A parameter of fewer than three rows stays whole: the parts would be of equal shape. Compared within
    the sum of both bounds: what is compiled for one shape may round otherwise than for another, as XLA's code does.
    """
    gradients = tuple(
        tuple(part for g, theta in zip(step, problem.parameters, strict=True) for part in _divided(g, theta))
        for step in problem.gradients
    )
    cut = replace(
        problem, parameters=tuple(part for x in problem.parameters for part in _parts(x)), gradients=gradients
    )
    found = Comparison(problem)
    a, b = related(implementation, cut), states(implementation, problem)
    for x, y in zip(bounds(implementation, cut, a), bounds(implementation, problem, b), strict=True):
        wanted = [part for i in range(len(problem.parameters)) for part in _of_parts(y, i)]
        either = x.bound.branch or y.bound.branch
        counts = [t for t, whole in zip(b[y.number - 1].t, problem.parameters, strict=True) for _ in _parts(whole)]
        for i, expected in enumerate(wanted):
            found.equal(x.number, i, "t", np.asarray(a[x.number - 1].t[i]), counts[i])
            for (name, obtained, _, e_a), (value, e_b) in zip(x.free_running(i), expected, strict=True):
                found.within(x.number, i, name, obtained, value, np.inf if either else e_a + e_b)
    return found.outcome


def _of_parts(step: oracle.Step, i: int) -> list[list[tuple[Array, Array]]]:
    """Of each part of parameter i every quantity that was obtained, and its bound."""
    found: list[list[tuple[Array, Array]]] = []
    for _, obtained, _, bound in step.free_running(i):
        pairs = [*zip(_parts(obtained), _parts(np.asarray(bound)), strict=True)]
        found = found or [[] for _ in pairs]
        for part, pair in zip(found, pairs, strict=True):
            part.append(pair)
    return found


def _upside_down(x: Array) -> Array:
    return x[::-1].copy() if x.ndim else x


def _parts(x: Array) -> tuple[Array, ...]:
    """The rows of the first third, and the others."""
    cut = len(x) // 3 if x.ndim else 0
    return (x[:cut].copy(), x[cut:].copy()) if cut else (x,)


def _divided(g: Gradient, theta: Array) -> tuple[Gradient, ...]:
    """What the gradient is of each of the parts of theta."""
    cut = len(theta) // 3 if theta.ndim else 0
    if g is None or not cut:
        return (g,) * (2 if cut else 1)
    if not isinstance(g, Rows):
        return _parts(g)
    low = g.indices < cut
    return (
        Rows(indices=g.indices[low], values=g.values[low]),
        Rows(indices=g.indices[~low] - cut, values=g.values[~low]),
    )


def _of_all(state: State, change: Callable[[Array], tuple[Array, ...]]) -> State:
    """The state with `change` of every array, and t of a parameter for each of what became of it."""
    groups: dict[str, Any] = {
        name: None if group is None else tuple(part for x in group for part in change(x))
        for name, group in vars(state).items()
        if name != "t"
    }
    counts = tuple(t for t, x in zip(state.t, state.parameters, strict=True) for _ in change(x))
    return State(**groups, t=counts)


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
