"""The command line: ``python -m benchmarks cpu | gpu | table``."""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

# NumPy reads its number of threads when it is imported: modules that import it are imported below.
from benchmarks import machine
from benchmarks.workloads import CONDITIONS, CPU, GPU, Case, select
from conformance.ending import EndedBySignal, ended_by_signals

if TYPE_CHECKING:
    from benchmarks.measure import Plan

_EXIT_CODES = """exit codes:
  0  measured; a goal that is missed is reported and is no failure
  1  an optimizer does not compute what the reference does; it was not timed
  2  something could not be measured, or the command line is wrong
  3  the benchmark itself failed"""

_ROUNDS, _QUICK_ROUNDS = 25, 7
_SECONDS, _QUICK_SECONDS = 0.02, 0.004
_REPEATS, _QUICK_REPEATS = 5, 1


class ExitCode(IntEnum):
    """What the command ends with."""

    MEASURED = 0
    WRONG = 1
    COULD_NOT = 2
    FAILED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        with ended_by_signals():
            return int(options.command(options))
    except EndedBySignal as ended:
        _say(f"{ended}; nothing was written")
        return ended.exit_code
    except BrokenPipeError:
        raise
    except ImportError as error:
        return _could_not(str(error))
    except Exception:
        traceback.print_exc()
        return ExitCode.FAILED


def _measure(options: argparse.Namespace) -> int:
    device, quick = options.device, options.quick
    try:
        cases = select(
            CPU if device == "cpu" else GPU,
            quick=quick,
            workloads=options.workload or (),
            conditions=options.condition or (),
        )
    except ValueError as error:
        return _could_not(str(error))
    machine.set_threads(options.threads)

    from benchmarks import gpu, measure, table
    from benchmarks.report import to_json
    from conformance.ndjson import write

    header = _header(options)
    if device == "gpu":
        try:
            header["gpu"] = gpu.name()
        except gpu.NoGpu as error:
            return _could_not(str(error))
    try:
        plan = _plan(options, cases)
    except ValueError as error:
        return _could_not(str(error))
    if quick:
        _say(f"quick: {plan.rounds} rounds, short timings, no large workloads; good for a look, not for a claim")
    report = measure.run(plan, header, _say)
    print_to = sys.stderr if options.json == Path("-") else sys.stdout
    print(table.markdown([report]), file=print_to)
    if options.json == Path("-"):
        print(to_json(report), end="")
    elif options.json:
        write(options.json, to_json(report))
        _say(f"wrote {options.json}")
    kinds = {absence.kind for absence in report.absences}
    if "wrong" in kinds:
        return ExitCode.WRONG
    if "failed" in kinds or not report.timings:
        return ExitCode.COULD_NOT
    return ExitCode.MEASURED


def _plan(options: argparse.Namespace, cases: Sequence[Case]) -> Plan:
    from benchmarks import catalogue, gpu, measure

    on_cpu = options.device == "cpu"
    arms = catalogue.CPU if on_cpu else catalogue.GPU
    names = [arm.name for arm in arms if arm.role == "peer"]
    for name in options.arm or ():
        if name not in names:
            raise ValueError(f"--arm is {name!r}; accepted: {', '.join(names)}")
    chosen = tuple(arm for arm in arms if arm.role != "peer" or not options.arm or arm.name in options.arm)
    quick = options.quick
    repeats = _QUICK_REPEATS if quick else _REPEATS
    whole: dict[str, Any] = {} if on_cpu else {"clock": gpu.clock, "free_memory": gpu.free_memory}
    return measure.Plan(
        arms=chosen,
        cases=cases,
        rounds=options.rounds or (_QUICK_ROUNDS if quick else _ROUNDS),
        seconds=_QUICK_SECONDS if quick else _SECONDS,
        seed=options.seed,
        repeats=repeats if on_cpu and not options.no_fresh else 0,
        **whole,
    )


def _table(options: argparse.Namespace) -> int:
    from benchmarks import report, table
    from conformance.ndjson import write

    try:
        text = table.markdown([report.read(path) for path in options.files])
    except report.ReportError as error:
        return _could_not(str(error))
    if options.write:
        write(options.write, f"{_GENERATED.format(command=_command())}\n\n{text}")
        _say(f"wrote {options.write}")
    else:
        print(text)
    return ExitCode.MEASURED


_GENERATED = """# Performance: figures

<!-- Written by `{command}`; edit nothing here. -->

The method, and what the words mean: [performance.md](performance.md)."""


def _header(options: argparse.Namespace) -> dict[str, object]:
    from conformance.provenance import commit

    return {
        "device": options.device,
        "command": _command(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit() or "unknown",
        "quick": options.quick,
        "rounds": options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS),
        "seed": options.seed,
        **machine.facts(),
    }


def _command() -> str:
    return shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _could_not(reason: str) -> int:
    _say(f"error: {reason}")
    return ExitCode.COULD_NOT


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.COULD_NOT, f"{self.format_usage()}{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m benchmarks",
        description="What a step costs: fused_adam, the frameworks' own optimizers and the memory's limit.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for device, text in (("cpu", "measure on the CPU"), ("gpu", "measure on a CUDA device")):
        command = commands.add_parser(device, help=text, description=text, epilog=_EXIT_CODES)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        command.set_defaults(command=_measure, device=device)
        _measure_options(command, CPU if device == "cpu" else GPU)
    table = commands.add_parser("table", help="reports of several runs as one set of Markdown tables")
    table.set_defaults(command=_table)
    table.add_argument("files", type=Path, nargs="+", metavar="FILE.json", help="what --json wrote")
    table.add_argument("--write", type=_writable, metavar="FILE.md", help="write the document there")
    return parser


def _measure_options(command: argparse.ArgumentParser, cases: Sequence[Case]) -> None:
    workloads = tuple(dict.fromkeys(case.workload for case in cases))
    conditions = tuple(name for name in CONDITIONS if any(case.condition == name for case in cases))
    cpus = len(machine.available_cpus())
    add = command.add_argument
    add("--quick", action="store_true", help=f"{_QUICK_ROUNDS} rounds instead of {_ROUNDS}, no large workloads")
    add("--json", type=_writable, metavar="FILE", help="write the report there; - is standard output")
    add("--rounds", type=_positive, metavar="N", help="rounds per case")
    add("--threads", type=_positive, default=cpus, metavar="N", help="threads of every optimizer (%(default)s)")
    add("--seed", type=_whole, default=0, metavar="N", help="of values and orders (%(default)s)")
    add("--workload", action="append", choices=workloads, metavar="NAME", help=f"only this one: {', '.join(workloads)}")
    text = "; ".join(f"{name}: {CONDITIONS[name]}" for name in conditions).replace("%", "%%")
    add("--condition", action="append", choices=conditions, metavar="NAME", help=f"only this one. {text}")
    add("--arm", action="append", metavar="NAME", help="only this peer; fused_adam and the limit always take part")
    add("--no-fresh", action="store_true", help="no rows of first steps and memory, which take processes of their own")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from 1 on")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from 0 on")
    return int(text)


def _writable(text: str) -> Path:
    """A file that can be written, so that a long run does not end with nothing."""
    path = Path(text)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        if text != "-" and path.exists() and not path.is_file():
            raise OSError
        with tempfile.TemporaryFile(dir=folder):
            return path
    except OSError as error:
        message = f"{text!r} cannot be written; accepted: a file in a writable folder"
        raise argparse.ArgumentTypeError(message) from error


if __name__ == "__main__":
    sys.exit(main())
