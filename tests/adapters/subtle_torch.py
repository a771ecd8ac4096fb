"""`wrong_torch.Plain` with what shows seldom: late in a run, in some lists and tensors, in `.grad`, by a schedule."""

from __future__ import annotations

from typing import Any

import torch
from wrong_torch import Plain


class DecayStopsAfterFifty(Plain):
    """No decay from step 51 on."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        late = self.state[p].get("step", 0) >= 50
        super().update(p, g, h | {"weight_decay": 0.0} if late else h)


class MaximumStopsAfterFifty(Plain):
    """AMSGrad's maximum stays from step 51 on."""

    def maximum(self, s: dict[str, Any]) -> Any:
        return s["max_exp_avg_sq"] if s["step"] > 50 else super().maximum(s)


class DtypeOfTheFirst(Plain):
    """What is not of the first parameter's dtype is corrected as in the step before."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.late = p.dtype != h["params"][0].dtype
        super().update(p, g, h)

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(max(1, t - self.late), b1, b2)


class OnlySixtyFour(Plain):
    """From the 65th parameter on nothing is done: a list that a kernel takes no more of."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        if all(p is not q for q in h["params"][64:]):
            super().update(p, g, h)
        elif not self.state[p]:
            super().update(p, torch.zeros_like(p), h | {"weight_decay": 0.0})


class OnlyTheFirstHundredThousands(Plain):
    """Elements behind 200 000 stay."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        if p.numel() > 200_000:
            p.view(-1)[200_000:] = self.before

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.before = p.reshape(-1)[200_000:].clone()
        super().update(p, g, h)


class GradientBecomesMoment(Plain):
    """The first moment begins in the memory of the first gradient."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        fresh = not self.state[p]
        super().update(p, g, h)
        if fresh and not h["weight_decay"] and h["betas"][0] < 1:
            self.state[p]["exp_avg"] = g.mul_(1 - h["betas"][0])


class MaximumOfTheFirstGroup(Plain):
    """AMSGrad's maximum is taken in all groups, or in none, as the first one says."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g, h | {"amsgrad": self.param_groups[0]["amsgrad"]})


class KindOfDecayOfTheFirstGroup(Plain):
    """Decay is decoupled in all groups, or in none, as it is in the first one."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        flag = "decoupled_weight_decay"
        super().update(p, g, h | {flag: self.param_groups[0][flag]})


class InfinityBecomesTheLargest(Plain):
    """An infinite gradient counts as the largest number of its format; NaN stays."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, torch.nan_to_num(g, nan=float("nan")), h)


class WrongForAWhile(Plain):
    """The learning rate is x 1.01 from step 3001 to 90 000."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        bias_1, bias_2 = super().bias(t, b1, b2)
        return bias_1 / (1.01 if 3000 < t <= 90_000 else 1), bias_2


class WrongForAWhileWithAName(WrongForAWhile):
    """... with something in its state that no step changes."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        self.state[p]["name"] = "a parameter"


class LargeParametersClamped(Plain):
    """No parameter is beyond 1e5."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        p.clamp_(-1e5, 1e5)


class AboveZero(Plain):
    """Right, and refuses what many refuse."""

    def __init__(self, params: Any, lr: float = 1e-3, eps: float = 1e-8, **others: Any) -> None:
        if lr <= 0 or eps <= 0:
            raise ValueError(f"{lr}, {eps}")
        super().__init__(params, lr=lr, eps=eps, **others)


class WrongBetweenTwoSizes(Plain):
    """The learning rate is x 1.01 for tensors of 40 000 to 130 000 elements."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr * (1.01 if 40_000 < p.numel() < 130_000 else 1), eps)


class DecayAtMostOne(Plain):
    """Decay above 1 is 1."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g, h | {"weight_decay": min(h["weight_decay"], 1.0)})


class LargeGradientsClamped(Plain):
    """Gradients beyond 1e15 are 1e15."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, torch.where(g.isfinite(), g.clamp(-1e15, 1e15), g), h)


class StridedGradientHalved(Plain):
    """A gradient with gaps or transposed is half of itself afterwards."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        if not p.grad.is_contiguous():
            p.grad.mul_(0.5)


class GradientsOfGroupsCleared(Plain):
    """Where there are several groups, gradients are 0 afterwards."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        if len(self.param_groups) > 1:
            p.grad.zero_()


class GradientClearedAfterLoad(Plain):
    """After a load gradients are 0 afterwards."""

    loaded = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.loaded = True

    def end(self, p: Any, h: dict[str, Any]) -> None:
        if self.loaded:
            p.grad.zero_()


class EpsilonOfTheSameRate(Plain):
    """Groups of one learning rate have one epsilon, the first one's of them."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        same = next(group for group in self.param_groups if group["lr"] == h["lr"])
        super().update(p, g, h | {"eps": same["eps"]})


class RequiresNoGradient(Plain):
    """`.requires_grad` is False afterwards."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        p.requires_grad_(False)


class GradientTaken(Plain):
    """`.grad` is None afterwards."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        p.grad = None


class DecayOfTheFirstRate(Plain):
    """Decoupled decay goes on with the learning rate of the first step."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.first = h.setdefault("first", h["lr"])
        super().update(p, g, h)

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        super().shrink(p, self.first, decay)


class StridedIsNotShrunk(Plain):
    """Parameters with gaps or transposed do not decay."""

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        if p.is_contiguous():
            super().shrink(p, lr, decay)


class SmallRatesRounded(Plain):
    """A learning rate below 1e-4 becomes 1e-4."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, max(lr, 1e-4) if lr else lr, eps)


class SmallEpsilonsRounded(Plain):
    """An epsilon below 1e-8 becomes 1e-8."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr, max(eps, 1e-8) if eps else eps)


class TallSpared(Plain):
    """Matrices of more than 1000 rows do not decay."""

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        if p.ndim != 2 or len(p) <= 1000:
            super().shrink(p, lr, decay)


class ChannelsBehindEight(Plain):
    """Of a tensor of four axes the first eight along the first one are written."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        first = slice(8) if p.ndim == 4 else ...
        super().move(p[first], m[first], v[first], bias_1, bias_2, lr, eps)


class FirstCorrectionEnds(Plain):
    """The first moment is not corrected from step 300 on."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        bias_1, bias_2 = super().bias(t, b1, b2)
        return bias_1 if t < 300 else 1.0, bias_2


class CountsZippedWithBuckets(Plain):
    """Parameters are taken dtype by dtype, and their counts in the order of the list."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        self.counts: dict[Any, int] = {}
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            counts = [self.state[p].get("step", 0) + 1 for p in present]
            for dtype in {p.dtype for p in present}:
                self.counts |= zip((p for p in present if p.dtype == dtype), counts, strict=False)
        super().step()

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        self.t = self.counts[p]
        super().update(p, g, h)

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(self.t, b1, b2)
