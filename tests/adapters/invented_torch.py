"""More wrong torch optimizers, made up to see how far a diagnosis is to be trusted: one mistake, two, or an unknown.

`SAID` is what the diagnosis must say; None is that nothing known fits.
"""

from __future__ import annotations

from typing import Any

import torch
from wrong_torch import Plain


class CorrectionsSwapped(Plain):
    """Each bias correction where the other belongs."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return 1 - b2**t, 1 - b1**t


class EpsilonTimesRate(Plain):
    """Epsilon is scaled with the learning rate."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr, lr * eps)


class RootBeforeAverage(Plain):
    """v averages roots, abs(g), and none is taken of it."""

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        v.mul_(b2).add_(g.abs(), alpha=1 - b2)

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, v / bias_2 + eps, value=-lr / bias_1)


class PowersOneBehind(Plain):
    """beta^(t-1), but for the first step."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(max(t - 1, 1), b1, b2)


class GrowsAfterwards(Plain):
    """The decay comes after the step, and with the wrong sign."""

    def shrink(self, p: Any, lr: float, decay: float) -> None: ...

    def end(self, p: Any, h: dict[str, Any]) -> None:
        if h["decoupled_weight_decay"]:
            p.add_(h["lr"] * h["weight_decay"] * p)


class RateOverRoot(Plain):
    """The learning rate is divided by sqrt(1 - beta_1^t)."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return (1 - b1**t) ** 0.5, 1 - b2**t


class MaximumOfCorrected(Plain):
    """AMSGrad's maximum is of the corrected moment."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.correction = 1 - h["betas"][1] ** (self.state[p].get("step", 0) + 1)
        super().update(p, g, h)

    def maximum(self, s: dict[str, Any]) -> Any:
        kept = s["max_exp_avg_sq"]
        torch.maximum(kept, s["exp_avg_sq"] / self.correction, out=kept)
        return kept * self.correction


class ClippedAtOne(Plain):
    """Gradients are clipped to [-1, 1]."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g.clamp(-1, 1), h)


class GainMissing(Plain):
    """m is a sum: 1 - beta_1 is missing."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        m.mul_(b1).add_(g)


class OneStateForAShape(Plain):
    """Parameters of one shape share one state."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g, h)
        for q in h["params"]:
            if q is not p and q.shape == p.shape:
                self.state[q] = {**self.state[p], "step": self.state[q].get("step", 0)}


class DecayedInV(Plain):
    """The L2 term enters v and not m."""

    def l2(self, g: Any, p: Any, decay: float) -> Any:
        self.decayed = g + decay * p
        return g

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.decayed = g
        super().update(p, g, h)

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        super().second_moment(v, self.decayed, b2)


class EpsilonInAverage(Plain):
    """Epsilon is added to every square that v averages."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.eps = h["eps"]
        super().update(p, g, h)

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        super().second_moment(v, g, b2)
        v.add_((1 - b2) * self.eps)


class HatAndCount(Plain):
    """Epsilon hat, and t + 1 where t belongs."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(t + 1, b1, b2)

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, v.sqrt() + eps, value=-lr * bias_2**0.5 / bias_1)


class CoupledAndUncorrected(Plain):
    """Decoupled decay is an L2 term, and m is not corrected."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return 1.0, 1 - b2**t

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g, {**h, "decoupled_weight_decay": False})


class BetaAndNoEpsilon(Plain):
    """beta_2 is 0.99, and epsilon is never used."""

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        super().second_moment(v, g, 0.99)

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr, 0.0)


class BothMoments(Plain):
    """m is formed with beta_2, and v does not decay."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.b2 = h["betas"][1]
        super().update(p, g, h)

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, self.b2)

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        v.addcmul_(g, g)


class PerElement(Plain):
    """The step is divided by the number of elements."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr / max(p.numel(), 1), eps)


class SlowWeights(Plain):
    """Every third step goes back half the way (Lookahead)."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        s = self.state[p]
        slow = self.slow.setdefault(p, p.clone()) if hasattr(self, "slow") else p.clone()
        self.__dict__.setdefault("slow", {})[p] = slow
        super().update(p, g, h)
        if s["step"] % 3 == 0:
            slow.lerp_(p, 0.5)
            p.copy_(slow)


