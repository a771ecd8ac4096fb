"""Keras' constraints: what becomes of theta at the end of a step.

Norms are along the first axis: of a matrix each column has its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.stages import Working

EPSILON = 1e-7
"""The backend's, which keeps a norm of 0 from dividing."""
LARGEST_NORM = 2
"""max_value of MaxNorm, by default."""


def constrain(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """theta <- theta [theta >= 0] (non_neg), theta / (1e-7 + N) (unit_norm) or theta min(N, 2) / (1e-7 + N) (max_norm).

    N is its norm.

    (Keras, constraints.py: NonNeg, UnitNorm, MaxNorm; optimizers/legacy/optimizer_v2.py: _distributed_apply;
    optimizers/optimizer.py: apply_gradients)
    """
    if h.constraint == "non_neg":
        p.theta = np.where(p.theta >= 0, p.theta, 0 * p.theta)
    elif h.constraint is not None:
        norm = norms(p.theta, x)
        kept = np.minimum(norm, LARGEST_NORM) if h.constraint == "max_norm" else 1
        p.theta = p.theta * kept / (x.number(EPSILON) + norm)


def norms(theta: Any, x: Namespace) -> Any:
    """The roots of the sums of squares along the first axis, which stays, of length 1."""
    return x.sqrt(np.sum(theta * theta, axis=0, keepdims=True))
