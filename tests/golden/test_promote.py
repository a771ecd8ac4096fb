"""A random failure becomes a golden case by one command: made by the reference, verified, replayed, and for ever."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import replay
from conformance.kills import killed_by
from conformance.mutants.formula import EpsilonInsideRoot
from conformance.mutants.twins import KerasV2Twin
from golden import CASES, cases_of
from golden.promote import again
from golden.regenerate import format_text

ROOT = CASES.parents[1]
MUTANT = "conformance/mutants/formula.py:EpsilonInsideRoot"
NAME = "epsilon-inside-root"


def command(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def promote(folder: Path, problem: int, name: str) -> subprocess.CompletedProcess[str]:
    words = ("--adapter", MUTANT, "--problems", 40, "--problem", problem, "--id", name, "--folder", folder)
    return command("conformance.promote", *words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of one dialect's cases."""
    shutil.copytree(CASES / "keras-v2-adam", tmp_path / "keras-v2-adam")
    return tmp_path


def test_a_failure_is_promoted_verified_and_for_ever(folder: Path) -> None:
    before = {case.id for case in cases_of("keras-v2-adam", folder)}
    done = promote(folder, 0, NAME)
    assert done.returncode == 0, done.stderr
    (case,) = (c for c in cases_of("keras-v2-adam", folder) if c.id not in before)
    assert case.id == f"keras-v2-adam/promoted/{NAME}"
    assert len(case.expected) == case.steps
    verified = command("golden", "verify", "--partial", "--folder", folder, "--json")
    assert verified.returncode == 0, verified.stdout
    file = folder / "keras-v2-adam" / "promoted.json"
    text = file.read_text(encoding="ascii")
    twice = promote(folder, 1, NAME)
    assert twice.returncode == 2
    assert "which exists in" in twice.stderr
    assert file.read_text(encoding="ascii") == text
    assert list(folder.rglob("*.tmp")) == []


def test_the_gate_replays_what_is_promoted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert promote(folder, 0, NAME).returncode == 0
    monkeypatch.setattr(replay, "_cases", lambda dialect: cases_of(dialect, folder))
    assert f"keras-v2-adam/promoted/{NAME}" in killed_by(EpsilonInsideRoot())
    assert killed_by(KerasV2Twin()) == []
    file = folder / "keras-v2-adam" / "promoted.json"
    assert format_text(again(file)) == file.read_text(encoding="ascii"), "regenerate makes the same file"


def test_what_is_promoted_is_the_references_and_a_hand_edit_is_found(folder: Path) -> None:
    assert promote(folder, 0, NAME).returncode == 0
    file = folder / "keras-v2-adam" / "promoted.json"
    data = json.loads(file.read_text(encoding="ascii"))
    data["cases"][0]["expected"][0]["t"][0] += 1
    file.write_text(json.dumps(data), encoding="ascii")
    assert command("golden", "verify", "--partial", "--folder", folder).returncode == 1


@pytest.mark.parametrize(
    ("problem", "name", "why"),
    [(0, "Not A Name", "accepted: lower-case letters"), (40, "x", "--problem is 40; accepted: 0 to 39")],
)
def test_what_cannot_be_promoted_is_refused(folder: Path, problem: int, name: str, why: str) -> None:
    done = promote(folder, problem, name)
    assert done.returncode == 2
    assert why in done.stderr
    assert not (folder / "keras-v2-adam" / "promoted.json").exists()


ASKED = ("--problem", 0, "--id", "x")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (ASKED, "0 implementations are named; accepted: one"),
        (("--adapter", MUTANT, "--torch-optimizer", "torch.optim:Adam", *ASKED), "2 implementations are named"),
        (("--torch-optimizer", "torch.optim:Adam", *ASKED), "torch.optim:Adam needs what is not here: ModuleNotFound"),
        (("--adapter", MUTANT, "--dialect", "torch-adam", *ASKED), "--dialect is given for no class or factory"),
        (("--adapter", MUTANT, *ASKED, "--description", " "), "argument --description: ' '; accepted: some words"),
        (("--adapter", MUTANT, *ASKED, "--folder", ""), "argument --folder: ''; accepted: a folder"),
    ],
    ids=["nobody", "two", "no torch here", "no class", "no words", "no folder"],
)
def test_a_wrong_command_line_is_refused(words: tuple[object, ...], why: str) -> None:
    done = command("conformance.promote", *words)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    done = promote(file, 0, NAME)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert f"argument --folder: '{file}' is no folder; accepted: a folder that can be written" in said
    assert file.read_text() == "in the way"
