"""Explanations in what is stored and reported: buffers that are not written, states that are not what is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Prediction
from conformance.diagnosis.trail import FIELDS, Trail
from reference.bias_correction import one_minus_power
from reference.namespace import FLOAT64
from reference.rounding import C


@dataclass(frozen=True, kw_only=True, eq=False)
class NotWritten:
    """Quantities that stay as they are, while the others are the dialect's."""

    words: str
    names: tuple[str, ...]

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """The dialect's steps, the named quantities apart."""
        for k, step in enumerate(trail.claimed):
            before = trail.states[k]
            value: dict[str, Any] = {}
            bound: dict[str, Any] = {}
            for name, of in FIELDS.items():
                stays = name in self.names or getattr(before, of) is None
                old = getattr(before, of)
                numbers = range(len(before.theta))
                value[of] = old if stays else tuple(step.value[i, name] for i in numbers)
                zeros = None if old is None else tuple(np.zeros(array.shape) for array in old)
                bound[of] = zeros if stays else tuple(step.bound[i, name] for i in numbers)
            none = tuple(np.zeros(theta.shape, dtype=bool) for theta in before.theta)
            yield (
                reference.State(**value, t=before.t),
                reference.Bound(**bound, update=bound["theta"], out_of_range=none),
            )


Report = Callable[[Any, int, reference.Hyperparameters], Any]
"""Of an array, t, and the hyper-parameters."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reported:
    """The steps are right, and the state says something else of one quantity."""

    words: str
    name: str
    report: Report

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """The dialect's own trajectory, reported wrongly."""
        state = trail.states[0]
        bound = reference.initial_bound(state)
        of = FIELDS[self.name]
        for given in trail.gradients:
            state, bound = reference.bounded_step(trail.dialect, trail.h, trail.rounding, state, bound, given)
            said, wide = [], []
            for i, array in enumerate(getattr(state, of) or ()):
                t = max(state.t[i], 1)
                error = getattr(bound, of)[i]
                said.append(np.asarray(self.report(array, t, trail.h)))
                # The far ends of the interval: what is reported is monotonous in what is held.
                ends = [np.abs(self.report(end, t, trail.h) - said[-1]) for end in (array + error, array - error)]
                slack = C * trail.rounding.u * np.abs(said[-1])
                wide.append(np.where(np.isfinite(error), np.fmax(*ends) + slack, np.inf))
            shown: dict[str, Any] = {of: tuple(said)} if said else {}
            limits: dict[str, Any] = {of: tuple(wide)} if said else {}
            yield replace(state, **shown), replace(bound, **limits)


def candidates() -> Iterator[NotWritten | Reported]:
    """All of them, the simplest first."""
    yield NotWritten(words="not updated: parameters, m and v stay as they are", names=tuple(FIELDS))
    yield NotWritten(words="the parameters are not written", names=("parameters",))
    yield NotWritten(words="m is not written", names=("m",))
    yield NotWritten(words="v is not written", names=("v",))
    yield NotWritten(words="AMSGrad's maximum is not stored: v_max stays as it is", names=("v_max",))
    for name in ("m", "v", "v_max"):
        yield Reported(words=f"state not saved: {name} (it stays 0)", name=name, report=lambda x, t, h: 0 * x)
    text = "the state holds {} divided by 1 - {}^t"
    yield Reported(words=text.format("m", "beta_1"), name="m", report=lambda x, t, h: x / _bias(h.power_beta_1, t))
    yield Reported(words=text.format("v", "beta_2"), name="v", report=lambda x, t, h: x / _bias(h.power_beta_2, t))
    for name in ("v", "v_max"):
        yield Reported(words=f"the state holds the root of {name}", name=name, report=_root)
    yield Reported(words="the state holds -m", name="m", report=lambda x, t, h: -x)


def _bias(beta: float, t: int) -> Any:
    return one_minus_power(beta, t, FLOAT64)


def _root(x: Any, t: int, h: reference.Hyperparameters) -> Any:
    return np.sqrt(np.fmax(x, 0))
