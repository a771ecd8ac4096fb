"""A wrong optimizer on Keras 3."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class PaperEpsilon(keras.optimizers.Adam):
    """epsilon beside sqrt(v / (1 - beta_2^t)), as in Algorithm 1 of the paper."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        m, v = (moments[self._get_variable_index(variable)] for moments in (self._momentums, self._velocities))
        t = ops.cast(self.iterations + 1, variable.dtype)
        rate, gradient = (ops.cast(x, variable.dtype) for x in (learning_rate, gradient))
        self.assign(m, m + (gradient - m) * (1 - self.beta_1))
        self.assign(v, v + (ops.square(gradient) - v) * (1 - self.beta_2))
        bias_1, bias_2 = (1 - ops.power(ops.cast(beta, variable.dtype), t) for beta in (self.beta_1, self.beta_2))
        self.assign_sub(variable, rate * (m / bias_1) / (ops.sqrt(v / bias_2) + self.epsilon))
