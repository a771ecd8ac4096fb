"""Mutants that compute rightly and answer wrongly: who they are, how they compute, what they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adapters.contract import Arithmetic, Hyperparameters, Identity, Precision, State
from conformance.mutants.formula import LearningRateTooSmall
from conformance.mutants.twin import Slot
from conformance.mutants.twins import KerasV2Twin, Mxnet2Twin, TfKerasTwin, TorchTwin


class AnotherCodePath(KerasV2Twin):
    """Says that it runs an operation that no step runs.

    PyTorch's fused test once compared an unfused optimizer with itself (pytorch#91228). Exposed by the
    operations that were observed.
    """

    name = "mutant-another-code-path"

    def identity(self) -> Identity:
        honest = KerasV2Twin.identity(self)
        return replace(honest, required=honest.required | {"fused_kernel"})


class CoarseArithmetic(LearningRateTooSmall):
    """Learning rate x 0.999 behind a declared float16 computation, whose bound hides it.

    Exposed by the share of elements that inform.
    """

    name = "mutant-coarse-arithmetic"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(LearningRateTooSmall.arithmetic(self, dtype), compute="float16")


class WrongShape(TorchTwin):
    """The state of a parameter has one axis, whatever the parameter's shape.

    A flat buffer that nobody reshaped. Exposed by a parameter that is not of one axis.
    """

    name = "mutant-wrong-shape"

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        state = TorchTwin.state(self, slots, h)
        return replace(state, m=tuple(m.reshape(-1) for m in state.m), v=tuple(v.reshape(-1) for v in state.v))


class WrongDtype(Mxnet2Twin):
    """m and v come back as float64, whatever the parameter's dtype.

    Exposed by float32 parameters; the values are those of float32.
    """

    name = "mutant-wrong-dtype"

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        state = Mxnet2Twin.state(self, slots, h)
        return replace(
            state,
            m=tuple(m.astype(np.float64) for m in state.m),
            v=tuple(v.astype(np.float64) for v in state.v),
        )


class TooFewArrays(TfKerasTwin):
    """The last parameter is missing from the state.

    Exposed by counting; a comparison that zips the two lists sees nothing.
    """

    name = "mutant-too-few-arrays"

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        return TfKerasTwin.state(self, slots[:-1], h)


class MaximumNotReturned(KerasV2Twin):
    """v_max is None although amsgrad is on.

    Exposed by its absence; a comparison that skips what is None sees nothing.
    """

    name = "mutant-maximum-not-returned"

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        return replace(KerasV2Twin.state(self, slots, h), v_max=None)
