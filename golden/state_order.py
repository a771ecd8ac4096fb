"""The names of what a framework lists of its state: ``t``, ``learning_rate``, and ``m[i]`` and so on of parameter i."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from golden.case import GoldenError
from golden.floats import shortened
from golden.kinds import get, is_a
from reference import Hyperparameters

_NAME = re.compile(r"(m|v|v_max|slow|average)\[(0|[1-9][0-9]*)\]")


def parse(data: Mapping[str, Any], parameters: int, h: Hyperparameters, where: str) -> tuple[str, ...]:
    """Of a case; empty where it has none. Raises `GoldenError` unless each state of the case stands there once."""
    if "state_order" not in data:
        return ()
    names = tuple(is_a(name, str, f"{where}: state_order") for name in get(data, "state_order", list, where))
    kinds = ["m", "v", *(["v_max"] if h.amsgrad else [])]
    kinds += [kind for kind, value in (("slow", h.sync_period), ("average", h.ema_momentum)) if value is not None]
    wanted = {f"{kind}[{i}]" for kind in kinds for i in range(parameters)} | {"t"}
    if len(names) != len(set(names)) or set(names) - {"learning_rate"} != wanted:
        odd = shortened(", ".join(sorted(set(names) ^ wanted)[:5]) or "what stands there twice")
        raise GoldenError(f"{where}: state_order differs in {odd}; accepted: each of t, {', '.join(kinds)} once")
    return names


def place(name: str) -> tuple[str, int] | None:
    """Quantity and parameter; None of t and learning_rate."""
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2])) if found else None
