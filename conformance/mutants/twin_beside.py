"""What the twins of Keras' dialects do behind a step: the average of the parameters, and constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters

if TYPE_CHECKING:
    from conformance.mutants.twin import Slot

NEWER = frozenset({"exclude_from_weight_decay", "ema_momentum", "ema_overwrite_frequency", "constraint"})
"""Hyper-parameters of the newer Keras that no change and no group reaches."""


class Constrained:
    """OptimizerV2 (keras/optimizers/legacy/optimizer_v2.py: _distributed_apply)."""

    def behind(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        """Nothing happens to a parameter without gradient."""
        if gradient is not None and h.constraint is not None:
            slot.theta[...] = self.constrained(slot.theta, h.constraint)

    def constrained(self, theta: Array, constraint: str) -> Any:
        """keras/constraints.py: NonNeg, MaxNorm, UnitNorm, MinMaxNorm; and a caller's own."""
        number = theta.dtype.type
        if constraint == "non_neg":
            return theta * (theta >= 0).astype(theta.dtype)
        if constraint == "clip_weights":
            return np.clip(theta, number(-0.5), number(0.5))
        norm = self.norms(theta)
        divisor = number(1e-7) + norm
        if constraint == "unit_norm":
            return theta / divisor
        if constraint == "max_norm":
            return theta * (np.clip(norm, number(0), number(2)) / divisor)
        return theta * (self.kept(norm) / divisor)

    def kept(self, norm: Array) -> Any:
        """MinMaxNorm: a norm between 1/2 and 2, three quarters of the way."""
        number = norm.dtype.type
        return number(0.75) * np.clip(norm, number(0.5), number(2)) + number(0.25) * norm

    def norms(self, theta: Array) -> Any:
        return np.sqrt(np.sum(theta * theta, axis=0, keepdims=True, dtype=theta.dtype))


class Averaged(Constrained):
    """The newer Keras 2 (keras/optimizers/optimizer.py: _distributed_apply_gradients_fn)."""

    def behind(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        """First the average, then the constraint."""
        if slot.average is not None and self.is_averaged(gradient):
            slot.average[...] = self.averaged(slot, h)
            if h.ema_overwrite_frequency is not None and self.overwrites(slot.t, h.ema_overwrite_frequency):
                slot.theta[...] = slot.average
        super().behind(slot, gradient, h)

    def is_averaged(self, gradient: Gradient) -> bool:
        """A parameter without gradient keeps its average, and is not overwritten."""
        return gradient is not None

    def overwrites(self, t: int, every: int) -> bool:
        return t % every == 0

    def momentum(self, slot: Slot, h: Hyperparameters) -> float:
        return h.ema_momentum or 0.0

    def averaged(self, slot: Slot, h: Hyperparameters) -> Any:
        """momentum average + (1 - momentum) theta, 1 - momentum in double."""
        number, momentum = slot.theta.dtype.type, self.momentum(slot, h)
        return number(momentum) * slot.average + number(1 - momentum) * slot.theta

    def finalize(self, slot: Slot) -> None:
        """The average is written over theta."""
        if slot.average is not None:
            slot.theta[...] = slot.average


class AveragedFromFirstStep(Averaged):
    """Keras 3 (keras/src/optimizers/base_optimizer.py): with a momentum of 0 in the first step; every parameter."""

    def is_averaged(self, gradient: Gradient) -> bool:
        return True

    def momentum(self, slot: Slot, h: Hyperparameters) -> float:
        return Averaged.momentum(self, slot, h) if slot.t > 1 else 0.0

    def averaged(self, slot: Slot, h: Hyperparameters) -> Any:
        """As there, 1 - momentum in theta's format."""
        momentum = slot.theta.dtype.type(self.momentum(slot, h))
        return momentum * slot.average + (slot.theta.dtype.type(1) - momentum) * slot.theta
