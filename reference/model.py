"""The constants of the rounding model: data, which anybody can read, and no second copy in code."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "golden" / "tolerances.json"


def _model() -> Any:
    """What the file has of it. Raises `ImportError` that says what is wrong with the file."""
    try:
        model = json.loads(FILE.read_text(encoding="ascii"))["model"]
        roundings, formats = model["roundings"]["value"], model["formats"]["value"]
        whole = [roundings, *(number for numbers in formats.values() for number in numbers)]
        if roundings >= 1 and all(type(number) is int for number in whole) and {"float32", "float64"} <= set(formats):
            return roundings, {name: (bits, least, most) for name, (bits, least, most) in formats.items()}
        reason = "its constants are not whole numbers, or a format is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise ImportError(f"{FILE} cannot be used ({reason}); accepted: the file of this project, as git has it")


C: int
FORMATS: MappingProxyType[str, tuple[int, int, int]]
C, _formats = _model()
"""Roundings granted to a quantity of a few operations."""
FORMATS = MappingProxyType(_formats)
"""By name of a format: significand bits, smallest normal exponent, largest exponent."""
