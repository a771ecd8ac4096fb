"""Mutants in which the parameters' format holds what it cannot: step counts, epsilon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.contract import Gradient
from conformance.mutants.twin import Scalar, Slot, Work
from conformance.mutants.twins import TorchTwin


class CountInStorageFormat(TorchTwin):
    """t is kept in the parameter's dtype: float16 has no number after 2048 that is one more.

    torch's load_state_dict, which cast step to it. Exposed by more than 2048 steps in float16.
    """

    name = "mutant-count-in-storage-format"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        for slot, gradient in zip(slots, gradients, strict=True):
            dtype = slot.theta.dtype
            slot.t = int(dtype.type(min(slot.t + (gradient is not None), int(np.finfo(dtype).max))))


class CountReportedRightly(TorchTwin):
    """Bias correction sees a t that sticks at 2048 where parameters are float16; the state says t.

    As `CountInStorageFormat`, with a right count besides. Exposed by the same steps, in the parameters.
    """

    name = "mutant-count-reported-rightly"

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        t = min(w.t, 2048) if w.storage.name == "float16" else w.t
        return w.scalar(1) - beta ** w.scalar(t)


class EpsilonInStorageFormat(TorchTwin):
    """Epsilon is rounded to the parameter's dtype: 1e-8 is 0 in float16.

    optax, MXNet, Keras, and torch, which rounds sqrt(v) + epsilon. Exposed by a gradient of 0.
    """

    name = "mutant-epsilon-in-storage-format"

    def epsilon(self, w: Work) -> Scalar:
        return w.scalar(w.storage.type(w.h.epsilon))
