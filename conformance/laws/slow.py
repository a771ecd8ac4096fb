"""Lookahead around an optimizer whose updates have a closed form: what its own updates are then."""

from __future__ import annotations

from typing import Any

from reference import Hyperparameters


class Slow:
    """Of every parameter the sum s of the updates since theta and the slow weights were last the same.

    A step that synchronises goes to slow + alpha s, so that of its own update u it keeps alpha u, and of all those
    before it takes 1 - alpha back: its update is alpha u - (1 - alpha) s.
    """

    def __init__(self, h: Hyperparameters, *, back: int = -1) -> None:
        """back: 1 for what |u| is at most, which is at most alpha |u| + (1 - alpha) s."""
        self.h, self.back = h, back
        self.since: dict[int, Any] = {}

    def synchronises(self, t: int) -> bool:
        """Whether step t does."""
        return self.h.sync_period is not None and t % self.h.sync_period == 0

    def update(self, i: int, t: int, u: Any) -> Any:
        """The update of parameter i in its step t, where the optimizer's is u."""
        before = self.since.get(i, 0.0)
        if not self.synchronises(t):
            self.since[i] = before + u
            return u
        self.since[i] = 0.0
        return _share(self.h.slow_step_size, u) + self.back * _share(1 - self.h.slow_step_size, before)


def _share(of: float, x: Any) -> Any:
    """of x; nothing of infinity is nothing."""
    return of * x if of else 0.0
