"""The table of mutants, for people and for programs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from conformance.mutants.tokens.mutant import Class, Verdict

_STYLES = {Class.SURVIVED: "bold red", Class.KILLED: "green", Class.BY_TEST: "green", Class.DOES_NOT_RUN: "green"}


def table(title: str, verdicts: Sequence[Verdict]) -> Table:
    """A row per mutant."""
    found = Table(title=title, show_lines=False)
    for heading in ("line", "in", "before", "after", "class", "by", "where or why", "problems"):
        found.add_column(heading, overflow="fold")
    for v in verdicts:
        c = v.mutant.change
        name = v.mutant.module.rpartition(".")[2]
        why = v.outcome.where if v.outcome.killed or v.proof is None else v.proof.reason
        cells = (f"{name}:{c.line}", c.scope, c.before, c.after, v.cls, v.outcome.killed, why + _effect(v))
        found.add_row(*map(_escaped, cells), str(v.outcome.needed or v.outcome.problems), style=_STYLES.get(v.cls))
    return found


def numbers(verdicts: Mapping[str, Sequence[Verdict]]) -> Table:
    """How many of each target are of each class, and after how many problems those killed were."""
    found = Table(title="Mutants")
    shown = [c for c in Class if any(v.cls is c for group in verdicts.values() for v in group)]
    for heading in ("target", "mutants", *shown, "problems to kill: median", "nine in ten", "most"):
        found.add_column(str(heading), justify="left" if heading == "target" else "right")
    for target, group in verdicts.items():
        counts = Counter(v.cls for v in group)
        after = sorted(v.outcome.needed for v in group if v.cls is Class.KILLED)
        spread = (statistics.median_low(after), after[len(after) * 9 // 10], after[-1]) if after else ("", "", "")
        cells = (len(group), *(counts[c] for c in shown), *spread)
        found.add_row(target, *map(str, cells))
    return found


def killers(verdicts: Mapping[str, Sequence[Verdict]]) -> Table:
    """How many each check kills as the first."""
    found = Table(title="Killed by")
    for heading in ("check", *verdicts):
        found.add_column(heading, justify="left" if heading == "check" else "right")
    counts = {t: Counter(v.outcome.killed for v in group if v.cls is Class.KILLED) for t, group in verdicts.items()}
    for check, _ in sum(counts.values(), Counter()).most_common():
        found.add_row(check, *(str(counts[target][check]) for target in verdicts))
    return found


def summary(verdicts: Sequence[Verdict]) -> str:
    """Numbers per class."""
    counts = Counter(v.cls for v in verdicts)
    return f"{len(verdicts)} changes: " + ", ".join(f"{counts[c]} {c}" for c in Class if counts[c])


def markdown(tables: Iterable[Table]) -> str:
    """The same tables, for docs/mutants.md."""
    lines: list[str] = []
    for t in tables:
        rows = zip(*(column.cells for column in t.columns), strict=True)
        headings = [str(column.header) for column in t.columns]
        shown = [headings, ["---"] * len(headings), *([str(cell) for cell in row] for row in rows)]
        lines += [f"{t.title}:", "", *(f"| {' | '.join(row)} |" for row in shown), ""]
    return "\n".join(lines)


def records(target: str, verdicts: Sequence[Verdict]) -> Iterator[dict[str, Any]]:
    """A JSON object per mutant."""
    for v in verdicts:
        c = v.mutant.change
        change = {"target": target, "module": v.mutant.module, "line": c.line, "scope": c.scope, "rule": c.rule}
        change |= {"before": c.before, "after": c.after}
        outcome = {k: x for k, x in asdict(v.outcome).items() if k != "exhibit"}
        yield change | {"class": v.cls.value, "reason": v.proof.reason if v.proof else ""} | outcome


def _effect(v: Verdict) -> str:
    if v.outcome.killed:
        return ""
    if v.outcome.found is not None and v.cls not in (Class.EQUIVALENT, Class.ONLY_SPEED):
        return f" [largest effect found: {v.outcome.found:.2g} of the bound, {v.outcome.found_where}]"
    if not v.outcome.differs:
        return ""
    return f" [differs by at most {v.outcome.effect:.2g} of the bound{', ambiguous' if v.outcome.ambiguous else ''}]"


def _escaped(cell: str) -> str:
    return str(cell).replace("[", r"\[")
