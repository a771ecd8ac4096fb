"""Are the files what they say they are? What `golden.lint` looks at, and every value recomputed.

The float64 reference recomputes; it may be off by its own certified error, the bound of
`reference.bounded_step` for float64 arithmetic, and by nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from golden import files, floats, layout, tolerance
from golden.case import Case, Expected
from golden.lint import linted
from golden.parallel import in_processes
from golden.report import Complaint, Kind, Report
from golden.trajectory import named, trajectory
from golden.verify_recorded import verify_recorded
from reference import Bound, Rounding, State

DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")


def verify(folder: Path = files.CASES, *, partial: bool = False, recorded: Path | None = None) -> Report:
    """Look at every file of a folder. Raises `GoldenError` if there is no such folder, or no file in it.

    partial: it need not have every case of the catalogue. recorded: the folder of recordings of its cases.
    """
    report = Report()
    found = list(linted(folder, report, partial=partial))
    for part in in_processes(_file, found):
        report.add(part)
    if recorded is not None:
        verify_recorded(recorded, {case.id: case for _, file in found for case in file.cases}, report)
    return report


def _file(found: tuple[Path, layout.File]) -> Report:
    path, file = found
    report = Report()
    for case in file.cases:
        try:
            report.complaints += _recomputed(case, path, report)
            report.complaints += _tolerances(case, path)
        except ValueError as error:  # the reference refuses the case
            text = f"{path}, {case.id}: {error}"
            report.complaints.append(Complaint(kind=Kind.UNUSABLE, file=str(path), id=case.id, message=text))
    return report


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
