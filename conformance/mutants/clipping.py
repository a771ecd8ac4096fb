"""Mutants of Keras' clipping and of the learning rate that decays with time: what is clipped, when, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters
from conformance.mutants.twin import Scalar, Work
from conformance.mutants.twins import Keras3Twin, KerasV2Twin, RectifiedTwin, TensorFlowTwin, TfKerasTwin


class ClipvalueIgnored(KerasV2Twin):
    """clipvalue is taken and does nothing.

    As Lookahead ignores that of the optimizer inside. Exposed by any gradient above it.
    """

    name = "mutant-clipvalue-ignored"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        return gradients


class ClipvalueZeroIsOff(RectifiedTwin):
    """clipvalue 0 is taken for no clipping.

    What the newer Keras does, and OptimizerV2 does not. Exposed by clipvalue 0 alone.
    """

    name = "mutant-clipvalue-zero-is-off"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        return RectifiedTwin.clipped(self, gradients, h) if h.clipvalue else gradients


class ClipvalueZeroClips(TfKerasTwin):
    """clipvalue 0 clips every gradient to 0.

    What OptimizerV2 does, and the newer Keras does not. Exposed by clipvalue 0 alone.
    """

    name = "mutant-clipvalue-zero-clips"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        return TensorFlowTwin.clipped(self, gradients, h)


class ClipsSummedRows(KerasV2Twin):
    """Rows that are named several times are summed, and the sum is clipped.

    Exposed by values of duplicates whose sum is beyond clipvalue, or some of which are.
    """

    name = "mutant-clips-summed-rows"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        return gradients

    def prepare_gradient(self, w: Work) -> Array:
        g = KerasV2Twin.prepare_gradient(self, w)
        return g if w.h.clipvalue is None else self.clip_values(g, w.h.clipvalue)


class ClipsFromAbove(Keras3Twin):
    """Gradients above clipvalue are clipped, those below its negative are not.

    Exposed by a large negative gradient.
    """

    name = "mutant-clips-from-above"

    def clip_values(self, g: Array, clip: float) -> Array:
        return np.asarray(np.minimum(g, g.dtype.type(clip)))


class ClipsTheMoment(TfKerasTwin):
    """The first moment is clipped instead of the gradient.

    Exposed by the moments of any gradient above clipvalue.
    """

    name = "mutant-clips-the-moment"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        return gradients

    def first_moment(self, w: Work) -> Any:
        m = np.asarray(TfKerasTwin.first_moment(self, w))
        return self.clip_values(m, w.h.clipvalue) if w.h.clipvalue else m


class RateDecaysFromOne(KerasV2Twin):
    """The learning rate is divided by 1 + decay t, so that the first step has decayed already.

    t for iterations. Exposed by any decay, from the first step on.
    """

    name = "mutant-rate-decays-from-one"

    def rate(self, w: Work) -> Scalar:
        return self.learning_rate(w) / (w.scalar(1) + w.scalar(w.h.decay) * w.scalar(w.t))


class RateDecaysExponentially(RectifiedTwin):
    """The learning rate is divided by (1 + decay)^(t - 1).

    Another decay of the same name. Exposed from the third step on.
    """

    name = "mutant-rate-decays-exponentially"

    def rate(self, w: Work) -> Scalar:
        return self.learning_rate(w) / (w.scalar(1) + w.scalar(w.h.decay)) ** w.scalar(w.t - 1)


class WeightDecayKeepsFirstRate(RectifiedTwin):
    """The learning rate that weight decay is multiplied by does not decay.

    Exposed by both decays together.
    """

    name = "mutant-weight-decay-keeps-first-rate"

    def decay(self, w: Work) -> Any:
        return RectifiedTwin.decay(self, replace(w, h=replace(w.h, decay=0.0)))
