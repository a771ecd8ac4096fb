"""Laws about what others do not change: other runs, other parameters, other elements. Bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Implementation, Precision, Problem, Rows, State
from conformance import oracle
from conformance.describe import describe
from conformance.findings import Finding, Outcome
from conformance.formats import travels_as
from conformance.laws.procedures import (
    Steps,
    ask,
    ask_bytes,
    copies,
    first_waits,
    of_length,
    other,
    started,
    without_momenta,
)
from conformance.laws.related import Comparison, agree, each, on_values, quantities, related, states, with_gradients
from conformance.observe import ContractBreach, ImplementationFailed, checked, guarded


def determinism(implementation: Implementation, problem: Problem) -> Outcome:
    """The same problem run again gives the same bits, beside another optimizer that steps in turn.

    Nothing in any formula is random, and a new optimizer has no history: not the last one's state, and no
    sum whose order the threads decide. What the other one was given and has seen, all of it other numbers, is its own.
    """
    found, expected = Steps(implementation, problem), states(implementation, problem)
    h = other(problem.hyperparameters, implementation.claim.hyperparameters - {"amsgrad"})
    beside = replace(problem, hyperparameters=h)
    run, neighbour = started(implementation, problem), started(implementation, beside)
    for k, gradients in enumerate(problem.gradients[: len(expected)]):
        found.take_of(beside, neighbour, k, (gradients,))
        found.same_runs(found.take(run, k, (gradients,)), expected[k : k + 1], first=k)
    return found.outcome


def reused(implementation: Implementation, problem: Problem) -> Outcome:
    """Gradients that lie in the same memory in every step give the bits of those that have memory of their own.

    No formula reads the gradient of a step before. Who keeps one must copy it:
    a caller accumulates the next gradient where this one is.
    """
    problem = of_length(problem, 3)
    found = Comparison(problem)
    expected, run = related(implementation, problem), started(implementation, problem)
    memory = [np.zeros_like(theta, dtype=travels_as(problem.dtype)) for theta in problem.parameters]
    for k, gradients in enumerate(problem.gradients[: len(expected)]):
        given = [_written(own, g) for own, g in zip(memory, gradients, strict=True)]
        state = checked(implementation, guarded(run.step, given), problem, k)
        found.same_runs((state,), expected[k : k + 1], first=k)
    return found.outcome


def _written(memory: Array, g: Gradient) -> Gradient:
    """`g` in that memory, where it is dense."""
    if not isinstance(g, np.ndarray):
        return deepcopy(g)
    memory[...] = g
    return memory


def independence(implementation: Implementation, problem: Problem) -> Outcome:
    """Other values in one parameter and in its gradients change no other parameter's trajectory.

    Every stage of every dialect here reads one parameter's arrays alone; t counts steps, whatever is in them.
    """
    found = Comparison(problem)
    n = len(problem.parameters)
    expected = states(implementation, problem) if n > 1 else ()
    for changed in {0, n - 1} if n > 1 else ():
        company = _company(problem, changed)
        for k, (a, b) in enumerate(zip(related(implementation, company), expected, strict=True)):
            for i in set(range(n)) - {changed}:
                _same(found, k, i, a, b)
    return found.outcome


def equal_parameters(implementation: Implementation, problem: Problem) -> Outcome:
    """Two equal parameters with equal gradients both move as one of them does alone.

    As `independence`, for parameters that nothing but their place in the list tells apart.
    """
    twice = replace(
        problem, parameters=problem.parameters * 2, gradients=each(problem.gradients, lambda step: step * 2)
    )
    found = Comparison(problem)
    doubled = [
        replace(s, **{name: group * 2 for name, group in vars(s).items() if group is not None})
        for s in states(implementation, problem)
    ]
    return found.same_runs(related(implementation, twice), doubled)


def absent(implementation: Implementation, problem: Problem) -> Outcome:
    """A parameter without gradient in a step stays as it is, and the others move as if it had had one.

    A step reads of a parameter its own gradient alone. So theta, m, v, v_max and slow weights of one with None are
    bit-unchanged, t counts the step where it is the optimizer's, and every other parameter has the bits of a run
    without None. Where t is the parameter's own, the steps of None are none to it: it has the bits of a run by itself
    that leaves them out. The first and the last parameter lack every third gradient in turn, wherever another has one.
    """
    problem = of_length(problem, 4, 6)
    found = Comparison(problem)
    n = len(problem.parameters)
    expected = related(implementation, problem) if n > 1 else ()
    for i in sorted({0, n - 1}) if expected else ():
        lacking = _lacking(problem, i)
        counts = oracle.step_counts(implementation.claim.dialect, lacking)
        run = related(implementation, lacking)
        for k, (a, b) in enumerate(zip(run, expected, strict=True)):
            for j in set(range(n)) - {i}:
                _same(found, k, j, a, b)
            found.equal(k + 1, i, "t", np.asarray(a.t[i]), counts[k][i])
            if lacking.gradients[k][i] is None:
                for name, obtained in quantities(a, i):
                    theta = problem.parameters[i]
                    start = theta if name in ("parameters", "slow") else np.zeros_like(theta)
                    found.equal(k + 1, i, name, obtained, start if k == 0 else getattr(run[k - 1], name)[i])
        if not oracle.one_count(implementation.claim.dialect):
            _as_without(found, implementation, lacking, i, run)
    return found.outcome


def empty_step(implementation: Implementation, problem: Problem) -> Outcome:
    """A step in which no parameter has a gradient changes nothing, and counts only where t is the optimizer's.

    What `absent` says of one parameter, where all are without: before the first step, and between two. Within the
    bound, which is 0 where nothing moves.
    """
    problem = of_length(problem, 2, 4)
    nobody = (None,) * len(problem.parameters)
    first, *later = problem.gradients
    emptied = replace(problem, gradients=(nobody, first, nobody, *later))
    return agree(implementation, emptied, related(implementation, emptied))


def mixed_dtypes(implementation: Implementation, problem: Problem) -> Outcome:
    """Parameters of float32 and of float64 in one list move as those of each format do by themselves. Bit for bit.

    Every operation is of one parameter, its gradient and its state, so in its format. What groups a list by dtype, or
    reads the dtype of the first alone, is seen here and nowhere else: a problem has one dtype. Where gradients may be
    absent, one parameter of float32 is without in the first step, so that no place in a list says whose t is whose.
    The last step is taken again after a load into another object, where there is one. A product of momenta, which a
    load may cast, is none here: beta_1 is 0 where there is one (`saved.momenta_continue` is for it).
    """
    problem = without_momenta(implementation, of_length(problem, 3))
    alone = [_in_format(problem, dtype) for dtype in ("float32", "float64")]
    if "none" in implementation.claim.gradients:
        alone[0] = replace(alone[0], gradients=first_waits(alone[0].gradients[:1]) + alone[0].gradients[1:])
    wanted = [related(implementation, part) for part in alone]
    mixed = _side_by_side(*(part.parameters for part in alone))
    found = [Comparison(part) for part in alone]
    steps = [_side_by_side(*step) for step in zip(*(part.gradients for part in alone), strict=True)]

    def take(run: Any, k: int) -> None:
        state = ask(run, "step", deepcopy(steps[k]))
        for i, part in enumerate(alone):
            taken = checked(implementation, _every_second(state, i), part, k)
            found[i].same_runs([taken], wanted[i][k : k + 1], first=k)

    try:
        run = ask(implementation, "start", copies(mixed), replace(problem.hyperparameters))
        for k in range(len(steps) - 1):
            take(run, k)
        saved = ask_bytes(run, "save") if "save" in implementation.claim.procedures else None
        take(run, len(steps) - 1)
        if saved is not None:
            new = ask(implementation, "resume", each(mixed, np.ones_like), replace(problem.hyperparameters), saved)
            take(new, len(steps) - 1)
    except (ContractBreach, ImplementationFailed) as failure:
        message = f"float32 and float64 in one list: {failure}"
        return Outcome([Finding(message=message, description=describe(alone[0]))])
    outcome = found[0].outcome
    outcome.add(found[1].outcome)
    return outcome


def nonfinite(implementation: Implementation, problem: Problem) -> Outcome:
    """NaN and infinities in elements of a gradient change no other element, and they stay to be seen.

    The formulas are elementwise, so nothing else reads these elements. NaN passes through every sum, product
    and quotient into m and theta of its element, in that step and for ever after. An infinity leaves an infinity or NaN
    in m and v, whichever way they are formed (1 - beta is above 0, and 0 inf is NaN), and from there in theta, of which
    inf / inf is NaN. So it is unless the gradient is clipped first: min and max of NaN are what the platform makes of
    them, but an infinity becomes the bound that any large number becomes, and gives its bits.
    """
    found = Comparison(problem)
    place = _first_values(problem)
    if place is None:
        return found.outcome
    step, i, g = place
    gradient, touched, is_nan = _poisoned(g, problem.parameters[i])
    poisoned = replace(problem, gradients=_at(problem.gradients, step, _at(problem.gradients[step], i, gradient)))
    expected = states(implementation, problem)
    clips = problem.hyperparameters.clip_gradient is not None
    run = related(implementation, poisoned)
    for k, (a, b) in enumerate(zip(run, expected, strict=True)):
        for j in range(len(problem.parameters)):
            where = ~touched if j == i else True
            for (name, obtained), (_, wanted) in zip(quantities(a, j), quantities(b, j), strict=True):
                found.equal(k + 1, j, name, obtained, wanted, where)
        if k >= step and not clips:
            found.equal(k + 1, i, "m", a.m[i], np.nan, is_nan)
            found.equal(k + 1, i, "parameters", a.parameters[i], np.nan, is_nan)
            for name in ("m", "v", "parameters"):
                found.not_finite(k + 1, i, name, getattr(a, name)[i], touched)
    if clips:
        large = on_values(lambda x: np.where(np.isinf(x), np.copysign(_LARGE, x), x).astype(x.dtype))
        for k, (a, b) in enumerate(zip(run, related(implementation, with_gradients(poisoned, large)), strict=True)):
            for (name, obtained), (_, wanted) in zip(quantities(a, i), quantities(b, i), strict=True):
                found.equal(k + 1, i, name, obtained, wanted, ~is_nan)
    return found.outcome


_LARGE = 2.0**100
"""What every bound of clipping is far below, whatever the gradient is multiplied by."""


def _same(found: Comparison, k: int, i: int, a: State, b: State) -> None:
    """Parameter i has the same state in both, after step k + 1."""
    found.equal(k + 1, i, "t", np.asarray(a.t[i]), b.t[i])
    for (name, obtained), (_, wanted) in zip(quantities(a, i), quantities(b, i), strict=True):
        found.equal(k + 1, i, name, obtained, wanted)


def _lacking(problem: Problem, i: int) -> Problem:
    """The problem in which parameter i has no gradient in every third step, if another one has."""
    steps = []
    for k, step in enumerate(problem.gradients):
        alone = all(g is None for j, g in enumerate(step) if j != i)
        steps.append(step if k % 3 != 1 or alone else _at(step, i, None))
    return replace(problem, gradients=tuple(steps))


def _as_without(
    found: Comparison, implementation: Implementation, problem: Problem, i: int, run: Sequence[State]
) -> None:
    """Parameter i moves as by itself in the steps that it has a gradient in."""
    present = [k for k, step in enumerate(problem.gradients) if step[i] is not None]
    alone = replace(
        problem,
        parameters=problem.parameters[i : i + 1],
        gradients=tuple(problem.gradients[k][i : i + 1] for k in present),
    )
    for k, state in zip(present, related(implementation, alone), strict=False):
        for (name, obtained), (_, wanted) in zip(quantities(run[k], i), quantities(state, 0), strict=True):
            found.equal(k + 1, i, name, obtained, wanted)


def _company(problem: Problem, i: int) -> Problem:
    """The problem with other values in parameter i and in its gradients."""
    other = on_values(_other)
    return replace(
        problem,
        parameters=_at(problem.parameters, i, np.ones_like(problem.parameters[i])),
        gradients=tuple(_at(step, i, other(step[i])) for step in problem.gradients),
    )


def _other(g: Array) -> Array:
    """Finite, of the other sign, and not 0."""
    return np.asarray(-g / 3 - g.dtype.type(0.25))


def _in_format(problem: Problem, dtype: Precision) -> Problem:
    """The problem's numbers, those that float32 holds, in another format; in float64 with more digits than it holds."""

    def cast(x: Array) -> Array:
        numbers = np.clip(x, -1e15, 1e15).astype(np.float32).astype(dtype)
        return np.asarray(numbers * (1 + 2.0**-30) if dtype == "float64" else numbers)

    gradients = each(problem.gradients, lambda step: each(step, on_values(cast)))
    return replace(problem, dtype=dtype, parameters=each(problem.parameters, cast), gradients=gradients)


