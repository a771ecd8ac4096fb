"""A correct Adam in plain torch, and the bugs of released optimizers planted in it, one subclass each.

What another author would bring to ``--torch-optimizer wrong_torch:Class``.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


class Plain(torch.optim.Optimizer):
    """Adam with both decays, AMSGrad, and nothing clever."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        flags = {"amsgrad": amsgrad, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **flags})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, p.grad, group)

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        s, (b1, b2) = self.state[p], h["betas"]
        if not s:
            names = ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if h["amsgrad"] else ()))
            s.update({"step": 0} | {name: torch.zeros_like(p) for name in names})
        s["step"] += 1
        if h["weight_decay"] and not h["decoupled_weight_decay"]:
            g = self.l2(g, p, h["weight_decay"])
        elif h["weight_decay"]:
            self.shrink(p, h["lr"], h["weight_decay"])
        self.first_moment(s["exp_avg"], g, b1)
        self.second_moment(s["exp_avg_sq"], g, b2)
        v = self.maximum(s) if h["amsgrad"] else s["exp_avg_sq"]
        self.move(p, s["exp_avg"], v, *self.bias(s["step"], b1, b2), h["lr"], h["eps"])
        self.end(p, h)

    def l2(self, g: Any, p: Any, decay: float) -> Any:
        return g + decay * p

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        p.sub_(lr * decay * p)

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        m.mul_(b1).add_(g, alpha=1 - b1)

    def second_moment(self, v: Any, g: Any, b2: float) -> None:
        v.mul_(b2).addcmul_(g, g, value=1 - b2)

    def maximum(self, s: dict[str, Any]) -> Any:
        return torch.maximum(s["max_exp_avg_sq"], s["exp_avg_sq"], out=s["max_exp_avg_sq"])

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return 1 - b1**t, 1 - b2**t

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, v.sqrt() / bias_2**0.5 + eps, value=-lr / bias_1)

    def end(self, p: Any, h: dict[str, Any]) -> None: ...


class MinusEpsilon(Plain):
    """sqrt(v) - epsilon (Keras NonFusedAdam to 2.12)."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr, -eps)


class TailSquared(Plain):
    """m *= m b1 where no vector of eight fits (DeepSpeed CPUAdam before 2020-11)."""

    def first_moment(self, m: Any, g: Any, b1: float) -> None:
        tail = m.view(-1)[m.numel() // 8 * 8 :]
        tail.mul_(tail)
        super().first_moment(m, g, b1)


class DecayInProduct(Plain):
    """g *= 1 + wd w instead of g + wd w (MXNet Nadam to 1.0)."""

    def l2(self, g: Any, p: Any, decay: float) -> Any:
        return g * (1 + decay * p)


class LeavesGradModeOff(Plain):
    """Whatever the program does after the first step has no gradients."""

    def step(self, closure: Any = None) -> None:
        super().step(closure)
        torch.set_grad_enabled(False)


class LeavesDoubleForDefault(Plain):
    """Whatever the program makes after a step is float64."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        torch.set_default_dtype(torch.float64)


class FlushesSubnormals(Plain):
    """From the first step on the program has no subnormal numbers."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        torch.set_flush_denormal(True)


class TakesAThread(Plain):
    """Every step takes one more thread for the program."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        torch.set_num_threads(torch.get_num_threads() + 1)


class SeedsNumPy(Plain):
    """As `SeedsEveryStep`, of NumPy."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        np.random.seed(0)  # noqa: NPY002, what training scripts do


class SeedsPython(Plain):
    """As `SeedsEveryStep`, of Python."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        random.seed(0)


class SeedsEveryStep(Plain):
    """Whatever the program draws after a step it draws again after the next."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        torch.manual_seed(0)


class DecayAfterwards(Plain):
    """The decay is applied to the updated weight (transformers AdamW)."""

    def shrink(self, p: Any, lr: float, decay: float) -> None: ...

    def end(self, p: Any, h: dict[str, Any]) -> None:
        if h["decoupled_weight_decay"]:
            p.sub_(h["lr"] * h["weight_decay"] * p)


class NoBiasCorrection(Plain):
    """Bias correction is off (OneFlow, MLX)."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return 1.0, 1.0


