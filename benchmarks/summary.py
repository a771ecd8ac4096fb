"""Medians, spread and ratios per round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """Median, and the range from the 10 % to the 90 % quantile."""

    median: float
    low: float
    high: float


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, linear between order statistics: that of 0 to 10 at 0.1 is 1. ValueError for no values."""
    if not values:
        raise ValueError("values is empty; accepted: at least one number")
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = math.ceil(place)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def spread(values: Sequence[float]) -> Spread:
    """Of one number per round."""
    return Spread(quantile(values, 0.5), quantile(values, 0.1), quantile(values, 0.9))


def ratios(others: Sequence[float], ours: Sequence[float]) -> list[float]:
    """other / ours, round by round: above 1 where ours is faster. ValueError for different numbers of rounds."""
    return [other / our for other, our in zip(others, ours, strict=True)]
