"""Is the folder as `regenerate` leaves it? Names, schema, hashes, ids, and all but the expected values.

What must be recomputed is `golden.verify`'s. Needs jsonschema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from golden import catalogue, files, layout
from golden.case import Case, GoldenError
from golden.lint_recorded import linted_recorded
from golden.report import Complaint, Kind, Report, check_hash, check_schema, check_schema_itself
from golden.words import differences
from reference import DIALECTS


def lint(folder: Path = files.CASES, *, partial: bool = False, recorded: Path | None = None) -> Report:
    """Look at every file of a folder. Raises `GoldenError` if there is no such folder, or no file in it.

    partial: it need not have every case of the catalogue. recorded: the folder of recordings of its cases.
    """
    report = Report()
    cases: dict[str, Case] = {}
    for _, file in linted(folder, report, partial=partial):
        cases |= {case.id: case for case in file.cases}
    if recorded is not None:
        for _ in linted_recorded(recorded, cases, report):
            pass
    return report


def linted(folder: Path, report: Report, *, partial: bool) -> Iterator[tuple[Path, layout.File]]:
    """Every file that can be read, one after the other; what is wrong is in `report` when all have been taken."""
    report.complaints += check_schema_itself()
    paths, strays = files.stored(folder)
    for stray in strays:
        kind = Kind.WRONG if stray.left_over else Kind.UNUSABLE
        report.complaints.append(Complaint(kind=kind, file=str(stray.path), message=str(stray)))
    seen: set[str] = set()
    for path in paths:
        report.files += 1
        try:
            data = files.read_json(path)
            file = layout.parse(data, path)  # first: it ends at the first mistake, and holds nothing of the others
            check_schema(data, path)
        except GoldenError as error:
            report.complaints.append(Complaint(kind=Kind.UNUSABLE, file=str(path), message=str(error)))
            continue
        report.cases += len(file.cases)
        report.complaints += check_hash(data, path)
        report.complaints += _ids(file, path, seen)
        report.complaints += _decimals(data, file, path)
        if file.topic != files.PROMOTED:
            report.complaints += _as_made(data, file, path)
        yield path, file
    if not partial:
        unusable = {Path(complaint.file) for complaint in report.complaints if complaint.kind == Kind.UNUSABLE}
        report.complaints += _missing(folder, seen, unusable)


def _ids(file: layout.File, path: Path, seen: set[str]) -> Iterator[Complaint]:
    """An id begins with the name of its file, so that two of the same are in the same one."""
    for case in file.cases:
        if case.id in seen:
            text = f"{path}: id {case.id} stands there twice; accepted: every id once"
            yield Complaint(kind=Kind.WRONG, file=str(path), id=case.id, message=text)
        seen.add(case.id)


def _decimals(data: Mapping[str, Any], file: layout.File, path: Path) -> Iterator[Complaint]:
    """What is beside the numbers for people is those numbers; the first of each parameter and step that is not."""
    for case, stored in zip(file.cases, data["cases"], strict=True):
        for expected, told in zip(case.expected, stored["expected"], strict=True):
            lists = layout.decimals(expected.parameters)
            for i, (made, texts) in enumerate(zip_longest(lists, told["parameters_decimal"])):
                if made == texts:
                    continue
                pairs = zip(made or (), texts or (), strict=False)
                k = next((k for k, (a, b) in enumerate(pairs) if a != b), None)
                at = None if k is None else tuple(int(n) for n in np.unravel_index(k, expected.parameters[i].shape))
                text = (
                    f"{path}, {case.id}, step {expected.step}: parameters_decimal differs from parameters in parameter"
                    f" {i}, {'its length' if at is None else f'element {list(at)}'}; accepted: the same, to nine digits"
                )
                yield Complaint(
                    kind=Kind.WRONG,
                    file=str(path),
                    id=case.id,
                    step=expected.step,
                    quantity="parameters",
                    parameter=i,
                    element=at,
                    message=text,
                )


def _as_made(data: Mapping[str, Any], file: layout.File, path: Path) -> Iterator[Complaint]:
    """Orphans, and whatever is not as the catalogue has it: words, problem, stated steps."""
    made = _catalogue().get((file.dialect, file.topic))
    if made is None:
        text = f"{path} is an orphan: no topic of the catalogue makes it; accepted: none, remove it"
        yield Complaint(kind=Kind.WRONG, file=str(path), message=text)
        return
    known = {case["id"] for case in made["cases"]}
    for case in file.cases:
        if case.id not in known:
            text = f"{path}: {case.id} is an orphan: the catalogue does not make it; accepted: none, remove it"
            yield Complaint(kind=Kind.WRONG, file=str(path), id=case.id, message=text)
    for at in differences(data, made):
        where = f"{path}, {at.id}" if at.id else str(path)
        text = f"{where}: {at.place} is {at.old}; accepted: {at.new}, as the catalogue has it"
        yield Complaint(kind=Kind.WRONG, file=str(path), id=at.id, message=text)


def _missing(folder: Path, seen: set[str], unusable: set[Path]) -> Iterator[Complaint]:
    """Cases of the catalogue that no file has. Of a file that cannot be read, that says enough.

    Of a folder that has less than half of the files it is said once.
    """
    paths = {key: folder / key[0] / f"{key[1]}.json" for key in _catalogue()}
    there = sum(path.exists() for path in paths.values())
    if there < len(paths) / 2:
        text = (
            f"{folder} has {there} of the catalogue's {len(paths)} files; accepted: all, or --partial for some of them"
        )
        yield Complaint(kind=Kind.WRONG, file=str(folder), message=text)
    for key, made in _catalogue().items():
        path = paths[key]
        if there < len(paths) / 2 and not path.exists():
            continue
        absent = [case["id"] for case in made["cases"] if case["id"] not in seen]
        if absent and path not in unusable:
            text = f"{path}: missing {', '.join(absent)}; accepted: every case of the catalogue"
            yield Complaint(kind=Kind.WRONG, file=str(path), id=absent[0], message=text)


@cache
def _catalogue() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """By dialect and topic what `regenerate` would write, but for the expected values and the hash."""
    found = {}
    for dialect in DIALECTS.values():
        for file, at_steps in catalogue.files(dialect):
            made = layout.to_json(file)
            for case in made["cases"]:
                case["expected"] = [{"step": k} for k in sorted(set(at_steps[case["id"]]))]
            found[dialect.name, file.topic] = made
    return found
