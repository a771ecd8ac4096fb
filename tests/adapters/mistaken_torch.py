"""Torch optimizers that take one thing for another: groups, gradients, memory, flags."""

from __future__ import annotations

from typing import Any

import torch
from wrong_torch import Plain


class AmsgradOfItsBucket(Plain):
    """Groups that AMSGrad alone tells apart are one."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        bucket = next(group for group in self.param_groups if _but_amsgrad(group) == _but_amsgrad(h))
        super().update(p, g, {**h, "amsgrad": bucket["amsgrad"]})


class CorrectionsByBetas(Plain):
    """Where a group's parameters have one count, it is that of the first such group with its betas."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        self.counts: dict[Any, int] = {}
        super().step()

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        present = {self.state[q].get("step", 0) + (q.grad is not None) for q in h["params"] if q.grad is not None}
        self.one = len(present) == 1 or p is h["params"][0]
        super().update(p, g, h)

    def bias(self, t: int, b1: float, b2: float) -> tuple[float, float]:
        return super().bias(self.counts.setdefault((b1, b2), t) if self.one else t, b1, b2)


class GradientInTheFirstDtype(Plain):
    """Gradients pass through the dtype of the list's first one."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        first = next(q for q in h["params"] if q.grad is not None)
        super().update(p, g.to(first.dtype).to(g.dtype), h)


class MemoryOfTheFirstStep(Plain):
    """Parameters are written where they were in the first step."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        where = self.__dict__.setdefault("where", {}).setdefault(p, p.data)
        super().update(p, g, h)
        if where.data_ptr() != p.data_ptr():
            p.data = where


class WritesWholeVectors(Plain):
    """The last vector of eight is written whole, whoever owns what is behind the parameter."""

    def end(self, p: Any, h: dict[str, Any]) -> None:
        more, room = -p.numel() % 8, p.untyped_storage().nbytes() // p.element_size() - p.storage_offset() - p.numel()
        if p.is_contiguous() and p.numel() and room >= more:
            p.as_strided((more,), (1,), p.storage_offset() + p.numel()).zero_()


class OnlyParameters(Plain):
    """A tensor that is no Parameter is left out."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        if isinstance(p, torch.nn.Parameter):
            super().update(p, g, h)


class KnowsEveryKey(Plain):
    """A group with a key that it does not know, such as a scheduler's, raises."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        if unknown := h.keys() - self.defaults.keys() - {"params"}:
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
        super().update(p, g, h)


class ChunksOfNanRest(Plain):
    """Of a large parameter a chunk whose gradient is not finite is left out."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        before = p.detach().clone()
        super().update(p, g, h)
        if p.numel() > 1024 and p.is_contiguous():
            for start in range(0, p.numel(), 1024):
                chunk = slice(start, start + 1024)
                if not g.reshape(-1)[chunk].isfinite().all():
                    p.view(-1)[chunk] = before.view(-1)[chunk]


class LeastEpsilon(Plain):
    """Epsilon is at least 1e-12."""

    def move(self, p: Any, m: Any, v: Any, bias_1: float, bias_2: float, lr: float, eps: float) -> None:
        super().move(p, m, v, bias_1, bias_2, lr, max(eps, 1e-12) if eps else 0.0)


class SmallDecayIsNone(Plain):
    """An L2 term below 1e-5 is none."""

    def l2(self, g: Any, p: Any, decay: float) -> Any:
        return g if decay < 1e-5 else super().l2(g, p, decay)


def _but_amsgrad(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in ("amsgrad", "params")}
