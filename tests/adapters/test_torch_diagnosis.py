"""Wrong torch optimizers are named: the bugs of released ones by their names, others rightly or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import invented_torch
import pytest
import unlawful_torch
import unlisted_torch
import wrong_torch
import wrong_variants
from judging import command, judged

from conformance.verdict import Result, Verdict

HERE = Path(__file__).parent
NUMERIC = ("one-step", "free-running", "equal-shapes", "step-count")


def diagnosed(path: str, only: tuple[str, ...] = NUMERIC) -> tuple[Result, dict[str, Any]]:
    result = judged("torch-optimizer", path, only=only)
    assert result.verdict is Verdict.DOES_NOT_CONFORM
    assert result.diagnosis is not None
    return result, result.diagnosis


@pytest.mark.parametrize("cls", wrong_torch.WRONG, ids=lambda cls: cls.__name__)
def test_a_bug_of_a_released_optimizer_is_named(cls: type) -> None:
    only = ("golden",) if cls is wrong_torch.CountSticks else NUMERIC  # which takes more than 256 steps
    _, told = diagnosed(f"wrong_torch:{cls.__name__}", only)
    assert told["says"] == wrong_torch.WRONG[cls]
    best = told["matches"][0]
    assert best["worst_fraction"] <= 1
    assert best["told"] > 0.5
    assert 0 < told["unexplained"] <= told["problems"]
    first = told["first"]["finding"]
    assert first["step"] >= 1
    worst = first["worst"][0]
    assert abs(float(worst["obtained"]) - float(worst["expected"])) > float(worst["bound"])


@pytest.mark.parametrize("cls", unlisted_torch.NAMED, ids=lambda cls: cls.__name__)
def test_what_is_on_no_list_is_named_where_it_is_an_explanation_that_is_tried(cls: type) -> None:
    _, told = diagnosed(f"unlisted_torch:{cls.__name__}")
    assert unlisted_torch.NAMED[cls] in told["says"]


@pytest.mark.parametrize("cls", unlisted_torch.NAMELESS, ids=lambda cls: cls.__name__)
def test_what_is_no_known_explanation_gets_no_name_and_measured_facts(cls: type) -> None:
    _, told = diagnosed(f"unlisted_torch:{cls.__name__}")
    assert told["matches"] == []
    assert told["says"].startswith("matches nothing known")
    assert any("came out wrong" in fact for fact in told["facts"])


@pytest.mark.parametrize("cls", wrong_variants.WRONG, ids=lambda cls: cls.__name__)
def test_wrong_radams_and_nadams_are_named(cls: type) -> None:
    result, told = diagnosed(f"wrong_variants:{cls.__name__}")
    assert result.dialect == ("torch-radam" if issubclass(cls, wrong_variants.PlainRAdam) else "torch-nadam")
    assert told["says"] == wrong_variants.WRONG[cls]


@pytest.mark.parametrize("cls", invented_torch.SAID, ids=lambda cls: cls.__name__)
def test_what_was_made_up_is_named_rightly_or_as_nothing_known(cls: type) -> None:
    _, told = diagnosed(f"invented_torch:{cls.__name__}")
    said = invented_torch.SAID[cls]
    if said is not None:
        assert told["says"] == said
        return
    assert (told["matches"], told["says"]) == ([], "matches nothing known")
    assert told["tried"] > 300
    assert told["pairs"] > 3000
    assert told["facts"]


def test_the_facts_say_that_it_is_the_number_of_elements() -> None:
    _, told = diagnosed("invented_torch:PerElement", ("one-step",))
    (fact,) = (fact for fact in told["facts"] if "number of elements" in fact)
    shown = [part.split(" of ") for part in fact.rpartition(": ")[2].split(", ")]
    assert len(shown) == 2
    for ratio, number in shown:
        assert float(ratio) == pytest.approx(1 / int(number), rel=0.02)  # theta is far larger than the step


@pytest.mark.parametrize("cls", unlawful_torch.SHOWN, ids=lambda cls: cls.__name__)
def test_what_only_a_law_or_t_shows_is_shown_by_a_script_of_torch_alone(cls: type, tmp_path: Path) -> None:
    check = unlawful_torch.SHOWN[cls]
    _, told = diagnosed(f"unlawful_torch:{cls.__name__}", (check,))
    file = tmp_path / "shows.py"
    file.write_text(told["scripts"][check])
    wrong = _alone(file, (HERE / "wrong_torch.py", HERE / "unlawful_torch.py"), tmp_path)
    assert wrong.returncode == 1, wrong.stderr
    assert wrong.stdout.startswith("obtained ")
    healed = file.read_text().replace(f"{cls.__name__}(", "Plain(").replace(f"import {cls.__name__}", "import Plain")
    file.write_text(healed)
    right = _alone(file, (HERE / "wrong_torch.py", HERE / "unlawful_torch.py"), tmp_path)
    assert (right.returncode, right.stderr) == (0, "")


def test_what_conforms_is_not_diagnosed() -> None:
    result = judged("torch-optimizer", "wrong_torch:Plain", problems=5)
    assert (result.verdict, result.diagnosis) == (Verdict.CONFORMS, None)


def test_the_reproducer_runs_by_torch_alone_and_is_satisfied_when_the_optimizer_has_healed(tmp_path: Path) -> None:
    ended = command("--torch-optimizer", "wrong_torch:EpsilonHat", "--problems", "20", "--report", tmp_path / "out")
    assert ended.returncode == 1
    assert "diagnosis: epsilon hat instead of paper epsilon" in " ".join(ended.stderr.split())
    (file,) = (tmp_path / "out" / "reproducers").iterdir()
    wrong = _alone(file, (HERE / "wrong_torch.py",), tmp_path)
    assert wrong.returncode == 1, wrong.stderr
    assert ": obtained " in wrong.stdout
    healed = tmp_path / "healed.py"
    healed.write_text(file.read_text().replace("EpsilonHat(", "Plain(").replace("import EpsilonHat", "import Plain"))
    right = _alone(healed, (HERE / "wrong_torch.py",), tmp_path)
    assert (right.returncode, right.stderr) == (0, "")
    assert ": 0 of " in right.stdout


def _alone(file: Path, optimizers: tuple[Path, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    """The file in a folder with the optimizer, and nothing of this project on the path."""
    for optimizer in optimizers:
        (folder / optimizer.name).write_text(optimizer.read_text())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-W", "error", file], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
