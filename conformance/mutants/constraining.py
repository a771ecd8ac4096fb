"""Mutants of what Keras does to some parameters: constraints, and exceptions from decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters
from conformance.mutants.twin import Slot
from conformance.mutants.twins import Keras3Twin, KerasV2Twin, RectifiedTwin, TfKerasTwin
from conformance.mutants.twins_lookahead import LookaheadKerasV2Twin


class ConstraintIgnored(KerasV2Twin):
    """A constraint is taken and does nothing.

    As in a framework that does not know them. Exposed by any.
    """

    name = "mutant-constraint-ignored"

    def constrained(self, theta: Array, constraint: str) -> Any:
        return theta


class ConstrainsBeforeStep(TfKerasTwin):
    """A constraint acts before the step.

    Exposed by a parameter that the step leads out of the constraint.
    """

    name = "mutant-constrains-before-step"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if gradient is not None and h.constraint is not None:
            slot.theta[...] = TfKerasTwin.constrained(self, slot.theta, h.constraint)
        TfKerasTwin.update(self, slot, gradient, h)

    def constrained(self, theta: Array, constraint: str) -> Any:
        return theta


class ConstrainsWithoutGradient(RectifiedTwin):
    """A parameter without gradient is constrained too.

    Exposed by one that begins outside its constraint.
    """

    name = "mutant-constrains-without-gradient"

    def behind(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if h.constraint is not None:
            slot.theta[...] = self.constrained(slot.theta, h.constraint)


class NonNegTakesMagnitudes(Keras3Twin):
    """non_neg makes theta its magnitude.

    Exposed by a negative parameter.
    """

    name = "mutant-non-neg-takes-magnitudes"

    def constrained(self, theta: Array, constraint: str) -> Any:
        return abs(theta) if constraint == "non_neg" else Keras3Twin.constrained(self, theta, constraint)


class NormOfAllElements(KerasV2Twin):
    """A constraint of the norm takes that of all elements.

    Exposed by a parameter of more than one axis.
    """

    name = "mutant-norm-of-all-elements"

    def norms(self, theta: Array) -> Any:
        return np.sqrt(np.sum(theta * theta, keepdims=True, dtype=theta.dtype))


class MaxNormAlwaysScales(Keras3Twin):
    """max_norm makes what is shorter as long as it may be.

    Exposed by a norm below 2.
    """

    name = "mutant-max-norm-always-scales"

    def constrained(self, theta: Array, constraint: str) -> Any:
        unit = Keras3Twin.constrained(self, theta, "unit_norm" if constraint == "max_norm" else constraint)
        return theta.dtype.type(2) * unit if constraint == "max_norm" else unit


class MinMaxNormAllTheWay(KerasV2Twin):
    """min_max_norm takes no account of its rate.

    Exposed by a norm that is too long or too short.
    """

    name = "mutant-min-max-norm-all-the-way"

    def kept(self, norm: Array) -> Any:
        return np.clip(norm, norm.dtype.type(0.5), norm.dtype.type(2))


class MinMaxNormLeavesShortAlone(TfKerasTwin):
    """min_max_norm shortens what is too long and does not lengthen.

    Exposed by a norm below 1/2.
    """

    name = "mutant-min-max-norm-leaves-short-alone"

    def kept(self, norm: Array) -> Any:
        return np.where(norm < norm.dtype.type(0.5), norm, TfKerasTwin.kept(self, norm))


class CallersConstraintIgnored(Keras3Twin):
    """Keras' own constraints act, and a function of the caller's does nothing.

    Exposed by one.
    """

    name = "mutant-callers-constraint-ignored"

    def constrained(self, theta: Array, constraint: str) -> Any:
        return theta if constraint == "clip_weights" else Keras3Twin.constrained(self, theta, constraint)


class ConstrainsBeforeSynchronising(LookaheadKerasV2Twin):
    """Inside Lookahead the constraint comes before the slow weights.

    Exposed by a parameter that the inner step leads out of the constraint, in a step that synchronises.
    """

    name = "mutant-constrains-before-synchronising"

    def synchronise(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if h.constraint is not None:
            slot.theta[...] = self.constrained(slot.theta, h.constraint)
        LookaheadKerasV2Twin.synchronise(self, slot, gradient, h)


class ExclusionIgnored(TfKerasTwin):
    """Decay reaches parameters that are excluded from it.

    Exposed by any exclusion.
    """

    name = "mutant-exclusion-ignored"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        slots = TfKerasTwin.slots(self, parameters, h)
        for slot in slots:
            slot.decays = True
        return slots


class ExclusionOfAll(Keras3Twin):
    """One excluded parameter excludes all.

    Exposed by one that is not excluded beside one that is.
    """

    name = "mutant-exclusion-of-all"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        slots = Keras3Twin.slots(self, parameters, h)
        for slot in slots:
            slot.decays = all(each.decays for each in slots)
        return slots
