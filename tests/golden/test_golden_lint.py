"""lint: whatever is not as regenerate leaves it is named with file and id, and nothing is recomputed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_copies import FIRST, PLAIN, copied, edit, golden

from golden import CASES, catalogue
from golden import __main__ as command_line
from golden import lint as linting
from golden.layout import content_hash
from golden.recordings import RECORDED
from golden.report import Complaint, Kind, Report

SPIKE = Path("torch-adam/spike.json")
LAZY = Path("mxnet2-adam-lazy/first-steps.json")


def _set(key: str, to: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["cases"][0].update({key: to})


def _swap_steps(data: dict[str, Any]) -> None:
    data["cases"][0]["expected"].pop()


def _other_note(data: dict[str, Any]) -> None:
    data["notes"]["tail"]["effect"] = "none"


SPOILED: dict[str, tuple[str, Callable[[dict[str, Any]], None], str]] = {
    "source": (PLAIN, _set("source", "folklore"), "source is 'folklore'; accepted: "),
    "description": (PLAIN, _set("description", "dense gradients of three parameters"),
        "three parameters'; accepted: 'dense gradients of two"),
    "flags": (PLAIN, _set("flags", ["tail", "bias-correction"]), "flags[0] is 'tail'; accepted: 'bias-correction'"),
    "hyper-parameter": (PLAIN, lambda data: data["cases"][0]["hyperparameters"]["l2"].update(hex="0x1p-1",
        decimal="0.5"), "hyperparameters.l2.decimal is '0.5'; accepted: '0'"),
    "gradient": (PLAIN, lambda data: data["cases"][0]["gradients"]["stored"][0][0].__setitem__(0, "0x1p+3"),
        "gradients.stored[0][0][0] is '0x1p+3'; accepted: '0x1p-1'"),
    "steps": (PLAIN, _swap_steps, "expected is [1, 2, 3]; accepted: [1, 2, 3, 8], as the catalogue has it"),
    "note": ("", _other_note, "notes.tail.effect is 'none'; accepted: 'wrong in some"),
    "conventions": ("", lambda data: data["conventions"].append("no"), "conventions is of length 6; accepted: of len"),
    "maker": ("", lambda data: data["made_by"].update(digits=49), "made_by.digits is 49; accepted: 50"),
    "orphan": (f"{PLAIN}-2", _set("id", f"{PLAIN}-2"), f"{PLAIN}-2 is an orphan: the catalogue does not make it"),
    "twice": (PLAIN, lambda data: data["cases"].append(data["cases"][0]), f"id {PLAIN} stands there twice"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["lint", "verify"])
@pytest.mark.parametrize("name", SPOILED)
def test_what_the_catalogue_says_otherwise_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    """Also where the hash fits."""
    id_, spoil, message = SPOILED[name]
    folder = copied(tmp_path)
    edit(folder / FIRST, spoil)
    code, out, _ = golden(capsys, command, "--partial", "--json", "--folder", folder)
    assert code == 1
    (complaint,) = (c for c in json.loads(out)["complaints"] if c["step"] is None)
    assert message in complaint["message"]
    assert (complaint["file"], complaint["id"]) == (str(folder / FIRST), id_)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda data: data["made_by"].pop("digits"), "$.made_by"),
        (lambda data: data["notes"]["tail"].update(bug="luck"), "$.notes.tail.bug"),
        (lambda data: data["cases"][0]["expected"][0].update(surprise=1), "$.cases[0].expected[0]"),
        (lambda data: data.update({"$schema": "elsewhere"}), "$['$schema']"),
    ],
)
def test_a_breach_of_the_schema_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], None], where: str
) -> None:
    """What reading the cases has no need to look at."""
    folder = copied(tmp_path)
    edit(folder / FIRST, change)
    code, out, _ = golden(capsys, "lint", "--partial", "--folder", folder)
    assert code == 2
    assert out.startswith(f"{folder / FIRST} breaks the schema at {where}: ")


def test_a_file_that_no_topic_makes_is_an_orphan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path)
    old = folder / "torch-adam" / "old-topic.json"
    shutil.copy(folder / FIRST, old)

    def rename(data: dict[str, Any]) -> None:
        data["topic"] = "old-topic"
        for case in data["cases"]:
            case["id"] = case["id"].replace("first-steps", "old-topic")

    edit(old, rename)
    code, out, _ = golden(capsys, "lint", "--partial", "--folder", folder)
    assert code == 1
    assert out.startswith(f"{old} is an orphan: no topic of the catalogue makes it")


def test_every_digit_that_is_changed_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every file of the project, by the hash alone or before it."""
    for k, path in enumerate(sorted(CASES.rglob("*.json"))):
        file = path.relative_to(CASES)
        folder = copied(tmp_path, file)
        text = (folder / file).read_text()
        at = text.index("0x1.", len(text) * (k % 7) // 8) + len("0x1.")
        (folder / file).write_text(text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :])
        code, out, _ = golden(capsys, "lint", "--partial", "--folder", folder)
        assert code in (1, 2)
        assert str(folder / file) in out
        (folder / file).unlink()