class ThreeThings(Plain):
    """Epsilon hat, beta_1 0.8, and t + 1."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, 0.8)

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(t + 1, b1, b2)

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, v.sqrt() + eps, value=-lr * bias_2**0.5 / bias_1)


class PowerOneBehind(Plain):
    """beta_1^(t-1), but for the first step, and beta_2^t."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return 1 - b1 ** max(t - 1, 1), 1 - b2**t


class Remembering(Plain):
    """Keeps each parameter's last gradient."""

    def last(self, p: Any, g: Any) -> Any:
        kept = self.__dict__.setdefault("kept", {})
        old, kept[p] = kept.get(p, g), g.clone()
        return old


class GradientsAveraged(Remembering):
    """Each gradient is averaged with the one before."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, (g + self.last(p, g)) / 2, h)


class MomentInHalf(Plain):
    """m is rounded to float16."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, b1)
        m.copy_(m.half())


class MomentInBrain(Plain):
    """v is rounded to bfloat16."""

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        super().second_moment(v, g, b2)
        v.copy_(v.bfloat16())


class FirstStepSkipped(Plain):
    """The first step forms the moments and goes nowhere."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        before = p.clone()
        super().update(p, g, h)
        if self.state[p]["step"] == 1:
            p.copy_(before)


class NormClipped(Plain):
    """The norm of each gradient is clipped to 1."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g / max(1.0, float(g.norm())), h)


class OldDenominator(Plain):
    """v of the step before below the root, but in the first step, each corrected by its own count."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        name = "max_exp_avg_sq" if h["amsgrad"] else "exp_avg_sq"
        self.old = self.state[p][name].clone() if self.state[p] else None
        super().update(p, g, h)

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return 1 - b1**t, 1 - b2 ** max(t - 1, 1)

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v if self.old is None else self.old, bias_1, bias_2, lr, eps)


class DecayByStepSize(Plain):
    """The decay is scaled by the bias-corrected step size."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.bias_1 = 1 - h["betas"][0] ** (self.state[p].get("step", 0) + 1)
        super().update(p, g, h)

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        super().shrink(p, lr / self.bias_1, decay)


TWO = "two things at once: "
SAID: dict[type, str | None] = {
    CorrectionsSwapped: "bias correction of m and v exchanged",
    EpsilonTimesRate: "epsilon is multiplied by the learning rate",
    RootBeforeAverage: f"{TWO}v is formed of abs(g), not of g^2; and no square root of v",
    PowersOneBehind: "step count off by one: t - 1 where t belongs, from t = 2 on",
    GrowsAfterwards: "weight_decay has the wrong sign, and the updated parameter grows, not the one before",
    RateOverRoot: "bias correction of m by sqrt(1 - beta_1^t)",
    MaximumOfCorrected: "AMSGrad's maximum is of v / (1 - beta_2^t), not of v",
    ClippedAtOne: "the gradient is clipped to [-1, 1]",
    GainMissing: None,  # an explanation says it; next to beta_1 = 1 its bound is too narrow for what was not scaled
    OneStateForAShape: "parameters of equal shape share their moments",
    DecayedInV: "l2 enters v and not m",
    EpsilonInAverage: "v is formed of g^2 + epsilon, not of g^2",
    HatAndCount: (f"{TWO}epsilon hat instead of paper epsilon; and step count off by one: t + 1 where t belongs"),
    CoupledAndUncorrected: (
        f"{TWO}no bias correction of m; and weight_decay is coupled: an L2 term in the gradient instead of decoupled"
        " decay"
    ),
    BetaAndNoEpsilon: f"{TWO}beta_2 is 0.99 in the moments, whatever was asked; and epsilon is not used at all",
    BothMoments: f"{TWO}beta_2 in the place of beta_1 in m; and v does not decay: v = v + g^2 (as AdaGrad's)",
    PowerOneBehind: "bias correction of m by t - 1 where t belongs, from t = 2 on",
    GradientsAveraged: "the gradient is averaged with that of the step before, but in the first",
    MomentInHalf: "m is held in float16",
    MomentInBrain: "v is held in bfloat16",
    FirstStepSkipped: "the parameters are not written, in a parameter's first step only",
    NormClipped: "the gradient's norm is clipped to 1, parameter by parameter",
    OldDenominator: (
        "the step uses v of the step before, corrected by its own t - 1, in a parameter's steps from the second one on"
        " only"
    ),
    DecayByStepSize: "weight_decay is multiplied by learning_rate / (1 - beta_1^t), the step size",
    PerElement: None,
    SlowWeights: None,
    ThreeThings: None,
}