class EpsilonHat(Plain):
    """Epsilon hat where paper epsilon is documented (Paddle Adam before 2.0)."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        p.addcdiv_(m, v.sqrt() + eps, value=-lr * bias_2**0.5 / bias_1)


class MaximumNotStored(Plain):
    """AMSGrad's maximum is computed and never stored (torch foreach Adam before 1.13)."""

    def maximum(self, s: dict[str, Any]) -> Any:
        return torch.maximum(s["max_exp_avg_sq"], s["exp_avg_sq"])


class EpsilonUnused(Plain):
    """Epsilon is never used (torch foreach RAdam before 2.0)."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr, 0.0)


class MaximumRooted(Plain):
    """AMSGrad's maximum is square-rooted in place (torch SparseAdam)."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        root = v.sqrt_() if self.state[p].get("max_exp_avg_sq") is v else v.sqrt()
        p.addcdiv_(m, root / bias_2**0.5 + eps, value=-lr / bias_1)


class SharedCount(Plain):
    """One count advances for every parameter (MXNet on several devices)."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(sum(s["step"] for s in self.state.values()), b1, b2)


class CorrectedTwice(Plain):
    """1 - beta_1^t divides twice (torch NAdam applied a factor of its momentum schedule twice)."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return (1 - b1**t) ** 2, 1 - b2**t


class CountedByDevice(Plain):
    """A shared count advances by one per parameter, before any is updated (MXNet on several devices)."""

    def step(self, closure: Any = None) -> None:
        self.count = getattr(self, "count", 0) + sum(p.grad is not None for g in self.param_groups for p in g["params"])
        super().step()

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(self.count, b1, b2)


class CountSticks(Plain):
    """The count sticks at 256, bfloat16's last integer (torch load_state_dict)."""

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(min(t, 256), b1, b2)


class DecayWithoutRate(Plain):
    """weight_decay is not multiplied by the learning rate (TF-Addons AdamW)."""

    def shrink(self, p: Any, lr: float, decay: float) -> None:
        super().shrink(p, 1.0, decay)


WRONG: dict[type, str] = {
    MinusEpsilon: "epsilon is subtracted: sqrt(v) - epsilon",
    TailSquared: "m <- m m beta_1 in the elements behind the last full vector (TailDecaysByItself)",
    DecayInProduct: "l2 multiplies the gradient: g (1 + l2 theta) instead of g + l2 theta",
    DecayAfterwards: "decay after the step: the updated parameter decays, not the one before",
    NoBiasCorrection: "no bias correction",
    EpsilonHat: "epsilon hat instead of paper epsilon",
    MaximumNotStored: "the maximum of AMSGrad is used and not stored",
    EpsilonUnused: "epsilon is not used at all",
    CorrectedTwice: "bias correction of m applied twice",
    MaximumRooted: "AMSGrad's maximum is square-rooted in place: v_max holds the root",
    CountedByDevice: "one step count that a step advances by the number of its gradients",
    SharedCount: "one step count that every parameter's update advances",
    CountSticks: "the step count sticks at 256 (bfloat16's last)",
    DecayWithoutRate: "weight_decay is not multiplied by the learning rate",
}
"""The bugs of released optimizers that a torch optimizer can show, and what the diagnosis must say of each."""


# Shapes of classes


class PassesOn(Plain):
    """Takes what its base takes."""

    def __init__(self, params: Any, lr: float = 0.1, **rest: Any) -> None:
        super().__init__(params, lr, **rest)


class FewArguments(torch.optim.Adam):
    """No AMSGrad and no decay."""

    def __init__(self, params: Any, lr: float, betas: tuple[float, float], eps: float) -> None:
        super().__init__(params, lr, betas, eps)


class CoupledDespiteItsNameW(Plain):
    """An L2 term, and a name that promises decoupled decay."""

    def __init__(
        self, params: Any, lr: float, betas: tuple[float, float], eps: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class Raises(torch.optim.Adam):
    """Its step raises."""

    def step(self, closure: Any = None) -> None:
        raise RuntimeError("not today")


class OtherState(torch.optim.Adam):
    """Keeps its moments under names of its own."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        super().step()
        for state in self.state.values():
            state["mine"] = state.pop("exp_avg")


class MoreState(torch.optim.Adam):
    """Keeps something besides moments and a count that steps change."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        super().step()
        for state in self.state.values():
            state["mine"] = state.get("mine", 0.0) + 0.5


class AnotherOne(torch.optim.Adam):
    """What is constructed is not of this class."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return torch.optim.Adam(*args, **kwargs)


def factory(params: Any, **rest: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(params, **rest)
