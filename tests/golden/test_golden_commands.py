"""regenerate, show and list; help and exit codes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from golden_copies import FIRST, PLAIN, copied, edit, golden

from golden import CASES, catalogue, files, regenerate
from golden import __main__ as command_line
from golden.layout import floats
from reference import DIALECTS

SPIKE = Path("torch-adam/spike.json")


@pytest.fixture
def torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regenerate, "DIALECTS", MappingProxyType({"torch-adam": DIALECTS["torch-adam"]}))


@pytest.fixture
def two_topics(monkeypatch: pytest.MonkeyPatch, torch_alone: None) -> None:
    topics = {name: catalogue.TOPICS[name] for name in (FIRST.stem, SPIKE.stem)}
    monkeypatch.setattr(catalogue, "TOPICS", MappingProxyType(topics))


@pytest.mark.usefixtures("torch_alone")
def test_regenerate_makes_the_very_files_of_this_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    code, out, _ = golden(capsys, "regenerate", "--folder", folder)
    assert code == 1, "it has written something"
    assert "17 written, 0 unchanged, 0 refused" in out
    made = {path.name: path.read_bytes() for path in (folder / "torch-adam").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (CASES / "torch-adam").iterdir()}
    code, out, _ = golden(capsys, "regenerate", "--folder", folder)
    assert code == 0
    assert out.splitlines()[-2:] == ["17/17 torch-adam/configuration: unchanged", "0 written, 17 unchanged, 0 refused"]


def _wrong(data: dict[str, Any]) -> None:
    value = float.fromhex(data["cases"][0]["expected"][1]["m"][0][2])
    data["cases"][0]["expected"][1]["m"][0][2] = floats.to_hex(math.nextafter(value, math.inf))


@pytest.mark.usefixtures("two_topics")
def test_a_stored_value_is_changed_only_when_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even a last digit that verify's bound lets through."""
    folder = copied(tmp_path, FIRST, SPIKE)
    edit(folder / FIRST, _wrong)
    before = (folder / FIRST).read_bytes()
    code, out, _ = golden(capsys, "regenerate", "--folder", folder)
    assert code == 1
    assert f"{PLAIN}, step 2: m of parameter 0: 1 of 3 elements, most at [2]: " in out
    assert "-1 ulp, relative 1.32e-16\n" in out
    assert "refused: " in out
    assert "accepted with --allow-change" in out
    assert (folder / FIRST).read_bytes() == before
    code, out, _ = golden(capsys, "regenerate", "--allow-change", "--folder", folder)
    assert code == 1
    assert "1 written, 1 unchanged, 0 refused" in out
    assert (folder / FIRST).read_bytes() == (CASES / FIRST).read_bytes()


@pytest.mark.usefixtures("two_topics")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data["cases"][0].update(id=f"{PLAIN}-2"), f"{PLAIN}-2 is gone"),
        (
            lambda data: data["cases"][0]["gradients"]["stored"].append([None, None]),
            "gradients.stored: of length 9 -> of length 8",
        ),
        (lambda data: data.update(version=7), "cannot be compared: "),
    ],
)
def test_what_a_stored_id_stands_for_is_not_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Any, message: str
) -> None:
    folder = copied(tmp_path)
    edit(folder / FIRST, spoil)
    before = (folder / FIRST).read_bytes()
    code, out, _ = golden(capsys, "regenerate", "--folder", folder)
    assert code == 1
    assert message in out
    assert (folder / FIRST).read_bytes() == before


@pytest.mark.usefixtures("two_topics")
def test_words_may_change_without_a_flag_and_orphans_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(tmp_path, FIRST)
    edit(folder / FIRST, lambda data: data["cases"][0].update(description="other words"))
    (folder / "torch-adam" / "old-topic.json").write_bytes((folder / FIRST).read_bytes())
    code, out, _ = golden(capsys, "regenerate", "--json", "--folder", folder)
    done = json.loads(out)
    assert code == 1
    assert str(folder / FIRST) in done["written"]
    assert "old-topic.json is an orphan" in done["refused"][0]
    assert (folder / "torch-adam" / "old-topic.json").exists()


def test_a_write_that_is_interrupted_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    files.write(path, "old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]
    assert path.read_text() == "old"


def test_show_is_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = golden(capsys, "show", "mxnet1-adam/first-steps/clip-and-l2")
    assert code == 0
    for text in (
        "theta 10, g 1, l2 1, clip 0.5",
        "clip_gradient 0.5",
        "mxnet 1.9.1",
        "MXNet 1 and 2",
        "m: [0.0625 0.0625]",
    ):
        assert text in out
    code, out, _ = golden(capsys, "show", "--json", PLAIN)
    assert json.loads(out)["id"] == PLAIN


def test_show_of_an_unknown_id(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = golden(capsys, "show", "nothing")
    assert code == 2
    assert "id is 'nothing'; accepted: one out of `python -m golden list`" in err


def test_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = golden(capsys, "list")
    assert code == 0
    assert out.splitlines()[-1] == "893 cases"
    code, out, _ = golden(capsys, "list", "--json")
    rows = json.loads(out)
    assert len({row["id"] for row in rows}) == len(rows) == 893


@pytest.mark.parametrize(
    "words", [(), ("verify",), ("lint",), ("diff",), ("regenerate",), ("show",), ("list",), ("export",)], ids=" ".join
)
def test_help_explains_the_exit_codes(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = golden(capsys, *words, "--help")
    assert code == 0
    assert all(text in out for text in ("0  everything is", "1  a value", "2  something cannot", "3  golden itself"))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "verfy",
        "verify --fast",
        "show",
        "regenerate --force",
        "diff a b c",
        "export",
        "export cases.json",
        "export nowhere/cases.csv",
    ],
)
def test_a_wrong_command_line_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert golden(capsys, *words.split())[0] == 2


def test_export_asks_for_what_it_needs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert golden(capsys, "export")[2].endswith("error: the following arguments are required: OUT")


def test_goldens_own_failure_is_told_apart(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(command_line, "verify", broken)
    code, _, err = golden(capsys, "verify")
    assert code == 3
    assert "RuntimeError: planted" in err
