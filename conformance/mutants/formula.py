"""Mutants of the dense formula: epsilon, scalars, moments and direction.

The first line of each docstring says what is wrong, in the words in which a diagnosis would; then where it
happened, and what exposes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.mutants.twin import Scalar, Work
from conformance.mutants.twins import KerasV2Twin, Mxnet2Twin, RectifiedTwin, TfKerasTwin, TorchTwin

# Epsilon


class NonFusedMinusEpsilon(KerasV2Twin):
    """sqrt(v) - epsilon in the dense branch, sqrt(v) + epsilon in the sparse one.

    Keras NonFusedAdam, 2.6 to 2.12. Exposed by small gradients (6e-6 of the update at g = 1, x 1.92 at
    g = 1e-5), and by a dense step beside the same step as rows.
    """

    name = "mutant-nonfused-minus-epsilon"

    def denominator(self, w: Work) -> Any:
        root, epsilon = np.sqrt(self.second(w)), w.element(self.epsilon(w))
        return root - epsilon if w.rows is None else root + epsilon


class PaperEpsilonInKeras(KerasV2Twin):
    """Paper epsilon where the dialect has epsilon hat.

    The confusion of Kingma & Ba's two formulas. Exposed by epsilon / abs(g) of 0.1 or more in the first
    steps; gone when 1 - beta_2^t has reached 1.
    """

    name = "mutant-paper-epsilon-in-keras"

    def denominator(self, w: Work) -> Any:
        bias_2 = self.bias_correction(w, self.beta_2(w))
        return np.sqrt(self.second(w)) + w.element(self.epsilon(w) * np.sqrt(bias_2))


class EpsilonHatInTorch(TorchTwin):
    """Epsilon hat where the dialect has paper epsilon.

    Paddle Adam before 2.0, which documented the paper's. Exposed by epsilon / abs(g) of 0.1 or more.
    """

    name = "mutant-epsilon-hat-in-torch"

    def denominator(self, w: Work) -> Any:
        bias_2 = self.bias_correction(w, self.beta_2(w))
        return np.sqrt(self.second(w)) + w.element(self.epsilon(w) / np.sqrt(bias_2))


class EpsilonInsideRoot(KerasV2Twin):
    """Epsilon inside the square root: sqrt(v + epsilon).

    TensorFlow's RMSprop and optax's eps_root have it there. Exposed by g^2 that is not far above epsilon.
    """

    name = "mutant-epsilon-inside-root"

    def denominator(self, w: Work) -> Any:
        return np.sqrt(self.second(w) + w.element(self.epsilon(w)))


class NoEpsilon(TfKerasTwin):
    """No epsilon at all.

    Epsilon 1e-8 that underflowed in float16 (optax, MXNet, Keras). Exposed by g = 0 from the first step on,
    which must be no step and is 0 / 0 here, and by epsilon of the size of g.
    """

    name = "mutant-no-epsilon"

    def epsilon(self, w: Work) -> Scalar:
        return w.scalar(0)


class RectifiedWithoutEpsilon(RectifiedTwin):
    """No epsilon in the rectified branch.

    torch's foreach RAdam before 2.0. Exposed by g = 0 from the first step on, and by epsilon 0.1, in steps
    that rectify.
    """

    name = "mutant-rectified-without-epsilon"

    def epsilon(self, w: Work) -> Scalar:
        return w.scalar(0)


class RectifiedEpsilonInsideRoot(RectifiedTwin):
    """Epsilon is added to v_hat, inside the square root.

    As `EpsilonInsideRoot`, where only steps above the threshold divide. Exposed by small gradients, late enough.
    """

    name = "mutant-rectified-epsilon-inside-root"

    def denominator(self, w: Work) -> Any:
        return np.sqrt(self.second(w) + w.element(self.epsilon(w)))


class AdaptiveEpsilonDenseOnly(TfKerasTwin):
    """Adaptive epsilon in the dense branch only.

    tf_keras, late 2023. Exposed by rows with adaptive_epsilon and an epsilon that counts.
    """

    name = "mutant-adaptive-epsilon-dense-only"

    def epsilon(self, w: Work) -> Scalar:
        return TfKerasTwin.epsilon(self, w) if w.rows is None else w.scalar(w.h.epsilon)


# Scalars


class LearningRateTooSmall(KerasV2Twin):
    """Learning rate x 0.999.

    The size of an error that loose tolerances pass. Exposed by any step that is not lost in theta's roundoff.
    """

    name = "mutant-learning-rate-too-small"

    def learning_rate(self, w: Work) -> Scalar:
        return w.scalar(w.h.learning_rate) * w.scalar(0.999)


class ZeroLearningRateIsDefault(KerasV2Twin):
    """Learning rate 0 becomes 0.001.

    ``learning_rate or 0.001``, as frameworks write it about epsilon. Exposed by learning rate 0 alone, where a
    schedule begins or ends.
    """

    name = "mutant-zero-learning-rate-is-default"

    def learning_rate(self, w: Work) -> Scalar:
        return w.scalar(w.h.learning_rate or 0.001)


class LearningRateAtMostOne(TfKerasTwin):
    """Learning rate above 1 is taken for 1.

    Exposed by such a learning rate alone.
    """

    name = "mutant-learning-rate-at-most-one"

    def learning_rate(self, w: Work) -> Scalar:
        return w.scalar(min(w.h.learning_rate, 1.0))


class BetaAsText(TorchTwin):
    """beta_1 passes through a text of ten digits.

    MXNet hands its operators decimal text. Exposed by a beta_1 that takes seventeen digits, as one does that a
    float32 checkpoint gives back, in float64.
    """

    name = "mutant-beta-as-text"

    def beta_1(self, w: Work) -> Scalar:
        return w.scalar(float(f"{w.h.beta_1:.10g}"))


class BetaOneIgnored(KerasV2Twin):
    """beta_1 is 0.8, whatever was asked.

    Passed the golden test of Keras's Adam. Exposed by m after the first step, unless beta_1 is 0.8.
    """

    name = "mutant-beta-one-ignored"

    def beta_1(self, w: Work) -> Scalar:
        return w.scalar(0.8)


class BiasCorrectionOff(TorchTwin):
    """No bias correction.

    The default of OneFlow and MLX. Exposed by the first steps (x 3.16, 4.25, 6.53 at t = 1, 2, 10).
    """

    name = "mutant-bias-correction-off"

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        return w.scalar(1)


class PowersInSinglePrecision(TorchTwin):
    """1 - beta^t in float32, where double is declared.

    Kernels that take the beta powers as float. Exposed by beta_2 near 1: the relative error of 1 - beta_2^t
    is 1.3e-5 at 0.999 and 1.4e-3 at 0.99999.
    """

    name = "mutant-powers-in-single-precision"

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        return w.scalar(np.float32(1) - np.float32(beta) ** np.float32(w.t))


# Moments and direction


class SignSgd(KerasV2Twin):
    """Sign-SGD: only the gradient's sign is used.

    Passed the golden test of Keras's Adam, whose gradients are constant. Exposed by a gradient that changes.
    """

    name = "mutant-sign-sgd"

    def direction(self, w: Work) -> Any:
        return w.element(self.rate(w)) * np.sign(w.g)


class NoMomentum(RectifiedTwin):
    """No momentum: the step uses g, not the average m.

    Passed the golden test of TF-Addons' RectifiedAdam. m itself is right, so that only the parameters expose
    it, by a gradient that changes.
    """

    name = "mutant-no-momentum"

    def numerator(self, w: Work) -> Any:
        return w.element(self.bias_correction(w, self.beta_1(w))) * w.g


class Nesterov(KerasV2Twin):
    """Nesterov momentum: the step uses beta_1 m + (1 - beta_1) g.

    NAdam in the place of Adam. Exposed by the parameters after the first step; state is right.
    """

    name = "mutant-nesterov"

    def numerator(self, w: Work) -> Any:
        beta = self.beta_1(w)
        return w.element(beta) * w.m + w.element(w.scalar(1) - beta) * w.g


class TailDecaysByItself(TorchTwin):
    """m <- m m beta_1 in the elements behind the last full vector.

    The scalar tail of DeepSpeed's CPUAdam before November 2020. Exposed by the second step on, in any size
    that is no multiple of the vector width (8 here).
    """

    name = "mutant-tail-decays-by-itself"

    def first_moment(self, w: Work) -> Any:
        right = np.array(TorchTwin.first_moment(self, w))
        tail = np.arange(right.size).reshape(right.shape) >= right.size // 8 * 8
        wrong = w.m * w.m * w.element(self.beta_1(w)) + w.element(w.scalar(1) - self.beta_1(w)) * w.g
        return np.where(tail, wrong, right)


class AmsgradIgnored(KerasV2Twin):
    """amsgrad accepted, its maximum stored, and not used in the step.

    Passed the golden test of Keras's Adam. Exposed by a spike and then smaller gradients, in the parameters.
    """

    name = "mutant-amsgrad-ignored"

    def second(self, w: Work) -> Any:
        return w.v


# Rectification


class RectifiesTooLate(RectifiedTwin):
    """Rectifies from sma_threshold + 1 on.

    Thresholds of 4, 5, >= 5 and > 5 are all in use. Exposed by the step whose sma_t is between the two, which
    is one step only while beta_2 is near 1.
    """

    name = "mutant-rectifies-too-late"

    def rectifies(self, w: Work, length: Scalar) -> bool:
        return bool(length >= w.scalar(w.h.sma_threshold) + w.scalar(1))


# Decay and clipping


class ClipsAfterDecay(Mxnet2Twin):
    """clip(rescale_grad g + l2 theta): MXNet 1's order in MXNet 2's dialect.

    MXNet changed it from 1.x to 2.0. Exposed by theta = 10, g = 1, l2 = 1, clip_gradient = 0.5.
    """

    name = "mutant-clips-after-decay"

    def prepare_gradient(self, w: Work) -> Any:
        return self.clip(w, self.add_l2(w, self.rescale(w, w.g)))


class ZeroClipIgnored(Mxnet2Twin):
    """clip_gradient = 0 does not clip.

    MXNet's fused path, which tests ``clip_gradient > 0``, where step() clips to 0. Exposed by that value
    alone.
    """

    name = "mutant-zero-clip-ignored"

    def clip(self, w: Work, g: Any) -> Any:
        return Mxnet2Twin.clip(self, w, g) if w.h.clip_gradient else g


class DecayMultipliesGradient(Mxnet2Twin):
    """g (rescale_grad + l2 theta) instead of g rescale_grad + l2 theta.

    MXNet's Nadam to 1.0: ``g *= rescale + wd * w``. Exposed by l2 and g that is not 1.
    """

    name = "mutant-decay-multiplies-gradient"

    def add_l2(self, w: Work, g: Any) -> Any:
        return g + w.element(w.h.l2) * w.theta * w.g


class DecayAfterStep(TfKerasTwin):
    """Decoupled decay of the parameter that the step has already updated.

    AdamW of transformers. Exposed by a large learning rate with a large weight_decay.
    """

    name = "mutant-decay-after-step"

    def move(self, w: Work, direction: Any) -> Any:
        moved = w.theta - direction
        rate = self.rate(w) * w.scalar(w.h.weight_decay)
        return moved - w.element(rate) * moved


class DecayWithoutLearningRate(RectifiedTwin):
    """weight_decay not multiplied by the learning rate.

    TF-Addons' AdamW. Exposed by weight_decay.
    """

    name = "mutant-decay-without-learning-rate"

    def decay(self, w: Work) -> Any:
        return w.element(w.h.weight_decay) * w.theta


class L2AppliedDecoupled(TorchTwin):
    """l2 decays theta beside the step instead of entering the moments.

    AdamW where Adam was asked for. Exposed by l2: m already differs after one step.
    """

    name = "mutant-l2-applied-decoupled"

    def add_l2(self, w: Work) -> Any:
        w.theta = w.theta - w.element(self.rate(w) * w.scalar(w.h.l2)) * w.theta
        return w.g
