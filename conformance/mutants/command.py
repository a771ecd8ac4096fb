"""The command line: ``python -m conformance.mutants``, and ``...mutants.tokens`` for the production code alone."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.checks import RUN_CHECKS
from conformance.ending import EndedBySignal, ended_by_signals
from conformance.load import CannotTest
from conformance.mutants import planted
from conformance.mutants.partly import Partly
from conformance.mutants.tokens import report, trial
from conformance.mutants.tokens.aim import Aim
from conformance.mutants.tokens.fused import FUSED_ADAM
from conformance.mutants.tokens.gate import CHECKS, Outcome, Unsound
from conformance.mutants.tokens.mutant import Class, Mutant, Verdict, mutants_of, stale
from conformance.mutants.tokens.reference import REFERENCE
from conformance.table import console

AIMS: dict[str, Aim] = {aim.name: aim for aim in (REFERENCE, FUSED_ADAM)}
CLASSES = "classes"
"""The hand-written mutants."""
TARGETS: tuple[str, ...] = (*AIMS, CLASSES)
_TITLES = {
    "reference": "The reference, one change at a time, in float32",
    "fused-adam": "fused_adam, one change at a time",
    CLASSES: "Mutants written by hand, in float32",
}

_EXIT_CODES = """exit codes:
  0  every change is rejected, or listed with the reason why it is none
  1  a change survived, or a reason is out of date or refuted
  2  it could not be done: a package is missing, what is unchanged is rejected, a wrong command line
  3  the command itself failed"""
_SECONDS_BETWEEN_LINES = 15.0


class ExitCode(IntEnum):
    """Exit codes of the command."""

    CAUGHT = 0
    SURVIVED = 1
    COULD_NOT_RUN = 2
    FAILED = 3


class UsageError(ValueError):
    """Options that do not go together."""


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m conformance.mutants",
    targets: Sequence[str] = ("reference", CLASSES),
) -> int:
    """Run the command; its exit code. targets: what is changed unless --target says otherwise."""
    options = _parser(prog, targets).parse_args(arguments)
    options.target = options.target or targets
    errors = console(stderr=True)
    try:
        with ended_by_signals():
            return _command(options)
    except (CannotTest, ImportError, Unsound, UsageError, OSError) as error:
        errors.print(f"[red]error:[/] {escape(str(error))}")
        return ExitCode.COULD_NOT_RUN
    except EndedBySignal as ended:
        kept = f"{options.json} holds what was found" if options.json else "nothing was written"
        errors.print(f"{ended}; {escape(kept)}")
        return ended.exit_code
    except Exception:
        errors.print_exception()
        return ExitCode.FAILED


def _command(options: argparse.Namespace) -> int:
    chosen = {target: mutants for target in options.target if (mutants := _mutants(options, target))}
    if not chosen:
        raise UsageError(f"--only is {options.only!r}, which no change matches; see --list")
    out = console()
    if options.list:
        for mutant in (m for mutants in chosen.values() for m in mutants):
            out.print(escape(str(mutant)), soft_wrap=True)
        out.print(f"{sum(map(len, chosen.values()))} changes")
        return ExitCode.CAUGHT
    for name, file in (("--json", options.json), ("--markdown", options.markdown)):
        if file and file.is_dir():
            raise UsageError(f"{name} is {str(file)!r}, a folder; accepted: a file")
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)  # what cannot be made is refused before the work
    began = time.monotonic()
    verdicts, outdated, missing = {}, [], []
    partly = Partly(options.json)
    try:
        for target, mutants in chosen.items():
            verdicts[target], not_tried = _run(options, target, mutants, partly)
            missing += not_tried
            outdated += _outdated(options, target, verdicts[target])
    except BaseException:
        partly.write()
        raise
    together = [v for group in verdicts.values() for v in group]
    survivors = [v for v in together if v.cls is Class.SURVIVED]
    for target, group in verdicts.items():
        out.print(report.table(_TITLES[target], group))
    totals = (report.numbers(verdicts), report.killers(verdicts))
    for table in totals[::-1]:
        out.print(table)
    lines = (*map(escape, missing), *(f"[red]survived:[/] {escape(str(v.mutant))}" for v in survivors))
    for line in (*lines, *map(escape, outdated)):
        out.print(line, soft_wrap=True)
    out.print(f"{report.summary(together)}; {time.monotonic() - began:.0f} s")
    if options.markdown:
        options.markdown.write_text(report.markdown(totals))
        out.print(f"wrote {options.markdown}")
    if options.json:
        partly.write(survived=len(survivors), outdated=outdated)
        out.print(escape(f"wrote {options.json}"))
    return ExitCode.SURVIVED if survivors or outdated else ExitCode.CAUGHT


def _mutants(options: argparse.Namespace, target: str) -> list[Mutant]:
    found = planted.mutants_of_classes() if target == CLASSES else mutants_of(AIMS[target].targets)
    try:
        return [m for m in found if re.search(options.only, str(m))]
    except re.error as error:
        raise UsageError(f"--only is {options.only!r}, which is no regular expression: {error}") from None


def _outdated(options: argparse.Namespace, target: str, verdicts: Sequence[Verdict]) -> list[str]:
    if target == CLASSES:
        return []
    everything = not (options.only or options.check or options.adapter)
    return stale(verdicts, AIMS[target].proofs if everything else ())


def _run(
    options: argparse.Namespace, target: str, mutants: Sequence[Mutant], partly: Partly
) -> tuple[list[Verdict], list[str]]:
    proofs = {} if target == CLASSES else AIMS[target].reasons(mutants)
    partly.begin(target, [Verdict(m, Outcome(), proofs.get(m.key)) for m in mutants])
    with tempfile.TemporaryDirectory() as folder, _progress(console(stderr=True), partly) as listener:
        # One thread: a fork has no other, and the order of work cannot matter. Own cache: nothing of a
        # changed kernel stays behind.
        os.environ |= {
            "NUMBA_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING": "1",  # a tenth of the time to compile
            "FUSED_ADAM_CACHE_DIR": str(Path(folder, "cache")),
        }
        if target == CLASSES:
            outcomes = planted.run(
                mutants,
                wanted=options.check or (*CHECKS, *RUN_CHECKS),
                profile=options.profile,
                seed=options.seed,
                jobs=options.jobs,
                seconds=options.time_limit,
                listener=listener,
            )
            missing = []
        else:
            plan = _plan(options, AIMS[target], Path(folder))
            outcomes, missing = trial.run(plan, mutants, listener), plan.missing
    for number, outcome in enumerate(outcomes):
        partly.found(number, outcome)
    return partly.verdicts(target), [f"not tried: {reason}" for reason in missing]


def _plan(options: argparse.Namespace, aim: Aim, folder: Path) -> trial.Plan:
    adapters = [name for name in aim.adapters if name in (options.adapter or aim.adapters)]
    if not adapters:
        raise UsageError(
            f"--adapter is {', '.join(options.adapter)}; accepted for {aim.name}: {', '.join(aim.adapters)}"
        )
    return trial.Plan(
        aim=aim,
        adapters=adapters,
        checks=options.check or aim.checks,
        profiles=("smoke",) if options.profile == "smoke" else aim.profiles,
        tests=() if options.check else aim.tests,
        seed=options.seed,
        jobs=options.jobs,
        seconds=options.time_limit,
        folder=folder,
    )


class _Listener:
    def __init__(self, console: Console, bars: Progress | None, partly: Partly) -> None:
        self._console, self._bars, self.found = console, bars, partly.found
        self._task = bars.add_task("") if bars else None
        self._name, self._total, self._done, self._said = "", 0, 0, time.monotonic()

    def stage(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        if self._bars and self._task is not None:
            self._bars.reset(self._task, total=total, description=name)
            self._bars.refresh()
        else:
            self._console.print(f"{name}: {total}")

    def step(self, left: int) -> None:
        self._done += 1
        if self._bars and self._task is not None:
            self._bars.advance(self._task)
            self._bars.refresh()
        elif time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._console.print(f"{self._name}: {self._done} of {self._total}, {left} live")


@contextmanager
def _progress(console: Console, partly: Partly) -> Iterator[_Listener]:
    """A bar on a terminal, drawn by this thread: a fork must not find another one holding a lock."""
    if not console.is_terminal:
        yield _Listener(console, None, partly)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bars:
        yield _Listener(console, bars, partly)


def _parser(prog: str, targets: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Changes code in one place at a time, and shows what rejects each change.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--target", action="append", choices=TARGETS, help=f"what is changed; repeatable ({', '.join(targets)})"
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="changes whose line in --list matches")
    parser.add_argument("--list", action="store_true", help="show the changes and try none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result for programs, also while it grows")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the numbers by class, and what kills")
    adapters = [name for aim in AIMS.values() for name in aim.adapters]
    parser.add_argument(
        "--adapter",
        action="append",
        choices=adapters,
        help="only this adapter, or this dialect of the reference",
    )
    parser.add_argument("--check", action="append", choices=CHECKS, help="only this check, no tests; repeatable")
    parser.add_argument("--profile", choices=("smoke", "quick"), default="quick", help="for what is left (%(default)s)")
    parser.add_argument("--seed", type=_whole(0), default=0, help="seed of the problems (%(default)s)")
    jobs = min(2, os.cpu_count() or 1)
    parser.add_argument("--jobs", type=_whole(1), default=jobs, help="processes at a time (%(default)s)")
    parser.add_argument("--time-limit", type=_whole(1), default=120, metavar="SECONDS", help="per change (%(default)s)")
    return parser


def _whole(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from {least} on")
        return int(text)

    return number
