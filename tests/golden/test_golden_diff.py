"""diff: which ids, steps and elements are not the same, and by how much; regenerate's use of it is in another file."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_copies import FIRST, ROOT, copied, edit, golden

from golden import CASES, changes, diff
from golden.layout import floats

SPIKE = Path("torch-adam/spike.json")
DENSE = "torch-adam/spike/dense"


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal folders."""
    return copied(tmp_path / "old", FIRST, SPIKE), copied(tmp_path / "new", FIRST, SPIKE)


def moved(text: str, ulps: int) -> str:
    value = float.fromhex(text)
    for _ in range(abs(ulps)):
        value = math.nextafter(value, math.copysign(math.inf, ulps))
    return str(floats.to_hex(value))


def test_equal_folders_do_not_differ(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = golden(capsys, "diff", *two)
    assert (code, out) == (0, f"{two[0]} -> {two[1]}: 2 files, 0 ids or files changed, 0 values\n")


def test_elements_are_named_with_their_distance(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    def change(data: dict[str, Any]) -> None:
        values = data["cases"][0]["expected"][2]["v"][0]
        values[0], values[2] = moved(values[0], -2), moved(values[2], 3)
        assert data["cases"][0]["expected"][0]["m"][0][0] == "0x1p-13"
        data["cases"][0]["expected"][0]["m"][0][0] = "0x1p-12"

    edit(two[1] / SPIKE, change)
    code, out, _ = golden(capsys, "diff", "--json", *two)
    done = json.loads(out)
    assert (code, done["exit_code"], done["files"], done["unreadable"]) == (1, 1, 2, [])
    m, v = done["changes"]
    assert (m["id"], m["what"], m["step"], m["quantity"], m["parameter"]) == (DENSE, "values", 1, "m", 0)
    only = {"element": [0], "old": "0x1p-13", "new": "0x1p-12", "ulps": 2**52, "relative": 0.5}
    assert m["elements"] == [only]
    assert (v["step"], v["quantity"]) == (3, "v")
    assert [(e["element"], e["ulps"]) for e in v["elements"]] == [([0], -2), ([2], 3)]
    assert all(2**-53 <= e["relative"] <= 2**-50 for e in v["elements"])
    code, out, _ = golden(capsys, "diff", *two)
    assert f"{DENSE}, step 3: v of parameter 0: 2 of 3 elements, most at [2]: 0x1." in out
    assert "+3 ulp, relative " in out
    assert out.endswith("2 files, 1 ids or files changed, 3 values\n")


@pytest.mark.parametrize(
    ("change", "what", "message"),
    [
        (lambda case: case.update(id=f"{DENSE}-2"), "gone", f"{DENSE} is gone"),
        (lambda case: case.update(id=f"{DENSE}-2"), "new", f"{DENSE}-2 is new"),
        (lambda case: case["expected"].pop(), "gone", f"{DENSE}, step 8 is gone"),
        (lambda case: case["expected"][0].update(t=[7]), "t", f"{DENSE}, step 1: t: [1] -> [7]"),
        (lambda case: case.update(source="folklore"), "words", "-> 'folklore'"),
        (
            lambda case: case["gradients"]["stored"][1].__setitem__(0, None),
            "problem",
            f"{DENSE}: gradients.stored[1][0]: ['-0x1p+11', '0x1p+9', '0x1.4p+10'] -> absent or null",
        ),
        (
            lambda case: case["hyperparameters"].update(beta_1={"hex": "0x1p-1", "decimal": "0.5"}),
            "problem",
            f"{DENSE}: hyperparameters.beta_1.decimal: '0.875' -> '0.5'",
        ),
    ],
)
def test_whatever_else_has_changed_is_named(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str], change: Any, what: str, message: str
) -> None:
    edit(two[1] / SPIKE, lambda data: change(data["cases"][0]))
    code, out, _ = golden(capsys, "diff", "--json", *two)
    assert code == 1
    assert any(c["what"] == what and message in c["message"] for c in json.loads(out)["changes"])


def test_tolerances_that_have_changed_are_named(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    def change(data: dict[str, Any]) -> None:
        exponents = data["cases"][0]["expected"][0]["tolerance"]["m"][0]
        exponents[1] += 1

    edit(two[1] / SPIKE, change)
    code, out, _ = golden(capsys, "diff", "--json", *two)
    (found,) = json.loads(out)["changes"]
    assert (code, found["what"], found["quantity"], found["step"]) == (1, "tolerance", "m", 1)
    assert [(e["element"], e["ulps"], e["relative"]) for e in found["elements"]] == [([1], 2**52, 0.5)]


def test_a_file_from_before_there_were_tolerances_is_compared(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """As old revisions have them; lint does not take it."""

    def change(data: dict[str, Any]) -> None:
        for case in data["cases"]:
            for expected in case["expected"]:
                del expected["tolerance"]
        data["cases"][0]["expected"][0]["m"][0][1] = "0x1p-12"

    edit(two[0] / SPIKE, change)
    code, out, _ = golden(capsys, "diff", *two)
    assert code == 1
    assert f"{DENSE}, step 1: tolerance is new\n" in out
    assert f"{DENSE}, step 1: m of parameter 0: 1 of 3 elements, most at [1]: 0x1p-12" in out
    code, out, _ = golden(capsys, "lint", "--partial", "--folder", two[0])
    assert code == 2
    assert "'tolerance' is a required property" in out


def test_a_parameter_without_axes_has_one_element() -> None:
    (element,) = changes._elements(np.array(1.0), np.array(-1.0))
    assert (element.element, element.ulps, element.relative) == ((), -2 * (1023 << 52), 2.0)


def test_a_parameter_that_has_another_shape(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Its elements cannot be compared; that the problem is another one says it."""

    def change(data: dict[str, Any]) -> None:
        for case in data["cases"]:
            case["parameters"][0]["shape"] = [3, 1]

    edit(two[1] / SPIKE, change)
    code, out, _ = golden(capsys, "diff", *two)
    assert code == 1
    assert f"{DENSE}: parameters[0].shape: [3] -> [3, 1]" in out


def test_files_that_one_side_has(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    (two[1] / SPIKE).unlink()
    code, out, _ = golden(capsys, "diff", *two)
    assert code == 1
    assert "torch-adam/spike: the file is gone\n" in out
    assert "torch-adam/spike: the file is new\n" in golden(capsys, "diff", *reversed(two))[1]


def test_a_file_that_cannot_be_read_hides_nothing(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    (two[1] / FIRST).write_text("{")
    edit(two[1] / SPIKE, lambda data: data["cases"][0].update(source="folklore"))
    code, out, _ = golden(capsys, "diff", *two)
    assert code == 2
    assert f"{two[1] / FIRST} is not JSON" in out
    assert "'folklore'" in out


def test_the_files_against_what_the_reference_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which is what `regenerate` would change, and nothing is written."""
    folder = copied(tmp_path, FIRST, SPIKE)

    def change(data: dict[str, Any]) -> None:
        values = data["cases"][1]["expected"][3]["v_max"][0]
        values[1] = moved(values[1], 1)

    assert golden(capsys, "diff", "--folder", folder, "--only", "torch-adam/spike")[0] == 0
    edit(folder / SPIKE, change)
    before = (folder / SPIKE).read_bytes()
    code, out, _ = golden(capsys, "diff", "--folder", folder, "--only", "torch-adam/spike")
    assert code == 1
    assert out.startswith("torch-adam/spike/amsgrad, step 8: v_max of parameter 0: 1 of 3 elements, most at [1]: ")
    assert f"{folder} -> recomputed: 1 files, 1 ids or files changed, 1 values" in out
    assert (folder / SPIKE).read_bytes() == before


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of git, whose files are the project's for as long as the test runs."""
    root = tmp_path / "checkout"
    copied(root / "golden" / "cases", FIRST, SPIKE)
    monkeypatch.setattr(diff, "_ROOT", root)
    monkeypatch.setattr(diff.files, "CASES", root / "golden" / "cases")
    commit(root, "init", "-q")
    commit(root)
    return root


def commit(root: Path, *words: str) -> None:
    line = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@y.z", "-c", "commit.gpgsign=false"]
    for each in [words] if words else [("add", "-A"), ("commit", "-qm", "x")]:
        subprocess.run([*line, *each], check=True, timeout=60)


def test_a_revision_against_the_files(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = repository / "golden" / "cases"
    edit(folder / SPIKE, lambda data: data["cases"][0].update(source="folklore"))
    words = ("--folder", folder, "HEAD")
    code, out, _ = golden(capsys, "diff", *words)
    assert code == 1
    assert out.splitlines()[-1] == f"HEAD -> {folder}: 2 files, 1 ids or files changed, 0 values"
    commit(repository)
    assert golden(capsys, "diff", *words)[0] == 0
    assert golden(capsys, "diff", "HEAD~1", "HEAD")[0] == 1
    assert golden(capsys, "diff", "HEAD~1", CASES)[0] == 1, "a revision and a folder with more files"


@pytest.mark.parametrize("spoil", ["link", "large", "out of place", "nothing"])
def test_a_revision_is_not_trusted_either(repository: Path, capsys: pytest.CaptureFixture[str], spoil: str) -> None:
    folder = repository / "golden" / "cases"
    path, messages = folder / "torch-adam" / "odd.json", {
        "link": "odd.json is out of place",
        "large": "is larger than 1048576 bytes",
        "out of place": "README is out of place",
        "nothing": "'HEAD' has no golden/cases",
    }  # fmt: skip
    if spoil == "link":
        path.symlink_to("/etc/passwd")
    elif spoil == "large":
        path.write_text(" " * (2**20 + 1))
    elif spoil == "out of place":
        (folder / "README").write_text("")
    else:
        shutil.rmtree(folder)
        (repository / "file").write_text("")
    commit(repository)
    folder.mkdir(exist_ok=True)
    code, _, err = golden(capsys, "diff", "HEAD", "HEAD")
    assert code == 2
    assert messages[spoil] in err


@pytest.mark.parametrize("text", ["nothing-of-the-kind", "--output=/tmp/x", "HEAD:golden", ""])
def test_what_is_no_side_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Neither a folder nor a commit; and git is not given an option of somebody else's choice."""
    code, _, err = golden(capsys, "diff", "--folder", copied(tmp_path), "--", text, tmp_path)
    if text:
        assert code == 2
        assert f"side is {text!r}, which is neither here; accepted: a folder, a revision of git, or" in err
    else:
        assert code == 0, "the folder"
    assert ROOT.is_dir()


def test_only_that_matches_nothing_is_refused(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("diff", *two), ("diff",), ("regenerate", "--folder", two[0])):
        code, _, err = golden(capsys, *words, "--only", "torch-adam/spikes")
        assert code == 2
        assert "--only is 'torch-adam/spikes', which matches nothing; accepted: DIALECT/TOPIC" in err
