"""Are the files what they say they are? Schema, names, hashes, and every value recomputed.

The float64 reference recomputes; it may be off by its own certified error, the bound of
`reference.bounded_step` for float64 arithmetic, and by nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from golden import catalogue, files, floats, layout, tolerance
from golden.case import Case, Expected, GoldenError
from golden.trajectory import named, trajectory
from reference import DIALECTS, Bound, Rounding, State

SCHEMA = Path(__file__).resolve().parent / "schema.json"
DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")


class Kind(IntEnum):
    """What is wrong: the exit code."""

    WRONG = 1
    """Readable, and not what the reference gives, or not what was written."""
    UNUSABLE = 2
    """Cannot be read, or breaks the format."""


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """One thing that is wrong."""

    kind: Kind
    message: str
    file: str = ""
    id: str = ""
    step: int | None = None
    quantity: str = ""
    parameter: int | None = None
    element: tuple[int, ...] | None = None


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    files: int = 0
    cases: int = 0
    compared: int = 0
    """Elements recomputed."""
    worst_fraction: float = 0.0
    """Largest difference as a fraction of its bound."""
    complaints: list[Complaint] = field(default_factory=list)


def verify(folder: Path = files.CASES, say: Callable[[str], None] = lambda _: None, *, partial: bool = False) -> Report:
    """Look at every file of a folder. Raises `GoldenError` if there is no such folder, or no file in it.

    partial: it need not have every case of the catalogue.
    """
    report = Report()
    _validator()  # where it is missing, nothing can be said of any file
    paths, strays = files.stored(folder)
    report.complaints += [Complaint(kind=Kind.UNUSABLE, message=text) for text in strays]
    seen: dict[str, Path] = {}
    for path in paths:
        report.files += 1
        say(f"{path.parent.name}/{path.name}")
        report.complaints += _file(path, seen, report)
    if not partial:
        report.complaints += _missing(folder, seen, {Path(c.file) for c in report.complaints})
    return report


def _missing(folder: Path, seen: Mapping[str, Path], wrong: Collection[Path]) -> Iterator[Complaint]:
    """Cases of the catalogue that no file has. Of a file about which there are complaints, those say enough."""
    for dialect in DIALECTS.values():
        for made, _ in catalogue.files(dialect):
            path = folder / dialect.name / f"{made.topic}.json"
            absent = [case.id for case in made.cases if case.id not in seen]
            if absent and path not in wrong:
                text = f"{path}: missing {', '.join(absent)}; accepted: every case of the catalogue"
                yield Complaint(kind=Kind.WRONG, file=str(path), id=absent[0], message=text)


def _file(path: Path, seen: dict[str, Path], report: Report) -> Iterator[Complaint]:
    try:
        data = files.read_json(path)
        _check_schema(data, path)
        file = layout.parse(data, path)
    except GoldenError as error:
        yield Complaint(kind=Kind.UNUSABLE, file=str(path), message=str(error))
        return
    hashed = layout.content_hash(data)
    if data[layout.HASH] != hashed:
        text = f"{path}: {layout.HASH} is {data[layout.HASH]}; accepted: {hashed}, that of the content (a hand edit?)"
        yield Complaint(kind=Kind.WRONG, file=str(path), message=text)
    for case in file.cases:
        report.cases += 1
        if case.id in seen:
            text = f"{path}: id {case.id} stands in {seen[case.id]} too; accepted: every id once"
            yield Complaint(kind=Kind.WRONG, file=str(path), id=case.id, message=text)
        seen[case.id] = path
        try:
            yield from _recomputed(case, path, report)
            yield from _tolerances(case, path)
        except ValueError as error:  # the reference refuses the case
            text = f"{path}, {case.id}: {error}"
            yield Complaint(kind=Kind.UNUSABLE, file=str(path), id=case.id, message=text)


@cache
def _validator() -> Any:
    try:
        import jsonschema
    except ImportError as error:
        raise GoldenError(f"verify needs jsonschema ({error}); accepted: pip install --group golden") from error
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _check_schema(data: Any, path: Path) -> None:
    error = next(_validator().iter_errors(data), None)
    if error is not None:
        message = error.message if len(error.message) <= 200 else f"{error.message[:197]}..."
        raise GoldenError(f"{path} breaks the schema at {error.json_path[:120]}: {message}")


# Values


def _recomputed(case: Case, path: Path, report: Report) -> Iterator[Complaint]:
    """The first step that differs, each quantity's worst element."""
    for expected, state, bound in trajectory(case, DOUBLE):
        found = [*_counts(case, expected, state, path), *_values(case, expected, state, bound, path, report)]
        yield from found
        if found:
            return


def _counts(case: Case, expected: Expected, state: State, path: Path) -> Iterator[Complaint]:
    for i, (stored, t) in enumerate(zip(expected.t, state.t, strict=True)):
        if stored != t:
            text = f"{path}, {case.id}, step {expected.step}: t of parameter {i} is {stored}; accepted: {t}"
            yield Complaint(
                kind=Kind.WRONG, file=str(path), id=case.id, step=expected.step, quantity="t", parameter=i, message=text
            )


def _values(
    case: Case, expected: Expected, state: State, bound: Bound, path: Path, report: Report
) -> Iterator[Complaint]:
    ours, limits = named(state), named(bound)
    for name, arrays in expected.quantities():
        for i, (stored, value, limit) in enumerate(zip(arrays, ours[name], limits[name], strict=True)):
            fraction = _fractions(stored, value, limit)
            report.compared += fraction.size
            worst = float(np.max(fraction, initial=0.0))
            if worst <= 1:
                report.worst_fraction = max(report.worst_fraction, worst)
                continue
            at = tuple(int(n) for n in np.unravel_index(int(np.argmax(fraction)), fraction.shape))
            got, want, off = float(stored[at]), float(value[at]), float(limit[at])
            text = (
                f"{path}, {case.id}, step {expected.step}: {name} of parameter {i}, element {list(at)},"
                f" is {floats.to_hex(got)} ({got!r}); accepted: {want!r} +- {off:.3g}"
            )
            yield Complaint(
                kind=Kind.WRONG,
                file=str(path),
                id=case.id,
                step=expected.step,
                quantity=name,
                parameter=i,
                element=at,
                message=text,
            )


def _tolerances(case: Case, path: Path) -> Iterator[Complaint]:
    for step, name, i in tolerance.differences(case):
        text = (
            f"{path}, {case.id}, step {step}: tolerance of {name} of parameter {i} is not that of the bound;"
            " accepted: the power of two next above it"
        )
        yield Complaint(
            kind=Kind.WRONG, file=str(path), id=case.id, step=step, quantity=name, parameter=i, message=text
        )


def _fractions(stored: Any, value: Any, bound: Any) -> Any:
    """Difference as a fraction of the bound; infinite where nothing certifies the value, or it differs at bound 0."""
    with np.errstate(all="ignore"):
        error = np.abs(stored - value)
        return np.where(np.isinf(bound), math.inf, np.where(error > 0, error / bound, 0.0))
