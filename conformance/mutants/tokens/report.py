"""The table of mutants, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from conformance.mutants.tokens.mutant import Class, Verdict

_STYLES = {Class.SURVIVED: "bold red", Class.KILLED: "green", Class.BY_TEST: "green", Class.DOES_NOT_RUN: "green"}


def table(verdicts: Sequence[Verdict]) -> Table:
    """A row per mutant."""
    found = Table(title="One change at a time", show_lines=False)
    for heading in ("line", "in", "before", "after", "class", "by", "where or why", "problems"):
        found.add_column(heading, overflow="fold")
    for v in verdicts:
        c = v.mutant.change
        name = v.mutant.module.rpartition(".")[2]
        why = v.outcome.where if v.outcome.killed or v.proof is None else v.proof.reason
        cells = (f"{name}:{c.line}", c.scope, c.before, c.after, v.cls, v.outcome.killed, why + _effect(v))
        found.add_row(*map(_escaped, cells), str(v.outcome.problems), style=_STYLES.get(v.cls))
    return found


def summary(verdicts: Sequence[Verdict]) -> str:
    """Numbers per class."""
    counts = Counter(v.cls for v in verdicts)
    return f"{len(verdicts)} changes: " + ", ".join(f"{counts[c]} {c}" for c in Class if counts[c])


def records(verdicts: Sequence[Verdict]) -> Iterator[dict[str, Any]]:
    """A JSON object per mutant."""
    for v in verdicts:
        c = v.mutant.change
        change = {"module": v.mutant.module, "line": c.line, "scope": c.scope, "rule": c.rule}
        change |= {"before": c.before, "after": c.after}
        outcome = {k: x for k, x in asdict(v.outcome).items() if k != "exhibit"}
        yield change | {"class": v.cls.value, "reason": v.proof.reason if v.proof else ""} | outcome


def _effect(v: Verdict) -> str:
    if v.outcome.killed or not v.outcome.differs:
        return ""
    return f" [differs by at most {v.outcome.effect:.2g} of the bound{', ambiguous' if v.outcome.ambiguous else ''}]"


def _escaped(cell: str) -> str:
    return str(cell).replace("[", r"\[")
