"""Which driver computes where the parameters live."""

from __future__ import annotations

from fused_adam.engine import Driver


def driver_of(device: str) -> Driver:
    """The driver of a type of device ("cpu"). ImportError naming what it needs and is not there."""
    if device != "cpu":
        raise AssertionError(f"no driver for {device!r}: faces refuse such parameters before they come here")
    from fused_adam.cpu_driver import DRIVER

    return DRIVER
