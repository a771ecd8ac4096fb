"""The certificate holds, and every part of it is seen to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planting import certify, in_float32, off, plant, records

from certify import draws, measure, terms
from certify.run import PROFILES, Profile
from certify.scalars import SCALARS
from reference import DIALECTS, bias_correction, bounded_step
from reference import stages as s
from reference.bias_correction import sma_inf, squared_rectification
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64, Namespace
from reference.stages import Stage, Working

STAGES = list(dict.fromkeys(stage for d in DIALECTS.values() for stage in d.stages))
FUNCTIONS = {
    "1 - beta^t": "one_minus_power",
    "sma_inf": "sma_inf",
    "sma_t": "sma",
    "r_t": "rectification",
    "mu_t": "momentum",
    "1 - mu_t": "one_minus_momentum",
    "1 - mu_1 ... mu_t": "one_minus_momentum_product",
}


FEW = Profile(problems=12, climb=2, points=60, scalar_climb=20, starts=1)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is found by less than the short profile, and sooner."""
    monkeypatch.setitem(PROFILES, "short", FEW)


# Complete


def test_every_stage_has_terms_and_every_entry_is_a_stage() -> None:
    assert set(terms.TERMS) == set(STAGES)


def test_every_scalar_is_certified() -> None:
    public = {
        name for name, f in vars(bias_correction).items() if getattr(f, "__module__", "") == bias_correction.__name__
    }
    public = {name for name in public if not name.startswith("_")}
    assert public - {"squared_rectification"} == set(FUNCTIONS.values())  # whose root is r_t
    assert [scalar.name for scalar in SCALARS] == list(FUNCTIONS)


