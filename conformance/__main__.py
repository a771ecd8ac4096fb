"""The command line: ``python -m conformance run | adapters | matrix``."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from adapters.registry import ADAPTERS, ENVIRONMENTS, of_environment
from conformance import checks, matrix, run, table
from conformance.deviations import DEFAULT_FILE, DeviationsError
from conformance.findings import to_json
from conformance.ndjson import lines, write
from conformance.problems import PROFILES
from conformance.progress import progress
from conformance.verdict import ExitCode, Result, Verdict

_EXIT_CODES = """exit codes:
  0  everything conforms, or deviates as declared
  1  something does not conform, or crashed
  2  something could not be tested, or the command line is wrong
  3  the suite itself failed"""


class UsageError(ValueError):
    """Options that do not go together."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # an exit kills the children
    try:
        return int(options.command(options))
    except (DeviationsError, UsageError, OSError) as error:
        table.console(stderr=True).print(f"[red]error:[/] {escape(str(error))}")
        return ExitCode.COULD_NOT_TEST
    except KeyboardInterrupt:
        table.console(stderr=True).print("interrupted; nothing was written")
        return 130
    except Exception:
        table.console(stderr=True).print_exception()
        return ExitCode.SUITE_FAILED


def _run(options: argparse.Namespace) -> int:
    profile = PROFILES[options.profile]
    environments = tuple(dict.fromkeys(options.environment or ()))
    named = [name for environment in environments for name in of_environment(environment)]
    named += options.adapter or []
    problems = options.problems or profile.problems
    if options.problem is not None and options.problem >= problems:
        raise UsageError(f"--problem is {options.problem}; accepted: 0 to {problems - 1}, the run's problems")
    plan = run.Plan(
        adapters=tuple(dict.fromkeys(named)) or tuple(ADAPTERS),
        named=bool(named),
        environment="+".join(environments) or None,
        profile=options.profile,
        problems=problems,
        seed=options.seed,
        checks=tuple(options.check or ()),
        counterparts=tuple(dict.fromkeys(options.counterpart or ())),
        only=options.problem,
        jobs=options.jobs,
        time_limit=options.time_limit,
        deviations=options.deviations,
    )
    console = table.console(stderr=options.json)
    with progress(console) as reporter:
        done = run.run(plan, reporter)
    console.print(table.terminal(done.results, run.title(done.header)))
    _explain(console, done.results, done.complaints)
    if plan.problems < checks.INFORMATIVE_FROM or plan.only is not None:
        console.print(f"not judged: the informative share, of fewer than {checks.INFORMATIVE_FROM} problems")
    for result in done.missing:
        console.print(f"missing: {escape(result.reason)}")
    if not done.results:
        console.print("nothing could be tested: no adapter's framework is installed here")
    for path in run.write_reports(done, ndjson_file=options.ndjson, report=options.report):
        console.print(f"wrote {path}")
    if options.json:
        print("\n".join(lines(done.header, done.results, done.complaints, done.code)))
    return done.code


def _matrix(options: argparse.Namespace) -> int:
    environments = options.environments
    merged = matrix.merge(options.files or matrix.default_files(environments), environments)
    console = table.console(stderr=options.json)
    console.print(table.terminal(merged.results, merged.title or "Conformance matrix"))
    _explain(console, merged.results, merged.complaints)
    for problem in merged.problems:
        console.print(f"[magenta]could not be judged:[/] {escape(problem)}")
    meaning = merged.code.name.lower().replace("_", " ")
    console.print(f"{len(merged.results)} implementations: {meaning} (exit code {int(merged.code)})")
    if options.markdown:
        write(options.markdown, table.markdown(merged.results, merged.title, [*merged.complaints, *merged.problems]))
        console.print(f"wrote {options.markdown}")
    if options.json:
        rows = [dict(zip(table.HEADINGS, table.cells(r), strict=True)) | to_json(r.measures()) for r in merged.results]
        print(json.dumps({"implementations": rows, "problems": merged.problems, "exit_code": int(merged.code)}))
    return merged.code


def _adapters(options: argparse.Namespace) -> int:
    console = table.console(stderr=options.json)
    plan = run.Plan(
        adapters=tuple(ADAPTERS),
        named=False,
        environment=None,
        profile="smoke",
        problems=1,
        seed=0,
        jobs=options.jobs,
        time_limit=120,
    )
    with progress(console) as reporter:
        results = run.in_parallel(lambda name: run.look(plan, name, reporter), plan.adapters, plan.jobs)
    states = {Verdict.CONFORMS: "here", Verdict.COULD_NOT_TEST: "missing"}
    rows = []
    for result in results:
        entry = ADAPTERS[result.adapter]
        state = states.get(result.verdict, "broken")
        rows.append(
            {"adapter": result.adapter, "environments": entry.environments, "state": state, "why": result.reason}
        )
        why = f": {escape(result.reason)}" if result.reason else f", claims {result.dialect}"
        environments = ", ".join(entry.environments) or "none"
        console.print(f"{result.adapter:32} tox environment {environments:20} {state}{why}")
    if options.json:
        print(json.dumps(rows))
    return ExitCode.CONFORMS


