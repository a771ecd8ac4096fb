"""What the project wants to show, beside what was measured. Never a verdict of a run: speed is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.catalogue import LIMIT
from benchmarks.report import Report
from benchmarks.summary import spread

_ARRAYS = 16
"""Bytes per parameter: p, g, m, v."""
TEMPORARY = 0.01
"""Share of one array of the parameters' size above which memory is taken to grow with the parameters."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One line of the list."""

    text: str
    measured: str
    """ "" where it was not."""
    met: bool | None


def goals(reports: Sequence[Report]) -> list[Goal]:
    """Every goal of the devices that the reports are of."""
    found: list[Goal] = []
    for device in ("cpu", "gpu"):
        of_device = [report for report in reports if report.header["device"] == device]
        if of_device:
            found += [_ratio(of_device, *row) for row in _RATIOS[device]]
        if of_device and device == "cpu":
            found += [_first_step(of_device, "cold", 5.0), _first_step(of_device, "cached", 0.6), _memory(of_device)]
    return found


_FUSED = "torch fused"
_COPY = "copy limit"
_Row = tuple[str, str, str, float]
"""Case, ours, the other, and how many times as long as ours it should take at least."""

_RATIOS: dict[str, tuple[_Row, ...]] = {
    "cpu": (
        ("1x20M hot", "fused_adam", LIMIT.name, 0.95),
        ("1x20M hot", "fused_adam", _FUSED, 1.0),
        ("1x100M hot", "fused_adam", LIMIT.name, 0.95),
        ("1x100M hot", "fused_adam", _FUSED, 1.0),
        ("resnet-50 hot", "fused_adam", _FUSED, 1.0),
        ("bert-base hot", "fused_adam", _FUSED, 1.0),
        ("100x10K hot", "fused_adam", _FUSED, 4.0),
        ("1000x1K hot", "fused_adam", _FUSED, 12.0),
        ("1x1K hot", "fused_adam", _FUSED, 1.5),
        ("1x20M hot", "fused_adam.numpy keras-v2-adam", "Keras fused", 2.0),
        ("1x20M hot", "fused_adam.numpy mxnet2-adam", "MXNet fused", 8.0),
    ),
    "gpu": (
        ("1x1G hot", "fused_adam", _COPY, 0.92),
        ("1x1G hot", "fused_adam", _FUSED, 1.0),
        ("1000x1K hot", "fused_adam", _FUSED, 4.0),
        ("100x10K groups-100", "fused_adam", _FUSED, 5.0),
    ),
}


def _ratio(reports: Sequence[Report], case: str, ours: str, other: str, least: float) -> Goal:
    text = f"{case}: {other} takes at least {least:g} x the time of {ours}"
    for report in reports:
        for r in report.ratios():
            if (r.case, r.ours, r.other) == (case, ours, other):
                measured = f"{r.ratio.median:.3g} ({r.ratio.low:.3g} to {r.ratio.high:.3g})"
                return Goal(text=text, measured=measured, met=r.ratio.median >= least)
    return Goal(text=text, measured="", met=None)


def _first_step(reports: Sequence[Report], cache: str, most: float) -> Goal:
    text = f"first step() of fused_adam, {cache}, after import torch and construction: at most {most:g} s"
    for report in reports:
        for row in report.first_steps:
            if (row.arm, row.cache) == ("fused_adam", cache):
                median = spread(row.seconds).median
                return Goal(text=text, measured=f"{median:.2f} s", met=median <= most)
    return Goal(text=text, measured="", met=None)


def _memory(reports: Sequence[Report]) -> Goal:
    text = "no allocation of fused_adam during step() grows with the parameters"
    for report in reports:
        for row in report.memory:
            if row.arm == "fused_adam":
                temporary = row.peak / row.elements - _ARRAYS
                measured = f"{temporary:.3f} bytes per parameter beside the arrays, growth {row.growth / 2**10:.0f} KiB"
                limit = 4 * TEMPORARY
                return Goal(text=text, measured=measured, met=temporary < limit and row.growth / row.elements < limit)
    return Goal(text=text, measured="", met=None)
