"""A driver of fused_adam that computes nothing (docs/engine.md, "What a driver is")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class EmptyDriver:
    """Everything but the work: t advances, because the scalar rows are formed from it."""

    name = "empty"
    chunk = 16384

    def kernel(self, variant: Any) -> int:
        """Any number; nobody calls it."""
        return 1

    def load(self, plan: Any, dtypes: Any) -> None:
        """Nothing to prepare."""

    def run(self, loaded: Any, step: Any) -> str:
        """One addition for all tensors, gradient or not."""
        step.counts += 1
        return "nothing"


@contextmanager
def empty_driver() -> Iterator[None]:
    """Optimizers of fused_adam that take their first step in here are bound to an `EmptyDriver`."""
    from fused_adam import cpu_driver

    real = cpu_driver.DRIVER
    cpu_driver.DRIVER = EmptyDriver()  # type: ignore[assignment]
    try:
        yield
    finally:
        cpu_driver.DRIVER = real
