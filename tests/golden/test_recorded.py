"""golden/recorded: every framework has its recordings, they are what its adapter claims, and what is wrong is named."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from golden_copies import ROOT, edit, golden
from hostile import rewritten
from hypothesis import given, settings
from hypothesis import strategies as st
from test_golden_fuzzing import JUNK, REMOVE, TOO_MUCH, places

from adapters.contract import Arithmetic, Precision
from adapters.registry import ADAPTERS, Entry
from conformance import deviations, direct
from conformance.replay import outside
from golden import CASES, Case, cases_of, files
from golden.lint_recorded import linted_recorded
from golden.recordings import FORMAT, RECORDED, Recorded, parse
from golden.report import Kind, Report
from golden.verify_recorded import verify_recorded

FILE = Path("optax-adam/optax-amsgrad.json")
ID = "optax-adam/spike/amsgrad"
REAL = [entry for entry in ADAPTERS.values() if entry.distribution != direct.PRODUCTION]


@cache
def by_id(dialect: str) -> dict[str, Case]:
    return {case.id: case for case in cases_of(dialect)}


def recorded_of(entry: Entry) -> Recorded:
    path = RECORDED / direct.claim_of(entry).dialect / f"{entry.name}.json"
    assert path.exists(), f"{entry.name} has no recordings: tox run -e record-{entry.environments[0]}"
    return parse(files.read_json(path, FORMAT), path, by_id(path.parent.name))


def test_nothing_is_recorded_of_anything_else() -> None:
    paths, strays = files.entries(RECORDED)
    assert strays == []
    assert sorted(path.stem for path in paths) == sorted(entry.name for entry in REAL)


@pytest.mark.parametrize("entry", REAL, ids=lambda entry: entry.name)
def test_an_adapter_has_its_recordings(entry: Entry) -> None:
    """Of every case that it claims, made with the version that its environment pins; of the others the reason."""
    recorded, claim = recorded_of(entry), direct.claim_of(entry)
    (pin,) = (p for p in pins(entry.environments[0]) if p.partition("==")[0] == entry.distribution)
    assert recorded.distribution == entry.distribution
    assert recorded.version.partition("+")[0] == pin.partition("==")[2], "another version is pinned: record again"
    cases = by_id(claim.dialect)
    dtypes: list[Precision] = [dtype for dtype in claim.dtypes if dtype in ("float32", "float64")]
    assert sorted(recorded.arithmetic) == dtypes
    arithmetic = {dtype: Arithmetic(**recorded.arithmetic[dtype]) for dtype in dtypes}  # type: ignore[arg-type]
    why = {(id_, d): outside(case, claim, d, arithmetic[d]) for id_, case in cases.items() for d in dtypes}
    assert {(one.id, one.dtype) for one in recorded.recordings} == {key for key, reason in why.items() if not reason}
    assert {(one.id, one.dtype): one.why for one in recorded.not_asked} == {k: text for k, text in why.items() if text}
    known = {one.id for one in deviations.read()}
    assert known.issuperset(one.deviation for one in recorded.recordings if one.deviation)


def pins(environment: str) -> list[str]:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return [pin for pin in groups[environment] if isinstance(pin, str)]


def test_they_are_small() -> None:
    """With the cases at most 15 MB, which is much to clone already."""
    assert sum(path.stat().st_size for path in RECORDED.parent.rglob("*.json")) < 15_000_000


# What is wrong is named


def looked_at(folder: Path, *, values: bool = True) -> Report:
    report = Report()
    cases = by_id("optax-adam")
    if values:
        verify_recorded(folder, cases, report)
    else:
        for _ in linted_recorded(folder, cases, report):
            pass
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes((RECORDED / FILE).read_bytes())
    edit(tmp_path / FILE, lambda data: data["recordings"].sort(key=lambda one: one["id"] != ID))
    return tmp_path


def test_what_is_right_has_no_complaint(folder: Path) -> None:
    report = looked_at(folder)
    assert (report.recorded, report.recordings, report.complaints) == (1, 4, [])
    assert report.compared == 2 * 4 * 4 * (3 + 8)  # dtypes, steps, quantities, elements of both cases
    assert 0.001 < report.worst_recorded < 1


def at(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *path, last = keys
        inner: Any = data
        for key in path:
            inner = inner[key]
        inner[last] = to

    return change


FIRST = ("recordings", 0, "states", 0)
SPOILED: Mapping[str, tuple[Kind, Callable[[dict[str, Any]], Any], str]] = {
    "orphan": (Kind.WRONG, at("recordings", 0, "id", to="optax-adam/spike/gone"), "gone is an orphan: there is no"),
    "orphan not asked": (Kind.WRONG, at("not_asked", 0, "id", to="optax-adam/spike/gone"), "gone is an orphan"),
    "missing": (Kind.WRONG, lambda data: data["recordings"].pop(0), f"recorded nor named as not asked, the first {ID}"),
    "not named": (Kind.WRONG, lambda data: data["not_asked"].pop(0), "neither recorded nor named as not asked"),
    "twice": (Kind.WRONG, lambda data: data["recordings"].append(data["recordings"][0]), f"{ID} stands there 2 times"),
    "t": (Kind.WRONG, at(*FIRST, "t", 0, to=2), "in float32, step 1: t is [2]; accepted: [1]"),
    "value": (Kind.WRONG, at(*FIRST, "m", 0, 1, to="-0x1.0002p-12"), "step 1: m of parameter 0, element [1], is -0x"),
    "in vain": (Kind.WRONG, at("recordings", 0, "deviation", to="x"), "deviation is x, but it is what the case"),
    "precision": (Kind.UNUSABLE, at(*FIRST, "m", 0, 1, to="0x1.0000000000001p+0"), "a value that float32 does not"),
    "steps": (Kind.UNUSABLE, lambda data: data["recordings"][0]["states"].pop(), "states are of other steps than"),
    "quantity": (Kind.UNUSABLE, lambda data: data["recordings"][0]["states"][0].pop("v_max"), "v_max is not there; a"),
    "no quantity": (Kind.UNUSABLE, at(*FIRST, "slow", to=[["0x1p+0"]]), "slow is there; accepted: what the case"),
    "length": (Kind.UNUSABLE, at(*FIRST, "m", 0, to=[]), "m[0] has length 0; accepted: 3 numbers"),
    "parameters": (Kind.UNUSABLE, at(*FIRST, "m", to=[]), "m has length 0; accepted: 1, one per parameter"),
    "counts": (Kind.UNUSABLE, at(*FIRST, "t", to=[]), "t has length 0; accepted: 1, one per parameter"),
    "dtype": (Kind.UNUSABLE, at("recordings", 0, "dtype", to="float16"), "dtype is 'float16'; accepted: float32, flo"),
    "role": (Kind.UNUSABLE, at("arithmetic", "float32", "compute", to="float8"), "arithmetic.float32 is not usable"),
    "form": (Kind.UNUSABLE, at("arithmetic", "float32", "compute", to="lerp"), "breaks the schema at $.arithmetic"),
    "no role": (Kind.UNUSABLE, lambda data: data["arithmetic"]["float32"].pop("powers"), "breaks the schema at "),
    "dialect": (Kind.UNUSABLE, at("dialect", to="torch-adam"), "accepted: the name of the file"),
    "format": (Kind.UNUSABLE, at("format", to="adam-conformance golden"), "accepted: 'adam-conformance recorded', v"),
    "version": (Kind.UNUSABLE, at("version", to=2), "accepted: 'adam-conformance recorded', version 1"),
    "key": (Kind.UNUSABLE, at("surprise", to=1), "breaks the schema at $: "),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_wrong_is_named(folder: Path, name: str) -> None:
    """With a hash that fits."""
    kind, spoil, message = SPOILED[name]
    edit(folder / FILE, spoil)
    complaints = looked_at(folder).complaints
    assert any(message in complaint.message for complaint in complaints), [c.message for c in complaints]
    assert {(complaint.kind, complaint.file) for complaint in complaints} == {(kind, str(folder / FILE))}


def test_a_changed_digit_is_seen_by_the_hash(folder: Path) -> None:
    edit(folder / FILE, at(*FIRST, "m", 0, 1, to="-0x1.0002p-12"), rehash=False)
    (complaint,) = looked_at(folder, values=False).complaints
    assert "a hand edit?" in complaint.message


def test_a_deviation_excuses_what_is_out_of_its_bound(folder: Path) -> None:
    def deviate(data: dict[str, Any]) -> None:
        at(*FIRST, "m", 0, 1, to="0x1p+3")(data)
        data["recordings"][0]["deviation"] = "known"

    edit(folder / FILE, deviate)
    report = looked_at(folder)
    assert report.complaints == []
    assert report.worst_recorded < 1, "what is excused is not measured"


def test_strays_and_what_a_killed_write_has_left_are_named(folder: Path) -> None:
    (folder / "optax-adam" / "notes.txt").write_text("")
    (folder / "optax-adam" / ".optax-amsgrad.json.k2.tmp").write_text("")
    complaints = looked_at(folder).complaints
    assert sorted(c.kind for c in complaints) == [Kind.WRONG, Kind.UNUSABLE]


@pytest.mark.parametrize("command", ["lint", "verify"])
def test_the_commands_look_at_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    """Those that are named; with cases from elsewhere none unless they are."""
    cases = tmp_path / "cases"
    for path in (CASES / "optax-adam").iterdir():
        (cases / "optax-adam").mkdir(parents=True, exist_ok=True)
        (cases / "optax-adam" / path.name).write_bytes(path.read_bytes())
    recorded = tmp_path / "recorded"
    recorded.mkdir()
    (folder / FILE).parent.rename(recorded / "optax-adam")
    code, out, _ = golden(capsys, command, "--partial", "--json", "--folder", cases)
    assert (code, json.loads(out)["recordings"]) == (0, 0)
    code, out, _ = golden(capsys, command, "--partial", "--json", "--folder", cases, "--recorded", recorded)
    assert (code, json.loads(out)["recordings"]) == (0, 4)
    edit(recorded / FILE, at("recordings", 0, "id", to="optax-adam/spike/gone"))
    code, out, _ = golden(capsys, command, "--partial", "--folder", cases, "--recorded", recorded)
    assert code == 1
    assert "gone is an orphan" in out
    code, _, err = golden(capsys, command, "--partial", "--folder", cases, "--recorded", tmp_path / "nowhere")
    assert code == 2
    assert "nowhere is no folder; accepted: the folder of the recordings" in err
    (tmp_path / "nothing").mkdir()
    code, _, err = golden(capsys, command, "--partial", "--folder", cases, "--recorded", tmp_path / "nothing")
    assert code == 2
    assert "nothing has no file of recordings; accepted: DIALECT/IMPLEMENTATION.json" in err


ORIGINAL = json.loads((RECORDED / FILE).read_text())


@given(edits=st.lists(st.tuples(st.sampled_from(places(ORIGINAL)), JUNK | st.just(REMOVE)), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=TOO_MUCH)
def test_any_content_is_judged(edits: list[Any]) -> None:
    """Whatever stands there is a complaint, or right; nothing is raised."""

    def change(data: dict[str, Any]) -> None:
        for path, junk in edits:
            with suppress(KeyError, IndexError, TypeError):
                inner: Any = data
                for key in path[:-1]:
                    inner = inner[key]
                if junk is REMOVE:
                    del inner[path[-1]]
                else:
                    inner[path[-1]] = junk

    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / FILE).parent.mkdir()
        (Path(scratch) / FILE).write_bytes((RECORDED / FILE).read_bytes())
        rewritten(Path(scratch) / FILE, change)
        report = looked_at(Path(scratch))
        assert report.recorded == 1
        assert all(len(complaint.message) < 2_000 for complaint in report.complaints)
