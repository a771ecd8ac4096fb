"""Every feature of the oracle is seen in a real framework: ``python -m conformance.ablation``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.contract import Implementation
from adapters.registry import ENVIRONMENTS
from conformance.ablation.features import features_of
from conformance.ablation.gathered import gathered, implementations
from conformance.ablation.procedures import expected_of, shown_without
from conformance.ablation.shown import Shown, shown_by
from conformance.load import CannotTest

_PAGE = """# Ablation

Every feature of the oracle that changes a number is taken out of it, one at a time, and what is left is compared with
what the real frameworks did: golden cases, then drawn problems, each step from the state observed before it. A feature
is a stage of a dialect, a hyper-parameter, a kind of schedule, scheduler or constraint, or the step count. What
replicas, a caller's functions, the end of a training and master copies change is taken out of the law that expects it.
A feature that nobody shows would be one that the suite does not test on a real framework; there is none.

A stage is left out; where later ones cannot compute without it, something stands in its place. A hyper-parameter has
its default, whatever the caller asked for. The step count is the other one. *Off by* is the error as a multiple of the
derived bound, at the first step that is out of it.

`python -m conformance.ablation --environment NAME --json FILE` makes the rows of an environment, `--markdown FILE...`
this page of them; `tests/ablation` takes the features out in every environment.
"""
_HEAD = "| taken out | instead | shown by | on | how |\n| --- | --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    dialect: str
    kind: str
    name: str
    instead: str
    shown: Shown | None


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every feature of the environment's dialects is shown; 1: one is not; 2: it could not be tested."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.markdown:
        try:
            lines = [line for file in options.markdown for line in read(file)]
        except (OSError, ValueError, TypeError) as error:
            parser.error(f"argument --markdown: {error}; accepted: files that --json has written")
        print(markdown(merged(lines)), end="")
        return 0
    try:
        lines = list(ablated(options.environment, options.problems, options.seed))
    except CannotTest as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")
    for line in lines:
        print(f"{line.dialect:28} {line.kind:15} {line.name:24} {_words(line.shown)}")
    missing = sum(line.shown is None for line in lines)
    print(f"{len(lines)} features, {missing} shown by nobody")
    return 1 if missing else 0


def ablated(environment: str, problems: int, seed: int = 0) -> Iterator[Line]:
    """Every feature of every dialect that a framework of the environment claims."""
    by_dialect: dict[str, list[Implementation]] = {}
    for implementation in implementations(environment):
        by_dialect.setdefault(implementation.claim.dialect, []).append(implementation)
    for dialect, those in by_dialect.items():
        print(f"{dialect}: {', '.join(each.name for each in those)}", file=sys.stderr, flush=True)
        features = features_of(dialect, [each.claim for each in those])
        for f, shown in shown_by(features, gathered(those, problems, seed)).items():
            yield Line(f.dialect, f.kind, f.name, f.instead, shown)
        for e in expected_of([each.claim for each in those]):
            yield Line(dialect, f"in {e.law}:", e.name, e.instead, shown_without(e, those, seed))


def read(file: Path) -> list[Line]:
    """The rows that a run has written."""
    rows = json.loads(file.read_text())
    return [Line(**row | {"shown": row["shown"] and Shown(**row["shown"])}) for row in rows]


def merged(lines: Sequence[Line]) -> list[Line]:
    """One row per feature: that of the first environment that shows it."""
    rows: dict[tuple[str, str, str], Line] = {}
    for line in lines:
        key = (line.dialect, line.kind, line.name)
        if rows.get(key) is None or rows[key].shown is None:
            rows[key] = line
    return list(rows.values())


def markdown(lines: Sequence[Line]) -> str:
    """The page: a table per dialect."""
    parts = [_PAGE]
    for dialect in dict.fromkeys(line.dialect for line in lines):
        parts.append(
            f"\n## {dialect}\n\n| taken out | instead | shown by | on | how |\n| --- | --- | --- | --- | --- |\n"
        )
        for line in lines:
            if line.dialect == dialect:
                s = line.shown
                seen = [s.implementation, s.problem, s.how] if s else ["**nobody**", "", ""]
                cells = [f"{line.kind} `{line.name}`", line.instead, *seen]
                parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


def _words(shown: Shown | None) -> str:
    return f"{shown.implementation}, {shown.problem}, {shown.how}" if shown else "shown by nobody"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance.ablation", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--environment", choices=ENVIRONMENTS, help="whose frameworks are run; they must be installed")
    what.add_argument("--markdown", type=Path, nargs="+", metavar="FILE", help="print the page of these --json files")
    parser.add_argument("--problems", type=int, default=40, help="drawn per implementation (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn problems (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
