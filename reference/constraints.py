"""Keras' constraints: what becomes of theta at the end of a step.

Norms are along the first axis: of a matrix each column has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.stages import Working

EPSILON = 1e-7
"""The backend's, which keeps a norm of 0 from dividing."""
LARGEST_NORM = 2
"""max_value of MaxNorm, by default."""
LIMITS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"max_norm": (0, LARGEST_NORM, 1), "min_max_norm": (0.5, LARGEST_NORM, 0.75)}
)
"""Between which numbers a norm is kept, and how much of the way it goes there: min_value, max_value and rate.

With MinMaxNorm's own defaults, 0, 1 and 1, it is a MaxNorm.
"""
LARGEST_WEIGHT = 0.5
"""Of clip_weights, a function of a caller's own."""


def constrain(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """theta <- theta [theta >= 0] (non_neg), theta / (1e-7 + N) (unit_norm), theta min(N, 2) / (1e-7 + N) (max_norm),
    theta (3/4 min(max(N, 1/2), 2) + 1/4 N) / (1e-7 + N) (min_max_norm) or min(max(theta, -1/2), 1/2) (clip_weights).

    N is its norm. clip_weights is nobody's own: a caller's function.

    (Keras, constraints.py: NonNeg, UnitNorm, MaxNorm, MinMaxNorm; optimizers/legacy/optimizer_v2.py:
    _distributed_apply; optimizers/optimizer.py: apply_gradients)
    """
    if h.constraint == "non_neg":
        p.theta = np.where(p.theta >= 0, p.theta, 0 * p.theta)
    elif h.constraint == "clip_weights":
        largest = x.number(LARGEST_WEIGHT)
        p.theta = np.minimum(np.maximum(p.theta, -largest), largest)
    elif h.constraint is not None:
        norm = norms(p.theta, x)
        p.theta = p.theta * kept_norm(norm, h.constraint) / (x.number(EPSILON) + norm)


def kept_norm(norm: Any, constraint: str) -> Any:
    """What a constraint of the norm makes of it."""
    if constraint == "unit_norm":
        return 1
    least, most, rate = LIMITS[constraint]
    within = np.minimum(np.maximum(norm, least), most)
    return within if constraint == "max_norm" else rate * within + (1 - rate) * norm


def norms(theta: Any, x: Namespace) -> Any:
    """The roots of the sums of squares along the first axis, which stays, of length 1."""
    return x.sqrt(np.sum(theta * theta, axis=0, keepdims=True))
