"""How much of the bound implementations use, beside golden/tolerances.json: ``python -m conformance.headroom``.

A share of the bound that grows is no error while it is below 1, but it is told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.registry import ENVIRONMENTS, of_environment
from conformance import ndjson
from conformance.matrix import default_files
from conformance.ndjson import Report, ReportError
from conformance.verdict import Result
from golden import tolerances
from golden.case import GoldenError
from golden.tolerances import Measured, Tolerances


def measured(report: Report) -> Iterator[Measured]:
    """Of every implementation of a gate's report. Raises `ReportError` where nobody says what package it was."""
    for result in report.results:
        measures, identity = result.measures(), result.identity or {}
        if measures["worst_fraction"] is None or measures["informative_share"] is None:
            continue
        if not (identity.get("framework") and identity.get("version")):
            raise ReportError(
                f"{report.path} does not say what {result.adapter} ran; accepted: with the check identity"
            )
        yield Measured(
            implementation=result.adapter,
            environment=str(report.header["environment"]),
            package=f"{identity['framework']} {identity['version']}",
            worst_fraction=round(measures["worst_fraction"], 4),
            informative_share=round(measures["informative_share"], 4),
            reason=reason(result),
        )


def reason(result: Result) -> str:
    """Where the largest error is, and what the bound of this arithmetic grants there."""
    worst = max(
        (check for name in ("one-step", "free-running") if (check := result.check(name)) is not None),
        key=lambda check: float(check["outcome"]["worst_fraction"]),
    )
    arithmetic = (result.arithmetic or {}).get("float32", {})
    forms = {
        name: arithmetic.get(name) for name in ("powers", "power_form", "step_size", "first_moment", "second_moment")
    }
    words = (
        f"largest in {worst['check']}, of {worst['outcome']['compared']} values; parameters of float32 have beta^t in"
        f" {forms['powers']} ({forms['power_form']}), a step size of {forms['step_size']}, averages as"
        f" {forms['first_moment']} and {forms['second_moment']}: each is granted its roundings, which seldom all add up"
    )
    if result.deviations:
        words += f"; of problems beside the declared {', '.join(sorted(result.deviations))}"
    return words


def notes(header: Mapping[str, Any], results: Sequence[Result], stored: Tolerances | None = None) -> Iterator[str]:
    """Of a run on the problems that golden/ has: what uses more of its bound, or informs less, than it did."""
    stored = stored or tolerances.read()
    if (header.get("problems"), header.get("seed")) != (stored.problems, stored.seed):
        return
    for result in results:
        was, now = stored.of(result.adapter, str(header.get("environment"))), result.measures()
        if was is None or now["worst_fraction"] is None or now["informative_share"] is None:
            continue
        for what, worse, a, b in (
            (
                "worst error / bound",
                now["worst_fraction"] - was.worst_fraction,
                now["worst_fraction"],
                was.worst_fraction,
            ),
            (
                "informative share",
                was.informative_share - now["informative_share"],
                now["informative_share"],
                was.informative_share,
            ),
        ):
            if worse > stored.drift:
                yield f"head-room of {result.adapter}: {what} is {a:.3f}, and was {b:.3f} with {was.package}"


def strangers(stored: Tolerances) -> Iterator[tuple[str, str]]:
    """Name and environment of what is stored and in no registry, as after a renaming. `golden` cannot know."""
    for one in stored.measured:
        if one.environment not in ENVIRONMENTS or one.implementation not in of_environment(one.environment):
            yield one.implementation, one.environment


# Asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, or write; exit codes as the help says."""
    options = _options(arguments)
    try:
        stored = tolerances.read(options.file)
        reports = [ndjson.read(path) for path in options.report or default_files()]
        rows = _rows(reports, stored, anew=options.write)
        worse = [note for report in reports for note in notes(report.header, report.results, stored)]
        if options.write:
            header = reports[0].header
            tolerances.replace_measured(rows, problems=header["problems"], seed=header["seed"], path=options.file)
    except (ReportError, GoldenError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    odd = [
        f"{name} in {environment} is stored, and no adapter of the registry; accepted: those of adapters/registry.py"
        for name, environment in strangers(stored)
    ]
    unknown = [row for row in rows if stored.of(row.implementation, row.environment) is None]
    code = 0 if options.write or not (worse or unknown or odd) else 1
    if options.json:
        print(
            json.dumps({"measured": [vars(row) for row in rows], "worse": worse, "strangers": odd, "exit_code": code})
        )
        return code
    for row in rows:
        was = stored.of(row.implementation, row.environment)
        before = f"was {was.worst_fraction:.3f}, {was.informative_share:.3f}" if was else "not measured before"
        print(
            f"{row.implementation:32} {row.environment:8} worst {row.worst_fraction:.3f} of the bound,"
            f" informative {row.informative_share:.3f}; {before}"
        )
    for note in (*worse, *(() if options.write else odd)):
        print(note)
    if options.write:
        print(f"wrote {options.file}")
    return code


def _rows(reports: Sequence[Report], stored: Tolerances, *, anew: bool) -> list[Measured]:
    """What was measured. Raises `ReportError` for reports that cannot be compared, or stored."""
    asked = {(report.header["problems"], report.header["seed"]) for report in reports}
    if asked != {(stored.problems, stored.seed)} and not anew:
        raise ReportError(f"reports are of {asked} problems and seed; accepted: {stored.problems}, {stored.seed}")
    if len(asked) != 1:
        raise ReportError(f"reports are of {asked} problems and seed; accepted: of one")
    for report in reports:
        part = report.header["only"] is not None or report.header["checks"]
        if part or report.header["environment"] not in ENVIRONMENTS:
            raise ReportError(f"{report.path} is of a part, or of no environment; accepted: a whole run of one")
    try:
        rows = [row for report in reports for row in measured(report)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(
            f"a report has no usable measure ({error!r}); accepted: of python -m conformance run"
        ) from error
    names = [(row.implementation, row.environment) for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ReportError(f"{twice[0]} in {twice[1]} is in two reports; accepted: once")
    lost = {(one.implementation, one.environment) for one in stored.measured} - set(names) - set(strangers(stored))
    if anew and lost:
        name, environment = min(lost)
        raise ReportError(f"{name} in {environment} is stored, and in no report; accepted: all reports of the gate")
    for row in rows:
        if not (0 <= row.worst_fraction <= 1 and 0 <= row.informative_share <= 1):
            raise ReportError(f"{row.implementation} in {row.environment} does not conform; accepted: what does")
    return rows


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.headroom",
        description="How much of the bound implementations use, by the gate's reports, beside golden/tolerances.json.",
        epilog="exit codes: 0 as stored, or written; 1 something uses more, informs less, is not stored, or"
        " stored and of no registry;"
        " 2 a file cannot be used",
    )
    parser.add_argument("report", nargs="*", type=Path, help="reports (those of tox run -m gate)")
    parser.add_argument("--write", action="store_true", help="into the file, in the place of what it has")
    parser.add_argument("--file", type=Path, default=tolerances.FILE, help="instead of golden/tolerances.json")
    parser.add_argument("--json", action="store_true", help="the result for programs on standard output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
