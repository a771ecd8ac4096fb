"""export: what stands in CSV and NPZ is what stands in the files, and a reader needs no pickles."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_copies import FIRST, copied, edit, golden

from golden import Case, cases_of, export

LAZY, WHICH = "mxnet2-adam-lazy", "mxnet2-adam-lazy/first-steps/*"


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.id: case for case in cases_of(LAZY) if "/first-steps/" in case.id}


def test_csv_holds_every_number(tmp_path: Path, capsys: pytest.CaptureFixture[str], cases: dict[str, Case]) -> None:
    out = tmp_path / "cases.csv"
    code, said, _ = golden(capsys, "export", out, WHICH)
    with out.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert (code, said) == (0, f"wrote {out}: {len(cases)} cases, {len(lines)} lines\n")
    assert list(lines[0]) == list(export.COLUMNS)
    assert {line["id"] for line in lines} == set(cases)
    for id_, case in cases.items():
        mine = [line for line in lines if line["id"] == id_]
        by_place = {(x["what"], x["name"], x["step"], x["parameter"], x["element"]): x for x in mine}
        assert len(by_place) == len(mine)
        assert float(by_place["hyperparameter", "beta_2", "", "", ""]["value"]) == case.hyperparameters.beta_2
        for expected in case.expected:
            for i, t in enumerate(expected.t):
                assert int(by_place["expected", "t", str(expected.step), str(i), ""]["value"]) == t
            for name, arrays in expected.quantities():
                for i, array in enumerate(arrays):
                    got = [
                        x for x in mine if (x["name"], x["step"], x["parameter"]) == (name, str(expected.step), str(i))
                    ]
                    assert [float(x["value"]) for x in got] == array.ravel().tolist()
                    assert [float.fromhex(x["hex"]) for x in got] == array.ravel().tolist()
                    assert [float(x["tolerance"]) for x in got] == expected.tolerance[name][i].ravel().tolist()


def test_csv_says_what_a_gradient_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cases.csv"
    assert golden(capsys, "export", out, "keras-v2-adam/first-steps/*")[0] == 0
    with out.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["what"] == "gradient"]
    absent = {(x["id"].split("/")[-1], x["step"], x["parameter"]) for x in lines if x["value"] == "absent"}
    assert absent >= {("absent-gradients", "1", "0"), ("absent-gradients", "4", "0"), ("absent-gradients", "2", "1")}
    twice = [x for x in lines if x["id"] == "keras-v2-adam/first-steps/duplicate-rows" and x["step"] == "1"]
    assert [(x["element"], x["row"]) for x in twice] == [(str(n), r) for n, r in enumerate("000022")]


def test_npz_holds_every_array(tmp_path: Path, capsys: pytest.CaptureFixture[str], cases: dict[str, Case]) -> None:
    out = tmp_path / "cases.npz"
    code, said, _ = golden(capsys, "export", "--json", out, WHICH)
    with np.load(out, allow_pickle=False) as archive:
        arrays = dict(archive)
    assert code == 0
    assert json.loads(said) == {"file": str(out), "cases": len(cases), "entries": len(arrays), "exit_code": 0}
    for id_, case in cases.items():
        assert json.loads(str(arrays[f"{id_}/hyperparameters"]))["beta_1"]["hex"] == "0x1.cp-1"
        assert arrays[f"{id_}/steps"].tolist() == [expected.step for expected in case.expected]
        assert arrays[f"{id_}/t"].tolist() == [list(expected.t) for expected in case.expected]
        for i, theta in enumerate(case.parameters):
            assert np.array_equal(arrays[f"{id_}/initial/{i}"], theta)
            for k, expected in enumerate(case.expected):
                for name, group in expected.quantities():
                    assert np.array_equal(arrays[f"{id_}/{name}/{i}"][k], group[i])
                    stored = arrays[f"{id_}/tolerance/{name}/{i}"][k]
                    assert np.array_equal(stored, expected.tolerance[name][i])
            for k, step in enumerate(case.gradients):
                gradient, rows = step[i], f"{id_}/rows/{k + 1}/{i}"
                assert (rows in arrays) == isinstance(gradient, tuple)
                if isinstance(gradient, tuple):
                    assert np.array_equal(arrays[rows], gradient[0])
                    assert np.array_equal(arrays[f"{id_}/gradient/{k + 1}/{i}"], gradient[1])
                elif f"{id_}/gradients/{i}" in arrays:
                    assert np.array_equal(arrays[f"{id_}/gradients/{i}"][k], gradient)
                else:
                    assert (f"{id_}/gradient/{k + 1}/{i}" in arrays) == (gradient is not None)
    again = tmp_path / "again.npz"
    assert golden(capsys, "export", again, WHICH)[0] == 0
    assert again.read_bytes() == out.read_bytes()


def test_schedules_and_lists_are_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cases.csv"
    assert golden(capsys, "export", out, "keras-v2-adam/schedules/*", "mxnet2-adam/multipliers/*")[0] == 0
    with out.open(newline="") as file:
        values = {x["name"]: x["value"] for x in csv.DictReader(file) if x["what"] == "hyperparameter"}
    assert "name" in json.loads(values["schedule"])
    assert isinstance(json.loads(values["lr_mult"]), list)


def test_a_file_from_before_there_were_tolerances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path / "cases")

    def change(data: dict[str, Any]) -> None:
        for expected in (expected for case in data["cases"] for expected in case["expected"]):
            del expected["tolerance"]

    edit(folder / FIRST, change)
    for name in ("cases.csv", "cases.npz"):
        assert golden(capsys, "export", "--folder", folder, tmp_path / name)[0] == 0
    with (tmp_path / "cases.csv").open(newline="") as file:
        assert {line["tolerance"] for line in csv.DictReader(file)} == {""}
    with np.load(tmp_path / "cases.npz") as archive:
        assert archive.files
        assert not [name for name in archive.files if "tolerance" in name]


def test_what_is_written_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the middle leaves the old file, and no other."""
    out = tmp_path / "cases.npz"
    out.write_text("old")

    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np.lib.format, "write_array", broken)
    case = cases_of("torch-adam")[0]
    with pytest.raises(MemoryError):
        export.write([(case, {"hyperparameters": {}})], out)
    assert [path.name for path in tmp_path.iterdir()] == ["cases.npz"]
    assert out.read_text() == "old"


def test_an_id_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cases.csv"
    code, _, err = golden(capsys, "export", out, "torch-adam/spike/dense", "torch-adam/nothing/*")
    assert code == 2
    assert "id is 'torch-adam/nothing/*'; accepted: one out of `python -m golden list`" in err
    assert not out.exists()
