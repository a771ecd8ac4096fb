"""What a run has found: for a terminal, as Markdown, and for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from certify.run import DIALECTS, Record

_NOT_TERMINAL_WIDTH = 150


def console(*, stderr: bool = False) -> Console:
    """A console that does not cut tables where nobody sees a terminal."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_NOT_TERMINAL_WIDTH)


def ordered(records: Sequence[Record]) -> list[Record]:
    """Stages as the dialects have them, then dialects, whatever ended first."""
    stages = {stage.__name__: None for d in DIALECTS.values() for stage in d.stages}
    names, dialects = [*stages, "theta", "m", "v", "v_max"], [*DIALECTS, None]
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


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) and value < 1e4 else f"{value:.2e}"


def _stage_error(r: Record) -> str:
    return _number(r.error) if r.error else "0"


_TABLES: tuple[tuple[str, str, tuple[str, ...], Any], ...] = (
    (
        "stage",
        "Every stage by itself: worst error in u times the sum of its terms' magnitudes; accepted: 8",
        ("stage", "dialect", "worst", "quantity", "elements", "set aside"),
        lambda r: (r.name, r.dialect, _stage_error(r), r.quantity, str(r.compared), str(r.aside)),
    ),
    (
        "step",
        "A whole step: worst error as a fraction of the derived bound of float64; accepted: 1",
        ("quantity", "dialect", "worst", "ulp of the result", "elements", "set aside"),
        lambda r: (r.name, r.dialect, _stage_error(r), _number(r.ulps), str(r.compared), str(r.aside)),
    ),
    (
        "scalar",
        "Scalars: worst error in units in the last place of the result; accepted: 8",
        ("scalar", "worst", "points", "worst at"),
        lambda r: (r.name, _stage_error(r), str(r.compared), r.where),
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


# Markdown


def markdown(records: Sequence[Record], command: str) -> str:
    """The worst errors, for docs/certification.md."""
    found = ordered(records)
    stages = [r for r in found if r.kind == "stage"]
    steps = [r for r in found if r.kind == "step"]
    scalars = [r for r in found if r.kind == "scalar"]
    lines = [f"Made by `{command}`.", ""]
    if stages:
        lines += [
            "## Stages",
            "",
            "In u times the sum of the terms; accepted: 8. 0 is exact, and has to be where nothing is computed.",
            "",
        ]
        lines += _rows(("stage", "dialect", "worst", "of", "elements", "set aside"), [_TABLES[0][3](r) for r in stages])
    if steps:
        lines += ["## Whole steps", "", "As a fraction of the derived bound of float64; accepted: 1.", ""]
        of = {(r.dialect, r.name): _number(r.error) for r in steps}
        names = ("theta", "m", "v", "v_max")
        dialects = [name for name in DIALECTS if any(r.dialect == name for r in steps)]
        lines += _rows(("dialect", *names), [(d, *(of.get((d, n), "-") for n in names)) for d in dialects])
    if scalars:
        lines += ["## Scalars", "", "In ulp of the result; accepted: 8.", ""]
        lines += _rows(("scalar", "worst", "points", "worst at"), [_TABLES[2][3](r) for r in scalars])
    return "\n".join(lines).rstrip() + "\n"


def _rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [*("| " + " | ".join(row) + " |" for row in (headings, ["---"] * len(headings), *rows)), ""]
