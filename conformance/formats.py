"""Rounding to the formats that cross the contract, bfloat16 among them, which NumPy does not have."""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.contract import Array


def travels_as(precision: str) -> str:
    """The NumPy dtype in which numbers of a format cross the contract."""
    return "float32" if precision == "bfloat16" else precision


def rounded(values: Any, precision: str) -> Array:
    """Finite `values`, rounded to nearest even, as an array of the dtype that they travel in."""
    array = np.asarray(values).astype(travels_as(precision))
    if precision != "bfloat16":
        return array
    bits = array.view(np.uint32)
    nearest = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.asarray(nearest, dtype=np.uint32).view(np.float32)


def holds(precision: str, array: Array) -> bool:
    """Whether the format has every number of `array`, which is of the dtype that they travel in."""
    return precision != "bfloat16" or not np.any(np.ascontiguousarray(array).view(np.uint32) & np.uint32(0xFFFF))
