"""The suite's own mutants as explanations: each runs from the observed states, in float64."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

import reference
from adapters.contract import Gradient, Hyperparameters, Rows
from conformance.diagnosis.candidate import Prediction
from conformance.diagnosis.trail import FIELDS, Trail, values
from conformance.mutants import MUTANTS, breaches
from conformance.mutants.twin import Slot, Twin
from reference.rounding import C


@dataclass(frozen=True, eq=False)
class Planted:
    """A mutant of a dialect."""

    mutant: type[Twin]

    @cached_property
    def words(self) -> str:
        """Its docstring's first line, and where it happened."""
        text = inspect.cleandoc(self.mutant.__doc__ or "").partition("\n")[0]
        return f"{text.rstrip('.')} ({self.mutant.__name__})"

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """The mutant's steps. Its own counts and buffers go on; what the state shows is as it was observed.

        Its bound is the claim's, and as much wider as what it computes is larger.
        """
        h = _hyperparameters(trail)
        twin = self.mutant()
        # Copies, of float64 too: a mutant may write into what it is given.
        run = twin.start([theta.astype(np.float64) for theta in trail.problem.parameters], h)
        for k, given in enumerate(trail.problem.gradients):
            before = trail.states[k]
            for i, slot in enumerate(run.slots):
                _write(slot, before, i)
            run.step([_double(g) for g in given])
            yield _state(run.slots, before), _bound(trail, k, run.slots, before)


def candidates(dialect: str) -> Iterator[Planted]:
    """The mutants of a dialect that compute something else, in the suite's order."""
    computing = (mutant for mutant in MUTANTS if mutant.__module__ != breaches.__name__)
    return (Planted(mutant) for mutant in computing if mutant.claim.dialect == dialect)


def _hyperparameters(trail: Trail) -> Hyperparameters:
    """As received, in the contract's terms."""
    given = trail.problem.hyperparameters
    return replace(given, **{name: getattr(trail.h, name) for name in vars(given)})


def _double(g: Gradient) -> Gradient:
    if isinstance(g, Rows):
        return Rows(indices=g.indices.copy(), values=g.values.astype(np.float64))
    return None if g is None else g.astype(np.float64)


def _write(slot: Slot, state: reference.State, i: int) -> None:
    for name in FIELDS.values():
        if getattr(slot, name) is not None and getattr(state, name) is not None:
            getattr(slot, name)[...] = getattr(state, name)[i]


def _state(slots: list[Slot], before: reference.State) -> reference.State:
    def arrays(name: str) -> Any:
        return None if getattr(before, name) is None else tuple(np.array(getattr(slot, name)) for slot in slots)

    return reference.State(**{name: arrays(name) for name in FIELDS.values()}, t=before.t)


def _bound(trail: Trail, k: int, slots: list[Slot], before: reference.State) -> reference.Bound:
    step, start, found = trail.claimed[k], dict(values(before)), dict(values(_state(slots, before)))
    wide = {}
    for key, claimed in step.value.items():
        with np.errstate(all="ignore"):
            moved = np.abs(found[key] - start[key])
            wider = step.bound[key] * moved / np.abs(claimed - start[key])
            # Where the claim moves nothing, the roundings of one step by themselves.
            alone = 4 * C * trail.rounding.u * (moved + np.abs(found[key]))
            bound = np.where(claimed == start[key], alone, np.fmax(wider, step.bound[key]))
            # What is infinite here may be rounded otherwise there; what is not a number here is none there.
            wide[key] = np.where(np.isnan(found[key]), 0.0, np.where(np.isfinite(found[key]), bound, np.inf))

    def group(name: str) -> Any:
        return None if getattr(before, FIELDS[name]) is None else tuple(wide[i, name] for i in range(len(slots)))

    none = tuple(np.zeros(theta.shape, dtype=bool) for theta in before.theta)
    limits = {of: group(name) for name, of in FIELDS.items()}
    return reference.Bound(**limits, update=limits["theta"], out_of_range=none)
