"""``python -m conformance plot``: whose trajectories are drawn, on which problem, and whereto."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import getpid
from pathlib import Path

import reference
from adapters.contract import ContractError, Hyperparameters, Precision
from adapters.registry import ADAPTERS, of_environment
from conformance import ndjson, provenance
from conformance.findings import to_json
from conformance.given import Given
from conformance.options import UsageError, classes, writable_folder
from conformance.oracle import rounding
from conformance.plot import picture
from conformance.plot.curves import Curve, Figure, figure, figure_from_json, plain
from conformance.plot.problem import Golden, OfFinding, Standard, Subject, title, to_order
from conformance.plot.words import shown
from conformance.problems import PROFILES
from conformance.process import run_child
from conformance.replay import DTYPES
from conformance.run import in_parallel
from conformance.verdict import ExitCode
from golden import GoldenError

FORMAT, VERSION = "adam-conformance plot", 1
DEFAULT_FOLDER = Path("plots")
_MODULE = "conformance.plot.child"


@dataclass(frozen=True, kw_only=True)
class Absent:
    """An implementation without a curve."""

    adapter: str
    kind: str
    """missing: a package is not here; outside: of its claim; refused; crashed."""
    why: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Whose curves are drawn."""

    adapters: tuple[str, ...]
    demanded: Mapping[str, frozenset[str]]
    """Of each adapter that was asked for, the kinds of absence that are then an error."""
    given: Mapping[str, Given]
    dialect: str | None
    """That all must be of, where one was asked for."""
    known: Mapping[str, Figure | Absent] = field(default_factory=dict)
    """What came of those adapters that were run to find the dialect."""


def plot(options: argparse.Namespace, say: Callable[[str], None]) -> ExitCode:
    """Measure, draw, write; say: a line for people. The exit code is 1 where an implementation crashed.

    Raises `UsageError` for what cannot be drawn; nothing has been written then.
    """
    subject = _subject(options)
    out = options.out or (None if options.json else _default_folder())
    if out is not None and not picture.is_here():
        accepted = f"`python -m pip install --group plot`, or --json without --out, which needs no {picture.NEEDED}"
        raise UsageError(f"{picture.NEEDED}, which draws, is not installed; accepted: {accepted}")
    plan = _plan(options, subject)
    figures, absent = _measured(plan, subject, options)
    if out is not None and out.suffix and len(figures) > 1:
        names = ", ".join(f.dialect for f in figures)
        raise UsageError(f"--out is {out}, and there are figures of {names}; accepted: a folder")
    written = _write(figures, out) if out is not None else []
    for drawn in figures:
        _tell(drawn, say)
    for one in absent:
        say(f"{one.kind}: {one.why}")
    for path in written:
        say(f"wrote {path}")
    code = ExitCode.DOES_NOT_CONFORM if any(one.kind == "crashed" for one in absent) else ExitCode.CONFORMS
    if options.json:
        told = {"format": FORMAT, "version": VERSION, "figures": figures, "absent": absent, "exit_code": int(code)}
        print(json.dumps(to_json(told), allow_nan=False))
    return code


def _default_folder() -> Path:
    """Raises `UsageError` where it cannot be written."""
    try:
        return writable_folder(str(DEFAULT_FOLDER))
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--out is not given, and {error}") from error


def dialect_of(name: str) -> str:
    """Of an adapter of the registry, without its framework."""
    entry = ADAPTERS[name]
    claim = getattr(importlib.import_module(entry.module), entry.cls).claim
    return str(claim.dialect)


