"""Mutants that agree with the oracle within its bound on finite problems, or nearly always, and break a law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Rows
from conformance.mutants.twin import Slot, Work
from conformance.mutants.twins import KerasV2Twin, TfKerasTwin, TorchTwin


class NanBecomesZero(TorchTwin):
    """NaN in a gradient counts as 0.

    Training goes on, and nobody learns that its loss has no gradient. Exposed by NaN.
    """

    name = "mutant-nan-becomes-zero"

    def prepare_gradient(self, w: Work) -> Array:
        return np.asarray(np.nan_to_num(TorchTwin.prepare_gradient(self, w), nan=0.0, posinf=np.inf, neginf=-np.inf))


class StepSkippedForInfinity(KerasV2Twin):
    """A parameter whose gradient has one non-finite element does not move at all.

    What a gradient scaler does, in an optimizer that was not told to. Exposed by an infinity, in the others.
    """

    name = "mutant-step-skipped-for-infinity"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        values = gradient.values if isinstance(gradient, Rows) else gradient
        if values is not None and np.isfinite(values).all():
            KerasV2Twin.update(self, slot, gradient, h)


class TailInDouble(TorchTwin):
    """v of the elements behind the last full vector is formed in double and rounded once.

    torch's fused kernel on CPU. Either result is right; the place in the tensor decides which. Exposed by the
    same element in another place.
    """

    name = "mutant-tail-in-double"

    def second_moment(self, w: Work) -> Any:
        usual = TorchTwin.second_moment(self, w)
        beta, g, v = np.longdouble(w.h.beta_2), np.asarray(w.g, np.longdouble), np.asarray(w.v, np.longdouble)
        once = (beta * v + (np.longdouble(1) - beta) * g * g).astype(usual.dtype)
        tail = np.arange(usual.size).reshape(usual.shape) >= usual.size // 8 * 8
        return np.where(tail, once, usual)


class RoundsDown(TfKerasTwin):
    """theta is rounded downwards, not to nearest.

    A rounding mode that somebody else in the process has left behind. Half an ulp per step, always in one
    direction. Exposed by the mirrored problem.
    """

    name = "mutant-rounds-down"

    def move(self, w: Work, direction: Any) -> Any:
        moved = TfKerasTwin.move(self, w, direction)
        exact = np.longdouble(1) * w.theta - direction - (self.decay(w) if w.h.weight_decay else 0)
        return np.where(moved > exact, np.nextafter(moved, moved.dtype.type(-np.inf)), moved)


class ScaledTogether(TorchTwin):
    """Gradients are divided by the largest of all parameters, and multiplied again.

    Keeps a narrow format in range. Two roundings too many, which depend on other parameters' gradients. Exposed
    by another gradient beside the same one.
    """

    name = "mutant-scaled-together"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        TorchTwin.count(self, slots, gradients)
        sizes = [float(np.max(np.abs(g), initial=0.0)) for g in gradients if isinstance(g, np.ndarray)]
        self.largest = max(sizes, default=0.0)

    def prepare_gradient(self, w: Work) -> Array:
        g = TorchTwin.prepare_gradient(self, w)
        scale = w.element(self.largest or 1.0)
        return np.asarray(g / scale * scale)


class Dithered(TorchTwin):
    """m is off by one unit in the last place, at random.

    Sums whose order the threads decide. Exposed by running the same problem again.
    """

    name = "mutant-dithered"

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def first_moment(self, w: Work) -> Any:
        m = np.asarray(TorchTwin.first_moment(self, w))
        up = self.random.random(m.shape) < 0.5
        return np.where(up, np.nextafter(m, m.dtype.type(np.inf)), m)
