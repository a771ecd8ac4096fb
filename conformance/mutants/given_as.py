"""Mutants of hyper-parameters that are given as tensors, or as functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adapters.contract import Hyperparameters
from adapters.procedures import Functions
from conformance.mutants.twins import KerasV2Twin, RectifiedTwin


class FunctionsCalledOnce(KerasV2Twin):
    """Functions are called in the first step and never again.

    What the newer Keras does with a learning rate, and what tracing a step does. Exposed by a function that returns
    another number later.
    """

    name = "mutant-functions-called-once"

    def called(self, h: Hyperparameters, functions: Functions, steps: int) -> Hyperparameters:
        return h if steps else KerasV2Twin.called(self, h, functions, steps)


class TensorsInHalf(RectifiedTwin):
    """Tensors are converted to float16 on their way in.

    Exposed by a number of more digits.
    """

    name = "mutant-tensors-in-half"

    def of_tensors(self, h: Hyperparameters) -> Hyperparameters:
        rate, beta_1, beta_2 = (float(np.float16(x)) for x in (h.learning_rate, h.beta_1, h.beta_2))
        return replace(h, learning_rate=rate, beta_1=beta_1, beta_2=beta_2)
