"""Wrong torch optimizers that stand on no list: a diagnosis must name them rightly, or name nothing.

`NAMED` says which words the diagnosis must hold; a class that is not in it must come out as nothing known.
"""

from __future__ import annotations

from typing import Any

import torch
from wrong_torch import Plain


class RateTooLarge(Plain):
    """Learning rate x 1.25."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, 1.25 * lr, eps)


class BetaFixed(Plain):
    """beta_1 is 0.85."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, 0.85)


class Belief(Plain):
    """v is formed of g - m."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, b1)
        self.surprise = g - m

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        super().second_moment(v, self.surprise, b2)


class LastLeftOut(Plain):
    """The last parameter is not written."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        if p is not self.param_groups[0]["params"][-1] or p is self.param_groups[0]["params"][0]:
            super().move(p, m, v, bias_1, bias_2, lr, eps)


class SparesVectors(Plain):
    """Decoupled decay of matrices only."""

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        if p.ndim > 1:
            super().shrink(p, lr, decay)


class Centralized(Plain):
    """The gradient's mean is subtracted."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g - g.mean() if g.numel() else g, b1)


class Warmed(Plain):
    """The first five steps are smaller."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        t = self.state[p].get("step", 0) + 1
        super().update(p, g, h | {"lr": h["lr"] * min(1.0, t / 5)})


class CubeRoot(Plain):
    """A cube root of v."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, (v / bias_2) ** (1 / 3) + eps, value=-lr / bias_1)


class Trusting(Plain):
    """The step is scaled by the parameter's norm over its own (LAMB)."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        d = m / bias_1 / ((v / bias_2).sqrt() + eps)
        norm = float(d.norm())
        p.sub_(d * (lr * float(p.norm()) / norm if norm > 0 else 0.0))


class SmallStepsDropped(Plain):
    """Updates below 1e-6 are not made."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        d = lr * m / bias_1 / ((v / bias_2).sqrt() + eps)
        p.sub_(torch.where(d.abs() < 1e-6, torch.zeros_like(d), d))


class Cautious(Plain):
    """Only elements move whose m and g agree in sign."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, b1)
        self.agrees = m * g > 0

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m * self.agrees, v, bias_1, bias_2, lr, eps)


class HalfPrecision(Plain):
    """m is kept in bfloat16."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, b1)
        m.copy_(m.to(torch.bfloat16))


class TwoThings(Plain):
    """Epsilon hat, and beta_1 0.8."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        super().first_moment(m, g, 0.8)

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, v.sqrt() + eps, value=-lr * bias_2**0.5 / bias_1)


class UpdateClipped(Plain):
    """m / (sqrt(v) + epsilon) is clipped to [-0.5, 0.5]."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.sub_(lr * (m / bias_1 / ((v / bias_2).sqrt() + eps)).clamp(-0.5, 0.5))


NAMED: dict[type, str] = {
    RateTooLarge: "learning rate x 1.25",
    BetaFixed: "beta_1 is 0.85 in the moments",
    Belief: "(g - m)^2",
    LastLeftOut: "no step is taken, while the moments go on, in the last of several parameters only",
    SparesVectors: "spares parameters of less than two axes",
    HalfPrecision: "m is held in bfloat16",
    TwoThings: "two things at once: beta_1 is 0.8 in the moments, whatever was asked; and epsilon hat instead of paper",
}
NAMELESS = (
    Centralized,
    Warmed,
    CubeRoot,
    Trusting,
    SmallStepsDropped,
    Cautious,
    UpdateClipped,
)
WRONG = (*NAMED, *NAMELESS)