def test_a_temporary_that_is_left_over_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path)
    temporary = folder / "torch-adam" / ".first-steps.json.k2x.tmp"
    temporary.write_text("{")
    code, out, _ = golden(capsys, "lint", "--partial", "--json", "--folder", folder)
    (complaint,) = json.loads(out)["complaints"]
    assert (code, complaint["file"]) == (1, str(temporary))
    assert "is left over by a write that was killed; accepted: none, regenerate removes it" in complaint["message"]


def test_what_is_missing_is_named_where_another_thing_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(tmp_path, SPIKE)
    edit(folder / SPIKE, lambda data: data["cases"].pop(0), rehash=False)
    code, out, _ = golden(capsys, "lint", "--folder", folder)
    assert code == 1
    assert f"accepted: {content_hash(json.loads((folder / SPIKE).read_text()))}" in out
    assert f"{SPIKE}: missing torch-adam/spike/dense; accepted: every case of the catalogue" in out
    assert "has 1 of the catalogue's 306 files" in out


def test_a_promoted_case_is_no_orphan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path, LAZY)
    promoted = folder / LAZY.parent / "promoted.json"
    shutil.copy(folder / LAZY, promoted)

    def rename(data: dict[str, Any]) -> None:
        data["topic"] = "promoted"
        for case in data["cases"]:
            case["id"] = case["id"].replace("first-steps", "promoted")

    edit(promoted, rename)
    assert golden(capsys, "lint", "--partial", "--folder", folder)[0] == 0


def test_nothing_is_recomputed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """lint is quick because a wrong value with a hash that fits is verify's."""
    folder = copied(tmp_path)

    def wrong(data: dict[str, Any]) -> None:
        data["cases"][0]["expected"][1]["m"][0][0] = "0x1p+0"

    edit(folder / FIRST, wrong)
    assert golden(capsys, "lint", "--partial", "--folder", folder)[0] == 0
    assert golden(capsys, "verify", "--partial", "--folder", folder)[0] == 1


def test_the_catalogue_that_is_compared_with_is_whole() -> None:
    topics = {topic for _, topic in linting._catalogue()}
    assert topics == set(catalogue.TOPICS)


@pytest.mark.parametrize("command", ["lint", "verify"])
@pytest.mark.parametrize("link", [False, True])
def test_the_folder_of_this_project_is_known_by_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, link: bool
) -> None:
    """With it go the recordings and the tolerances."""
    (tmp_path / "link").symlink_to(CASES.parent)
    monkeypatch.chdir(tmp_path if link else CASES.parents[1])
    seen: list[Path | None] = []
    looked = Complaint(kind=Kind.WRONG, message="tolerances.json was looked at")

    def look(folder: Path, *, partial: bool, recorded: Path | None) -> Report:
        seen.append(recorded)
        return Report()

    monkeypatch.setattr(command_line, command, look)
    monkeypatch.setattr(command_line.tolerances, "linted", lambda: [looked])
    cases, recorded = ("link/cases", "link/recorded") if link else ("golden/cases", "golden/recorded")
    assert command_line.main([command, "--folder", cases]) == 1
    assert command_line.main([command, "--folder", cases, "--recorded", recorded]) == 1
    assert command_line.main([command, "--folder", str(tmp_path)]) == 0
    assert seen == [RECORDED, RECORDED, None]
