"""Error of a trajectory as a fraction of its bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from random_problems import Array

from reference import Bound, State


def fractions(before: tuple[State, State], after: tuple[State, State], bound: Bound) -> dict[str, float]:
    """Per quantity the largest error of (got, wanted) as a fraction of the bound, in any arithmetic of both.

    What the bound calls ambiguous is left out. An error where none is allowed, and a NaN, are infinite.
    """
    (got_before, wanted_before), (got, wanted) = before, after
    pairs: dict[str, tuple[Iterable[Any], Iterable[Any]]] = {
        "theta": (got.theta, wanted.theta),
        "m": (got.m, wanted.m),
        "v": (got.v, wanted.v),
        "update": (_moved(got_before, got), _moved(wanted_before, wanted)),
    }
    if got.v_max is not None and wanted.v_max is not None:
        pairs["v_max"] = (got.v_max, wanted.v_max)
    if got.slow is not None and wanted.slow is not None:
        pairs["slow"] = (got.slow, wanted.slow)
    if got.average is not None and wanted.average is not None:
        pairs["average"] = (got.average, wanted.average)
    return {
        name: max(fraction(g, w, limit) for g, w, limit in zip(*pair, getattr(bound, name), strict=True))
        for name, pair in pairs.items()
    }


def fraction(got: Any, wanted: Any, limit: Any) -> float:
    """Largest |got - wanted| / limit."""
    judged = np.isfinite(limit)
    if not judged.any():
        return 0.0
    with np.errstate(invalid="ignore"):
        error = np.abs(np.asarray(got)[judged] - np.asarray(wanted)[judged]).astype(float)
    share = np.where(error == 0, 0.0, np.inf)
    np.divide(error, limit[judged], out=share, where=(limit[judged] > 0) & np.isfinite(error))
    return float(share.max())


def worst_of(found: Iterable[dict[str, float]]) -> dict[str, float]:
    """Per quantity the largest fraction of several steps."""
    worst: dict[str, float] = {}
    for one in found:
        for name, value in one.items():
            worst[name] = max(worst.get(name, 0.0), value)
    return worst


def _moved(before: State, after: State) -> list[Array]:
    with np.errstate(invalid="ignore"):
        return [new - old for old, new in zip(before.theta, after.theta, strict=True)]
