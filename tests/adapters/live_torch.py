"""`wrong_torch.Plain`, wrong in what only one object shows that lives on: loads into it, `.grad` that is kept."""

from __future__ import annotations

from typing import Any

from wrong_torch import Plain


class LoadMerges(Plain):
    """What the object holds and the loaded state does not stays."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        before = {p: dict(state) for p, state in self.state.items()}
        super().load_state_dict(state_dict)
        for p, state in before.items():
            self.state[p] = state | self.state[p]


class LargerCountStays(Plain):
    """A load brings back a larger count, and no smaller one."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        before = {p: state["step"] for p, state in self.state.items()}
        super().load_state_dict(state_dict)
        for p, state in self.state.items():
            state["step"] = max(state["step"], before.get(p, 0))


class LoadKeepsChangedRate(Plain):
    """A learning rate that has been changed since the construction stays."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        changed = [group["lr"] if self.state else None for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, rate in zip(self.param_groups, changed, strict=True):
            group["lr"] = group["lr"] if rate is None else rate


class ZeroFreezesCount(Plain):
    """A gradient of zeros does not count."""

    def update(self, p: Any, g: Any, h: dict[str, Any]) -> None:
        super().update(p, g, h)
        if not g.any():
            self.state[p]["step"] -= 1
