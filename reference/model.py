"""The constants of the rounding model: data, which anybody can read, and no second copy in code."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

FILE = Path(__file__).resolve().parent.parent / "golden" / "tolerances.json"

_model = json.loads(FILE.read_text(encoding="ascii"))["model"]
C: int = _model["roundings"]["value"]
"""Roundings granted to a quantity of a few operations."""
FORMATS = MappingProxyType({name: tuple(numbers) for name, numbers in _model["formats"]["value"].items()})
"""By name of a format: significand bits, smallest normal exponent, largest exponent."""
if not (isinstance(C, int) and C >= 1):
    raise ValueError(f"{FILE}: model.roundings.value is {C!r}; accepted: a whole number >= 1")
