"""Mutants of Keras' clipping and of the learning rate that decays with time: what is clipped, when, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Rows
from conformance.mutants.twin import Scalar, Slot, Work
from conformance.mutants.twin_clipping import on_values
from conformance.mutants.twins import Keras3Twin, KerasV2Twin, RectifiedTwin, TfKerasTwin


class ClipvalueIgnored(KerasV2Twin):
    """clipvalue is taken and does nothing.

    As Lookahead ignores that of the optimizer inside. Exposed by any gradient above it.
    """

    name = "mutant-clipvalue-ignored"

    def by_value(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return gradients


class ClipvalueZeroIsOff(RectifiedTwin):
    """clipvalue 0 is taken for no clipping.

    What the newer Keras does, and OptimizerV2 does not. Exposed by clipvalue 0 alone.
    """

    name = "mutant-clipvalue-zero-is-off"

    def by_value(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return RectifiedTwin.by_value(self, gradients, clip) if clip else gradients


class ClipvalueZeroClips(TfKerasTwin):
    """clipvalue 0 clips every gradient to 0.

    What OptimizerV2 does, and the newer Keras does not. Exposed by clipvalue 0 alone.
    """

    name = "mutant-clipvalue-zero-clips"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        clipped = TfKerasTwin.clipped(self, gradients, h)
        return self.by_value(gradients, 0.0) if h.clipvalue == 0 and clipped is gradients else clipped


class ClipsSummedRows(KerasV2Twin):
    """Rows that are named several times are summed, and the sum is clipped.

    Exposed by values of duplicates whose sum is beyond clipvalue, or some of which are.
    """

    name = "mutant-clips-summed-rows"

    def by_value(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return gradients

    def prepare_gradient(self, w: Work) -> Array:
        g = KerasV2Twin.prepare_gradient(self, w)
        alone = w.h.clipnorm is None and w.h.global_clipnorm is None
        return self.clip_values(g, w.h.clipvalue) if alone and w.h.clipvalue is not None else g


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

    def by_value(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return gradients

    def first_moment(self, w: Work) -> Any:
        m = np.asarray(TfKerasTwin.first_moment(self, w))
        by_norm = w.h.clipnorm or w.h.global_clipnorm
        return self.clip_values(m, w.h.clipvalue) if w.h.clipvalue and not by_norm else m


class NormsBeforeValues(KerasV2Twin):
    """Gradients are clipped by a norm first, and then by value.

    The other order. Exposed by clipvalue and a norm together.
    """

    name = "mutant-norms-before-values"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        by_norm = KerasV2Twin.clipped(self, gradients, replace(h, clipvalue=None))
        return by_norm if h.clipvalue is None else self.by_value(by_norm, h.clipvalue)


class ValuesBesideNorms(TfKerasTwin):
    """clipvalue acts also where a norm clips.

    As in OptimizerV2. Exposed by clipvalue and a norm together.
    """

    name = "mutant-values-beside-norms"

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        by_value = self.by_value(gradients, h.clipvalue) if h.clipvalue else gradients
        return TfKerasTwin.clipped(self, by_value, replace(h, clipvalue=None))


class GlobalNormOfEach(RectifiedTwin):
    """global_clipnorm clips each gradient by its own norm.

    As clipnorm. Exposed by two parameters.
    """

    name = "mutant-global-norm-of-each"

    def by_global_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return self.by_norm(gradients, clip)


class NormOfAll(Keras3Twin):
    """clipnorm clips all gradients by the norm of all.

    As global_clipnorm, and torch's clip_grad_norm_. Exposed by two parameters.
    """

    name = "mutant-norm-of-all"

    def by_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return self.by_global_norm(gradients, clip)


class NormAlwaysScales(TfKerasTwin):
    """A gradient whose norm is smaller is scaled up to it.

    c / norm where c / max(norm, c) belongs. Exposed by a small gradient.
    """

    name = "mutant-norm-always-scales"

    def scaled(self, g: Array, clip: float, norm: Any) -> Array:
        return np.asarray(g * g.dtype.type(clip) / g.dtype.type(norm or 1))


class NormOfSummedRows(KerasV2Twin):
    """Duplicates of a row are summed before the norm is formed.

    The norm of the dense gradient. Exposed by rows that are named several times.
    """

    name = "mutant-norm-of-summed-rows"

    def by_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return KerasV2Twin.by_norm(self, [self._summed(g) for g in gradients], clip)

    def by_global_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        return KerasV2Twin.by_global_norm(self, [self._summed(g) for g in gradients], clip)

    def _summed(self, g: Gradient) -> Gradient:
        return Rows(*self.sum_duplicates(g.indices, g.values)) if isinstance(g, Rows) else g


class LastNormIfAbsent(KerasV2Twin):
    """A parameter without gradient is in the global norm with its last one.

    A gradient that was not cleared. Exposed by absent gradients and global_clipnorm.
    """

    name = "mutant-last-norm-if-absent"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        self.last: dict[int, Array] = {}
        return KerasV2Twin.slots(self, parameters, h)

    def by_global_norm(self, gradients: Sequence[Gradient], clip: float) -> Sequence[Gradient]:
        self.last |= {i: g.values if isinstance(g, Rows) else g for i, g in enumerate(gradients) if g is not None}
        norm = self.norm([*self.last.values()])
        return [on_values(g, lambda values: self.scaled(values, clip, norm)) for g in gradients]


class MeanSquareForNorm(RectifiedTwin):
    """The norm is the root of the mean of the squares, not of their sum.

    Exposed by any gradient of several elements that a norm clips.
    """

    name = "mutant-mean-square-for-norm"

    def norm(self, arrays: Sequence[Array]) -> Any:
        return RectifiedTwin.norm(self, arrays) / np.sqrt(np.float64(max(1, sum(g.size for g in arrays))))


class GlobalNormKeepsRows(Keras3Twin):
    """With global_clipnorm the values of a row are squared one by one, as without.

    What clipnorm does. Exposed by rows that are named several times.
    """

    name = "mutant-global-norm-keeps-rows"

    def square(self, w: Work) -> Any:
        return Keras3Twin.square(self, replace(w, h=replace(w.h, global_clipnorm=None)))


class RateDecaysFromOne(KerasV2Twin):
    """The learning rate is divided by 1 + decay t, so that the first step has decayed already.

    t for iterations. Exposed by any decay, from the first step on.
    """

    name = "mutant-rate-decays-from-one"

    def rate(self, w: Work) -> Scalar:
        return self.scheduled_rate(w) / (w.scalar(1) + w.scalar(w.h.decay) * w.scalar(w.t))


class RateDecaysExponentially(RectifiedTwin):
    """The learning rate is divided by (1 + decay)^(t - 1).

    Another decay of the same name. Exposed from the third step on.
    """

    name = "mutant-rate-decays-exponentially"

    def rate(self, w: Work) -> Scalar:
        rate = self.scheduled_rate(w) / (w.scalar(1) + w.scalar(w.h.decay)) ** w.scalar(w.t - 1)
        return self.warmed_up(w, rate)


class WeightDecayKeepsFirstRate(RectifiedTwin):
    """The learning rate that weight decay is multiplied by does not decay.

    Exposed by both decays together.
    """

    name = "mutant-weight-decay-keeps-first-rate"

    def decay(self, w: Work) -> Any:
        return RectifiedTwin.decay(self, replace(w, h=replace(w.h, decay=0.0)))
