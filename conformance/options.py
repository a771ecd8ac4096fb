"""What the command line accepts: the commands, their options, and what is refused before anything runs."""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from adapters.contract import PRECISIONS
from adapters.registry import ENVIRONMENTS, KINDS
from conformance import checks
from conformance.deviations import DEFAULT_FILE
from conformance.explain import GRADIENTS
from conformance.given import Given
from conformance.plot.problem import DRAWN_FOR, STEPS
from conformance.problems import PROFILES
from reference import DIALECTS

_EXIT_CODES = """exit codes:
  0  everything conforms, or deviates as declared
  1  something does not conform, or crashed
  2  something could not be tested, or the command line is wrong
  3  the suite itself failed"""

COMMANDS: Mapping[str, str] = {
    "run": "run implementations under all checks",
    "adapters": "what is here, what is missing and why",
    "matrix": "merge the reports of several environments into one table",
    "explain": "where two dialects differ, and how much it matters",
    "plot": "a trajectory, its bound, and the errors of implementations over the steps, as PNG and SVG",
}


class UsageError(ValueError):
    """Options that do not go together."""


Command = Callable[[argparse.Namespace], int]


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser; `options.command` of what it returns is the function of the command that was named."""
    whole = argparse.ArgumentParser(
        prog="python -m conformance",
        description="Proves or refutes that an implementation is the Adam that it claims to be.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added = whole.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = added.add_parser(
            name, help=text, description=text, epilog=_EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.set_defaults(command=commands[name])
        command.add_argument("--json", action="store_true", help="the result for programs on standard output")
        if name in ("run", "adapters", "plot"):
            default = min(2, os.cpu_count() or 1)
            command.add_argument("--jobs", type=positive, default=default, help="processes at a time (%(default)s)")
    _run_options(added.choices["run"])
    _matrix_options(added.choices["matrix"])
    _explain_options(added.choices["explain"])
    _plot_options(added.choices["plot"])
    return whole


def classes(options: argparse.Namespace, *, alone: Collection[str] = ()) -> tuple[Given, ...]:
    """The optimizer classes that are given. Raises `UsageError` for what belongs to one where there is none.

    alone: what has a meaning without one, too.
    """
    about = {name: getattr(options, name) for name in ("dialect", "kwargs", "decay", "arithmetic")}
    stated = {name: value for name, value in about.items() if value is not None}
    found = tuple(
        Given(option=option, path=path, **stated)
        for option in KINDS
        for path in getattr(options, option.replace("-", "_")) or ()
    )
    for name in stated.keys() - set(alone) if not found else ():
        accepted = " or ".join(f"--{option}" for option in KINDS)
        raise UsageError(f"--{name} is given for no class or factory; accepted: together with {accepted}")
    return found


def implementation_options(
    command: argparse.ArgumentParser,
    *,
    default: str = "all that are importable",
    dialect: str = "that it claims; default: its framework's",
) -> None:
    """Whom a command is about: --adapter, and what `classes` reads. default, dialect: words of the help."""
    help_adapter = f"a name out of `adapters`, or FILE.py:NAME; may be repeated; default: {default}"
    command.add_argument("--adapter", action="append", type=_adapter, metavar="NAME", help=help_adapter)
    group = command.add_argument_group("optimizers that are not ours")
    for option, kind in KINDS.items():
        text = f"a {kind.what} of yours or of anybody, as {kind.example}; may be repeated"
        group.add_argument(f"--{option}", action="append", metavar=f"MODULE:{kind.what.upper()}", help=text)
    text = f"{dialect}. {', '.join(DIALECTS)}"
    group.add_argument("--dialect", choices=tuple(DIALECTS), metavar="NAME", help=text)
    text = """further arguments of every call of it, as '{"foreach": true}'"""
    group.add_argument("--kwargs", type=_json_object, metavar="JSON", help=text)
    text = "what its weight_decay is, where neither its arguments nor a W at the end of its name say so"
    group.add_argument("--decay", choices=("l2", "decoupled"), help=text)
    text = """where it computes otherwise than assumed, as '{"powers": "float32"}' (adapters/contract.py: Arithmetic)"""
    group.add_argument("--arithmetic", type=_json_object, metavar="JSON", help=text)


def _run_options(command: argparse.ArgumentParser) -> None:
    implementation_options(command)
    help_counterpart = "compare directly with this adapter, instead of the live ones of the dialect; may be repeated"
    command.add_argument("--counterpart", action="append", type=_adapter, metavar="NAME", help=help_counterpart)
    help_environment = "all adapters that this tox environment must have; may be repeated"
    command.add_argument("--environment", action="append", choices=ENVIRONMENTS, help=help_environment)
    command.add_argument("--profile", choices=tuple(PROFILES), default="quick", help="how much (%(default)s)")
    command.add_argument("--problems", type=positive, metavar="N", help="problems, instead of the profile's number")
    command.add_argument("--seed", type=seed, default=0, help="seed of the problems (%(default)s)")
    command.add_argument("--check", action="append", choices=checks.NAMES, help="only this check; may be repeated")
    command.add_argument("--problem", type=seed, metavar="K", help="only problem K of each set, to debug a finding")
    command.add_argument("--time-limit", type=_seconds, default=120.0, metavar="SECONDS", help="without progress (120)")
    command.add_argument(
        "--no-diagnosis", action="store_true", help="do not look for what a failing one computes instead"
    )
    command.add_argument("--deviations", type=Path, default=DEFAULT_FILE, metavar="FILE", help="declared deviations")
    help_write = "declare there what is found, for --deviations of the next run; with reasons for you to fill in"
    command.add_argument("--write-deviations", type=_writable, metavar="FILE", help=help_write)
    command.add_argument("--force", action="store_true", help="--write-deviations may overwrite")
    command.add_argument(
        "--report", type=writable_folder, metavar="DIR", help="write report.md and report.ndjson there"
    )
    command.add_argument("--ndjson", type=_writable, metavar="FILE", help="write the report as NDJSON")


def _matrix_options(command: argparse.ArgumentParser) -> None:
    files = "reports; default: those that the tox environments write"
    command.add_argument("files", type=Path, nargs="*", metavar="FILE.ndjson", help=files)
    required = f"that must be there ({','.join(ENVIRONMENTS)})"
    command.add_argument("--environments", type=_environments, default=ENVIRONMENTS, metavar="A,B", help=required)
    command.add_argument("--markdown", type=_writable, metavar="FILE", help="write the table as Markdown")


def _explain_options(command: argparse.ArgumentParser) -> None:
    for name in ("A", "B"):
        command.add_argument(name, choices=tuple(DIALECTS), metavar=name, help=f"a dialect: {', '.join(DIALECTS)}")


def _plot_options(command: argparse.ArgumentParser) -> None:
    dialect = "without a class: whose adapters are drawn; with one: that it claims"
    implementation_options(command, default="those of --dialect, or of the first that is here", dialect=dialect)
    help_environment = "the adapters that this tox environment must have, a figure for each dialect; may be repeated"
    command.add_argument("--environment", action="append", choices=ENVIRONMENTS, help=help_environment)
    what = command.add_argument_group("the problem; default: the standard one")
    what.add_argument("--dtype", choices=PRECISIONS, help="of the parameters (float32)")
    what.add_argument("--steps", type=positive, metavar="N", help=f"({STEPS})")
    text = """those that are not the default, as '{"beta_2": 0.9, "amsgrad": true}'"""
    what.add_argument("--hyperparameters", type=_json_object, metavar="JSON", help=text)
    what.add_argument("--scale", type=_above_zero, metavar="S", help="gradients are between -S and S (1)")
    what.add_argument(
        "--gradients", choices=GRADIENTS, help="absent: none in every third step; rows: two of six (dense)"
    )
    what.add_argument("--golden", metavar="ID", help="a golden case instead, as `python -m golden list` names it")
    text = "instead, the problem of a finding, by the words that repeat it: of this check (one-step)"
    what.add_argument("--check", choices=DRAWN_FOR, help=text)
    what.add_argument("--problem", type=seed, metavar="K", help="its number; with one --adapter or class")
    what.add_argument("--problems", type=positive, metavar="N", help="of the run (300)")
    what.add_argument("--seed", type=seed, help="of the run (0)")
    command.add_argument("--time-limit", type=_seconds, default=120.0, metavar="SECONDS", help="of each (120)")
    text = "one figure, in the format of its ending; or a folder, which gets DIALECT.png and .svg; default: plots/"
    command.add_argument("--out", type=_picture, metavar="FILE.png|FILE.svg|DIR", help=f"{text}, with --json none")


def _adapter(text: str) -> str:
    """One name for one adapter: ./mine.py:Mine is mine.py:Mine."""
    file, found, name = text.rpartition(".py:")
    return f"{Path(file)}{found}{name}" if file else text


def positive(text: str) -> int:
    """Of an option: a whole number from 1 on."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """Of an option: a whole number from 0 on."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from {least} on")
    return int(text)


def _seconds(text: str) -> float:
    return _above_zero(text, " of seconds")


def _above_zero(text: str, unit: str = "") -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a finite number{unit} above 0")
    return value


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refused, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a JSON object, as " + """{"foreach": true}""")
    return value


def _refused(name: str) -> Any:
    """NaN and infinities, which Python reads and JSON has not."""
    raise ValueError(name)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ValueError for one that says something twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError([name for name, _ in pairs])
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
    if (path.exists() and not path.is_file()) or not folder.is_dir() or not _takes_files(folder):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written; accepted: a file in a writable folder")
    return path


def _takes_files(folder: Path) -> bool:
    """By trying: root may write everywhere by the permissions, and not in /proc."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _picture(text: str) -> Path:
    """A picture's file by its ending, or a folder."""
    path = Path(text)
    if path.is_dir() or (text.strip() and not path.suffix):
        return writable_folder(text).absolute()
    if path.suffix not in (".png", ".svg"):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: FILE.png, FILE.svg, or a folder (no ending)")
    return _writable(text)


def writable_folder(text: str) -> Path:
    """Of an option: a folder that can be written."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a folder")
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder; accepted: a folder that can be written")
    return _writable(str(path / "report.md")).parent
