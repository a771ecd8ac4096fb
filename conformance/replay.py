"""Golden cases as problems: what golden/ stores must come out of an implementation too.

A case is replayed where it is inside the claim, in each claimed dtype that holds its numbers exactly, and
where the implementation receives the hyper-parameters that are stored: they are values of float32, so only
an implementation that rounds them further receives others, which the stored values say nothing about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np

import reference
from adapters.contract import (
    PRECISIONS,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    Hyperparameters,
    Implementation,
    Precision,
    Problem,
    Rows,
    Schedule,
    State,
)
from conformance import between, oracle
from conformance.edges_beside import takes_constraint
from conformance.formats import travels_as
from conformance.observe import guarded, observe
from golden import Case, Expected, cases_of
from golden.case import MAX_STEPS, NARROW
from golden.trajectory import named, trajectory

DTYPES: tuple[Precision, ...] = ("float32", "float64")
"""That hold the numbers of every case exactly; `golden.case.NARROW` flags those for the other formats."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A case, and the problem that an implementation is given for it."""

    case: Case
    problem: Problem

    def __str__(self) -> str:
        return f"golden case {self.case.id}, {self.problem.dtype}; python -m golden show {self.case.id}"


def replays(implementation: Implementation, longest: int = MAX_STEPS) -> list[Replay]:
    """Every case of at most so many steps that the implementation's claim and arithmetic cover.

    Raises `golden.GoldenError` where golden/ has no case of the dialect, or a file that cannot be used.
    """
    return [one for one in asked(implementation) if isinstance(one, Replay) and one.case.steps <= longest]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A case that an implementation is not given, and why."""

    case: Case
    dtype: Precision
    why: str


def asked(implementation: Implementation, dtypes: Sequence[Precision] = PRECISIONS) -> Iterator[Replay | LeftOut]:
    """Every case of the dialect in every claimed dtype that holds its numbers: what is replayed, or why it is not."""
    claim = implementation.claim
    for dtype in claim.dtypes:
        if dtype not in dtypes:
            continue
        for case in _cases(claim.dialect):
            if dtype in DTYPES or dtype == _only_format(case):
                yield in_dtype(implementation, case, dtype)


def _only_format(case: Case) -> str | None:
    """That of a case for a narrow format, after which it is called."""
    return case.id.rpartition("/")[2] if NARROW in case.flags else None


def in_dtype(implementation: Implementation, case: Case, dtype: Precision) -> Replay | LeftOut:
    """A case as it is replayed in a claimed dtype, or why it is not."""
    claim, arithmetic = implementation.claim, guarded(implementation.arithmetic, dtype)
    why = outside(case, claim, dtype, arithmetic)
    if not why:
        replay = Replay(case=case, problem=problem_of(case, dtype, all_rows="dense" not in claim.gradients))
        if _arrives_as_stored(replay, arithmetic):
            return replay
        why = "its hyper-parameters arrive rounded further than to float32"
    return LeftOut(case=case, dtype=dtype, why=why)


def run(implementation: Implementation, replay: Replay) -> tuple[tuple[State, ...], list[Array]]:
    """The states after every step, with what the case has done between them; what is listed, if the case orders it."""
    if replay.case.between or replay.case.state_order:
        return between.run(implementation, replay.problem, replay.case)
    return observe(implementation, replay.problem).states, []


def compare(implementation: Implementation, replay: Replay, states: Sequence[State]) -> Iterator[oracle.Expected]:
    """What is stored beside what was obtained; the bound is that of a free-running trajectory."""
    rounding = oracle.rounding(implementation.arithmetic(replay.problem.dtype))
    for expected, bound in bounded(replay.case, rounding):
        state = states[expected.step - 1]
        limits = named(bound)
        for quantity, values in expected.quantities():
            for i, value in enumerate(values):
                yield oracle.Expected(
                    comparison="golden",
                    step=expected.step,
                    parameter=i,
                    quantity=quantity,
                    obtained=np.asarray(getattr(state, quantity)[i], dtype=np.float64),
                    value=value,
                    bound=np.asarray(limits[quantity][i]),
                    branch=bound.branch and quantity in oracle.BRANCHES,
                )


_cases = cache(cases_of)
_bounds: dict[tuple[str, reference.Rounding], list[tuple[Expected, reference.Bound]]] = {}


def bounded(case: Case, rounding: reference.Rounding) -> list[tuple[Expected, reference.Bound]]:
    """What a case states, each with the bound of a free-running trajectory. It is remembered."""
    key = (case.id, rounding)
    if key not in _bounds:
        _bounds[key] = [(expected, bound) for expected, _, bound in trajectory(case, rounding)]
    return _bounds[key]


def outside(case: Case, claim: Claim, dtype: Precision, arithmetic: Arithmetic) -> str:
    """Why a case is not inside a claim; empty where it is."""
    if _only_format(case) not in (None, dtype):
        return f"for parameters of {_only_format(case)} alone"
    h = case.hyperparameters
    kinds = case.gradient_kinds if "dense" in claim.gradients else case.gradient_kinds - {"dense"} | {"rows"}
    why = {
        "not claimed": h.given() - claim.hyperparameters,
        "gradients not claimed": kinds - claim.gradients,
        "not claimed together": set() if claim.both_decays or not (h.l2 and h.weight_decay) else {"l2", "weight_decay"},
        "claimed above 0 alone": {name for name in claim.nonzero if not getattr(h, name)},
        f"not claimed in {dtype}": set() if takes_constraint(claim, h.constraint, dtype) else {"constraint non_neg"},
    }
    found = "; ".join(f"{text}: {', '.join(sorted(names))}" for text, names in why.items() if names)
    return found or between.outside(case, claim, arithmetic)


def _arrives_as_stored(replay: Replay, arithmetic: Arithmetic) -> bool:
    problem = replace(replay.problem, gradients=())
    try:
        return all(
            oracle.received(replace(problem, hyperparameters=given), arithmetic) == stored
            for given, stored in between.each(problem.hyperparameters, replay.case)
        )
    except ValueError:  # a beta that has been rounded to 1
        return False


_problems: dict[tuple[str, Precision, bool], tuple[Case, Problem]] = {}


def problem_of(case: Case, dtype: Precision, *, all_rows: bool) -> Problem:
    """The case as a problem. It is remembered.

    all_rows: who takes no dense gradient is given one as all of its rows, which lazily is the same.
    """
    key = (case.id, dtype, all_rows)
    if key not in _problems or _problems[key][0] is not case:
        _problems[key] = (case, _problem_of(case, dtype, all_rows))
    return _problems[key][1]


def _problem_of(case: Case, dtype: Precision, all_rows: bool) -> Problem:
    names = [f.name for f in fields(Hyperparameters)]
    return Problem(
        dtype=dtype,
        hyperparameters=Hyperparameters(**{name: _given(getattr(case.hyperparameters, name)) for name in names}),
        parameters=tuple(_exactly(theta, dtype) for theta in case.parameters),
        gradients=tuple(tuple(_gradient(g, dtype, all_rows) for g in step) for step in case.gradients),
    )


def _given(value: Any) -> Any:
    """A hyper-parameter of the reference as one of the contract."""
    return Schedule(value.name, **dict(value.numbers)) if isinstance(value, reference.Schedule) else value


def _gradient(gradient: Any, dtype: Precision, all_rows: bool) -> Gradient:
    if gradient is None:
        return None
    if isinstance(gradient, tuple):
        rows, values = gradient
        return Rows(indices=rows, values=_exactly(values, dtype))
    dense = _exactly(gradient, dtype)
    return Rows(indices=np.arange(len(dense), dtype=np.int64), values=dense) if all_rows else dense


def _exactly(array: Array, dtype: Precision) -> Array:
    return np.asarray(array, dtype=travels_as(dtype))