def _subject(options: argparse.Namespace) -> Subject:
    """Raises `UsageError` where the options speak of several problems."""
    standard = {
        name: value
        for name in ("steps", "hyperparameters", "scale", "gradients")
        if (value := getattr(options, name)) is not None
    }
    of_run = [n for n in ("check", "problem", "problems", "seed") if getattr(options, n) is not None]
    dtype: Precision = options.dtype or "float32"
    if options.golden is not None:
        _alone("--golden", [*standard, *of_run])
        if dtype not in DTYPES:
            accepted = f"{', '.join(DTYPES)}, which hold the numbers of every golden case"
            raise UsageError(f"--dtype is {dtype}; accepted: {accepted}")
        case = Golden(id=options.golden, dtype=dtype)
        try:
            case.problem(case.dialect)
        except GoldenError as error:
            raise UsageError(str(error)) from error
        return case
    if of_run:
        _alone("--problem", [*standard, *(["dtype"] if options.dtype else [])])
        if options.problem is None:
            raise UsageError(f"--{of_run[0]} is given; accepted: together with --problem")
        problems = options.problems or PROFILES["quick"].problems
        if options.problem >= problems:
            raise UsageError(f"--problem is {options.problem}; accepted: 0 to {problems - 1}, the run's problems")
        check = options.check or "one-step"
        return OfFinding(check=check, number=options.problem, problems=problems, seed=options.seed or 0)
    return Standard(dtype=dtype, **standard)


def _alone(option: str, others: Sequence[str]) -> None:
    if others:
        raise UsageError(f"{option} and --{others[0]} are given; accepted: one of them, as {option} is a whole problem")


def _plan(options: argparse.Namespace, subject: Subject) -> Plan:
    """Raises `UsageError` for names and hyper-parameters that do not fit."""
    given = {one.name: one for one in classes(options, alone=("dialect",))}
    named = dict.fromkeys([*(options.adapter or ()), *given])
    environments = dict.fromkeys(name for e in options.environment or () for name in of_environment(e))
    for name in named:
        if name not in ADAPTERS and name not in given and ".py:" not in name:
            raise UsageError(f"--adapter is {name!r}; accepted: {', '.join(ADAPTERS)}, or FILE.py:NAME")
    if isinstance(subject, OfFinding) and len(named) + len(environments) != 1:
        count = len(named) + len(environments)
        accepted = "one, by --adapter or as a class: problems are drawn inside its claim"
        raise UsageError(f"--problem is given with {count} implementations; accepted: {accepted}")
    dialect = options.dialect or (subject.dialect if isinstance(subject, Golden) else None)
    every = frozenset({"missing", "outside", "refused"})
    demanded = dict.fromkeys(environments, every - {"outside"}) | dict.fromkeys(named, every)
    adapters = tuple(name for name in demanded if name in named or dialect in (None, dialect_of(name)))
    if isinstance(subject, Standard):
        _check(subject, dialect)
    known: dict[str, Figure | Absent] = {}
    if not demanded:
        dialect = dialect or _first_here(subject, options, known)
        adapters = tuple(name for name in ADAPTERS if dialect_of(name) == dialect)
    return Plan(adapters=adapters, demanded=demanded, given=given, dialect=dialect, known=known)


def _first_here(subject: Subject, options: argparse.Namespace, known: dict[str, Figure | Absent]) -> str:
    """The dialect of the first adapter that runs the problem; frameworks come before what imitates them.

    known: gets what came of every adapter that was run.
    """
    for name, entry in ADAPTERS.items():
        if provenance.version_of(entry.distribution) is not None:
            known[name] = _end(name, None, subject, options)
            if isinstance(known[name], Figure):
                return dialect_of(name)
    raise UsageError("no adapter that is installed runs this problem; accepted: --dialect, for the reference alone")


def _check(subject: Standard, dialect: str | None) -> None:
    """Raises `UsageError`."""
    largest = rounding(plain(subject.dtype)).largest
    if subject.scale > largest:
        accepted = f"at most {largest:.3g}, the largest of {subject.dtype}"
        raise UsageError(f"--scale is {subject.scale:g}; accepted: {accepted}")
    known = tuple(vars(Hyperparameters()) if dialect is None else sorted(reference.dialect(dialect).hyperparameters))
    for name in subject.hyperparameters:
        if name not in known:
            of = f", which {dialect} has not" if dialect else ""
            raise UsageError(f"--hyperparameters names {name!r}{of}; accepted: {', '.join(known)}")
    try:
        Hyperparameters(**subject.given())
    except ContractError as error:
        raise UsageError(f"--hyperparameters: {error}") from error


