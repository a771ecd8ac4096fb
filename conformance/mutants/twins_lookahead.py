"""The twins of TF-Addons' Lookahead, around Keras' Adam and around RectifiedAdam."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.contract import Arithmetic, Gradient, Hyperparameters, Precision
from conformance.mutants.twin import Slot, Twin, write
from conformance.mutants.twin_claim import twin_claim
from conformance.mutants.twins import KerasV2Twin, RectifiedTwin, TensorFlowTwin

_OWN = frozenset({"sync_period", "slow_step_size"})


class _Lookahead(TensorFlowTwin):
    """What Lookahead adds to the optimizer that it is around (tensorflow_addons/optimizers/lookahead.py)."""

    listing = (("slow",), *TensorFlowTwin.listing)

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(super().arithmetic(dtype), slow_step_size=dtype)

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        """Lookahead's own are no variables, so that no checkpoint has them."""
        own = {name: getattr(h, name) for name in _OWN}
        return replace(super().loaded(h, saved), **own)

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        super().update(slot, gradient, h)
        if gradient is not None and h.sync_period is not None and self.synchronises(slot.t, h.sync_period):
            self.synchronise(slot, gradient, h)

    def synchronises(self, t: int, period: int) -> bool:
        return t % period == 0

    def share(self, slot: Slot, h: Hyperparameters) -> Any:
        return slot.theta.dtype.type(h.slow_step_size)

    def between(self, slot: Slot, h: Hyperparameters) -> Any:
        """slow + slow_step_size (theta - slow)."""
        return slot.slow + self.share(slot, h) * (slot.theta - slot.slow)

    def synchronise(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        """All rows, whatever the gradient names."""
        assert slot.slow is not None
        write(slot.slow, self.between(slot, h))
        write(slot.theta, slot.slow)


class LookaheadKerasV2Twin(_Lookahead, KerasV2Twin):
    """tfa-lookahead-keras-v2-adam."""

    name = "twin-lookahead-keras-v2"
    claim = twin_claim(
        "tfa-lookahead-keras-v2-adam",
        KerasV2Twin.claim.hyperparameters | _OWN,
        KerasV2Twin.claim.gradients,
        saved=KerasV2Twin.claim.procedures["save"].hyperparameters,
        unless=KerasV2Twin.claim.procedures["save"].unless,
        clips_together=True,
    )
    required = KerasV2Twin.required | {"synchronise"}


class LookaheadRectifiedTwin(_Lookahead, RectifiedTwin):
    """tfa-lookahead-rectified-adam."""

    name = "twin-lookahead-rectified"
    claim = twin_claim(
        "tfa-lookahead-rectified-adam",
        RectifiedTwin.claim.hyperparameters | _OWN,
        RectifiedTwin.claim.gradients,
        saved=RectifiedTwin.claim.procedures["save"].hyperparameters,
        clips_together=True,
    )
    required = RectifiedTwin.required | {"synchronise"}


TWINS: tuple[type[Twin], ...] = (LookaheadKerasV2Twin, LookaheadRectifiedTwin)
