"""`--optax module:factory`: optax's own and a right one conform, wrong ones do not, bad input is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optax
import pytest
import wrong_optax
from judging import ROOT, command
from judging import judged as judged_by_option

from adapters.contract import Hyperparameters
from adapters.optax_factory import OptaxFactory
from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.verdict import Verdict

judged = partial(judged_by_option, "optax", problems=12)
NUMERIC = ("one-step", "free-running", "golden", "identity")
"""A new compilation for every problem is what a run costs: not all laws here."""


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("optax:adam", {}),
        ("optax:adamw", {}),
        ("optax:amsgrad", {}),
        ("optax:radam", {"dialect": "optax-radam"}),
        ("optax:nadamw", {"dialect": "optax-nadam"}),
        ("optax:adam", {"dialect": "optax-nadam", "kwargs": {"nesterov": True}}),
        ("optax:adam", {"dialect": "torch-adam"}),
        ("wrong_optax:plain", {}),
        ("wrong_optax:above_zero", {}),
        ("wrong_optax:epsilon_hat", {"dialect": "tf-keras-adam"}),
    ],
    ids=str,
)
def test_a_right_one_conforms(path: str, about: dict[str, Any]) -> None:
    result = judged(path, only=NUMERIC, **about)
    assert result.verdict is Verdict.CONFORMS, result.reason
    assert {check["check"] for check in result.checks} >= set(NUMERIC)


def test_what_a_factory_takes_above_0_alone_is_not_claimed_at_0() -> None:
    claim = OptaxFactory("wrong_optax:above_zero").claim
    assert claim.nonzero >= {"learning_rate", "epsilon"}
    assert {"epsilon 0 (ValueError: 0.001, 0.0)", "learning_rate 0 (ValueError: 0.0, 1e-07)"} < {*claim.not_claimed}
    assert not OptaxFactory("wrong_optax:plain").claim.nonzero & {"learning_rate", "epsilon"}


def test_laws_apply_to_a_factory_that_is_given() -> None:
    result = judged("optax:adam", problems=8)
    assert result.verdict is Verdict.CONFORMS, result.reason
    assert {"law-sign", "law-scale", "law-constant-gradient"} <= {check["check"] for check in result.checks}


@pytest.mark.parametrize("name", wrong_optax.WRONG)
def test_a_wrong_one_does_not_conform(name: str) -> None:
    result = judged(f"wrong_optax:{name}", only=("one-step", "free-running"), dialect=wrong_optax.WRONG[name])
    assert result.verdict is Verdict.DOES_NOT_CONFORM


def test_an_epsilon_root_in_the_wrong_place_is_named() -> None:
    told = judged("wrong_optax:root_before_correction", only=("one-step",)).diagnosis
    assert told is not None
    assert told["says"].startswith("epsilon_root is added before the bias correction: sqrt((v + epsilon_root) / (1 -")


def test_what_was_compiled_is_the_given_ones_update() -> None:
    identity = OptaxFactory("wrong_optax:plain").identity()
    assert identity.required <= identity.observed
    assert any(place.endswith("wrong_optax.py: _transformation.<locals>.update") for place in identity.required)
    assert (identity.framework, identity.version) == (
        "wrong_optax",
        f"of no distribution, on optax {optax.__version__}",
    )
    ours = OptaxFactory("optax:adam").identity()
    assert "XLA compiled jit(optax_step)" in ours.required
    assert (ours.framework, ours.version) == ("optax", optax.__version__)


def test_what_the_signature_has_is_claimed() -> None:
    adam = {"learning_rate", "beta_1", "beta_2", "epsilon"}
    assert OptaxFactory("optax:adamw").claim.hyperparameters == adam | {"epsilon_root", "weight_decay"}
    assert OptaxFactory("optax:nadam").claim.hyperparameters == adam | {"epsilon_root"}
    amsgrad = OptaxFactory("optax:amsgrad").claim
    assert (amsgrad.hyperparameters, amsgrad.nonzero) == (adam | {"epsilon_root", "amsgrad"}, {"amsgrad"})
    plain = OptaxFactory("wrong_optax:plain").claim
    assert plain.hyperparameters == adam | {"weight_decay"}
    assert {"amsgrad", "epsilon_root"} <= set(plain.not_claimed)
    assert "nesterov other than True" in OptaxFactory("optax:adam", kwargs={"nesterov": True}).claim.not_claimed


@pytest.mark.parametrize(
    ("path", "about", "why"),
    [
        ("optax.adam", {}, "optax is 'optax.adam'; accepted: package.module:factory, as optax:adam"),
        ("nowhere:adam", {}, "one whose module imports here (ModuleNotFoundError: No module named 'nowhere')"),
        (
            "wrong_optax:adam",
            {},
            "optax is 'wrong_optax:adam'; accepted: one of wrong_optax's: above_zero, decay_without_rate,",
        ),
        ("wrong_optax:NUMBER", {}, "accepted: a factory; NUMBER is a int"),
        ("optax:sgd", {}, "accepted: a factory that takes b1; it takes learning_rate, momentum"),
        ("wrong_optax:no_transformation", {}, "a factory of an optax.GradientTransformation; it makes a float"),
        ("wrong_optax:other_state", {}, "a factory whose state holds count, mu and nu"),
        ("optax:adam", {"dialect": "keras-v2-adam"}, "dialect is 'keras-v2-adam'; accepted: what an optax"),
        ("optax:amsgrad", {"dialect": "optax-radam"}, "accepted: optax-adam, torch-adam, tf-keras-adam: its state"),
        ("optax:adam", {"kwargs": {"b1": 0.5}}, "kwargs is {'b1': 0.5}; accepted: no b1, which the suite varies"),
        ("optax:adam", {"kwargs": {"speed": 1}}, "accepted: arguments of optax:adam: mu_dtype, nesterov"),
        ("optax:adam", {"kwargs": {"mu_dtype": "float7"}}, "kwargs is {'mu_dtype': 'float7'}; accepted: what optax:"),
        (
            "optax:adamw",
            {"kwargs": {"mask": [True, True]}},
            "what optax:adamw takes beside {'learning_rate': 0.001, 'b1'",
        ),
        ("optax:adamw", {"kwargs": {"mask": [True, True]}}, "'weight_decay': 0.0}, in init too (ValueError: pytree"),
        ("wrong_optax:scaled", {"kwargs": {"scale": "x"}}, ", in its first step too (TypeError: "),
        ("optax:adam", {"decay": "l2"}, "decay is 'l2'; accepted: nothing"),
        ("optax:adam", {"arithmetic": {"powers": "float8"}}, "arithmetic.powers is 'float8'; accepted: "),
    ],
    ids=str,
)
def test_what_cannot_be_tested_is_refused_before_anything_runs(path: str, about: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotTest) as caught:
        load(path, Given(option="optax", path=path, **about))
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--optax", "optax:adam", "--check", "one-step"), 0, "conforms"),
        (("--optax", "wrong_optax:no_momentum", "--check", "one-step"), 1, "again: python -m conformance run --optax"),
        (("--optax", "nowhere:adam"), 2, "optax is 'nowhere:adam'; accepted: one whose module imports here"),
        (("--optax", "optax:adam", "--kwargs", "{"), 2, "accepted: a JSON object"),
        (("--optax", "optax:adam", "--dialect", "optax-lion"), 2, "optax-lion"),
    ],
    ids=str,
)
def test_the_command_exits_with_what_happened(words: tuple[str, ...], code: int, text: str) -> None:
    ended = command(*words, "--problems", 5)
    assert (ended.returncode, text in ended.stderr) == (code, True), ended.stderr


def test_parameters_come_in_trees_of_more_than_one_kind() -> None:
    """A dict of tuples where there are two: a list is not all that optax is given."""
    arrays = [np.full(n, n, np.float32) for n in (2, 3)]
    run = OptaxFactory("optax:adam").start(arrays, Hyperparameters())
    assert [*run.parameters] == ["00000", "00001"]
    assert [theta.shape for theta in run.step(arrays).parameters] == [(2,), (3,)]
    assert judged("wrong_optax:lists_alone", only=("one-step",)).verdict is Verdict.DOES_NOT_CONFORM


def test_arrays_of_the_caller_stay_the_callers() -> None:
    theta = np.ones(2, np.float32)
    run = OptaxFactory("optax:adam").start([theta], Hyperparameters())
    first = run.step([theta])
    kept = first.parameters[0].copy()
    run.step([theta])
    assert (theta == 1).all()
    assert (first.parameters[0] == kept).all()


def test_the_state_of_a_factory_that_is_given_has_no_hyperparameters() -> None:
    given = OptaxFactory("optax:adam")
    assert given.claim.procedures["save"].hyperparameters == frozenset()
    assert {"change", "groups"}.isdisjoint(given.claim.procedures)
    g = np.ones(2, np.float32)
    run = given.start([g], Hyperparameters(learning_rate=0.5))
    run.step([g])
    resumed = given.resume([g], Hyperparameters(learning_rate=0.0), run.save())
    kept = resumed._observed()
    assert (resumed.step([g]).parameters[0] == kept.parameters[0]).all()
    assert kept.t == (1,)


def test_a_state_of_more_than_moments_and_a_count_cannot_be_put() -> None:
    assert "state" in OptaxFactory("wrong_optax:plain").claim.procedures
    assert "state" not in OptaxFactory("wrong_optax:with_products").claim.procedures


def test_the_reproducer_makes_the_factory_again(tmp_path: Path) -> None:
    told = judged("wrong_optax:epsilon_hat", problems=4, only=("one-step",)).diagnosis
    assert told is not None
    (tmp_path / "again.py").write_text(told["reproducer"])
    shutil.copy(wrong_optax.__file__, tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    made = [sys.executable, "again.py"]
    done = subprocess.run(made, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert ": obtained " in done.stdout
