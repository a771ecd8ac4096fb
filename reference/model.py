"""The constants of the rounding model: data, which anybody can read, and no second copy in code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]
FILE = Path(__file__).resolve().parent.parent / "golden" / "tolerances.json"


class Unusable(ImportError):
    """The file says what everything here decides by, and cannot be used. Every command ends with that line and 2."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        sys.excepthook = partial(_one_line, sys.excepthook)


def _one_line(others: Hook, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Of the interpreter, when nobody has caught it: an import fails before any command line has begun."""
    if not isinstance(error, Unusable):
        others(kind, error, trace)
        return
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2)


def _model() -> Any:
    """What the file has of it. Raises `Unusable`."""
    try:
        model = json.loads(FILE.read_text(encoding="ascii"))["model"]
        roundings, formats = model["roundings"]["value"], model["formats"]["value"]
        whole = [roundings, *(number for numbers in formats.values() for number in numbers)]
        if roundings >= 1 and all(type(number) is int for number in whole) and {"float32", "float64"} <= set(formats):
            return roundings, {name: (bits, least, most) for name, (bits, least, most) in formats.items()}
        reason = "its constants are not whole numbers, or a format is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise Unusable(f"{FILE} cannot be used ({reason}); accepted: the file of this project, as git has it")


C: int
FORMATS: MappingProxyType[str, tuple[int, int, int]]
C, _formats = _model()
"""Roundings granted to a quantity of a few operations."""
FORMATS = MappingProxyType(_formats)
"""By name of a format: significand bits, smallest normal exponent, largest exponent."""
