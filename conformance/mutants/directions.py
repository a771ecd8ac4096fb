"""Mutants of torch's and optax's variants: rectification, Nesterov's momentum, epsilon inside the root, rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Gradient, Rows
from conformance.mutants.twin import Slot, Work
from conformance.mutants.twins_optax import OptaxNadamTwin, OptaxRadamTwin, OptaxTwin
from conformance.mutants.twins_torch import TorchNadamTwin, TorchRadamTwin, TorchSparseAdamTwin

# torch


class RadamPaperEpsilon(TorchRadamTwin):
    """Epsilon is added to the root of the corrected moment, where it belongs to that of the raw one.

    What TF-Addons and optax do. Exposed by an epsilon that counts, in steps that rectify.
    """

    name = "mutant-radam-paper-epsilon"

    def adaptive(self, w: Work) -> Any:
        bias_2 = self.bias_correction(w, self.beta_2(w))
        return w.element(1) / (np.sqrt(w.v / w.element(bias_2)) + w.element(self.epsilon(w)))


class RadamRectifiesFromFour(TorchRadamTwin):
    """Rectifies where rho_t is above 4.

    The threshold of Liu et al., Algorithm 2. Exposed by the step whose rho_t is between 4 and 5.
    """

    name = "mutant-radam-rectifies-from-four"

    def rectifies(self, w: Work) -> bool:
        return bool(self.lengths(w)[0] > 4)


class RadamDividesAlways(TorchRadamTwin):
    """Divides by sqrt(v) + epsilon where it does not rectify, too, and multiplies that by 0.

    torch's foreach RAdam, 2.13. Exposed by epsilon 0 and g = 0 from the first step on: 0 / 0 in a step that
    divides by nothing.
    """

    name = "mutant-radam-divides-always"

    def direction(self, w: Work) -> Any:
        right = TorchRadamTwin.direction(self, w)
        return right if self.rectifies(w) else right + w.element(0) / (np.sqrt(w.v) + w.element(self.epsilon(w)))


class ScheduleFactorTwice(TorchNadamTwin):
    """The product that m is corrected by has its last factor twice.

    torch's NAdam once. Exposed by any step while the product counts, as the first ones.
    """

    name = "mutant-schedule-factor-twice"

    def shares(self, w: Work) -> tuple[float, float]:
        of_m, of_g = TorchNadamTwin.shares(self, w)
        product, factor = self.momentum_product(w, w.t + 1), self.momentum(w, w.t + 1)
        return of_m * (1 - product) / (1 - product * factor), of_g


class ScheduleStandsStill(TorchNadamTwin):
    """The momentum is that of the first step for ever.

    Exposed by a momentum_decay that changes it within a few steps.
    """

    name = "mutant-schedule-stands-still"

    def momentum(self, w: Work, t: int) -> float:
        return TorchNadamTwin.momentum(self, w, 1)


class EmptyGradientNotCounted(TorchSparseAdamTwin):
    """A gradient without rows does not advance t.

    What a skipped update looks like. Exposed by such a gradient before another one.
    """

    name = "mutant-empty-gradient-not-counted"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        for slot, gradient in zip(slots, gradients, strict=True):
            slot.t += not (gradient is None or (isinstance(gradient, Rows) and not gradient.indices.size))


# optax


class EpsilonRootOutside(OptaxTwin):
    """epsilon_root is added outside the root.

    Exposed by an epsilon_root that counts.
    """

    name = "mutant-epsilon-root-outside"

    def denominator(self, w: Work) -> Any:
        second = self.corrected(w) if w.v_max is None else w.v_max
        return np.sqrt(second) + w.element(w.h.epsilon_root) + w.element(self.epsilon(w))


class MaximumOfRawMoment(OptaxTwin):
    """The maximum is that of the raw moment, and is not corrected afterwards.

    optax.amsgrad with bias_correction_nu=False. Exposed by v_max after the first step.
    """

    name = "mutant-maximum-of-raw-moment"

    def amsgrad_maximum(self, w: Work) -> Any:
        return np.maximum(w.v_max, w.v)


class ThresholdIgnored(OptaxRadamTwin):
    """Rectifies from 5 on, whatever threshold was asked for.

    Exposed by another threshold.
    """

    name = "mutant-threshold-ignored"

    def threshold(self, w: Work) -> float:
        return 5.0


class NesterovOfThisStep(OptaxNadamTwin):
    """m is corrected by 1 - beta_1^t, where it should be by 1 - beta_1^(t+1).

    Exposed by the first steps (x 1.9 of m's share at t = 1).
    """

    name = "mutant-nesterov-of-this-step"

    def next_step(self, w: Work) -> int:
        return w.t


class NesterovWithoutGradient(OptaxNadamTwin):
    """The step uses the average alone, as Adam's.

    ``nesterov=True`` accepted and ignored. Exposed by the parameters in the first step.
    """

    name = "mutant-nesterov-without-gradient"

    def numerator(self, w: Work) -> Any:
        return w.m / self.bias_at(w, self.beta_1(w), w.t)
