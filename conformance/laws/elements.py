"""Laws of elementwise arithmetic: what mirrors, moves, cuts or scales a problem does the same to its trajectory.

Each compares two runs of one implementation bit for bit. No oracle and no bound is in between, so that also
what is smaller than any rounding bound shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adapters.contract import Array, Implementation, Problem, State
from conformance.findings import Outcome
from conformance.laws.related import (
    Comparison,
    each,
    has_rows,
    negative,
    on_values,
    quantities,
    related,
    states,
    with_gradients,
)
from reference import dialect, stages

POWERS = (-40, 40)
"""Of two, by which gradients are scaled: squares of scaled gradients stay far inside float32."""

_BELOW_THRESHOLD = 8
"""Steps after which rho_t is above 5, and by more than its error in float32, for beta_2 = 1 - 2^-10."""


def sign(implementation: Implementation, problem: Problem) -> Outcome:
    """-theta_0 and -g give -theta and -m with the same v, bit for bit.

    m, theta and slow weights are odd in (theta, g): beta_1 (-m) + (1 - beta_1)(-g) = -(beta_1 m + (1 - beta_1) g), and
    g^2, v and the denominator are even. Rounding to nearest is symmetric, and so is clipping to [-c, c].
    """
    mirrored = with_gradients(problem, on_values(negative))
    mirrored = replace(mirrored, parameters=each(problem.parameters, negative))
    expected = states(implementation, problem)
    found = Comparison(problem)
    odd = ("parameters", "m", "slow")
    wanted = [
        replace(s, **{name: each(group, negative) for name in odd if (group := getattr(s, name)) is not None})
        for s in expected
    ]
    return found.same_runs(related(implementation, mirrored), wanted)


def permutation(implementation: Implementation, problem: Problem) -> Outcome:
    """Parameters and their elements in the reverse order give the same trajectory, in the reverse order.

    No dialect here reduces over elements or parameters, so that the place of an element among the others is
    nothing that a formula knows: not whether it is in a full vector or in the tail, nor in which block.
    Problems with rows are left out.
    """
    if has_rows(problem):
        return Outcome()
    reversed_problem = replace(
        problem,
        parameters=_backwards(problem.parameters),
        gradients=each(problem.gradients, _backwards),
    )
    found = Comparison(problem)
    back = [_mapped(state, _backwards) for state in related(implementation, reversed_problem)]
    return found.same_runs(back, states(implementation, problem))


def split(implementation: Implementation, problem: Problem) -> Outcome:
    """A parameter cut in two is two parameters with the same trajectory.

    As `permutation`, and besides nothing is counted per element or per parameter. The parts are of unequal
    lengths and all of different numbers of axes: one known deviation shares moments between equal shapes.
    Problems with rows are left out.
    """
    if has_rows(problem):
        return Outcome()
    parts = replace(problem, parameters=_cut(problem.parameters), gradients=each(problem.gradients, _cut))
    found = Comparison(problem)
    wanted = [_mapped(state, _cut) for state in states(implementation, problem)]
    return found.same_runs(related(implementation, parts), wanted)


def scale(implementation: Implementation, problem: Problem) -> Outcome:
    """2^k g and 2^k epsilon give the same theta, 2^k m and 4^k v, bit for bit.

    m is of degree 1 in g and v of degree 2, so that m / (sqrt(v) + epsilon) is of degree 0 in (g, epsilon).
    Multiplying by a power of two commutes with every rounding as long as nothing is subnormal or overflows:
    the gradients here have the problem's signs, zeros and mantissas and lie between 1/2 and 1. Epsilon is
    0 where the dialect and the claim know it, else 1. L2 decay, clipping and an epsilon inside the root, which have
    a scale of their own, are off.
    Where a rectified dialect does not rectify, its direction is of degree 1: its moments are compared here, and
    theta of TF-Addons' by `scale_where_rectified`. Formats with a shorter range than float32 are left out.
    """
    found = Comparison(problem)
    if problem.dtype not in ("float32", "float64"):
        return found.outcome
    claim = implementation.claim
    stages_of, rectifies = dialect(claim.dialect).stages, dialect(claim.dialect).rectifies
    epsilon = 1.0 if stages.zero_epsilon_is_default in stages_of or "epsilon" in claim.nonzero else 0.0
    h = replace(problem.hyperparameters, epsilon=epsilon, l2=0.0, clip_gradient=None, epsilon_root=0.0)
    unit = replace(with_gradients(problem, on_values(_mantissas)), hyperparameters=h)
    expected = related(implementation, unit)
    for power in POWERS:
        times = on_values(partial(_ldexp, power=power))
        scaled = replace(
            with_gradients(unit, times), hyperparameters=replace(h, epsilon=float(np.ldexp(epsilon, power)))
        )
        for k, (a, b) in enumerate(zip(related(implementation, scaled), expected, strict=False)):
            for i in range(len(problem.parameters)):
                for (name, obtained), (_, base) in zip(quantities(a, i), quantities(b, i), strict=True):
                    degree = {"parameters": 0, "slow": 0, "m": 1}.get(name, 2)
                    if degree or not rectifies:
                        found.equal(k + 1, i, name, obtained, np.ldexp(base, degree * power))
    return found.outcome


def scale_where_rectified(implementation: Implementation, problem: Problem) -> Outcome:
    """As `scale`, for theta of a rectified dialect: on either side of the threshold by itself, bit for bit.

    Never divided, from theta_0 = 0, 2^k g gives 2^k theta: every term, decay's too, is of degree 1; no rho_t reaches
    a threshold of 2^30. Always divided, 2^k g and 2^k epsilon give the same theta: gradients of zero move nothing
    until rho_t, about t for beta_2 next to 1, is above its threshold.
    """
    found = Comparison(problem)
    zeros = with_gradients(problem, on_values(np.zeros_like)).gradients[-1:] * _BELOW_THRESHOLD
    unit = with_gradients(problem, on_values(_mantissas))
    h = replace(problem.hyperparameters, epsilon=1.0)
    never = replace(
        unit,
        hyperparameters=replace(h, sma_threshold=2.0**30),
        parameters=each(unit.parameters, np.zeros_like),
        gradients=unit.gradients[:4],
    )
    always = replace(
        unit,
        hyperparameters=replace(h, beta_2=1 - 2.0**-10, sma_threshold=5.0),
        gradients=(*zeros, *unit.gradients[:4]),
    )
    for start, degree in ((never, 1), (always, 0)):
        expected = related(implementation, start)
        for power in POWERS:
            epsilon = float(np.ldexp(1.0, power))
            scaled = with_gradients(start, on_values(partial(_ldexp, power=power)))
            scaled = replace(scaled, hyperparameters=replace(start.hyperparameters, epsilon=epsilon))
            for k, (a, b) in enumerate(zip(related(implementation, scaled), expected, strict=False)):
                for i, (obtained, base) in enumerate(zip(a.parameters, b.parameters, strict=True)):
                    found.equal(k + 1, i, "parameters", obtained, np.ldexp(base, degree * power))
    return found.outcome


def learning_rate_zero(implementation: Implementation, problem: Problem) -> Outcome:
    """With learning rate 0 theta stays as it was, bit for bit, and the moments move as ever.

    theta - 0 d = theta for every finite direction d, so epsilon is 1 here, and elements whose v has
    overflowed are left out. Moments read g alone, and theta only for L2 decay, which is off.
    """
    found = Comparison(problem)
    h = replace(problem.hyperparameters, epsilon=1.0, l2=0.0)
    moving = related(implementation, replace(problem, hyperparameters=h))
    still = related(implementation, replace(problem, hyperparameters=replace(h, learning_rate=0.0)))
    for k, (a, b) in enumerate(zip(still, moving, strict=False)):
        for i, theta in enumerate(problem.parameters):
            finite = np.isfinite(b.v[i])
            found.equal(k + 1, i, "parameters", a.parameters[i], theta, finite)
            found.equal(k + 1, i, "m", a.m[i], b.m[i])
            found.equal(k + 1, i, "v", a.v[i], b.v[i])
    return found.outcome


def _mapped(state: State, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> State:
    """The state with `change` of every group of arrays, and of the step counts."""
    groups: dict[str, Any] = {name: None if group is None else change(group) for name, group in vars(state).items()}
    return State(**groups)


def _backwards(group: tuple[Any, ...]) -> tuple[Any, ...]:
    """Dense arrays, counts or None of every parameter, parameters and elements in the reverse order."""
    return tuple(
        np.ascontiguousarray(x.ravel()[::-1]).reshape(x.shape) if isinstance(x, np.ndarray) else x
        for x in reversed(group)
    )


def _cut(group: tuple[Any, ...]) -> tuple[Any, ...]:
    """Each parameter's array cut after a third; the shapes of the parts are all different."""
    parts: list[Any] = []
    for i, x in enumerate(group):
        if not isinstance(x, np.ndarray):
            parts += [x, x]
            continue
        flat = x.ravel()
        cut = flat.size // 3
        parts += [flat[:cut].reshape((1,) * (2 * i) + (-1,)), flat[cut:].reshape((1,) * (2 * i + 1) + (-1,))]
    return tuple(np.array(part) if isinstance(part, np.ndarray) else part for part in parts)


def _ldexp(x: Array, power: int) -> Array:
    return np.asarray(np.ldexp(x, power))


def _mantissas(g: Array) -> Array:
    """Between 1/2 and 1, or 0, with the sign."""
    return np.asarray(np.frexp(g)[0])
