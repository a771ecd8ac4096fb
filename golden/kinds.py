"""What a key of a golden file holds: of the right kind, or an error that says where and what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from golden import floats
from golden.case import GoldenError


def exact_in_float32(array: Any, where: str) -> Any:
    """As given, if an implementation in float32 can be given the very same."""
    with np.errstate(over="ignore"):
        if not np.array_equal(array.astype(np.float32).astype(np.float64), array):
            raise GoldenError(f"{where} has a value that float32 does not hold; accepted: values that it holds exactly")
    return array


def get(data: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """The value of a key, of a kind; `GoldenError` otherwise."""
    if key not in data:
        raise GoldenError(f"{where} has no {key}; accepted: a {kind.__name__}")
    return is_a(data[key], kind, f"{where}: {key}")


def is_a(value: Any, kind: type, where: str) -> Any:
    """The value, of a kind, text being printable; `GoldenError` otherwise."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise GoldenError(f"{where} is {floats.shortened(value)}; accepted: a {kind.__name__}")
    if isinstance(value, str) and not value.isprintable():
        raise GoldenError(f"{where} is {floats.shortened(value)}; accepted: printable characters")
    return value
