"""Keras' constraints, of Keras 2, tf_keras and Keras 3 alike, from those of the contract."""

from __future__ import annotations

from typing import Any

NUMBERS: dict[str, dict[str, float]] = {"min_max_norm": {"min_value": 0.5, "max_value": 2.0, "rate": 0.75}}
"""What a constraint is given; the others have their defaults."""


def constraint_of(name: str | None, keras: Any, tensorflow: Any) -> Any:
    """None, Keras' constraint of that name, or a caller's own function. keras: the module with ``constraints``."""
    if name is None:
        return None
    if name == "clip_weights":
        return lambda weights: tensorflow.clip_by_value(weights, -0.5, 0.5)
    return getattr(keras.constraints, name)(**NUMBERS.get(name, {}))
