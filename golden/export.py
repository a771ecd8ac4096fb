"""Cases as CSV and NPZ, for people who have no use for the format; what is exported is not read again here."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from golden import files, floats
from golden.case import Case

COLUMNS = ("id", "what", "name", "step", "parameter", "element", "row", "value", "hex", "tolerance")
CSV = """CSV, one number per line:
  id         of the case
  what       hyperparameter, initial, gradient, between, set, state order or expected
  name       of the hyper-parameter; parameters, gradient, t, m, v, v_max, slow or average; of between what is done
  step       after which it is expected, done or set, or of which it is the gradient, from 1; empty for what has none
  parameter  its number, from 0; empty for hyper-parameters
  element    its place in the array, row-major, from 0; of a row-sparse gradient in the values that are given; of a
             state order in the list
  row        that the element of a row-sparse gradient belongs to; empty for dense ones
  value      in decimal digits that read back as the same float64; or text: a word, true, false, null, a list, a
             schedule; of a gradient without numbers: absent, or no rows
  hex        the same number as C99 hexadecimal float; empty where value is no float
  tolerance  how far a replay in float64 may be from an expected value; empty for everything else"""
NPZ = """NPZ, arrays without pickles (numpy.load as it is), named ID/...:
  hyperparameters, between, state_order     text: JSON as in the golden file; the last two where a case has them
  initial/I           parameter I before the first step
  gradients/I         [step, ...] where parameter I has a dense gradient in every step, or else
  gradient/K/I        of step K, where there is one, and if row-sparse
  rows/K/I            the rows that its first axis belongs to
  steps               [n], the steps after which the rest is expected
  t                   [n, parameter]
  parameters/I, m/I, v/I, v_max/I, slow/I, average/I    [n, ...], those that the case has
  tolerance/parameters/I, tolerance/m/I, ...            [n, ...], how far a replay in float64 may be from them"""


Exported = tuple[Case, Mapping[str, Any]]
"""A case, and its JSON."""


def write(cases: Iterable[Exported], path: Path) -> int:
    """As the name of the file ends, .csv or .npz, wholly or not at all; how many lines or arrays."""
    with files.replacing(path) as file:
        if path.suffix == ".npz":
            return _npz(cases, file)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        count = _csv(cases, text)
        text.detach()
    return count


# CSV


def _csv(cases: Iterable[Exported], file: io.TextIOWrapper) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for case, data in cases:
        for line in _lines(case, data):
            writer.writerow((case.id, *line, *[""] * (len(COLUMNS) - 1 - len(line))))
            count += 1
    return count


def _lines(case: Case, data: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name, value in data["hyperparameters"].items():
        yield "hyperparameter", name, "", "", "", "", *_hyperparameter(value)
    for i, theta in enumerate(case.parameters):
        yield from _elements(theta, "initial", "parameters", "", i)
    for k, step in enumerate(case.gradients, 1):
        for i, gradient in enumerate(step):
            yield from _gradient(gradient, k, i)
    for event in data.get("between", ()):
        yield "between", event["do"], event["after"], "", "", "", "", ""
        for name, value in event.get("hyperparameters", {}).items():
            yield "set", name, event["after"], "", "", "", *_hyperparameter(value)
    for k, name in enumerate(data.get("state_order", ())):
        yield "state order", name, "", "", k, "", "", ""
    for expected in case.expected:
        for i, t in enumerate(expected.t):
            yield "expected", "t", expected.step, i, "", "", t, ""
        for name, arrays in expected.quantities():
            for i, array in enumerate(arrays):
                lines = _elements(array, "expected", name, expected.step, i)
                limits = expected.tolerance[name][i].ravel().tolist() if expected.tolerance else [""] * array.size
                for line, limit in zip(lines, limits, strict=True):
                    yield *line, limit


def _hyperparameter(value: Any) -> tuple[Any, str]:
    if isinstance(value, dict) and "hex" in value:
        return float.fromhex(value["hex"]), value["hex"]
    return value if isinstance(value, str) else json.dumps(value), ""


def _gradient(gradient: Any, k: int, i: int) -> Iterator[tuple[Any, ...]]:
    if gradient is None:
        yield "gradient", "gradient", k, i, "", "", "absent", ""
    elif not isinstance(gradient, tuple):
        yield from _elements(gradient, "gradient", "gradient", k, i)
    elif not len(gradient[0]):
        yield "gradient", "gradient", k, i, "", "", "no rows", ""
    else:
        rows, values = gradient
        of_element = np.repeat(rows, values[0].size).tolist()
        yield from _elements(values, "gradient", "gradient", k, i, of_element)


def _elements(
    array: Any, what: str, name: str, step: int | str, parameter: int, rows: list[int] | None = None
) -> Iterator[tuple[Any, ...]]:
    for n, value in enumerate(array.ravel().tolist()):
        yield what, name, step, parameter, n, "" if rows is None else rows[n], value, floats.to_hex(value)


# NPZ


def _npz(cases: Iterable[Exported], file: Any) -> int:
    count = 0
    with zipfile.ZipFile(file, "w") as archive:
        for case, data in cases:
            for name, array in _arrays(case, data):
                entry = zipfile.ZipInfo(f"{case.id}/{name}.npy")  # dated 1980: the same bytes every time
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as part:
                    np.lib.format.write_array(part, np.asarray(array), allow_pickle=False)
                count += 1
    return count


def _arrays(case: Case, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("hyperparameters", "between", "state_order"):
        if key in data:
            yield key, json.dumps(data[key])
    for i, theta in enumerate(case.parameters):
        yield f"initial/{i}", theta
        gradients = [step[i] for step in case.gradients]
        if not any(gradient is None or isinstance(gradient, tuple) for gradient in gradients):
            yield f"gradients/{i}", np.stack(gradients)
            continue
        for k, gradient in enumerate(gradients, 1):
            rows, values = gradient if isinstance(gradient, tuple) else (None, gradient)
            if values is not None:
                yield f"gradient/{k}/{i}", values
            if rows is not None:
                yield f"rows/{k}/{i}", rows
    yield "steps", np.array([expected.step for expected in case.expected])
    yield "t", np.array([expected.t for expected in case.expected])
    for name, first in case.expected[0].quantities():
        for i in range(len(first)):
            yield f"{name}/{i}", np.stack([dict(expected.quantities())[name][i] for expected in case.expected])
            if all(expected.tolerance for expected in case.expected):
                yield f"tolerance/{name}/{i}", np.stack([expected.tolerance[name][i] for expected in case.expected])
