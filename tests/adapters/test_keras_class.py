"""`--keras-optimizer module:Class`: Keras' own conform, wrong ones do not, bad input is refused."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from judging import command
from judging import judged as judged_by_option

from adapters.keras_class import KerasClass
from adapters.tensorflow_support import AFTER_LOAD, import_tensorflow_addons
from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.verdict import Verdict

import_tensorflow_addons()  # and not its notice, of which an error would be made here
judged = partial(judged_by_option, "keras-optimizer")
HERE = Path(__file__).parent
LEGACY = "keras.optimizers.legacy:Adam"


@pytest.mark.parametrize(
    ("path", "about", "dialect", "distribution"),
    [
        (LEGACY, {}, "keras-v2-adam", "keras"),
        ("tensorflow.keras.optimizers.legacy:Adam", {"kwargs": {"name": "mine"}}, "keras-v2-adam", "keras"),
        ("tensorflow.keras.optimizers:Adam", {}, "tf-keras-adam", "keras"),
        (
            "tensorflow_addons.optimizers:RectifiedAdam",
            {"dialect": "tfa-rectified-adam"},
            "tfa-rectified-adam",
            "tensorflow-addons",
        ),
        ("wrong_keras:DenseOnly", {}, "keras-v2-adam", "wrong_keras"),
    ],
    ids=str,
)
def test_a_right_one_conforms_but_for_what_is_known(
    path: str, about: dict[str, Any], dialect: str, distribution: str
) -> None:
    result = judged(path, diagnose=False, **about)
    failing = {check["check"] for check in result.checks if check["failing"]}
    # A decay that RectifiedAdam was built without stays off, whatever is assigned or loaded: docs/findings.
    assert failing == ({"law-switched-on"} if distribution == "tensorflow-addons" else set()), result.reason
    assert result.dialect == dialect
    assert result.identity is not None
    assert result.identity["framework"] == distribution
    assert "dense: a variable is written" in result.identity["observed"]


def test_a_change_between_a_load_and_the_next_step_is_not_claimed_of_a_base_that_undoes_it() -> None:
    assert AFTER_LOAD in KerasClass(LEGACY).claim.not_claimed
    assert AFTER_LOAD not in KerasClass("keras.optimizers:Adam").claim.not_claimed


def test_what_the_constructor_takes_above_0_alone_is_not_claimed_at_0() -> None:
    claim = KerasClass("wrong_keras:AboveZero").claim
    assert claim.nonzero >= {"learning_rate", "epsilon"}
    result = judged("wrong_keras:AboveZero", problems=40, only=("one-step", "law-zero-gradient", "law-change"))
    assert (result.verdict, result.reason) == (Verdict.CONFORMS, "")
    assert not KerasClass(LEGACY).claim.nonzero


def test_the_report_says_what_was_tested_and_what_was_not() -> None:
    assert "rows" in KerasClass(LEGACY).claim.gradients
    dense = KerasClass("wrong_keras:DenseOnly").claim
    assert dense.gradients == {"dense", "none"}
    assert "sparse gradients (a step with one raises NotImplementedError)" in dense.not_claimed
    assert "clipnorm (left at its default)" in KerasClass("keras.optimizers:Adam").claim.not_claimed
    fixed = KerasClass(LEGACY, kwargs={"amsgrad": False}).claim
    assert "amsgrad" in fixed.not_claimed
    assert "amsgrad" not in fixed.hyperparameters


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("NoBiasCorrection", "no bias correction"),
        ("HalfRate", "learning rate x 0.5, in the step and not in the decay, in the steps with an even t only"),
    ],
)
def test_a_wrong_one_does_not_conform_and_is_named_where_it_is_known(name: str, says: str) -> None:
    result = judged(f"wrong_keras:{name}", only=("one-step", "free-running"))
    assert result.verdict is Verdict.DOES_NOT_CONFORM
    assert result.diagnosis is not None
    assert result.diagnosis["says"] == says


def test_the_reproducer_runs_by_tensorflow_alone(tmp_path: Path) -> None:
    """The class imports an adapter's helper, so this one folder of the project is on its path."""
    ended = command("--keras-optimizer", "wrong_keras:NoBiasCorrection", "--problems", "10", "--report", tmp_path)
    assert ended.returncode == 1, ended.stderr
    (file,) = (tmp_path / "reproducers").iterdir()
    again = subprocess.run([sys.executable, file], cwd=HERE, capture_output=True, text=True, check=False)
    assert again.returncode == 1, again.stderr
    assert ": obtained " in again.stdout
    healed = tmp_path / "healed.py"
    text = file.read_text().replace(
        "from wrong_keras import NoBiasCorrection", "Adam = tf.keras.optimizers.legacy.Adam"
    )
    healed.write_text(text.replace("NoBiasCorrection(", "Adam("))
    right = subprocess.run([sys.executable, healed], cwd=HERE, capture_output=True, text=True, check=False)
    assert right.returncode == 0, right.stderr
    assert ": 0 of " in right.stdout


def test_the_other_epsilon_is_another_dialect() -> None:
    """keras-v2-adam makes 1e-7 of epsilon 0, tf-keras-adam does not."""
    assert judged(LEGACY, dialect="tf-keras-adam", problems=100, only=("one-step",)).verdict is Verdict.DOES_NOT_CONFORM


@pytest.mark.parametrize(
    ("path", "about", "why"),
    [
        ("keras.nowhere:Adam", {}, "accepted: one whose module imports here (ModuleNotFoundError"),
        ("keras.optimizers.legacy:Madam", {}, "accepted: one of keras.optimizers.legacy's: Adadelta, Adagrad, Adam"),
        ("keras.layers:Dense", {}, "accepted: a subclass of "),
        ("keras.optimizers.legacy:SGD", {}, "accepted: a class whose constructor takes beta_1"),
        ("wrong_keras:AnotherOne", {}, "accepted: a class that constructs itself, not a keras."),
        ("wrong_keras:OtherSlots", {}, "accepted: a class that keeps the lists _momentums, "),
        (
            LEGACY,
            {"dialect": "torch-adam"},
            "dialect is 'torch-adam'; accepted: what a Keras optimizer can speak: keras-v2",
        ),
        (LEGACY, {"kwargs": {"epsilon": 1}}, "kwargs is {'epsilon': 1}; accepted: no epsilon, which the suite varies"),
        (LEGACY, {"kwargs": {"amsgrad": True}}, "accepted: no amsgrad, which the suite varies, or False"),
        (LEGACY, {"kwargs": {"nam": "x"}}, "accepted: arguments of keras.optimizers.legacy:Adam: name"),
        (
            "keras.optimizers:Adam",
            {"kwargs": {"clipnorm": 1, "global_clipnorm": 1}},
            "}; accepted: what keras.optimizers:Adam takes",
        ),
        (LEGACY, {"kwargs": {"name": 3}}, "in its first step too (ValueError: name for name_scope must be a string.)"),
        ("keras.optimizers:Adam", {"kwargs": {"clipnorm": "x"}}, ", in its first step too (TypeError: '>' not supp"),
        (LEGACY, {"decay": "l2"}, "decay is 'l2'; accepted: nothing"),
    ],
    ids=str,
)
def test_what_cannot_be_tested_is_refused_before_anything_runs(path: str, about: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotTest) as caught:
        load(path, Given(option="keras-optimizer", path=path, **about))
    assert why in str(caught.value)


def test_the_command_runs_what_is_given() -> None:
    ended = command("--keras-optimizer", LEGACY, "--problems", 3)
    assert ended.returncode == 0, ended.stderr
    assert "conforms" in ended.stderr
