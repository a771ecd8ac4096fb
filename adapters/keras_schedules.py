"""Keras' learning-rate schedules, of Keras 2, tf_keras and Keras 3 alike, from those of the contract."""

from __future__ import annotations

from typing import Any

from adapters.contract import Schedule

CLASSES = {
    "exponential": "ExponentialDecay",
    "inverse_time": "InverseTimeDecay",
    "polynomial": "PolynomialDecay",
    "cosine": "CosineDecay",
    "cosine_restarts": "CosineDecayRestarts",
    "piecewise_constant": "PiecewiseConstantDecay",
}
"""Whose first argument is the value that they begin with, the last aside; the others are as the contract names them."""


def scheduled(keras: Any, tensorflow: Any, first: float, schedule: Schedule | None) -> Any:
    """`first`, or the schedule that begins with it. keras: the module with ``optimizers`` and ``utils``."""
    if schedule is None:
        return first
    schedules, numbers = keras.optimizers.schedules, dict(schedule.numbers)
    if schedule.name == "piecewise_constant":
        values = [first, *numbers["values"]]
        return getattr(schedules, CLASSES[schedule.name])([*numbers["boundaries"]], [float(value) for value in values])
    if schedule.name == "inverse_root":
        return callers_own(keras, tensorflow)(first, numbers["decay_steps"])
    return getattr(schedules, CLASSES[schedule.name])(first, **numbers)


def callers_own(keras: Any, tensorflow: Any) -> Any:
    """A caller's own schedule, as the base class's documentation shows how to write one."""

    class InverseRoot(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __init__(self, first: float, decay_steps: int) -> None:
            self.first, self.decay_steps = first, decay_steps

        def __call__(self, step: Any) -> Any:
            periods = tensorflow.cast(step, tensorflow.float32) / self.decay_steps
            return self.first / tensorflow.sqrt(1.0 + periods)

        def get_config(self) -> dict[str, Any]:
            return {"first": self.first, "decay_steps": self.decay_steps}

    return InverseRoot