def test_a_stage_without_terms_cannot_be_certified(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = plant(monkeypatch, s.l2, lambda p, h, x: s.l2(p, h, x), entry=False)
    assert certify("--dialect", name) == 2
    assert "stage l2 has no terms" in capsys.readouterr().err


def test_a_hyperparameter_that_is_not_drawn_cannot_be_certified(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(draws.HYPERPARAMETERS, "epsilon_root")
    assert certify("--dialect", "optax-radam") == 2
    assert "optax-radam has epsilon_root, which is not drawn" in capsys.readouterr().err


# Seen to fail: stages


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_a_stage_in_float32_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    name = plant(monkeypatch, stage, in_float32(stage))
    assert certify("--dialect", name, "--stage", stage.__name__) == 1


def _epsilon_dropped(p: Working, h: Hyperparameters, x: Namespace) -> None:
    p.epsilon = 0.0 if x is FLOAT64 else p.epsilon
    s.paper_epsilon(p, h, x)


def _off_by_9_ulp(p: Working, h: Hyperparameters, x: Namespace) -> None:
    s.first_moment(p, h, x)
    if x is FLOAT64:
        p.m = p.m * (1 + 9 * 2.0**-52)


def _the_other_branch(p: Working, h: Hyperparameters, x: Namespace) -> None:
    if x is FLOAT64:
        p.rectified = bool(bias_correction.sma(h.power_beta_2, p.t, x) < h.sma_threshold)
    s.rectified(p, h, x)


@pytest.mark.parametrize(
    ("stage", "wrong"),
    [
        (s.paper_epsilon, _epsilon_dropped),
        (s.first_moment, _off_by_9_ulp),
        (s.rectified, _the_other_branch),
    ],
)
def test_a_lossy_stage_is_found(stage: Stage, wrong: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    name = plant(monkeypatch, stage, wrong)
    assert certify("--dialect", name, "--stage", stage.__name__) == 1


def _plain_power(beta: Any, t: int, x: Namespace) -> Any:
    return 1 - beta**t


def _plain_sma(beta: Any, t: int, x: Namespace) -> Any:
    return 2 / (1 - beta) - 1 - 2 * t * beta**t / (1 - beta**t)


def _r_of_rounded_sma(beta: Any, t: int, x: Namespace) -> Any:
    return x.sqrt(squared_rectification(bias_correction.sma(beta, t, x), sma_inf(beta)))


def _plain_product(beta: Any, psi: Any, t: int, x: Namespace) -> Any:
    product = x.number(1.0)
    for k in range(1, min(t, 1000) + 1):
        product = product * bias_correction.momentum(beta, psi, k, x)
    return 1 - product


PLAIN = {
    "one_minus_power": (_plain_power, "keras-v2-adam", "epsilon_hat"),
    "sma": (_plain_sma, "tfa-rectified-adam", "rectified"),
    "rectification": (_r_of_rounded_sma, "tfa-rectified-adam", "rectified"),
    "one_minus_momentum_product": (_plain_product, "", ""),
}


@pytest.mark.parametrize("function", [name for name, plain in PLAIN.items() if plain[2]])
def test_a_scalar_as_its_paper_prints_it_is_found_in_the_stage_that_has_it(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, dialect, stage = PLAIN[function]
    monkeypatch.setattr(s, function, wrong)
    assert certify("--dialect", dialect, "--stage", stage) == 1


@pytest.mark.parametrize("function", PLAIN)
def test_a_scalar_as_its_paper_prints_it_is_found(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bias_correction, function, PLAIN[function][0])
    (name,) = (name for name, known in FUNCTIONS.items() if known == function)
    assert certify("--stage", name) == 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_scalar_off_by_9_ulp_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    correct = getattr(bias_correction, FUNCTIONS[name])
    monkeypatch.setattr(bias_correction, FUNCTIONS[name], off(correct, 9))
    assert certify("--stage", name) == 1
    monkeypatch.setattr(bias_correction, FUNCTIONS[name], off(correct, 6))
    assert certify("--stage", name) == 0


def test_a_whole_step_that_is_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what no stage does."""

    def wrong(*arguments: Any, **options: Any) -> Any:
        state, bound = bounded_step(*arguments, **options)
        return measure.replace(state, m=tuple(m * (1 + 1e-14) for m in state.m)), bound

    assert certify("--dialect", "torch-adam", "--stage", "step") == 0
    monkeypatch.setattr(measure, "bounded_step", wrong)
    assert certify("--dialect", "torch-adam", "--stage", "step") == 1


# What is no error


def test_rows_may_be_summed_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(p: Working, h: Hyperparameters, x: Namespace) -> None:
        if p.rows is not None and x is FLOAT64:
            p.rows, p.g = p.rows[::-1], p.g[::-1]
        s.sum_duplicate_rows(p, h, x)

    name = plant(monkeypatch, s.sum_duplicate_rows, backwards)
    assert certify("--dialect", name, "--stage", "sum_duplicate_rows") == 0


def errors(got: float, wanted: float, terms: float | None) -> tuple[float, bool]:
    number = measure.FIFTY.number
    size = None if terms is None else np.array([number(terms)], dtype=object)
    wanted_array = np.array([number(wanted)], dtype=object)
    error, judged = measure._errors(np.array([got]), wanted_array, size, np.array([True]))
    return float(error[0]), bool(judged[0])


def test_what_is_not_finite_and_what_is_below_the_normal_numbers() -> None:
    nan, inf = float("nan"), float("inf")
    assert errors(nan, nan, 1.0) == (0.0, True)
    assert errors(inf, inf, None) == (0.0, True)
    assert errors(inf, 1.0, 1.0) == (inf, True)
    assert errors(nan, 1.0, 1.0) == (inf, True)
    assert errors(1.0, nan, 1.0) == (inf, True)
    assert errors(5e-324, 0.0, 1e-330) == (0.0, True)  # the smallest number is granted once
    assert errors(1e-323, 0.0, 0.0) == (inf, True)
    assert errors(1 + 2.0**-52, 1.0, None) == (inf, True)  # nothing is computed: not a bit
    assert errors(1 + 2.0**-52, 1.0, 1.0) == (2.0, True)


def test_an_overflow_of_the_terms_is_set_aside() -> None:
    number = measure.FIFTY.number
    beyond = np.array([number(2.0) ** 1025], dtype=object)
    _, judged = measure._errors(np.array([float("inf")]), beyond, beyond, np.array([True]))
    assert not judged[0]


# The command


def test_the_same_seed_gives_the_same_errors_in_any_number_of_processes(tmp_path: Path) -> None:
    chosen = ("--dialect", "optax-radam", "--dialect", "torch-adam", "--stage", "first_moment")
    again = records(tmp_path, *chosen)
    assert records(tmp_path, *chosen) == again
    assert records(tmp_path, *chosen, "--jobs", "2") == again
    assert records(tmp_path, *chosen, "--seed", "1") != again


def test_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = records(tmp_path, "--dialect", "torch-adam", "--stage", "l2")
    assert (found["name"], found["dialect"], found["kind"], found["accepted"]) == ("l2", "torch-adam", "stage", 8)
    assert found["holds"]
    assert found["compared"] > 100
    assert "none above its bound" in capsys.readouterr().out


def test_a_failure_of_the_command_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(p: Working, h: Hyperparameters, x: Namespace) -> None:
        raise ZeroDivisionError

    name = plant(monkeypatch, s.l2, broken)
    assert certify("--dialect", name, "--stage", "l2") == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stage", "nothing"], "--stage is 'nothing'; accepted: step, clip_values"),
        (["--dialect", "adam"], "--dialect is 'adam'; accepted: keras-v2-adam"),
        (["--dialect", "optax-adam", "--stage", "clip"], "has no stage clip"),
        (["--seed", "-1"], "accepted: a whole number from 0 on"),
        (["--json", "."], "--json is '.', a folder; accepted: a file"),
        (["--profile", "long"], "invalid choice"),
    ],
)
def test_bad_input(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert certify(*arguments) == 2
    assert said in " ".join(capsys.readouterr().err.split())
