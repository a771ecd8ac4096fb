"""The matrix, for a terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.verdict import Result, Verdict

HEADINGS = (
    "implementation",
    "package",
    "dialect",
    "verdict",
    "problems",
    "worst error / bound",
    "informative",
    "ambiguous",
)
_STYLES = {
    Verdict.CONFORMS: "green",
    Verdict.DEVIATES: "yellow",
    Verdict.DOES_NOT_CONFORM: "red",
    Verdict.CRASHED: "red",
    Verdict.COULD_NOT_TEST: "magenta",
    Verdict.SUITE_FAILED: "bold red",
}
_MAY_WRAP = ("package", "worst error / bound")
_NOT_TERMINAL_WIDTH = 170


def console(*, stderr: bool = False) -> Console:
    """A console that does not cut tables where nobody sees a terminal."""
    found = Console(stderr=stderr, highlight=False, emoji=False)  # of a path, ":x:" is no picture
    if found.is_terminal:
        return found
    return Console(stderr=stderr, highlight=False, emoji=False, width=_NOT_TERMINAL_WIDTH)


def cells(result: Result) -> tuple[str, ...]:
    """One row, in the order of `HEADINGS`."""
    measures = result.measures()
    identity = result.identity or {}
    package = f"{identity['framework']} {identity['version']}" if identity else "-"
    return (
        result.adapter,
        package,
        result.dialect or "-",
        str(result.verdict),
        str(measures["problems"] or "-"),
        _fraction(measures["worst_fraction"]),
        _share(measures["informative_share"]),
        f"{measures['ambiguous']} of {measures['compared']}" if measures["compared"] else "-",
    )


def terminal(results: Sequence[Result], title: str) -> Table:
    """The table for rich."""
    table = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        numeric = heading in HEADINGS[4:]
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=heading not in _MAY_WRAP)
    for result in results:
        row = [escape(cell) for cell in cells(result)]
        row[3] = f"[{_STYLES[result.verdict]}]{row[3]}[/]"
        table.add_row(*row)
    return table


def markdown(results: Sequence[Result], title: str, notes: Sequence[str] = ()) -> str:
    """The table, the reasons, what was seen running, and the arguments not claimed, as a Markdown document."""
    lines = [f"# {title}", "", _md_row(HEADINGS), _md_row(["---"] * len(HEADINGS))]
    lines += [_md_row(cells(result)) for result in results]
    details = [f"- **{result.adapter}**: {text}" for result in results for text in explain(result)]
    if details or notes:
        lines += ["", "## Findings", "", *details, *(f"- {note}" for note in notes)]
    direct = [f"- {result.adapter}: {text}" for result in results for text in beside(result)]
    if direct:
        lines += ["", "## Compared directly", "", *direct]
    slow = slowest(results)
    if slow:
        lines += ["", "## Slowest checks", "", *(f"- {text}" for text in slow)]
    seen = [(r, r.identity) for r in results if r.identity]
    if seen:
        lines += ["", "## Observed operations", ""]
        lines += [f"- {r.adapter}: {', '.join(identity['observed'])}" for r, identity in seen]
    not_claimed = [r for r in results if r.not_claimed]
    if not_claimed:
        lines += ["", "## Not claimed", ""]
        lines += [f"- {result.adapter}: {', '.join(result.not_claimed)}" for result in not_claimed]
    return "\n".join(lines) + "\n"


def beside(result: Result) -> list[str]:
    """What came of each direct comparison."""
    return [
        f"beside {name} {_fraction(float(numbers['worst_fraction']))} of both bounds, {numbers['problems']} problems,"
        f" {_share(float(numbers['informative_share']))} informative,"
        f" {numbers['ambiguous']} of {numbers['compared']} ambiguous"
        for name, numbers in result.counterparts().items()
    ]


def slowest(results: Sequence[Result], number: int = 10) -> list[str]:
    """The checks that took longest, of one implementation each, and what they took.

    What several checks share, such as a run of the implementation, counts for the first of them.
    """
    took = [(float(c["seconds"]), r.adapter, c["check"], c["problems"]) for r in results for c in r.checks]
    took.sort(key=lambda one: -one[0])
    return [
        f"{seconds:.1f} s  {check} of {name}{f', {problems} problems' if problems else ''}"
        for seconds, name, check, problems in took[:number]
    ]


def explain(result: Result, limit: int = 3) -> list[str]:
    """Why the verdict is what it is, one text per line; empty for one that conforms."""
    if result.verdict is Verdict.CONFORMS:
        return []
    texts = [f"{result.verdict}: {result.reason}"]
    if result.verdict is Verdict.DEVIATES:
        return texts
    texts += diagnosis(result)
    for check in result.checks:
        for finding in check["outcome"]["findings"][:limit]:
            texts.append(_finding(check, finding))
        if check["failing"] > 1 and check["problems"]:
            texts.append(f"{check['check']} fails on {check['failing']} of {check['problems']} problems")
    return texts


def diagnosis(result: Result) -> list[str]:
    """What it computes instead, how well that holds, and what else was seen; a text per line."""
    told = result.diagnosis
    if told is None:
        return []
    found = told.get("matches") or []
    lines = [f"diagnosis: {told['says']}"]
    if found:
        best = found[0]
        lines[0] += (
            f" (holds on all {told['problems']} problems looked at, {best['elements']} elements, worst"
            f" {best['worst_fraction']:.2f} of its bound; {_claim_fails(told)})"
        )
    elif told.get("unexplained"):
        tried = f"{told['tried']} explanations and {told['pairs']} pairs of them tried"
        lines[0] += f" ({tried}; {_claim_fails(told)})"
    lines += [f"diagnosis, which these problems do not tell from it: {other['words']}" for other in found[1:]]
    lines += [f"diagnosis, also: {note}" for note in told.get("notes", []) if note != told["says"]]
    return lines + [f"diagnosis, measured: {fact}" for fact in told.get("facts", [])]


def _claim_fails(told: dict[str, Any]) -> str:
    first = told.get("first")
    worst = f", worst {float(first['worst_fraction']):.3g} of the bound" if first else ""
    return f"the claimed dialect fails on {told['unexplained']} of {told['problems']}{worst}"


def _finding(check: dict[str, Any], finding: dict[str, Any]) -> str:
    text = f"{check['check']}: {finding['message']}"
    if finding["problem"] is None:
        return text
    return f"{text} [{finding['description']}]; again: {finding['again']}"


def _md_row(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _fraction(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 100 else f"{value:.1e}"


def _share(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.1%}"
