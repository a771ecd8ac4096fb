"""How the twins of Keras' dialects clip: each gradient as it comes, rows before they are summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Rows

CLIPS = frozenset({"clipvalue", "clipnorm", "global_clipnorm"})


class Clips:
    """OptimizerV2 (keras/optimizers/legacy/optimizer_v2.py: _transform_gradients): by value, then by a norm."""

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        if h.clipvalue is not None:
            gradients = self.by_value(gradients, h.clipvalue)
        if h.clipnorm is not None:
            gradients = self.by_norm(gradients, h.clipnorm)
        if h.global_clipnorm is not None:
            gradients = self.by_global_norm(gradients, h.global_clipnorm)
        return gradients

    def by_value(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return [on_values(g, lambda values: self.clip_values(values, clip)) for g in gradients]

    def by_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        """Each by its own."""
        return [on_values(g, lambda values: self.scaled(values, clip, self.norm([values]))) for g in gradients]

    def by_global_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        """All by that of those which are there."""
        norm = self.norm([g.values if isinstance(g, Rows) else g for g in gradients if g is not None])
        return [on_values(g, lambda values: self.scaled(values, clip, norm)) for g in gradients]

    def clip_values(self, g: Array, clip: float) -> Array:
        bound = g.dtype.type(clip)
        return np.asarray(np.minimum(np.maximum(g, -bound), bound))

    def norm(self, arrays: Sequence[Array]) -> Any:
        """In the arrays' dtype."""
        return np.sqrt(sum((np.sum(g * g, dtype=g.dtype) for g in arrays), start=np.float32(0)))

    def scaled(self, g: Array, clip: float, norm: Any) -> Array:
        """g clip / max(norm, clip)."""
        limit = g.dtype.type(clip)
        return np.asarray(g * limit / np.maximum(g.dtype.type(norm), limit))


class ClipsInOneWay(Clips):
    """The newer Keras (optimizers/optimizer.py: _clip_gradients): the first that is above 0 of these."""

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        if h.clipnorm:
            return self.by_norm(gradients, h.clipnorm)
        if h.global_clipnorm:
            return self.by_global_norm(gradients, h.global_clipnorm)
        return self.by_value(gradients, h.clipvalue) if h.clipvalue else gradients


def on_values(g: Gradient, change: Callable[[Array], Array]) -> Gradient:
    """`change` of the numbers of a gradient, whatever its kind."""
    if isinstance(g, Rows):
        return Rows(indices=g.indices, values=change(g.values))
    return None if g is None else change(g)
