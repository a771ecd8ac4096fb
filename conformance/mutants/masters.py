"""Mutants of float16 parameters that have a float32 master copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters
from conformance.mutants.twin import Slot, Work
from conformance.mutants.twins import Mxnet1LazyTwin, Mxnet1Twin, Mxnet2LazyTwin, Mxnet2Twin


class MasterNotKept(Mxnet2Twin):
    """The master copy is made anew of the parameter in every step.

    What is smaller than the parameter's last digit is lost each time. Exposed by the second step.
    """

    name = "mutant-master-not-kept"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if slot.weight is not None:
            slot.theta = slot.weight.astype(slot.theta.dtype)
        Mxnet2Twin.update(self, slot, gradient, h)


class MomentsInHalf(Mxnet1Twin):
    """m and v are kept in float16, and the master copy in float32.

    v of a gradient below 2^-7 is gone. Exposed by the first step.
    """

    name = "mutant-moments-in-half"

    def store(self, slot: Slot, w: Work) -> None:
        if slot.weight is not None:
            w.m, w.v = (x.astype(slot.weight.dtype).astype(x.dtype) for x in (w.m, w.v))
        Mxnet1Twin.store(self, slot, w)


class RescaledInHalf(Mxnet2LazyTwin):
    """The gradient is rescaled in float16, and then converted.

    Exposed by a rescale_grad that is no power of two.
    """

    name = "mutant-rescaled-in-half"

    def rescale(self, w: Work, g: Any) -> Any:
        """The values that were given are float16's, so that a product of them may be rounded to it."""
        rescaled = Mxnet2LazyTwin.rescale(self, w, g)
        half = isinstance(w.gradient, np.ndarray) and w.gradient.dtype == np.float16
        return rescaled.astype(np.float16).astype(rescaled.dtype) if half else rescaled


class WeightIsTruncated(Mxnet1LazyTwin):
    """The parameter is the master copy without its last digits, not rounded to the nearest.

    Exposed by the parameters of every step; the master copy is right.
    """

    name = "mutant-weight-is-truncated"

    def rounded_master(self, slot: Slot) -> Array:
        rounded = Mxnet1LazyTwin.rounded_master(self, slot)
        toward_0 = np.nextafter(rounded, np.zeros_like(rounded))
        return np.where(np.abs(rounded.astype(slot.theta.dtype)) > np.abs(slot.theta), toward_0, rounded)


class MasterIsNotSaved(Mxnet2Twin):
    """What is saved has the parameter, and no master copy: it is made anew on load.

    Exposed by a load after a step.
    """

    name = "mutant-master-is-not-saved"

    def saved(self, slot: Slot) -> dict[str, Any]:
        saved = Mxnet2Twin.saved(self, slot)
        return saved | ({} if slot.weight is None else {"theta": slot.weight.astype(slot.theta.dtype)})
