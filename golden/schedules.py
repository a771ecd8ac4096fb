"""The schedules of the catalogue's cases."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from reference import Schedule

SCHEDULES: Mapping[str, tuple[str, dict[str, Any]]] = MappingProxyType(
    {
        "exponential": ("exponential", {"decay_steps": 2, "decay_rate": 0.25, "staircase": False}),
        "staircase": ("exponential", {"decay_steps": 2, "decay_rate": 0.25, "staircase": True}),
        "inverse-time": ("inverse_time", {"decay_steps": 2, "decay_rate": 0.5, "staircase": False}),
        "inverse-time-staircase": ("inverse_time", {"decay_steps": 3, "decay_rate": 0.5, "staircase": True}),
        "polynomial": (
            "polynomial",
            {"decay_steps": 4, "end_learning_rate": 2.0**-12, "power": 1.5, "cycle": False},
        ),
        "cycle": ("polynomial", {"decay_steps": 3, "end_learning_rate": 2.0**-9, "power": 0.5, "cycle": True}),
        "piecewise-constant": ("piecewise_constant", {"boundaries": (1, 3), "values": (2.0**-9, 2.0**-6)}),
        "cosine": ("cosine", {"decay_steps": 5, "alpha": 0.125, "warmup_target": None, "warmup_steps": 0}),
        "cosine-warm-up": ("cosine", {"decay_steps": 4, "alpha": 0.125, "warmup_target": 2.0**-5, "warmup_steps": 3}),
        "cosine-short-warm-up": (
            "cosine",
            {"decay_steps": 5, "alpha": 0.125, "warmup_target": 2.0**-5, "warmup_steps": 2},
        ),
        "restarts": ("cosine_restarts", {"first_decay_steps": 2, "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.125}),
        "longer-restarts": ("cosine_restarts", {"first_decay_steps": 2, "t_mul": 1.75, "m_mul": 0.5, "alpha": 0.125}),
        "doubling-restarts": ("cosine_restarts", {"first_decay_steps": 2, "t_mul": 2.0, "m_mul": 0.5, "alpha": 0.125}),
        "inverse-root": ("inverse_root", {"decay_steps": 2}),
    }
)
"""What a case calls it: the schedule, and its numbers, which float32 holds exactly."""
AGAIN = ("cosine-short-warm-up", "doubling-restarts")
"""Schedules that another one has, with numbers for which a formula has an exception, or has none."""


def named_schedule(name: str) -> Schedule:
    """One of `SCHEDULES`."""
    kind, numbers = SCHEDULES[name]
    return Schedule(kind, tuple(numbers.items()))
