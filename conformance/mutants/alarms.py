"""No false alarm: everything that is known to be correct, on many problems; none of it may be rejected.

``python -m conformance.mutants.alarms`` runs the live frameworks and fused_adam of the named environments, the twins,
and the implementations in other arithmetic (`conformance.mutants.arithmetics`) under all checks. A declared deviation
is no alarm. Counted are the problems of the general set, each with arrays of its own, once per implementation however
many checks see it; those of the laws, the direct comparison and golden/ come on top and are not counted.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from adapters.registry import ENVIRONMENTS, of_environment
from conformance import provenance, run, table
from conformance.ending import EndedBySignal, ended_by_signals
from conformance.findings import to_json
from conformance.mutants import ARITHMETICS, TWINS
from conformance.options import positive, seed, writable_folder
from conformance.progress import progress
from conformance.verdict import ExitCode, Result, Verdict

LEAST = 20_000
"""Problems that a run must have, all implementations together."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What came of a run."""

    implementations: int
    problems: int
    rejected: tuple[str, ...]
    not_tested: tuple[str, ...]
    worst_fraction: float
    """Largest error as a fraction of its bound, over every check that passes."""
    worst: str
    """Which implementation had it, in which check."""
    least: int

    @property
    def code(self) -> ExitCode:
        """1 for an alarm, 2 where something could not be tested or the problems were too few."""
        if self.rejected:
            return ExitCode.DOES_NOT_CONFORM
        return ExitCode.COULD_NOT_TEST if self.not_tested or self.problems < self.least else ExitCode.CONFORMS

    def lines(self) -> list[str]:
        """In words."""
        said = [
            f"{self.problems} problems over {self.implementations} correct implementations"
            f" (general set, each counted once per implementation): {len(self.rejected) or 'none'} rejected",
            f"worst error: {self.worst_fraction:.3f} of its bound ({self.worst})",
        ]
        said += [f"rejected: {name}" for name in self.rejected]
        said += [f"could not be tested: {name}" for name in self.not_tested]
        if self.problems < self.least:
            said.append(f"too few: {self.problems} problems; accepted: at least {self.least}")
        return said


def tally(results: Sequence[Result], least: int = LEAST) -> Tally:
    """Counts and measures of a run's results."""
    fractions = [
        (float(check["worst_fraction"]), f"{result.adapter}, {check['check']}")
        for result in results
        for check in result.checks
        if not check["failing"]
    ]
    worst_fraction, worst = max(fractions, default=(0.0, "nothing was compared"))
    return Tally(
        implementations=len(results),
        problems=sum(result.measures()["problems"] for result in results),
        rejected=tuple(r.adapter for r in results if r.verdict in (Verdict.DOES_NOT_CONFORM, Verdict.CRASHED)),
        not_tested=tuple(r.adapter for r in results if r.verdict in (Verdict.COULD_NOT_TEST, Verdict.SUITE_FAILED)),
        worst_fraction=worst_fraction,
        worst=worst,
        least=least,
    )


def everything(environments: Sequence[str]) -> tuple[str, ...]:
    """The adapters of the environments, the twins, and the implementations in other arithmetic."""
    live = [name for environment in environments for name in of_environment(environment)]
    return tuple(dict.fromkeys([*live, *map(path_of, (*TWINS, *ARITHMETICS))]))


def path_of(implementation: type[Any]) -> str:
    """FILE.py:NAME, from the checkout's root."""
    return f"{Path(inspect.getfile(implementation)).relative_to(provenance.ROOT)}:{implementation.__name__}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; its exit code."""
    options = _options(arguments)
    adapters = tuple(options.adapter or everything(options.environment or ()))
    plan = run.Plan(
        adapters=adapters,
        named=True,
        environment="+".join(options.environment or ()) or None,
        profile="quick",
        problems=options.problems,
        seed=options.seed,
        jobs=options.jobs,
        time_limit=120,
    )
    console = table.console(stderr=options.json)
    try:
        with ended_by_signals(), progress(console) as reporter:
            done = run.run(plan, reporter)
    except EndedBySignal as ended:
        console.print(f"{ended}; nothing was written")
        return ended.exit_code
    console.print(table.terminal(done.results, run.title(done.header)))
    for result in done.results:
        for text in table.explain(result):
            console.print(f"[bold]{escape(result.adapter)}[/]: {escape(text)}", soft_wrap=True)
    for complaint in done.complaints:
        console.print(f"[red]deviations:[/] {escape(complaint)}", soft_wrap=True)
    found = tally(done.results, options.least)
    for line in found.lines():
        console.print(escape(line), soft_wrap=True)
    for path in run.write_reports(done, ndjson_file=None, report=options.report):
        console.print(escape(f"wrote {path}"))
    code = max(found.code, done.code) if done.code == ExitCode.SUITE_FAILED else found.code or done.code
    if options.json:
        print(json.dumps(to_json(found) | {"exit_code": int(code)}))
    return int(code)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.mutants.alarms",
        description="Everything that is known to be correct, on many problems: none of it may be rejected.",
        epilog="exit codes: 0 none is rejected; 1 a correct implementation is rejected; 2 could not be tested, or too"
        " few problems; 3 the suite itself failed",
    )
    parser.add_argument("--problems", type=positive, default=2000, metavar="N", help="per implementation (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="seed of the problems (%(default)s)")
    text = "whose live adapters run too; may be repeated"
    parser.add_argument("--environment", action="append", choices=ENVIRONMENTS, help=text)
    text = "these, instead of everything: a name or FILE.py:NAME; may be repeated"
    parser.add_argument("--adapter", action="append", metavar="NAME", help=text)
    text = "problems that all implementations together must have (%(default)s)"
    parser.add_argument("--least", type=seed, default=LEAST, metavar="N", help=text)
    parser.add_argument("--jobs", type=positive, default=2, help="processes at a time (%(default)s)")
    parser.add_argument("--report", type=writable_folder, metavar="DIR", help="write report.md and report.ndjson there")
    parser.add_argument("--json", action="store_true", help="the result for programs on standard output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
