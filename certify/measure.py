"""One problem measured: every stage by itself, and whole steps.

A stage is run at 50 digits from the very float64 values that the float64 run has given it, so that no error of an
earlier stage is charged to it. A whole step is run at 50 digits from the float64 state before it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from certify.draws import Problem
from certify.terms import terms_of
from reference import Hyperparameters, Rounding, State, bounded_step, initial_bound, step
from reference.fifty_digits import FiftyDigits
from reference.model import FORMATS
from reference.stages import Stage, Working

FIFTY = FiftyDigits()
UNIT = FIFTY.number(2.0 ** -FORMATS["float64"][0])
"""u, the unit roundoff of float64."""
SMALLEST = FIFTY.number(2.0**-1074)
"""What a result below the normal numbers may lose, once."""
LARGEST = FIFTY.number(float(np.finfo(np.float64).max))
TINY, HUGE = 2.0**-480, 2.0**480
"""Between them no product of two is outside the normal numbers, so that every rounding is relative."""
DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")
RATES = ("learning_rate", "weight_decay")
"""Scalars that a schedule may bring below `TINY`."""
STEP = ("theta", "m", "v", "v_max", "slow", "average")
_NOT_REAL = frozenset({"t", "rows", "rectified", "decays", "index", "num_update"})
_QUANTITIES = tuple(f.name for f in fields(Working) if f.name not in _NOT_REAL)


@dataclass
class Found:
    """Errors of one stage or step."""

    error: float = 0.0
    """The largest, in the unit of what was measured; infinite for a NaN, a moved bit and a wrong branch."""
    quantity: str = ""
    compared: int = 0
    aside: int = 0
    """Elements with an input outside `TINY` to `HUGE`, or a result beyond the format."""
    ulps: float = 0.0
    """Of a whole step, in units in the last place of the result."""

    def add(self, quantity: str, errors: Any, judged: Any) -> None:
        """Errors of some elements, of which only the judged ones count."""
        self.compared += int(np.sum(judged))
        self.aside += int(np.size(judged) - np.sum(judged))
        largest = float(np.max(np.where(judged, errors, 0.0), initial=0.0))
        if largest > self.error or not self.quantity:
            self.error, self.quantity = max(self.error, largest), quantity

    def merge(self, other: Found) -> None:
        """Both together."""
        self.compared, self.aside = self.compared + other.compared, self.aside + other.aside
        self.ulps = max(self.ulps, other.ulps)
        if other.error > self.error or not self.quantity:
            self.error, self.quantity = other.error, other.quantity


@dataclass
class Measured:
    """Of one problem."""

    stages: dict[str, Found] = field(default_factory=dict)
    step: dict[str, Found] = field(default_factory=dict)
    ambiguous: int = 0
    """Branches that float64 took otherwise, rho_t being within its own rounding of the threshold."""


def measure(p: Problem, *, only: Collection[str] = (), whole: bool = True) -> Measured:
    """Errors of the stages called `only`, of all without a name, and of whole steps if `whole`."""
    found, state, h = Measured(), p.state, p.h.to(FIFTY)

    def watch(i: int, stage: Stage, before: Working, after: Working) -> None:
        name = getattr(stage, "__name__", str(stage))
        if not only or name in only:
            seen = _stage(stage, before, after, h, found)
            found.stages.setdefault(name, Found()).merge(seen)

    with np.errstate(all="ignore"):
        for gradients in p.gradients:
            if whole:
                _step(p, state, gradients, found)
            state = step(p.dialect, p.h, state, gradients, watch=watch)
    return found


# One stage


def _stage(stage: Stage, before: Working, after: Working, h: Hyperparameters, found: Measured) -> Found:
    given = in_fifty(before)
    exact = given.snapshot()
    stage(exact, h, FIFTY)
    result = Found()
    if exact.rectified != after.rectified:
        if abs(exact.rho_t - h.sma_threshold) > 8 * UNIT * exact.rho_t:
            result.add("branch", np.inf, True)
            return result
        found.ambiguous += 1
        exact = given.snapshot()
        exact.rectified = after.rectified
        stage(exact, h, FIFTY)
    given.rectified = after.rectified  # the branch of the terms too
    terms = terms_of(stage)(given, h, FIFTY)
    if not np.array_equal(_none_is_empty(exact.rows), _none_is_empty(after.rows)):
        result.add("rows", np.inf, True)
    for name in _QUANTITIES:
        got, was = getattr(after, name), getattr(before, name)
        if got is was and getattr(exact, name) is getattr(given, name):
            continue
        for i, one in enumerate(_parts(got)):
            wanted = _parts(getattr(exact, name))[i]
            size = _parts(terms[name])[i] if name in terms else None
            result.add(name, *_errors(one, wanted, size, _inside(before, one)))
    return result


def _errors(got: Any, wanted: Any, terms: Any, inside: Any) -> tuple[Any, Any]:
    """Per element |got - wanted| / (u terms), the smallest number granted once; and which elements are judged.

    Without terms every bit counts. What is not finite must be so on both sides, unless the terms are beyond the format.
    """
    got, wanted = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=object)
    if got.shape != wanted.shape:
        return np.inf, True
    size = np.full(got.shape, FIFTY.number(0.0), dtype=object) if terms is None else np.asarray(terms, dtype=object)
    errors, judged = np.zeros(got.shape), np.broadcast_to(inside, got.shape).copy()
    for at in np.ndindex(got.shape):
        number, exact, magnitude = FIFTY.number(got[at]), wanted[at], size[at]
        if number == exact or (number != number and exact != exact):
            continue
        errors[at] = np.inf
        if not np.isfinite(got[at]) and magnitude > LARGEST:
            judged[at] = False
            continue
        off = abs(number - exact)
        if terms is not None and off <= SMALLEST:
            errors[at] = 0.0
        elif magnitude > 0 and off < np.inf:  # neither is so of a NaN
            errors[at] = float((off - SMALLEST) / (UNIT * magnitude))
    return errors, judged


def _inside(before: Working, result: Any) -> Any:
    """Where every input of the element is 0 or between `TINY` and `HUGE`, and not made by an overflow before."""
    inside = np.ones(np.shape(result), dtype=bool)
    for name in _QUANTITIES:
        value = getattr(before, name)
        whole = isinstance(value, np.ndarray) and value.shape == inside.shape
        if whole or (name in RATES and value is not None):
            inside &= (value == 0) | ((abs(value) >= TINY) & (abs(value) <= HUGE))
    return inside


def _parts(value: Any) -> tuple[Any, ...]:
    return tuple(v for v in value if v is not None) if isinstance(value, tuple) else () if value is None else (value,)


def _none_is_empty(rows: Any) -> Any:
    return [] if rows is None else rows


def in_fifty(p: Working) -> Working:
    """The quantities as numbers of 50 digits, exactly."""
    exact = p.snapshot()
    for name in _QUANTITIES:
        value = getattr(p, name)
        if isinstance(value, tuple):
            setattr(exact, name, tuple(None if v is None else FIFTY.number(v) for v in value))
        elif value is not None:
            setattr(exact, name, FIFTY.number(value))
    return exact


# A whole step


def _step(p: Problem, state: State, gradients: tuple[Any, ...], found: Measured) -> None:
    """A step from the same state: its error as a fraction of the bound of float64 that `reference.bound` derives."""
    start = initial_bound(state)
    got, bound = bounded_step(p.dialect, p.h, DOUBLE, state, start, gradients)
    forced = None
    if bound.branch:  # both sides take one branch where float64 need not decide it
        forced = tuple(True if ambiguous else None for ambiguous in bound.branches)
        got, bound = bounded_step(p.dialect, p.h, DOUBLE, state, start, gradients, rectify=forced)
    wanted = step(p.dialect, p.h, state_in_fifty(state), gradients, x=FIFTY, rectify=forced)
    for name in STEP:
        if getattr(got, name) is not None:
            seen = _beside(getattr(got, name), getattr(wanted, name), getattr(bound, name), name)
            found.step.setdefault(name, Found()).merge(seen)


def state_in_fifty(state: State) -> State:
    """The state as numbers of 50 digits, exactly."""
    arrays = {
        name: tuple(FIFTY.number(array) for array in group)
        for name in STEP
        if (group := getattr(state, name)) is not None
    }
    return replace(state, **arrays)


def _beside(got: Any, wanted: Any, bound: Any, name: str) -> Found:
    found = Found()
    for g, w, limit in zip(got, wanted, bound, strict=True):
        error = np.asarray([abs(FIFTY.number(a) - b) for a, b in zip(g.ravel(), w.ravel(), strict=True)], dtype=object)
        error = error.astype(float).reshape(g.shape)
        judged = np.isfinite(limit)
        share = np.where(error == 0, 0.0, np.inf)
        np.divide(error, limit, out=share, where=judged & (limit > 0) & np.isfinite(error))
        found.add(name, share, judged)
        last = np.spacing(np.abs(w.astype(float)))
        found.ulps = max(found.ulps, float(np.max(np.where(judged, error / last, 0.0), initial=0.0)))
    return found
