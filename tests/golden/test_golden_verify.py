"""verify: the files of this project are right, and whatever is wrong in one is found and named."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from golden_copies import FIRST, PLAIN, ROOT, copied, edit, golden
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import CASES, GoldenError, cases_of, layout
from golden.between import MAX_BETWEEN
from golden.case import MAX_ELEMENTS, MAX_PARAMETERS, MAX_STEPS
from golden.files import MAX_BYTES, entries, read_json
from golden.lint import lint
from golden.report import SCHEMA, Kind
from golden.trajectory import trajectory
from golden.verify import DOUBLE, verify
from reference import DIALECTS

Change = Callable[[dict[str, Any]], None]


def test_the_files_of_this_project_are_right() -> None:
    report = verify()
    assert [c.message for c in report.complaints] == []
    assert (report.files, report.cases) == (306, 893)
    assert 0 < report.worst_fraction < 0.5


def test_every_dialect_has_every_topic() -> None:
    topics = {"first-steps", "large-epsilon", "sign-alternation", "spike", "zeros-from-the-start", "thousand-steps"}
    topics |= {"settings", "many-elements", "late-parameters", "ten-decades"}
    topics |= {"changed-mid-run", "save-and-load", "configuration"}
    paths, strays = entries(CASES)
    wanted = {(d, topic) for d in DIALECTS for topic in topics}
    wanted -= {(name, "thousand-steps") for name, d in DIALECTS.items() if d.looks_ahead}
    wanted |= {(name, topic) for name in DIALECTS if name.startswith("mxnet") for topic in ("multipliers", "begin")}
    wanted |= {(name, "clipping") for name, d in DIALECTS.items() if "clipvalue" in d.hyperparameters}
    wanted |= {(name, "rate-decay") for name, d in DIALECTS.items() if "decay" in d.hyperparameters}
    wanted |= {(name, "rows-in-any-order") for name, d in DIALECTS.items() if d.takes_rows}
    wanted |= {(name, "finalize") for name, d in DIALECTS.items() if "ema_momentum" in d.hyperparameters}
    wanted |= {(name, "ten-thousand-steps") for name in ("keras-v2-adam", "mxnet2-adam-lazy", "torch-adam")}
    narrow = ("torch-adam", "torch-radam", "torch-nadam", "mxnet2-adam", "mxnet2-adam-lazy")
    wanted |= {(name, topic) for name in narrow for topic in ("narrow-counts", "narrow-counts-saved")}
    wanted |= {(name, "masters") for name in DIALECTS if name.startswith("mxnet2")}
    wanted |= {(name, "state-order") for name in DIALECTS if name.startswith(("keras", "tf"))}
    wanted |= {(name, "fifty-steps") for name, d in DIALECTS.items() if d.hyperparameters & {"l2", "weight_decay"}}
    later = {"ema": "ema_momentum", "exclude": "exclude_from_weight_decay", "constraint": "constraint"}
    later |= {"schedules": "schedule", "warm-up": "total_steps", "lr-scheduler": "lr_scheduler"}
    for topic, hyperparameter in later.items():
        wanted |= {(name, topic) for name, d in DIALECTS.items() if hyperparameter in d.hyperparameters}
    assert {(p.parent.name, p.stem) for p in paths} == wanted
    assert strays == []
    for d in DIALECTS.values():
        amsgrad = [case.id for case in cases_of(d.name) if case.hyperparameters.amsgrad]
        assert bool(amsgrad) == ("amsgrad" in d.hyperparameters)


def test_no_rectified_branch_is_open_and_no_value_without_certificate() -> None:
    for case in (case for d in DIALECTS.values() if d.rectifies for case in cases_of(d.name)):
        assert not any(bound.branch for _, _, bound in trajectory(case, DOUBLE))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_the_schema_has_the_limits_of_the_reader() -> None:
    of = json.loads(SCHEMA.read_text())["$defs"]
    parameters, generator = of["case"]["properties"]["parameters"], of["gradients"]["oneOf"][1]["properties"]
    assert parameters["maxItems"] == MAX_PARAMETERS
    assert parameters["items"]["properties"]["shape"]["items"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": MAX_ELEMENTS,
    }
    assert (generator["steps"]["minimum"], generator["steps"]["maximum"]) == (1, MAX_STEPS)
    assert (generator["seed"]["minimum"], generator["seed"]["maximum"]) == (1, 2**32 - 1)
    assert of["between"]["maxItems"] == MAX_BETWEEN


@pytest.mark.parametrize("name", ["schema.json", "recorded.schema.json", "tolerances.schema.json"])
@pytest.mark.parametrize(
    ("there", "instead", "code", "why"),
    [
        ('"minimum": 1', '"minimum": 0', 1, "content_hash is sha256:"),
        ('"type": "object"', '"type": "objekt"', 2, "is no schema: 'objekt' is not valid"),
        ("{", "[", 2, "is no schema: "),
    ],
)
def test_an_edited_schema_is_seen(tmp_path: Path, name: str, there: str, instead: str, code: int, why: str) -> None:
    """In a copy of the packages with the cases of one dialect and its recordings."""
    for room in ("golden", "reference"):
        ignored = shutil.ignore_patterns("cases", "recorded", "__pycache__")
        shutil.copytree(ROOT / room, tmp_path / room, ignore=ignored)
    for what in ("cases", "recorded"):
        shutil.copytree(ROOT / "golden" / what / "torch-sparse-adam", tmp_path / "golden" / what / "torch-sparse-adam")
    schema = tmp_path / "golden" / name
    text = schema.read_text()
    assert there in text
    schema.write_text(text.replace(there, instead, 1))
    line = [sys.executable, "-m", "golden", "lint", "--partial"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)
    said = [told for told in (done.stdout + done.stderr).splitlines() if f"golden/{name}" in told]
    assert len(said) == 1, done
    assert why in said[0]
    assert "Traceback" not in done.stderr
    assert done.returncode == code


# A digit


def digits_of(text: str) -> list[int]:
    """Positions of the digits of stored values: mantissas of hexadecimal floats."""
    found = []
    at = text.find('"0x')
    while at >= 0:
        end = text.index('"', at + 1)
        point = text.find(".", at, end)
        found += [k for k in range(point + 1, text.index("p", at)) if point >= 0]
        at = text.find('"0x', end)
    return found


def test_a_flipped_digit_anywhere_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path)
    text = (folder / FIRST).read_text()
    for at in random.Random(0).sample(digits_of(text), 20):
        flipped = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]
        (folder / FIRST).write_text(flipped)
        code, out, _ = golden(capsys, "verify", "--partial", "--folder", folder)
        assert code in (1, 2)
        assert str(folder / FIRST) in out
        with pytest.raises(GoldenError):  # the gate does not take it either
            cases_of("torch-adam", folder)


@pytest.mark.parametrize("quantity", ["parameters", "m", "v", "v_max"])
@pytest.mark.parametrize(("step", "number"), [(0, 1), (3, 8)])
def test_a_wrong_value_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quantity: str, step: int, number: int
) -> None:
    """With a hash that fits: id, step, quantity and element are named, and what would be accepted."""
    file = Path("torch-adam/spike.json")
    folder = copied(tmp_path, file)

    def change(data: dict[str, Any]) -> None:
        (case,) = (c for c in data["cases"] if c["id"] == "torch-adam/spike/amsgrad")
        expected = case["expected"][step]
        value = float.fromhex(expected[quantity][0][1])
        wrong = value * (1 + 2.0**-42)
        expected[quantity][0][1] = layout.floats.to_hex(wrong)

    edit(folder / file, change)
    code, out, _ = golden(capsys, "verify", "--partial", "--folder", folder)
    assert code == 1
    assert f"torch-adam/spike/amsgrad, step {number}: {quantity} of parameter 0, element [1], is 0x" in out.replace(
        "is -0x", "is 0x"
    )
    assert "; accepted: " in out
    code, out, _ = golden(capsys, "verify", "--json", "--partial", "--folder", folder)
    (complaint,) = json.loads(out)["complaints"]
    named = [complaint[key] for key in ("kind", "id", "step", "quantity", "parameter", "element")]
    assert named == [1, "torch-adam/spike/amsgrad", number, quantity, 0, [1]]


def test_a_high_digit_that_is_flipped_is_named_like_a_low_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the decimals beside it are other ones then; and the other cases of the file are looked at."""
    folder = copied(tmp_path)

    def change(data: dict[str, Any]) -> None:
        for case, element in ((data["cases"][0], 1), (data["cases"][2], 0)):
            values = case["expected"][0]["parameters"][0]
            values[element] = layout.floats.to_hex(1.5 * float.fromhex(values[element]))

    edit(folder / FIRST, change)
    code, out, _ = golden(capsys, "verify", "--partial", "--json", "--folder", folder)
    complaints = json.loads(out)["complaints"]
    named = [(c["id"], c["step"], c["quantity"], c["parameter"], c["element"]) for c in complaints]
    ids = [one["id"] for one in json.loads((folder / FIRST).read_text())["cases"]]
    assert code == 1
    assert sorted(named) == sorted(2 * [(ids[0], 1, "parameters", 0, [1]), (ids[2], 1, "parameters", 0, [0])])
    assert [PLAIN in c["message"] for c in complaints].count(True) == 2