def _side_by_side(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(value for pair in zip(first, second, strict=True) for value in pair)


def _every_second(state: Any, first: int) -> Any:
    """The state of the parameters of one format; what is no state of lists is returned as it is."""
    if not isinstance(state, State):
        return state
    lists = {name: value for name, value in vars(state).items() if isinstance(value, tuple | list)}
    parts: dict[str, Any] = {name: value[first::2] for name, value in lists.items()}
    return replace(state, **parts)


def _at(group: tuple[Any, ...], i: int, value: Any) -> tuple[Any, ...]:
    return (*group[:i], value, *group[i + 1 :])


def _first_values(problem: Problem) -> tuple[int, int, Array | Rows] | None:
    """The first gradient that has a value, with its step and parameter."""
    for k, step in enumerate(problem.gradients):
        for i, g in enumerate(step):
            if g is not None and (g.values if isinstance(g, Rows) else g).size:
                return k, i, g
    return None


def _poisoned(g: Array | Rows, theta: Array) -> tuple[Gradient, Array, Array]:
    """The gradient with NaN in the middle and infinities at the ends; where in theta these are; where NaN is."""

    def put(values: Array) -> Array:
        copy = values.copy()
        flat = copy.reshape(-1)
        flat[0], flat[-1], flat[flat.size // 2] = np.inf, -np.inf, np.nan
        return copy

    if not isinstance(g, Rows):
        dense = put(g)
        return dense, ~np.isfinite(dense), np.isnan(dense)
    rows = Rows(indices=g.indices, values=put(g.values))
    touched, is_nan = np.zeros((2, *theta.shape), dtype=bool)
    np.logical_or.at(touched, rows.indices, ~np.isfinite(rows.values))
    np.logical_or.at(is_nan, rows.indices, np.isnan(rows.values))
    return rows, touched, is_nan
