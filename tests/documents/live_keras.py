"""Keras' OptimizerV2, and small things to optimise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Array
from adapters.keras_v2 import Fused, NonFused
from adapters.tensorflow_support import import_tensorflow

tf = import_tensorflow()
ADAPTERS = {"Adam": Fused(), "NonFusedAdam": NonFused()}
CLASSES = {name: adapter.optimizer for name, adapter in ADAPTERS.items()}
Adam = CLASSES["Adam"]


def variable(*values: float, **how: Any) -> Any:
    """A number, or a vector of several."""
    return tf.Variable(np.asarray(values[0] if len(values) == 1 else values, np.float32), **how)


def half_square(x: Any) -> Any:
    """A loss whose gradient is x itself."""
    return lambda: x * x / 2.0


def value(x: Any) -> Array:
    return np.asarray(x.numpy())


def minimized(optimizer: Any, x: Any, steps: int) -> tuple[list[Array], list[Array]]:
    """Of `half_square`: the gradients that the optimizer was given, and where x was after each step."""
    gradients, observed = [], []
    for _ in range(steps):
        gradients.append(value(x))
        optimizer.minimize(half_square(x), [x])
        observed.append(value(x))
    return gradients, observed


def moved(optimizer: Any, x: Any, gradient: Any, **how: Any) -> Array:
    """How far one step with this gradient takes x."""
    before = value(x)
    optimizer.apply_gradients([(tf.constant(gradient, tf.float32), x)], **how)
    return before - value(x)


def stepped(optimizer: Any, x: Any, gradients: Sequence[float]) -> list[Array]:
    """Where x was after each step."""
    observed = []
    for gradient in gradients:
        moved(optimizer, x, gradient)
        observed.append(value(x))
    return observed


def ones(steps: int) -> list[Array]:
    """As many gradients of 1."""
    return [value(variable(1.0))] * steps


def moments(optimizer: Any, x: Any) -> tuple[Array, Array]:
    return value(optimizer.get_slot(x, "m")), value(optimizer.get_slot(x, "v"))
