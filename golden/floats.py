"""Floats as C99 hexadecimal text: exact, and every language's strtod reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from golden.case import GoldenError

_HEX = re.compile(r"-?0x[01](\.[0-9a-f]{1,13})?p[+-][0-9]{1,4}")


def to_hex(value: float) -> str:
    """The shortest text of a finite float64: 1.5 is ``0x1.8p+0``, 0 is ``0x0p+0``."""
    if not math.isfinite(value):
        raise GoldenError(f"value is {value!r}; accepted: a finite number")
    mantissa, _, exponent = float(value).hex().partition("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}"


def from_hex(text: object, where: str) -> float:
    """The float64 of a text that `to_hex` could have written; `GoldenError` for any other."""
    accepted = "a finite C99 hexadecimal float in its shortest form, such as 0x1.8p-3"
    if not isinstance(text, str) or len(text) > 32 or not _HEX.fullmatch(text):
        raise GoldenError(f"{where} is {shortened(text)}; accepted: {accepted}")
    try:
        value = float.fromhex(text)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value) or to_hex(value) != text:
        raise GoldenError(f"{where} is {text!r}; accepted: {accepted}")
    return value


def hex_list(array: Any) -> list[str]:
    """All elements in row-major order."""
    return [to_hex(float(value)) for value in np.asarray(array, dtype=np.float64).ravel()]


def from_hex_list(texts: object, shape: Sequence[int], where: str) -> Any:
    """A float64 array of `shape`, in row-major order."""
    size = math.prod(shape)
    if not isinstance(texts, list) or len(texts) != size:
        length = len(texts) if isinstance(texts, list) else type(texts).__name__
        raise GoldenError(f"{where} has length {length}; accepted: {size} numbers, of shape {list(shape)}")
    values = [from_hex(text, f"{where}[{k}]") for k, text in enumerate(texts)]
    return np.array(values, dtype=np.float64).reshape(tuple(shape))


def decimal(value: float) -> str:
    """For a person to read: rounded to nine digits."""
    return f"{value:.9g}"


def shortened(value: object) -> str:
    """A value for an error message."""
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
