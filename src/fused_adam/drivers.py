"""Which driver computes where the parameters live."""

from __future__ import annotations

from typing import Any

from fused_adam.engine import Driver
from fused_adam.forks import COMPILING

DEVICES = ("cpu", "cuda")
"""Types of devices that have one; faces refuse parameters elsewhere."""


def driver_of(device: Any) -> Driver:
    """The driver of "cpu" or of a ``torch.device``. ImportError naming what it needs and is not there."""
    if str(device) == "cpu":
        with COMPILING:
            from fused_adam.cpu_driver import DRIVER

        return DRIVER
    from fused_adam.triton_driver import driver_for

    return driver_for(device)
