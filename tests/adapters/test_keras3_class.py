"""`--keras-optimizer module:Class` of Keras 3: its own conform, a wrong one does not, bad input is refused."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from judging import command
from judging import judged as judged_by_option

from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.verdict import Verdict

judged = partial(judged_by_option, "keras-optimizer")
HERE = Path(__file__).parent


def test_a_class_of_keras_3_conforms() -> None:
    only = ("identity", "contract", "one-step", "law-save-load", "law-configuration", "law-change")
    result = judged("keras.optimizers:Adam", problems=40, only=only, diagnose=False)
    assert result.verdict is Verdict.CONFORMS, result.reason
    assert result.dialect == "keras3-adam"
    assert result.identity is not None
    assert "rows: a variable is written" in result.identity["observed"]
    assert not {"procedure save", "procedure configuration", "procedure change"} & {*result.not_claimed}


@pytest.mark.parametrize("path", ["keras.optimizers:AdamW", "tensorflow.keras.optimizers:Adam"])
def test_so_do_its_relatives(path: str) -> None:
    """AdamW's weight_decay may not be None."""
    assert judged(path, problems=12, only=("contract", "one-step"), diagnose=False).verdict is Verdict.CONFORMS


def test_a_wrong_class_of_keras_3_is_named_and_its_reproducer_needs_keras_alone(tmp_path: Path) -> None:
    ended = command(
        "--keras-optimizer",
        "wrong_keras3:PaperEpsilon",
        "--problems",
        "10",
        "--check",
        "one-step",
        "--report",
        tmp_path,
    )
    assert ended.returncode == 1, ended.stderr
    assert "paper epsilon instead of epsilon hat" in ended.stdout
    (file,) = (tmp_path / "reproducers").iterdir()
    again = subprocess.run([sys.executable, file], cwd=HERE, capture_output=True, text=True, check=False)
    assert again.returncode == 1, again.stderr
    assert ": obtained " in again.stdout
    text = file.read_text().replace("from wrong_keras3 import PaperEpsilon", "from keras.optimizers import Adam")
    healed = tmp_path / "healed.py"
    healed.write_text(text.replace("PaperEpsilon(", "Adam("))
    right = subprocess.run([sys.executable, healed], cwd=HERE, capture_output=True, text=True, check=False)
    assert right.returncode == 0, right.stderr


@pytest.mark.parametrize(
    ("path", "about", "why"),
    [
        ("keras.optimizers:SGD", {}, "accepted: a class whose constructor takes beta_1"),
        (
            "keras.optimizers:Adam",
            {"dialect": "tf-keras-adam"},
            "accepted: what a Keras optimizer can speak: keras3-adam",
        ),
        ("keras.layers:Dense", {}, "accepted: a subclass of "),
        ("keras.optimizers:Adam", {"kwargs": {"fast": True}}, "accepted: "),
        ("keras.optimizers:Adam", {"kwargs": {"loss_scale_factor": "x"}}, ", in its first step too (TypeError: "),
        ("tf_keras.optimizers:Adam", {"kwargs": {"clipvalue": "x"}}, ", in its first step too (TypeError: "),
    ],
)
def test_what_cannot_be_tested_is_refused_by_name(path: str, about: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotTest) as refused:
        load(path, Given(option="keras-optimizer", path=path, **about))
    assert why in str(refused.value)
