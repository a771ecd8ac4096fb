"""The command line: ``python -m certify``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path

try:
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from certify import page, report
    from certify.run import PROFILES, WHOLE_STEP, Plan, Record, run
    from certify.scalars import SCALARS
except ModuleNotFoundError as missing:
    print(f"error: {missing}; accepted: an environment with pip install --group reference", file=sys.stderr)
    sys.exit(2)
from certify import run as _run
from certify.terms import CannotCertify

_EXIT_CODES = """exit codes:
  0  every error is within its bound
  1  an error is above its bound
  2  it could not be measured: a stage without terms, a package that is missing, a wrong command line
  3  the command itself failed"""


class ExitCode(IntEnum):
    """Exit codes of the command."""

    CERTIFIED = 0
    ABOVE = 1
    COULD_NOT = 2
    FAILED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(arguments)
    errors = report.console(stderr=True)
    try:
        return _command(options)
    except (CannotCertify, OSError) as error:
        errors.print(f"[red]error:[/] {escape(str(error))}")
        return ExitCode.COULD_NOT
    except KeyboardInterrupt:
        errors.print("interrupted; nothing was written")
        return 130
    except Exception:
        errors.print_exception()
        return ExitCode.FAILED


def _command(options: argparse.Namespace) -> int:
    for name in ("json", "markdown"):
        path = getattr(options, name)
        if path and path.is_dir():
            raise CannotCertify(f"--{name} is {str(path)!r}, a folder; accepted: a file")
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)  # what cannot be made is refused before the work
    plan, began = _plan(options), time.monotonic()
    plan.check()
    records = [r for _, found in sorted(_watched(plan, options.jobs), key=lambda pair: pair[0]) for r in found]
    out = report.console()
    for table in report.tables(records):
        out.print(table)
    wrong = [r for r in records if not r.holds]
    for r in wrong:
        out.print(f"[red]above its bound:[/] {escape(report.failure(r))}", soft_wrap=True)
    judged = f"{len(records)} worst errors out of {sum(r.compared for r in records)} comparisons"
    out.print(f"{judged}, {len(wrong) or 'none'} above its bound; {time.monotonic() - began:.0f} s")
    header = {"profile": options.profile, "seed": options.seed}
    if options.json:
        options.json.write_text(json.dumps(report.as_json(records, header), indent=1, allow_nan=False) + "\n")
    if options.markdown:
        options.markdown.write_text(page.markdown(records, _again(options)))
    return ExitCode.ABOVE if wrong else ExitCode.CERTIFIED


def _plan(options: argparse.Namespace) -> Plan:
    names = [scalar.name for scalar in SCALARS]
    known = _stages()
    stages = [name for name in options.stage if name not in names]
    for name in stages:
        if name not in known:
            raise CannotCertify(f"--stage is {name!r}; accepted: {', '.join((*known, *names))}")
    for name in options.dialect:
        if name not in _run.DIALECTS:
            raise CannotCertify(f"--dialect is {name!r}; accepted: {', '.join(_run.DIALECTS)}")
    scalars = [name for name in names if name in options.stage or not (options.stage or options.dialect)]
    dialects = [
        name
        for name, d in _run.DIALECTS.items()
        if name in (options.dialect or _run.DIALECTS)
        and (not options.stage or WHOLE_STEP in stages or any(s.__name__ in stages for s in d.stages))
    ]
    if not (dialects or scalars):
        raise CannotCertify(f"--dialect is {', '.join(options.dialect)}, which has no stage {', '.join(stages)}")
    return Plan(dialects, stages, scalars, PROFILES[options.profile], options.seed)


def _stages() -> list[str]:
    return [WHOLE_STEP, *dict.fromkeys(stage.__name__ for d in _run.DIALECTS.values() for stage in d.stages)]


def _watched(plan: Plan, jobs: int) -> list[tuple[int, list[Record]]]:
    console = report.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("dialects and scalars", total=len(plan.tasks))
        found = []
        for one in run(plan, jobs):
            found.append(one)
            bars.advance(bar)
        return found


def _again(options: argparse.Namespace) -> str:
    chosen = "".join(f" --{name} {value!r}" for name in ("dialect", "stage") for value in getattr(options, name))
    return f"python -m certify --profile {options.profile} --seed {options.seed}{chosen}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m certify",
        description="The float64 oracle against its lines at 50 digits, and its scalars against the papers' formulas.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", choices=tuple(PROFILES), default="short", help="how much is tried (%(default)s)")
    parser.add_argument("--seed", type=_whole(0), default=0, help="of the problems (%(default)s)")
    parser.add_argument("--dialect", action="append", default=[], help="only this one, without scalars; repeatable")
    text = f"only this one, a scalar, or {WHOLE_STEP!r} for whole steps; repeatable"
    parser.add_argument("--stage", action="append", default=[], help=text)
    jobs = min(2, os.cpu_count() or 1)
    parser.add_argument("--jobs", type=_whole(1), default=jobs, help="processes at a time (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result for programs")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write docs/certification.md")
    return parser


def _whole(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from {least} on")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
