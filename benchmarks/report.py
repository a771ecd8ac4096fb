"""The result of a run, and its JSON.

The file holds what was measured, round by round, and for convenience ("summary") what follows from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.summary import Spread, ratios, spread

FORMAT = "adam-conformance benchmark"
VERSION = 1


class ReportError(ValueError):
    """A file that is no report."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One arm in one case."""

    workload: str
    condition: str
    moving: int
    """Elements that have a gradient."""
    arm: str
    role: str
    dialect: str
    steps: int
    """Per timing."""
    seconds: tuple[float, ...]
    """Per step, one per round."""

    @property
    def case(self) -> str:
        """Workload and condition."""
        return f"{self.workload} {self.condition}"


@dataclass(frozen=True, kw_only=True)
class Absence:
    """What is not in the timings and why."""

    kind: str
    """ "missing": not installed; "skipped": has no part in it; "wrong": not what the reference computes;
    "failed": raised an exception."""
    case: str
    """"" for the whole run."""
    arm: str
    """"" for all arms."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class FirstStep:
    """Construction and first step in fresh processes, after the framework's import; one number per process."""

    arm: str
    cache: str
    """ "cold", "cached"; "" where an arm has no cache."""
    construction: tuple[float, ...]
    seconds: tuple[float, ...]
    """Of the first step."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Resident memory of one optimizer during its steps, in a fresh process; bytes."""

    arm: str
    elements: int
    peak: int
    """Above what was there before construction: the arrays (16 bytes per parameter) and all temporaries."""
    growth: int
    """By which steps after the first ones raise it."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as long another arm takes as ours, per round."""

    case: str
    ours: str
    other: str
    ratio: Spread


@dataclass(kw_only=True)
class Report:
    """One run."""

    header: dict[str, Any]
    """device, command, date, commit, quick, rounds, seed, threads, and the facts of `machine`."""
    timings: list[Timing] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    first_steps: list[FirstStep] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)

    def ratios(self) -> list[Ratio]:
        """Of each of ours to the limit, to the peers of its dialect and to others of ours with it."""
        found = []
        for ours in (t for t in self.timings if t.role == "ours"):
            for other in self.timings:
                comparable = other.role == "limit" or other.dialect == ours.dialect
                if other.case == ours.case and other.arm != ours.arm and comparable:
                    ratio = spread(ratios(other.seconds, ours.seconds))
                    found.append(Ratio(case=ours.case, ours=ours.arm, other=other.arm, ratio=ratio))
        return found


def to_json(report: Report) -> str:
    """The report as JSON text."""
    summary = {
        "medians": [{"case": t.case, "arm": t.arm, **spread(t.seconds)._asdict()} for t in report.timings],
        "ratios": [{"case": r.case, "ours": r.ours, "other": r.other, **r.ratio._asdict()} for r in report.ratios()],
    }
    content = {"format": FORMAT, "version": VERSION, **asdict(report), "summary": summary}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def from_json(text: str, name: str = "the report") -> Report:
    """The report that `to_json` wrote; its summary is not read. `ReportError` for anything else."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ReportError(f"{name} is not JSON ({error}); accepted: a file that --json wrote") from error
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise ReportError(f"{name} is not of format {FORMAT!r}, version {VERSION}; accepted: a file that --json wrote")
    try:
        return Report(
            header=_header(content["header"]),
            timings=_all(Timing, content["timings"]),
            absences=_all(Absence, content["absences"]),
            first_steps=_all(FirstStep, content["first_steps"]),
            memory=_all(Memory, content["memory"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{name} is damaged ({type(error).__name__}: {error})") from error


def read(path: Path) -> Report:
    """The report in a file; `ReportError` naming it."""
    try:
        return from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{path} cannot be read ({error})") from error


def _header(header: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("device", "command", "date", "commit", "quick", "rounds", "seed", "cpu", "versions", "threads"):
        if name not in header:
            raise KeyError(f"header.{name}")
    return dict(header)


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    numbers = tuple(map(float, values))
    spread(numbers)  # ValueError for none
    return numbers


def _all(kind: type[Any], entries: Sequence[Mapping[str, Any]]) -> list[Any]:
    types = {"str": str, "int": int, "tuple[float, ...]": list}
    found = []
    for entry in entries:
        for f in fields(kind):
            if not isinstance(entry[f.name], types[str(f.type)]):
                raise TypeError(f"{kind.__name__}.{f.name} is {entry[f.name]!r}; accepted: {f.type}")
        values = {name: _numbers(value) if isinstance(value, list) else value for name, value in entry.items()}
        found.append(kind(**values))
    return found
