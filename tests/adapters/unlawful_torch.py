"""Torch optimizers whose steps are Adam's, and which break something else: a law, or the t that the state reports."""

from __future__ import annotations

from typing import Any

import torch
from wrong_torch import Plain


class CountLostOnLoad(Plain):
    """A load begins at t = 0."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["step"] = 0


class TakesRowMajor(Plain):
    """Gradients are read in the order in which they lie in memory."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        dense = g.numel() and not g.is_contiguous() and 0 not in g.stride()
        super().update(p, g.as_strided(g.shape, torch.empty(g.shape).stride()) if dense else g, h)


class ScaledTogether(Plain):
    """All gradients are divided by the largest of them, and multiplied by it again."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        sizes = [float(g.abs().max()) for g in gradients if g.numel()]
        self.largest = max(sizes, default=0.0)
        super().step()

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        by = self.largest if 1e-20 < self.largest < 1e20 else 1.0
        super().update(p, g / by * by, h)


class FirstRateForAll(Plain):
    """Every group has the first one's learning rate."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g, {**h, "lr": self.param_groups[0]["lr"]})


class RatesRenewedByTheFirst(Plain):
    """Learning rates are gathered once, and again when the first group's is another."""

    rates: tuple[float, ...] = ()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        now = tuple(group["lr"] for group in self.param_groups)
        if self.rates[:1] != now[:1] or len(self.rates) != len(now):
            self.rates = now
        super().step()

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        (number,) = (k for k, group in enumerate(self.param_groups) if group is h)
        super().update(p, g, h | {"lr": self.rates[number]})


class CountsAhead(Plain):
    """The state's step is that of the next one."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        state = self.state[p]
        if state:
            state["step"] -= 1
        super().update(p, g, h)
        state["step"] += 1


SHOWN: dict[type, str] = {
    CountLostOnLoad: "law-save-load",
    TakesRowMajor: "law-transposed",
    ScaledTogether: "law-independence",
    FirstRateForAll: "law-groups",
    RatesRenewedByTheFirst: "law-changed-group",
    CountsAhead: "step-count",
}
"""The check that shows it."""
