"""Mutants of the list of weights: everything is there, and not in the framework's order."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.contract import Array, Hyperparameters
from conformance.mutants.twin import Slot
from conformance.mutants.twins import Keras3Twin, KerasV2Twin


class ListsParameterByParameter(KerasV2Twin):
    """The list of weights goes from parameter to parameter, as that of the newer Keras does.

    Exposed by the list of weights of two parameters.
    """

    name = "mutant-lists-parameter-by-parameter"
    listing = (("m", "v"), ("v_max",))


class ListsNoLearningRate(Keras3Twin):
    """The list of weights is that of tf_keras, in which the learning rate is no variable.

    Exposed by the list of weights.
    """

    name = "mutant-lists-no-learning-rate"

    def listed(self, slots: Sequence[Slot], h: Hyperparameters) -> tuple[Array, ...]:
        count, _, *others = Keras3Twin.listed(self, slots, h)
        return count, *others
