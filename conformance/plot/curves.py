"""The numbers of a picture: the reference's trajectory of one element, and every implementation's errors and bounds.

Of each implementation, after every step t, with E the bound that follows from its declared arithmetic:

    error          |theta - reference| of one element, free running: the reference goes on by itself
    bound          E of that element, free running; infinite where the result is ambiguous
    one_step       the worst |error| / E of all elements and quantities of the state, each step from the state before it
    free_running   the same along the whole trajectory

These are the comparisons of the checks one-step and free-running (`conformance.oracle.compare`), not others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

import reference
from adapters.contract import Arithmetic, Array, Identity, Implementation, Precision, Problem
from conformance import oracle
from conformance.checks import fraction_of, identity
from conformance.load import CannotTest
from conformance.observe import answered, observe

Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One implementation on the problem; numbers after every step, the first being t = 1."""

    adapter: str
    """As it was asked for."""
    package: str
    version: str
    identity: tuple[str, ...]
    """What the check identity finds: why this is not the code path that it claims to be; empty if it is."""
    arithmetic: dict[str, str]
    """As declared: what the bound follows from."""
    obtained: Numbers
    """theta of the element."""
    expected: Numbers
    """The reference's, given every hyper-parameter as the implementation receives it."""
    error: Numbers
    """Infinite where what was obtained is not finite and the reference is."""
    bound: Numbers
    one_step: Numbers
    """NaN where every element of a step is ambiguous."""
    free_running: Numbers
    compared: int
    ambiguous: int
    """Of the numbers compared, those of which either result is accepted."""

    def worst(self) -> tuple[float, float]:
        """The worst fraction of the bound, in one step and free running; NaN where everything is ambiguous."""
        return _largest(self.one_step), _largest(self.free_running)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Everything that a picture is made of."""

    dialect: str
    dtype: str
    problem: str
    """In words."""
    hyperparameters: dict[str, Any]
    parameter: int
    index: tuple[int, ...]
    """Of the element that is drawn: the one that goes furthest from where it began."""
    theta: Numbers
    """The reference's, from t = 0 on."""
    bound: Numbers
    """Of theta, from t = 0 on, for `plain` arithmetic."""
    curves: tuple[Curve, ...] = ()


def plain(dtype: Precision) -> Arithmetic:
    """Elements in the problem's dtype, scalars in double: whose bound is drawn where there is no implementation."""
    return Arithmetic(storage=dtype, compute=dtype)


def figure(dialect: str, problem: Problem, words: str) -> Figure:
    """The reference alone. Raises `CannotTest` where nothing could be drawn: no element, or no step."""
    d, a = reference.dialect(dialect), plain(problem.dtype)
    h, rounding = oracle.received(problem, a), oracle.rounding(a)
    states = [reference.initial_state(problem.parameters, h)]
    bounds = [reference.initial_bound(states[0])]
    for gradients in problem.gradients:
        given = [oracle.as_gradient(g) for g in gradients]
        state, bound = reference.bounded_step(d, h, rounding, states[-1], bounds[-1], given)
        states.append(state)
        bounds.append(bound)
    parameter, index = _furthest(states)
    return Figure(
        dialect=dialect,
        dtype=problem.dtype,
        problem=words,
        hyperparameters={name: getattr(problem.hyperparameters, name) for name in sorted(d.hyperparameters)},
        parameter=parameter,
        index=index,
        theta=_of_element((s.theta[parameter] for s in states), index),
        bound=_of_element((b.theta[parameter] for b in bounds), index),
    )


def curve(implementation: Implementation, adapter: str, problem: Problem, drawn: Figure) -> Curve:
    """An implementation's numbers, of the element that `drawn` has.

    Raises `CannotTest` for hyper-parameters that round to what none may be, `ImplementationFailed` where it raises,
    `ContractBreach` as `observe`.
    """
    seen = answered(implementation.identity, Identity)
    a = answered(implementation.arithmetic, Arithmetic, problem.dtype)
    try:
        oracle.received(problem, a)
    except ValueError as error:
        raise CannotTest(f"{adapter}: its arithmetic does not hold the hyper-parameters: {error}") from error
    states = observe(implementation, problem).states
    n = len(problem.gradients)
    worst = {name: np.full(n, np.nan) for name in ("one step", "free running")}
    element: list[oracle.Expected] = []
    compared = ambiguous = 0
    for e in oracle.compare(implementation.claim.dialect, a, problem, states):
        decided = np.isfinite(e.bound)
        compared += e.bound.size
        ambiguous += e.bound.size if e.branch else int(np.count_nonzero(~decided))
        fractions = fraction_of(e.obtained, e.value, e.bound)[decided]
        if fractions.size:
            worst[e.comparison][e.step - 1] = np.fmax(worst[e.comparison][e.step - 1], fractions.max())
        if (e.comparison, e.quantity, e.parameter) == ("free running", "parameters", drawn.parameter):
            element.append(e)
    obtained, expected = (_of_element((getattr(e, n) for e in element), drawn.index) for n in ("obtained", "value"))
    return Curve(
        adapter=adapter,
        package=seen.framework,
        version=seen.version,
        identity=tuple(finding.message for finding in identity(seen).findings),
        arithmetic=asdict(a),
        obtained=obtained,
        expected=expected,
        error=tuple(map(_error, obtained, expected)),
        bound=_of_element((e.bound for e in element), drawn.index),
        one_step=tuple(worst["one step"].tolist()),
        free_running=tuple(worst["free running"].tolist()),
        compared=compared,
        ambiguous=ambiguous,
    )


def curve_from_json(data: Mapping[str, Any]) -> Curve:
    """What `conformance.findings.to_json` made of one; numbers that are not finite are strings there."""
    numbers = {f.name for f in fields(Curve) if f.type == "Numbers"}
    read: dict[str, Any] = {name: tuple(map(float, x)) if name in numbers else x for name, x in data.items()}
    return Curve(**read | {"identity": tuple(data["identity"])})


def figure_from_json(data: Mapping[str, Any]) -> Figure:
    """As `curve_from_json`."""
    made = {name: tuple(map(float, data[name])) for name in ("theta", "bound")}
    curves = tuple(map(curve_from_json, data["curves"]))
    return Figure(**{**data, **made, "index": tuple(data["index"]), "curves": curves})


def _largest(numbers: Numbers) -> float:
    return max((x for x in numbers if not math.isnan(x)), default=math.nan)


def _error(obtained: float, expected: float) -> float:
    if obtained == expected or (math.isnan(obtained) and math.isnan(expected)):
        return 0.0
    error = abs(obtained - expected)
    return math.inf if math.isnan(error) else error


def _of_element(arrays: Any, index: tuple[int, ...]) -> Numbers:
    return tuple(float(array[index]) for array in arrays)


def _furthest(states: Sequence[reference.State]) -> tuple[int, tuple[int, ...]]:
    """Parameter and place of the element that goes furthest from its beginning; the first of equals."""
    far: list[Array] = []
    for i, start in enumerate(states[0].theta):
        with np.errstate(invalid="ignore", over="ignore"):
            way = np.max([np.abs(state.theta[i] - start) for state in states], axis=0)
        far.append(np.where(np.isfinite(way), way, -1.0))  # an element that overflows shows nothing
    sizes = [float(np.max(way, initial=-np.inf)) for way in far]
    if len(states) < 2 or not any(way.size for way in far):
        raise CannotTest("the problem has no element or no step; accepted: one of each at least")
    parameter = int(np.argmax(sizes))
    place = np.unravel_index(int(np.argmax(far[parameter])), far[parameter].shape)
    return parameter, tuple(int(k) for k in place)
