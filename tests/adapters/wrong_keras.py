"""Keras optimizer classes as another author would bring them to ``--keras-optimizer wrong_keras:Class``."""

from __future__ import annotations

from typing import Any

from adapters.tensorflow_support import import_tensorflow

tf = import_tensorflow()


class NoBiasCorrection(tf.keras.optimizers.legacy.Adam):
    """The step size is the learning rate."""

    def _prepare_local(self, var_device: Any, var_dtype: Any, apply_state: Any) -> None:
        super()._prepare_local(var_device, var_dtype, apply_state)
        one = tf.ones((), var_dtype)
        coefficients = apply_state[(var_device, var_dtype)]
        coefficients.update(beta_1_power=0 * one, beta_2_power=0 * one, lr=coefficients["lr_t"])


class HalfRate(tf.keras.optimizers.Adam):
    """The newer base; every second step goes half as far."""

    def update_step(self, gradient: Any, variable: Any) -> None:
        before = tf.identity(variable)
        super().update_step(gradient, variable)
        if int(self.iterations) % 2:  # of the steps before, so t is even
            variable.assign((before + variable) / 2)


class DenseOnly(tf.keras.optimizers.legacy.Adam):
    """Right, and takes no rows."""

    def _resource_apply_sparse(self, *arguments: Any, **more: Any) -> Any:
        raise NotImplementedError


class OtherSlots(tf.keras.optimizers.Adam):
    """Keeps its moments under names of its own."""

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.mine, self._momentums = self._momentums, None

    def update_step(self, gradient: Any, variable: Any) -> None:
        self._momentums = self.mine
        super().update_step(gradient, variable)
        self._momentums = None


class AnotherOne(tf.keras.optimizers.legacy.Adam):
    """What is constructed is not of this class."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return tf.keras.optimizers.legacy.Adam(*args, **kwargs)


class AboveZero(tf.keras.optimizers.legacy.Adam):
    """Right, but that its constructor refuses 0; nothing is wrong with that."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if learning_rate == 0 or epsilon == 0:
            raise ValueError("learning_rate and epsilon must be above 0")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, **kwargs)
