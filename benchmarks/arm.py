"""What is compared: arms, how they are started, and which of them are here.

An *arm* is one optimizer in one process: ours, a peer's, or the limit. Its `Running` holds arrays of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from adapters.contract import Arithmetic
from adapters.registry import ADAPTERS
from benchmarks.task import Array, Task
from benchmarks.workloads import Case

Role = Literal["ours", "peer", "limit", "wrapper"]


class Running(Protocol):
    """One optimizer over one task. Its constructor takes the `Task`, copies it and takes no step."""

    def step(self) -> object:
        """One step, finished when it returns (on a GPU: enqueued)."""

    def renew_gradients(self) -> None:
        """The same gradients in newly allocated memory, at other addresses than before."""

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """Parameter `i`, m and v as NumPy arrays or views; None before they exist."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One optimizer by name, without anything imported."""

    name: str
    role: Role
    dialect: str
    """"" for the limit and the wrappers, which compute no Adam."""
    module: str
    cls: str
    """The `Running`, and the module of this room that it is in."""
    needs: tuple[str, ...]
    """Modules of the framework, without which this arm is missing."""
    environment: str = "bench"
    """tox environment that has them."""
    adapter: str | None = None
    """The conformance adapter of this code path, which declares its arithmetic."""
    declared: Arithmetic | None = None
    """The arithmetic where there is no adapter, or where it differs on this device."""
    groups: bool = False
    """Whether it has parameter groups."""

    def load(self) -> type[Any]:
        """The class of its `Running`."""
        found: type[Any] = getattr(importlib.import_module(self.module), self.cls)
        return found

    def import_framework(self) -> None:
        """Import what it needs; ImportError where that fails."""
        for name in self.needs:
            importlib.import_module(name)

    def arithmetic(self) -> Arithmetic:
        """How it computes float32."""
        if self.declared is not None:
            return self.declared
        entry = ADAPTERS[str(self.adapter)]
        arithmetic: Arithmetic = getattr(importlib.import_module(entry.module), entry.cls)().arithmetic("float32")
        return arithmetic

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if absent:
            return f"not installed here: {', '.join(absent)}; it runs in tox environment {self.environment}"
        return None

    def part_of(self, case: Case) -> bool:
        """Wrappers are timed among themselves."""
        return (self.role == "wrapper") == (case.condition == "wrapper")

    def cannot(self, case: Case) -> str | None:
        """Why it has no part in `case`, or None."""
        if case.groups > 1 and not self.groups:
            return "no parameter groups"
        return None

    def start(self, task: Task) -> Running:
        """A new optimizer over copies of the task's arrays."""
        running: Running = self.load()(task)
        return running


def split(arms: Sequence[Arm]) -> tuple[list[Arm], dict[str, str]]:
    """Arms that are here, and of the others why they are not."""
    reasons = {arm.name: arm.missing() for arm in arms}
    here = [arm for arm in arms if reasons[arm.name] is None]
    return here, {name: reason for name, reason in reasons.items() if reason is not None}