def _measured(plan: Plan, subject: Subject, options: argparse.Namespace) -> tuple[list[Figure], list[Absent]]:
    """A figure per dialect, the reference alone where nobody is here, and who has no curve."""

    def one(name: str) -> Figure | Absent:
        return plan.known.get(name) or _end(name, plan.given.get(name), subject, options)

    ends = in_parallel(one, plan.adapters, options.jobs)
    absent = [end for end in ends if isinstance(end, Absent)]
    for gone in absent:
        if gone.kind in plan.demanded.get(gone.adapter, ()):
            raise UsageError(gone.why)
    found = [end for end in ends if isinstance(end, Figure)]
    for drawn in found:
        if plan.dialect is not None and drawn.dialect != plan.dialect:
            name = drawn.curves[0].adapter
            raise UsageError(f"{name} claims {drawn.dialect}; accepted: {plan.dialect}, as asked for")
    figures = [replace(like[0], curves=_curves(like)) for like in _by_dialect(found)]
    if not figures and plan.dialect is not None and not plan.demanded and not isinstance(subject, OfFinding):
        problem = subject.problem(plan.dialect)
        figures = [figure(plan.dialect, problem, title(subject, problem))]
    if not figures:
        raise UsageError(f"nothing can be drawn: {'; '.join(one.why for one in absent) or 'nobody is named'}")
    return figures, absent


def _end(adapter: str, given: Given | None, subject: Subject, options: argparse.Namespace) -> Figure | Absent:
    """Of a child of its own. Raises RuntimeError where the suite itself failed."""
    order = {
        "parent": getpid(),
        "adapter": adapter,
        "given": None if given is None else given.order(),
        "subject": to_order(subject),
    }
    end = run_child(order, time_limit=options.time_limit, on_event=lambda event: None, module=_MODULE)
    for event in end.events:
        if event["event"] == "drawn":
            return figure_from_json(event["figure"])
        if event["event"] == "suite-failed":
            raise RuntimeError(f"{adapter}: {event['reason']}\n{event['traceback']}")
        if event["event"] == "cannot-test":
            kind = "missing" if event["missing"] else "outside" if event["outside"] else "refused"
            return Absent(adapter=adapter, kind=kind, why=event["reason"])
        if event["event"] == "crashed":
            return Absent(adapter=adapter, kind="crashed", why=f"{adapter} raised {event['reason']}")
    printed = f", having printed {end.output.strip()[-300:]!r}" if end.output.strip() else ""
    return Absent(adapter=adapter, kind="crashed", why=f"{adapter} {end.failure}{printed}")


def _by_dialect(found: Iterable[Figure]) -> list[list[Figure]]:
    by_dialect: dict[str, list[Figure]] = {}
    for drawn in found:
        by_dialect.setdefault(drawn.dialect, []).append(drawn)
    return list(by_dialect.values())


def _curves(like: Sequence[Figure]) -> tuple[Curve, ...]:
    return tuple(curve for drawn in like for curve in drawn.curves)


def _write(figures: Sequence[Figure], out: Path) -> list[Path]:
    """Everything is drawn before anything is written."""
    formats = (out.suffix[1:],) if out.suffix in (".png", ".svg") else picture.FORMATS
    files = {
        out if len(formats) == 1 else out / f"{drawn.dialect}.{name}": content
        for drawn in figures
        for name, content in picture.render(drawn, formats).items()
    }
    for path, content in files.items():
        ndjson.write(path, content)
    return list(files)


def _tell(drawn: Figure, say: Callable[[str], None]) -> None:
    where = f"element {list(drawn.index)} of parameter {drawn.parameter}"
    say(f"{drawn.dialect}: {drawn.problem}; {where} is drawn")
    if not drawn.curves:
        say("no implementation: the reference and its bound alone")
    for c in drawn.curves:
        one, free = (shown(x) for x in c.worst())
        said = f"worst error / bound {one} in one step, {free} free running; {c.ambiguous} of {c.compared} ambiguous"
        say(f"{c.adapter} ({c.package} {c.version}): {said}")
        for message in c.identity:
            say(f"{c.adapter} is not the code path that it claims to be: {message}")
