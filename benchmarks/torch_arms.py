"""Arms on torch tensors, on the CPU and on a GPU: torch's own Adam, ours, and what a step costs around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from benchmarks.task import BETA_1, BETA_2, EPSILON, Array, Task


class OnTorch:
    """Leaves of one task under one optimizer."""

    device = "cpu"
    arguments: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, task: Task) -> None:
        self.parameters = [_copy(theta, self.device).requires_grad_() for theta in task.parameters]
        for p, g in zip(self.parameters, task.gradients, strict=True):
            p.grad = None if g is None else _copy(g, self.device)
        groups = [
            {"params": [self.parameters[i] for i in members], "lr": task.learning_rate(k)}
            for k, members in enumerate(task.groups)
        ]
        self.optimizer = self.make(groups)
        self.step: Callable[[], object] = self.optimizer.step

    def make(self, groups: list[dict[str, Any]]) -> Any:
        """The optimizer."""
        return torch.optim.Adam(groups, betas=(BETA_1, BETA_2), eps=EPSILON, **self.arguments)

    def renew_gradients(self) -> None:
        """Clones, made while the old ones live, so that they lie elsewhere."""
        for p in self.parameters:
            if p.grad is not None:
                p.grad = p.grad.clone()

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """Out of ``optimizer.state``."""
        p = self.parameters[i]
        state = self.optimizer.state.get(p, {})
        m, v = (state[name].cpu().numpy() if name in state else None for name in ("exp_avg", "exp_avg_sq"))
        return p.detach().cpu().numpy(), m, v


class Loop(OnTorch):
    """``_single_tensor_adam``."""

    arguments = MappingProxyType({"foreach": False, "fused": False})


class Foreach(OnTorch):
    """``_multi_tensor_adam``."""

    arguments = MappingProxyType({"foreach": True, "fused": False})


class Fused(OnTorch):
    """``_fused_adam``."""

    arguments = MappingProxyType({"foreach": False, "fused": True})


class Ours(OnTorch):
    """``fused_adam.Adam``."""

    def make(self, groups: list[dict[str, Any]]) -> Any:
        """Imported here, so that a first step pays for it."""
        import fused_adam

        return fused_adam.Adam(groups, betas=(BETA_1, BETA_2), eps=EPSILON)


class CudaForeach(Foreach):
    """``_multi_tensor_adam`` on the GPU."""

    device = "cuda"


class CudaFused(Fused):
    """``_fused_adam`` on the GPU."""

    device = "cuda"


class CudaCapturable(OnTorch):
    """``_multi_tensor_adam`` with its step counts on the GPU."""

    device = "cuda"
    arguments = MappingProxyType({"foreach": True, "fused": False, "capturable": True})


class CudaOurs(Ours):
    """``fused_adam.Adam`` on the GPU."""

    device = "cuda"


class CudaLimit:
    """A device-to-device copy of as many bytes: 28 per parameter, 14 read and 14 written."""

    def __init__(self, task: Task) -> None:
        elements = sum(task.parameters[i].size for i in task.present)
        self.source = torch.full((14 * elements,), 1, dtype=torch.uint8, device="cuda")
        self.target = torch.zeros_like(self.source)

    def step(self) -> None:
        """One copy."""
        self.target.copy_(self.source)

    def renew_gradients(self) -> None:
        """It has none."""

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """The copy."""
        return self.target.cpu().numpy(), None, None


class _Nothing(torch.optim.Optimizer):
    def __init__(self, params: Any) -> None:
        super().__init__(params, {})

    def step(self, closure: Callable[[], float] | None = None) -> None:
        pass


class EmptyOptimizer(OnTorch):
    """A torch optimizer whose step does nothing: what torch's own wrapper costs."""

    def make(self, groups: list[dict[str, Any]]) -> Any:
        """Over the same groups."""
        return _Nothing(groups)


class OursEmpty(Ours):
    """`Ours` over a driver that computes nothing: what our face and engine cost."""

    def __init__(self, task: Task) -> None:
        from benchmarks.empty_driver import empty_driver

        super().__init__(task)
        with empty_driver():
            self.optimizer.step()  # binds the driver


def _copy(array: Array, device: str) -> Any:
    return torch.tensor(array, device=device)
