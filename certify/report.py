"""What a run has found: for a terminal, and for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from certify.measure import STEP
from certify.run import DIALECTS, Record

_NOT_TERMINAL_WIDTH = 150


def console(*, stderr: bool = False) -> Console:
    """A console that does not cut tables where nobody sees a terminal."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_NOT_TERMINAL_WIDTH)


def ordered(records: Sequence[Record]) -> list[Record]:
    """Stages as the dialects have them, then dialects, whatever ended first."""
    stages = {stage.__name__: None for d in DIALECTS.values() for stage in d.stages}
    names, dialects = [*stages, *STEP], [*DIALECTS, None]
    kinds = ("stage", "step", "scalar")

    def place(r: Record) -> tuple[int, int, int]:
        return kinds.index(r.kind), names.index(r.name) if r.name in names else 0, dialects.index(r.dialect)

    return sorted(records, key=place)


def tables(records: Sequence[Record]) -> list[Table]:
    """One of stages, one of whole steps, one of scalars; those that have a row."""
    found = ordered(records)
    made = []
    for kind, title, headings, cells in _TABLES:
        rows = [r for r in found if r.kind == kind]
        if not rows:
            continue
        table = Table(title=title, title_justify="left")
        for heading in headings:
            left = heading in ("stage", "dialect", "quantity", "scalar", "worst at")
            table.add_column(heading, justify="left" if left else "right", no_wrap=heading != "worst at")
        for r in rows:
            row = cells(r)
            table.add_row(*row, style=None if r.holds else "red")
        made.append(table)
    return made


def number(value: float) -> str:
    """Two decimals, or a power of ten; 0 where there is no error at all."""
    if not value:
        return "0"
    return f"{value:.2f}" if 0.01 <= value < 1e4 else f"{value:.1e}"


def worst(r: Record) -> str:
    """The error of `r`; - where it had nothing to compute, as AMSGrad's maximum in a dialect without AMSGrad."""
    return number(r.error) if r.compared or r.aside or r.error else "-"


_TABLES: tuple[tuple[str, str, tuple[str, ...], Any], ...] = (
    (
        "stage",
        "Every stage by itself: worst error in u times the sum of its terms' magnitudes; accepted: 8",
        ("stage", "dialect", "worst", "quantity", "elements", "set aside"),
        lambda r: (r.name, r.dialect, worst(r), r.quantity, str(r.compared), str(r.aside)),
    ),
    (
        "step",
        "A whole step: worst error as a fraction of the derived bound of float64; accepted: 1",
        ("quantity", "dialect", "worst", "ulp of the result", "elements", "set aside"),
        lambda r: (r.name, r.dialect, number(r.error), number(r.ulps), str(r.compared), str(r.aside)),
    ),
    (
        "scalar",
        "Scalars: worst error in units in the last place of the result; accepted: 8",
        ("scalar", "worst", "points", "worst at"),
        lambda r: (r.name, number(r.error), str(r.compared), r.where),
    ),
)


def failure(r: Record) -> str:
    """What is above its bound, and where."""
    what = {"stage": f"stage {r.name} ({r.quantity})", "step": f"a step's {r.name}", "scalar": f"scalar {r.name}"}
    unit = {"stage": "u times its terms", "step": "of its bound", "scalar": "ulp"}[r.kind]
    of = f" of {r.dialect}" if r.dialect else ""
    error = f"{r.error:.4g} {unit}" if math.isfinite(r.error) else "off where not a bit may differ, or no number"
    return f"{what[r.kind]}{of} is {error}; accepted: {r.accepted:g}; at {r.where}"


def as_json(records: Sequence[Record], header: dict[str, Any]) -> dict[str, Any]:
    """Everything; an infinite error is null."""
    found = [
        asdict(r) | {"error": r.error if math.isfinite(r.error) else None, "accepted": r.accepted, "holds": r.holds}
        for r in ordered(records)
    ]
    for one in found:
        one["ulps"] = one["ulps"] if math.isfinite(one["ulps"]) else None
    return header | {"holds": all(r.holds for r in records), "records": found}