def _set(*keys: Any, to: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        *path, last = keys
        at: Any = data
        for key in path:
            at = at[key]
        if to is KeyError:
            del at[last]
        else:
            at[last] = to

    return change


HEX = {"hex": "0x1p-7", "decimal": "0.0078125"}
CASE = ("cases", 0)
SPOILED: dict[str, tuple[int, Change, str]] = {
    "t": (1, _set(*CASE, "expected", 0, "t", to=[1, 2]), "step 1: t of parameter 1 is 2; accepted: 1"),
    "gradient": (1, _set(*CASE, "gradients", "stored", 0, 0, 0, to="0x1p+3"), "step 1: parameters of parameter 0"),
    "hyper-parameter": (1, _set(*CASE, "hyperparameters", "learning_rate", to=HEX | {"hex": "0x1p-6", "decimal":
        "0.015625"}), "plain, step 1: parameters of parameter 0"),
    "twice": (1, lambda data: data["cases"].append(data["cases"][0]), f"id {PLAIN} stands there twice"),
    "version": (2, _set("version", to=2), "version 2; accepted: 'adam-conformance golden', version 1"),
    "format": (2, _set("format", to="yaml"), "is of format 'yaml'"),
    "unknown dialect": (2, _set("dialect", to="jax-adam"), "dialect is 'jax-adam'; accepted: keras-v2-adam"),
    "another dialect": (2, _set("dialect", to="mxnet2-adam"), "accepted: the name of the file"),
    "id of another file": (2, _set(*CASE, "id", to="torch-adam/spike/plain"), "accepted: torch-adam/first-steps/NAME"),
    "unknown key": (2, _set(*CASE, "surprise", to=1), "breaks the schema at $.cases[0]"),
    "missing key": (2, _set(*CASE, "source", to=KeyError), "has no source; accepted: a str"),
    "unknown flag": (2, _set(*CASE, "flags", to=["luck"]), "notes and flags differ in "),
    "note too many": (2, _set("notes", "luck", to={"bug": "formula", "catches": "x", "effect": "y"}), "in 'luck'"),
    "wrong hex": (2, _set(*CASE, "parameters", 0, "values", 0, to="0x1.8"), "[0] is '0x1.8'; accepted: a finite"),
    "long hex": (2, _set(*CASE, "parameters", 0, "values", 0, to="0x1.80p+0"), "[0] is '0x1.80p+0'"),
    "overflow": (2, _set(*CASE, "parameters", 0, "values", 0, to="0x1p+1024"), "accepted: a finite"),
    "float64": (2, _set(*CASE, "parameters", 0, "values", 0, to="0x1.0000000000001p+0"), "accepted: values that"),
    "decimal": (1, _set(*CASE, "expected", 0, "parameters_decimal", 0, 0, to="7"), "in parameter 0, element [0];"),
    "decimals": (1, lambda data: data["cases"][0]["expected"][0]["parameters_decimal"].pop(), "1, its length;"),
    "too few": (2, _set(*CASE, "expected", 0, "m", 0, to=[]), ".m[0] has length 0; accepted: 3 numbers"),
    "huge shape": (2, _set(*CASE, "parameters", 0, "shape", to=[10**18]), "shape has 1000000000000000000; accepted"),
    "many elements": (2, _set(*CASE, "parameters", 0, "shape", to=[4096, 4096]), "over 4096 elements"),
    "negative shape": (2, _set(*CASE, "parameters", 0, "shape", to=[-1]), "shape has -1; accepted: 0 to 4096"),
    "many steps": (2, _set(*CASE, "gradients", to={"generator": "xorshift32", "seed": 1, "steps": 10**9,
        "exponents": [0, 0]}), "there are 1000000000 steps; accepted: 1 to 20000"),
    "unknown generator": (2, _set(*CASE, "gradients", to={"generator": "os.urandom", "seed": 1, "steps": 1,
        "exponents": [0, 0]}), "generator is 'os.urandom'; accepted: xorshift32"),
    "many gradients": (2, lambda data: data["cases"][0].update(
        parameters=[{"shape": [4096], "values": ["0x0p+0"] * 4096}],
        gradients={"generator": "xorshift32", "seed": 1, "steps": 20000, "exponents": [0]}), "accepted: up to 1000000"),
    "tolerance": (1, _set(*CASE, "expected", 1, "tolerance", "m", 1, 2, to=-40),
        "plain, step 2: tolerance of m of parameter 1 is not that of the bound; accepted: the power of two"),
    "tolerance of nothing": (2, _set(*CASE, "expected", 0, "tolerance", "v_max", to=[]), "tolerance is of 'parameters"),
    "too few tolerances": (2, _set(*CASE, "expected", 0, "tolerance", "v", 0, to=[1]), "accepted: one exponent per"),
    "huge tolerance": (2, _set(*CASE, "expected", 0, "tolerance", "v", 0, 0, to=5000), "accepted: null, or -1074 to"),
    "steps": (2, _set(*CASE, "expected", 0, "step", to=3), "expected is at steps [3, 2, 3, 8]; accepted: rising"),
    "beta": (2, _set(*CASE, "hyperparameters", "beta_1", to={"hex": "0x1p+0", "decimal": "1"}), "a number in [0, 1)"),
    "strange option": (2, _set(*CASE, "hyperparameters", "clip_gradient", to=None), "differ from the dialect's"),
    "rows": (1, _set(*CASE, "gradients", "stored", 0, 0, to={"rows": [0], "values": ["0x1p+0"]}),
        "has no sparse form"),
    "row out of range": (2, _set(*CASE, "gradients", "stored", 0, 0, to={"rows": [3], "values": ["0x1p+0"]}),
        "rows has a number out of range; accepted: 0 to 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, change, message = SPOILED[name]
    folder = copied(tmp_path)
    edit(folder / FIRST, change)
    got, out, err = golden(capsys, "verify", "--partial", "--folder", folder)
    assert (got, err) == (code, "")
    assert message in out
    assert all(len(line) < 700 for line in out.splitlines())


def test_a_hand_edit_is_told_from_a_wrong_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path)
    edit(folder / FIRST, _set(*CASE, "description", to="nicer words"), rehash=False)
    code, out, _ = golden(capsys, "verify", "--partial", "--folder", folder)
    assert code == 1
    assert "that of the content (a hand edit?)" in out
    with pytest.raises(GoldenError, match="content_hash is not that of the content"):
        cases_of("torch-adam", folder)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not JSON of this format"),
        (b"{", "is not JSON of this format"),
        (b"[]", "holds a list; accepted: an object"),
        (b"\xff\xfe", "is not JSON of this format"),
        (b'{"a": 1, "a": 2}', "key 'a' stands twice; accepted: every key once"),
        (b'{"a": 1.5}', "number '1.5'; accepted: integers"),
        (b'{"a": NaN}', "number 'NaN'; accepted: integers"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON of this format"),
        (b"[" * 200_000, "is not JSON of this format"),
        (b" " * (MAX_BYTES + 1), f"is larger than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_no_golden_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, why: str
) -> None:
    folder = copied(tmp_path)
    (folder / FIRST).write_bytes(content)
    code, out, err = golden(capsys, "verify", "--partial", "--folder", folder)
    assert (code, err) == (2, "")
    assert why in out


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(GoldenError, match="is larger than"):
        read_json(path)


def test_links_and_strays_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, outside = copied(tmp_path / "cases"), tmp_path / "outside.json"
    outside.write_text((folder / FIRST).read_text())
    (folder / "torch-adam" / "link.json").symlink_to(outside)
    (folder / "linked-adam").symlink_to(tmp_path)
    os.mkfifo(folder / "torch-adam" / "pipe.json")
    (folder / "README").write_text("")
    code, out, _ = golden(capsys, "verify", "--partial", "--folder", folder)
    assert code == 2
    assert "link.json is a link; accepted: regular files TOPIC.json" in out
    assert "linked-adam is a link; accepted: folders named as dialects" in out
    assert "pipe.json is out of place" in out
    assert "README is out of place" in out
    with pytest.raises(GoldenError, match="cannot be read"):
        read_json(folder / "torch-adam" / "link.json")


@pytest.mark.parametrize("command", ["verify", "list"])
@pytest.mark.parametrize("what", ["absent", "empty"])
def test_a_folder_without_files_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, command: str
) -> None:
    folder = tmp_path if what == "empty" else tmp_path / "absent"
    code, out, err = golden(capsys, command, "--folder", folder, "--json")
    assert code == 2
    assert str(folder) in err
    assert json.loads(out) == {"error": err.removeprefix("error: ").rstrip(), "exit_code": 2}


@pytest.mark.parametrize(("option", "named"), [("--folder", "TOPIC.json"), ("--recorded", "IMPLEMENTATION.json")])
def test_a_folder_of_nothing_but_a_pipe_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, named: str
) -> None:
    (tmp_path / "piped" / "torch-adam").mkdir(parents=True)
    os.mkfifo(tmp_path / "piped" / "torch-adam" / "pipe.json")
    cases = copied(tmp_path / "cases")
    code, _, err = golden(capsys, "lint", "--partial", "--folder", cases, option, tmp_path / "piped")
    assert code == 2
    assert f"pipe.json is out of place; accepted: regular files {named}" in err


@pytest.mark.parametrize("option", ["--folder", "--recorded"])
def test_a_folder_without_a_name_is_refused(capsys: pytest.CaptureFixture[str], option: str) -> None:
    code, _, err = golden(capsys, "verify", option, "")
    assert code == 2
    assert f"argument {option}: ''; accepted: a folder" in err


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file, the folder of a dialect, one case of a file; what cannot be read is not missing besides."""
    folder = shutil.copytree(CASES, tmp_path / "cases")
    for path in folder.glob("*/*thousand-steps.json"):  # what takes long
        path.unlink()
    (folder / "torch-adam" / "spike.json").unlink()
    shutil.rmtree(folder / "mxnet2-adam")
    (folder / "torch-adam" / "large-epsilon.json").write_text("{")
    path = folder / "keras-v2-adam" / "first-steps.json"
    one = json.loads(path.read_text())["cases"][2]["id"]
    edit(path, lambda data: data["cases"].pop(2))
    report = lint(folder)  # which verify begins with
    stored = {case["id"] for path in CASES.rglob("*.json") for case in json.loads(path.read_text())["cases"]}
    gone = {i for i in stored if "thousand-steps" in i or i.startswith(("torch-adam/spike", "mxnet2-adam/"))}
    gone.add(one)
    complaints = [c for c in report.complaints if ": missing " in c.message]
    assert {word for c in complaints for word in c.message.replace(",", " ").replace(";", " ").split()} >= gone
    assert {c.kind for c in complaints} == {Kind.WRONG}
    (other,) = (c for c in report.complaints if c not in complaints)
    assert "large-epsilon.json is not JSON" in other.message
    code, out, _ = golden(capsys, "verify", "--folder", copied(tmp_path / "one"))
    assert code == 1
    assert "has 1 of the catalogue's 306 files; accepted: all, or --partial for some of them" in out
    assert len(out.splitlines()) == 2, "one complaint, and how many"


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += _places(value, (*path, key))
    return found


ORIGINAL = json.loads((CASES / "mxnet2-adam-lazy/first-steps.json").read_text())
PLACES = _places(ORIGINAL)
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({}), st.just("0x1p+0"),
    st.just([["0x0p+0"]]), st.just({"rows": [0], "values": []}), st.just(KeyError),
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_content_makes_golden_fail_itself(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Whatever stands where, parsing says what is wrong or the content is of the format."""
    data = json.loads(json.dumps(ORIGINAL))
    for path, junk in edits:
        try:
            _set(*path, to=junk)(data)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        file = layout.parse(data, CASES / "mxnet2-adam-lazy/first-steps.json")
    except GoldenError:
        return
    assert all(isinstance(array, np.ndarray) for case in file.cases for array in case.parameters)
