"""Is what was recorded what its case states, within the bound of the arithmetic that it was recorded with?

The bound is that of a free-running trajectory (`reference.bounded_step`), as in the check golden of the suite; where
the range of a format decides, every result is accepted and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golden import floats
from golden.case import Case, Expected
from golden.lint_recorded import linted_recorded
from golden.parallel import in_processes
from golden.recordings import Recorded, Recording
from golden.report import Complaint, Kind, Report
from golden.trajectory import named, trajectory
from reference import Bound, Rounding

Bounds = dict[tuple[str, Rounding], list[tuple[Expected, Bound]]]
Found = tuple[Path, Recorded, Mapping[str, Case]]
"""A file of recordings, and the cases of its dialect."""


def verify_recorded(folder: Path, cases: Mapping[str, Case], report: Report) -> None:
    """Look at every recording. Raises `GoldenError` if there is no such folder, or no file in it."""
    by_dialect: dict[str, list[Found]] = {}
    for found in linted_recorded(folder, cases, report):
        by_dialect.setdefault(found[1].dialect, []).append(found)
    for part in in_processes(_of_dialect, list(by_dialect.values())):
        report.add(part)


def _of_dialect(found: Sequence[Found]) -> Report:
    """Adapters of a dialect mostly share an arithmetic, and with it their bounds."""
    report, bounds = Report(), Bounds()
    for path, recorded, cases in found:
        for recording in recorded.recordings:
            report.complaints += _compared(cases[recording.id], recording, recorded, path, bounds, report)
    return report


def _compared(
    case: Case, recording: Recording, recorded: Recorded, path: Path, bounds: Bounds, report: Report
) -> Iterator[Complaint]:
    """The first thing that is out of its bound; nothing where a deviation says so, and one where it says so in vain."""
    key = case.id, recorded.rounding(recording.dtype)
    if key not in bounds:
        bounds[key] = [(expected, bound) for expected, _, bound in trajectory(case, key[1])]
    where = f"{path}, {case.id} in {recording.dtype}"
    worst, off = 0.0, ""
    at: dict[str, Any] = {}
    for state, (expected, bound) in zip(recording.states, bounds[key], strict=True):
        if state.t != expected.t and not off:
            off = f"step {state.step}: t is {list(state.t)}; accepted: {list(expected.t)}"
            at = {"step": state.step, "quantity": "t"}
        for name, i, obtained, value, limit in _arrays(state, expected, bound):
            fraction = _fractions(obtained, value, limit)
            report.compared += fraction.size
            report.ambiguous += int(np.count_nonzero(np.isinf(limit)))
            worst = max(worst, float(np.max(fraction, initial=0.0)))
            if worst > 1 and not off:
                k = np.unravel_index(int(np.argmax(fraction)), fraction.shape)
                place = tuple(int(n) for n in k)
                at = {"step": state.step, "quantity": name, "parameter": i, "element": place}
                off = (
                    f"step {state.step}: {name} of parameter {i}, element {list(place)}, is"
                    f" {floats.to_hex(float(obtained[k]))}; accepted: {float(value[k])!r} +- {float(limit[k]):.3g}"
                )
    if recording.deviation is None:
        report.worst_recorded = max(report.worst_recorded, worst)
    if off and recording.deviation is None:
        yield Complaint(kind=Kind.WRONG, file=str(path), id=case.id, message=f"{where}, {off}", **at)
    if recording.deviation is not None and not off:
        text = f"{where}: deviation is {recording.deviation}, but it is what the case states; accepted: no such mark"
        yield Complaint(kind=Kind.WRONG, file=str(path), id=case.id, message=text)


def _arrays(state: Expected, expected: Expected, bound: Bound) -> Iterator[tuple[str, int, Any, Any, Any]]:
    limits, values = named(bound), dict(expected.quantities())
    for name, arrays in state.quantities():
        for i, obtained in enumerate(arrays):
            yield name, i, obtained, values[name][i], np.asarray(limits[name][i])


def _fractions(obtained: Any, value: Any, bound: Any) -> Any:
    """Difference as a fraction of the bound: 0 where it is infinite, infinite where a value differs at bound 0."""
    with np.errstate(all="ignore"):
        error = np.abs(obtained - value)
        return np.where((error == 0) | np.isinf(bound), 0.0, error / bound)
