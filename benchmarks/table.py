"""Reports of several environments as one set of tables, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.goals import goals
from benchmarks.report import Ratio, Report, Timing
from benchmarks.summary import Spread, spread

_DASH = "-"


@dataclass(frozen=True)
class Section:
    """A table under a heading, with a sentence about it."""

    title: str
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def sections(reports: Sequence[Report]) -> list[Section]:
    """Everything that the reports say, empty tables left out."""
    tables = [_goals(reports), _ratios(reports)]
    tables += [_times(number, report) for number, report in enumerate(reports, 1)]
    tables += [_wrappers(reports), _first_steps(reports), _memory(reports), _absences(reports), _runs(reports)]
    return [table for table in tables if table.rows]


def markdown(reports: Sequence[Report]) -> str:
    """The sections as a document."""
    lines: list[str] = []
    for section in sections(reports):
        lines += [f"## {section.title}", "", section.note, ""]
        lines += [_row(section.headings), _row(["---"] * len(section.headings))]
        lines += [*map(_row, section.rows), ""]
    return "\n".join(lines)


def _goals(reports: Sequence[Report]) -> Section:
    words = {True: "met", False: "missed", None: "not measured"}
    rows = [(goal.text, goal.measured or _DASH, words[goal.met]) for goal in goals(reports)]
    note = "Medians of the ratios per round, in brackets their range from the 10 % to the 90 % quantile."
    return Section("Goals", note, ("goal", "measured", ""), rows)


def _ratios(reports: Sequence[Report]) -> Section:
    """A row per case, a column per peer, whichever run they come from."""
    found: dict[tuple[str, str], Ratio] = {}
    for report in reports:
        first_ours: dict[str, str] = {}
        for t in report.timings:
            if t.role == "ours":
                first_ours.setdefault(t.dialect, t.arm)
        for ratio in report.ratios():
            if ratio.ours in first_ours.values():
                found.setdefault((ratio.case, ratio.other), ratio)
    cases = _unique(t.case for report in reports for t in report.timings)
    others = _unique(ratio.other for ratio in found.values())
    rows = [
        (case, *(_ratio(found.get((case, other))) for other in others))
        for case in cases
        if any((case, other) in found for other in others)
    ]
    note = (
        "How many times as long each takes as fused_adam of the same dialect in the same run; above 1, fused_adam is "
        "faster. Medians of the ratios per round (10 % to 90 % quantile)."
    )
    return Section("Ratios", note, ("case", *others), rows)


def _times(number: int, report: Report) -> Section:
    timings = [t for t in report.timings if t.role != "wrapper"]
    arms = _unique(t.arm for t in timings)
    cells = {(t.case, t.arm): _time(t) for t in timings}
    cases = _unique(t.case for t in timings)
    rows = [(case, *(cells.get((case, arm), _DASH) for arm in arms)) for case in cases]
    note = "Medians of the rounds (10 % to 90 % quantile); for a limit, GB/s at 28 bytes per parameter with gradient."
    return Section(f"Times of run {number}", note, ("case", *arms), rows)


def _wrappers(reports: Sequence[Report]) -> Section:
    timings = [t for report in reports for t in report.timings if t.role == "wrapper"]
    rows = [(t.workload, t.arm, _seconds(spread(t.seconds))) for t in timings]
    note = "What `step()` costs where nothing is computed."
    return Section("The wrapper's own cost", note, ("parameters", "optimizer", "a step"), rows)


def _first_steps(reports: Sequence[Report]) -> Section:
    rows = [
        (
            row.arm,
            row.cache or _DASH,
            _seconds(spread(row.construction)),
            _seconds(spread(row.seconds)),
            str(len(row.seconds)),
        )
        for report in reports
        for row in report.first_steps
    ]
    note = (
        "Over 1x1M in a fresh process, the framework imported. fused_adam imports Numba and compiles, or loads what it "
        "had compiled, in its first step; torch imports more of itself when its first optimizer is constructed. "
        "cold: an empty cache folder; cached: the next process with that folder."
    )
    headings = ("optimizer", "cache", "construction", "first step()", "processes")
    return Section("First step", note, headings, rows)


def _memory(reports: Sequence[Report]) -> Section:
    rows = [
        (row.arm, f"{row.elements:,}", f"{row.peak / row.elements:.2f}", f"{row.growth / 2**20:.1f} MiB")
        for report in reports
        for row in report.memory
    ]
    note = (
        "In a fresh process. Peak: resident memory during the first steps above that before construction; p, g, m and "
        "v are 16 bytes per parameter of it, the rest are temporaries. Growth: by how much later steps raise it (0 "
        "where a framework keeps its temporaries for itself)."
    )
    headings = ("optimizer", "parameters", "peak, bytes per parameter", "growth")
    return Section("Memory during step()", note, headings, rows)


def _absences(reports: Sequence[Report]) -> Section:
    """What no report has measured; one line per reason."""
    measured = {t.arm for report in reports for t in report.timings}
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for report in reports:
        for absence in report.absences:
            if absence.kind == "missing" and absence.arm in measured:
                continue
            cases = grouped.setdefault((absence.kind, absence.arm, absence.reason), [])
            cases.extend([absence.case] if absence.case and absence.case not in cases else [])
    rows = [(kind, arm or "all", ", ".join(cases) or "all", reason) for (kind, arm, reason), cases in grouped.items()]
    return Section("Not in the tables", "And why.", ("", "optimizer", "cases", "reason"), rows)


def _runs(reports: Sequence[Report]) -> Section:
    rows = []
    for number, report in enumerate(reports, 1):
        h = report.header
        versions = ", ".join(f"{name} {version}" for name, version in h["versions"].items())
        threads = ", ".join(f"{name}={value}" for name, value in h["threads"].items())
        rows.append(
            (
                str(number),
                f"`{h['command']}`",
                str(h["date"]),
                str(h["commit"])[:12],
                f"{h['rounds']}{' (quick)' if h['quick'] else ''}",
                str(h["cpu"]) + (f"; {h['gpu']}" if h.get("gpu") else ""),
                threads,
                versions,
            )
        )
    headings = ("run", "command", "date", "commit", "rounds", "processor", "threads", "versions")
    return Section("Runs", "What was run where.", headings, rows)


def _time(t: Timing) -> str:
    found = spread(t.seconds)
    rate = f", {28 * t.moving / found.median / 1e9:.1f} GB/s" if t.role == "limit" else ""
    return _seconds(found) + rate


def _seconds(found: Spread) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if found.median * scale >= 1 or unit == "us":
            return f"{found.median * scale:.3g} {unit} ({found.low * scale:.3g} to {found.high * scale:.3g})"
    raise AssertionError


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return _DASH
    return f"{ratio.ratio.median:.2f} ({ratio.ratio.low:.2f} to {ratio.ratio.high:.2f})"


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
