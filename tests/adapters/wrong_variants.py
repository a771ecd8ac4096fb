"""RAdam and NAdam in plain torch, right ones and wrong ones, as another author would bring them."""

from __future__ import annotations

import math
from typing import Any

import torch


class Variant(torch.optim.Optimizer):
    """What both share: the moments, and both decays."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        **more: Any,
    ) -> None:
        flags = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **flags, **more})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for h in self.param_groups:
            for p in h["params"]:
                if p.grad is None:
                    continue
                s, (b1, b2), g = self.state[p], h["betas"], p.grad
                if not s:
                    zeros = {name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")}
                    s.update({"step": 0, "mu_product": 1.0, **zeros})
                s["step"] += 1
                if h["decoupled_weight_decay"]:
                    p.sub_(h["lr"] * h["weight_decay"] * p)
                else:
                    g = g + h["weight_decay"] * p
                s["exp_avg"].mul_(b1).add_(g, alpha=1 - b1)
                s["exp_avg_sq"].mul_(b2).addcmul_(g, g, value=1 - b2)
                self.move(p, g, s, h)

    def move(self, p: Any, g: Any, s: dict[str, Any], h: dict[str, Any]) -> None:
        raise NotImplementedError


class PlainRAdam(Variant):
    """As torch's."""

    threshold = 5.0

    def move(self, p: Any, g: Any, s: dict[str, Any], h: dict[str, Any]) -> None:
        (b1, b2), t = h["betas"], s["step"]
        bias_1, bias_2 = 1 - b1**t, 1 - b2**t
        longest = 2 / (1 - b2) - 1
        length = longest - 2 * t * b2**t / bias_2
        m = s["exp_avg"] / bias_1
        if length > self.threshold:
            p.sub_(h["lr"] * self.factor(length, longest) * m * self.adaptive(s["exp_avg_sq"], bias_2, h["eps"]))
        else:
            p.sub_(h["lr"] * m)

    def factor(self, length: float, longest: float) -> float:
        return math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))

    def adaptive(self, v: Any, bias_2: float, eps: float) -> Any:
        return bias_2**0.5 / (v.sqrt() + eps)


class RAdamFromFour(PlainRAdam):
    """Rectifies where rho_t is above 4."""

    threshold = 4.0


class RAdamPaperEpsilon(PlainRAdam):
    """Epsilon beside the root of the corrected moment."""

    def adaptive(self, v: Any, bias_2: float, eps: float) -> Any:
        return 1 / (v.sqrt() / bias_2**0.5 + eps)


class RAdamWithoutFactor(PlainRAdam):
    """r_t is missing."""

    def factor(self, length: float, longest: float) -> float:
        return 1.0


class RAdamNeverDivides(PlainRAdam):
    """No step rectifies: it is SGD with momentum."""

    threshold = math.inf


class PlainNAdam(Variant):
    """As torch's."""

    def __init__(self, params: Any, lr: float = 2e-3, *rest: Any, momentum_decay: float = 4e-3, **more: Any) -> None:
        super().__init__(params, lr, *rest, momentum_decay=momentum_decay, **more)

    def move(self, p: Any, g: Any, s: dict[str, Any], h: dict[str, Any]) -> None:
        (b1, b2), t = h["betas"], s["step"]
        mu, mu_next = (self.mu(b1, k, h["momentum_decay"]) for k in (t, t + 1))
        s["mu_product"] *= mu
        of_m, of_g = self.shares(mu, mu_next, s["mu_product"])
        p.sub_(h["lr"] * (of_m * s["exp_avg"] + of_g * g) / ((s["exp_avg_sq"] / (1 - b2**t)).sqrt() + h["eps"]))

    def mu(self, b1: float, t: int, decay: float) -> float:
        return float(b1 * (1 - 0.5 * 0.96 ** (t * decay)))

    def shares(self, mu: float, mu_next: float, product: float) -> tuple[float, float]:
        return mu_next / (1 - product * mu_next), (1 - mu) / (1 - product)


class NAdamStandsStill(PlainNAdam):
    """The momentum is that of the first step."""

    def mu(self, b1: float, t: int, decay: float) -> float:
        return super().mu(b1, 1, decay)


class NAdamWithoutLookahead(PlainNAdam):
    """m has mu_t where mu_(t+1) belongs."""

    def shares(self, mu: float, mu_next: float, product: float) -> tuple[float, float]:
        return mu / (1 - product * mu_next), (1 - mu) / (1 - product)


class NAdamFactorTwice(PlainNAdam):
    """The product that m is corrected by has its last factor twice."""

    def shares(self, mu: float, mu_next: float, product: float) -> tuple[float, float]:
        return mu_next / (1 - product * mu_next**2), (1 - mu) / (1 - product)


class NAdamWithoutGradient(PlainNAdam):
    """The gradient's share is missing."""

    def shares(self, mu: float, mu_next: float, product: float) -> tuple[float, float]:
        return super().shares(mu, mu_next, product)[0], 0.0


class NAdamDecayIgnored(PlainNAdam):
    """momentum_decay is 0.004, whatever was asked."""

    def mu(self, b1: float, t: int, decay: float) -> float:
        return super().mu(b1, t, 0.004)


WRONG: dict[type, str] = {
    RAdamFromFour: "sma_threshold is 4, whatever was asked",
    RAdamPaperEpsilon: "paper epsilon instead of epsilon hat",
    RAdamWithoutFactor: "the factor r_t of the rectification is missing",
    RAdamNeverDivides: "no step rectifies: theta moves by learning_rate m / (1 - beta_1^t)",
    NAdamStandsStill: "The momentum is that of the first step for ever (ScheduleStandsStill)",
    NAdamWithoutLookahead: "NAdam's momentum: m has mu_t instead of mu_(t+1)",
    NAdamFactorTwice: "The product that m is corrected by has its last factor twice (ScheduleFactorTwice)",
    NAdamWithoutGradient: "NAdam's momentum: the gradient's share is missing",
    NAdamDecayIgnored: "momentum_decay is 0.004, whatever was asked",
}
"""What the diagnosis must say of each."""