def _explain(console: Console, results: Sequence[Result], complaints: Sequence[str]) -> None:
    for result in results:
        for text in table.explain(result):
            console.print(f"[bold]{result.adapter}[/]: {escape(text)}", soft_wrap=True)
    for result in results:
        for text in table.beside(result):
            console.print(f"[bold]{result.adapter}[/]: {escape(text)}", soft_wrap=True)
    for complaint in complaints:
        console.print(f"[red]deviations:[/] {escape(complaint)}", soft_wrap=True)
    count = sum(len(result.not_claimed) for result in results)
    if count:
        console.print(f"not claimed: {count} framework arguments, listed in the reports; never a pass")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conformance",
        description="Proves or refutes that an implementation is the Adam that it claims to be.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("run", _run, "run implementations under all checks"),
        ("adapters", _adapters, "what is here, what is missing and why"),
        ("matrix", _matrix, "merge the reports of several environments into one table"),
    ):
        command = commands.add_parser(
            name, help=text, description=text, epilog=_EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.set_defaults(command=function)
        command.add_argument("--json", action="store_true", help="the result for programs on standard output")
        if name != "matrix":
            default = min(2, os.cpu_count() or 1)
            command.add_argument("--jobs", type=_positive, default=default, help="processes at a time (%(default)s)")
    _run_options(commands.choices["run"])
    _matrix_options(commands.choices["matrix"])
    return parser


def _run_options(command: argparse.ArgumentParser) -> None:
    help_adapter = "a name out of `adapters`, or FILE.py:NAME; may be repeated; default: all that are importable"
    command.add_argument("--adapter", action="append", metavar="NAME", help=help_adapter)
    help_counterpart = "compare directly with this adapter, instead of the live ones of the dialect; may be repeated"
    command.add_argument("--counterpart", action="append", metavar="NAME", help=help_counterpart)
    help_environment = "all adapters that this tox environment must have; may be repeated"
    command.add_argument("--environment", action="append", choices=ENVIRONMENTS, help=help_environment)
    command.add_argument("--profile", choices=tuple(PROFILES), default="quick", help="how much (%(default)s)")
    command.add_argument("--problems", type=_positive, metavar="N", help="problems, instead of the profile's number")
    command.add_argument("--seed", type=_seed, default=0, help="seed of the problems (%(default)s)")
    command.add_argument("--check", action="append", choices=checks.NAMES, help="only this check; may be repeated")
    command.add_argument("--problem", type=_seed, metavar="K", help="only problem K of each set, to debug a finding")
    command.add_argument("--time-limit", type=_seconds, default=120.0, metavar="SECONDS", help="without progress (120)")
    command.add_argument("--deviations", type=Path, default=DEFAULT_FILE, metavar="FILE", help="declared deviations")
    command.add_argument(
        "--report", type=_writable_folder, metavar="DIR", help="write report.md and report.ndjson there"
    )
    command.add_argument("--ndjson", type=_writable, metavar="FILE", help="write the report as NDJSON")


def _matrix_options(command: argparse.ArgumentParser) -> None:
    files = "reports; default: those that the tox environments write"
    command.add_argument("files", type=Path, nargs="*", metavar="FILE.ndjson", help=files)
    required = f"that must be there ({','.join(ENVIRONMENTS)})"
    command.add_argument("--environments", type=_environments, default=ENVIRONMENTS, metavar="A,B", help=required)
    command.add_argument("--markdown", type=_writable, metavar="FILE", help="write the table as Markdown")


def _positive(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from {least} on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a finite number of seconds above 0")
    return value


def _environments(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in ENVIRONMENTS:
            raise argparse.ArgumentTypeError(f"{name!r}; accepted: {', '.join(ENVIRONMENTS)}")
    return names


def _writable(text: str) -> Path:
    """A file that can be written, so that a long run does not end with nothing."""
    path = Path(text)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if (path.exists() and not path.is_file()) or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written; accepted: a file in a writable folder")
    return path


def _writable_folder(text: str) -> Path:
    return _writable(str(Path(text) / "report.md")).parent


if __name__ == "__main__":
    sys.exit(main())
