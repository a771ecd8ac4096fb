"""Mutants of Keras' moving average of the parameters: where it begins, of what, and what it is written over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters
from conformance.mutants.twin import Slot
from conformance.mutants.twin_beside import Averaged, Constrained
from conformance.mutants.twins import Keras3Twin, TfKerasTwin


class AverageFromZeros(TfKerasTwin):
    """The average begins at 0.

    A slot without an initial value. Exposed by the average of the first step.
    """

    name = "mutant-average-from-zeros"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        slots = TfKerasTwin.slots(self, parameters, h)
        for slot in slots:
            slot.average = None if slot.average is None else np.zeros_like(slot.average)
        return slots


class AverageFromInitialParameters(Keras3Twin):
    """The average begins at the initial parameters.

    What tf_keras does, and Keras 3 does not. Exposed by the average of the first step.
    """

    name = "mutant-average-from-initial-parameters"

    def momentum(self, slot: Slot, h: Hyperparameters) -> float:
        return Averaged.momentum(self, slot, h)


class AverageShareExchanged(TfKerasTwin):
    """ema_momentum is the share of the new parameters.

    The other convention. Exposed by any ema_momentum but 1/2.
    """

    name = "mutant-average-share-exchanged"

    def momentum(self, slot: Slot, h: Hyperparameters) -> float:
        return 1 - TfKerasTwin.momentum(self, slot, h)


class AverageOfParametersBefore(TfKerasTwin):
    """The average is of the parameters as the step has found them.

    Exposed by any step.
    """

    name = "mutant-average-of-parameters-before"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        vars(slot)["before"] = slot.theta.copy()
        TfKerasTwin.update(self, slot, gradient, h)

    def averaged(self, slot: Slot, h: Hyperparameters) -> Any:
        before = slot.theta.dtype.type(1 - self.momentum(slot, h)) * (vars(slot).pop("before") - slot.theta)
        return TfKerasTwin.averaged(self, slot, h) + before


class AverageOfConstrained(TfKerasTwin):
    """The constraint comes before the average.

    Exposed by a parameter that a constraint changes, beside an average.
    """

    name = "mutant-average-of-constrained"

    def behind(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        Constrained.behind(self, slot, gradient, h)
        TfKerasTwin.behind(self, slot, gradient, h)


class AverageOverwritesOneStepLate(Keras3Twin):
    """The average is written over the parameters in steps k + 1, 2 k + 1, ..., where iterations are taken for t.

    Exposed by any ema_overwrite_frequency above 1.
    """

    name = "mutant-average-overwrites-one-step-late"

    def overwrites(self, t: int, every: int) -> bool:
        return t > 1 and (t - 1) % every == 0


class AverageNeverOverwrites(TfKerasTwin):
    """ema_overwrite_frequency is taken and does nothing.

    Exposed by any.
    """

    name = "mutant-average-never-overwrites"

    def overwrites(self, t: int, every: int) -> bool:
        return False


class AveragesWithoutGradient(TfKerasTwin):
    """Parameters without gradient are averaged and overwritten too.

    What Keras 3 does, and tf_keras does not. Exposed by an absent gradient.
    """

    name = "mutant-averages-without-gradient"

    def is_averaged(self, gradient: Gradient) -> bool:
        return True


class AveragesWithGradientAlone(Keras3Twin):
    """Parameters without gradient are neither averaged nor overwritten.

    What tf_keras does, and Keras 3 does not. Exposed by an absent gradient.
    """

    name = "mutant-averages-with-gradient-alone"

    def is_averaged(self, gradient: Gradient) -> bool:
        return gradient is not None


class AverageNotSaved(TfKerasTwin):
    """The average is not written: after a load it is that of the new parameters.

    Exposed by a save beside an average.
    """

    name = "mutant-average-not-saved"

    def saved(self, slot: Slot) -> dict[str, Any]:
        return {name: value for name, value in TfKerasTwin.saved(self, slot).items() if name != "average"}


class FinalizeIsForgotten(TfKerasTwin):
    """The average is not written over the parameters at the end.

    Exposed by nothing but asking for it.
    """

    name = "mutant-finalize-is-forgotten"

    def finalize(self, slot: Slot) -> None:
        return None


class FinalizeExchanges(Keras3Twin):
    """At the end parameters and average change places.

    As a context that evaluates the average would. Exposed by the average behind the end.
    """

    name = "mutant-finalize-exchanges"

    def finalize(self, slot: Slot) -> None:
        if slot.average is not None:
            slot.theta, slot.average = slot.average, slot.theta
