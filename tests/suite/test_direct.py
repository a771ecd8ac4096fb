"""The direct comparison: of two, never of one with itself; it accepts two right ones and finds a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from suite_cli import run

import reference
from adapters.contract import Hyperparameters, Identity, Implementation, Problem, State
from adapters.registry import ADAPTERS
from conformance import checks, direct, mutants, oracle
from conformance.findings import Outcome
from conformance.load import CannotTest, Missing, load
from conformance.mutants import breaches, formula, state
from conformance.mutants.twin import Scalar, Slot, Twin, Work
from conformance.mutants.twins import KerasV2Twin, Mxnet2LazyTwin, Mxnet2Twin, RectifiedTwin, TfKerasTwin, TorchTwin
from conformance.subjects import beside
from reference.bias_correction import sma
from reference.namespace import FLOAT64

PRODUCTION = {
    "keras-v2-adam": "fused-adam-keras-v2",
    "tf-keras-adam": "fused-adam-tf-keras",
    "tfa-rectified-adam": "fused-adam-tfa-rectified",
    "mxnet2-adam": "fused-adam-mxnet2",
    "mxnet2-adam-lazy": "fused-adam-mxnet2",
    "mxnet1-adam": "fused-adam-mxnet1",
    "mxnet1-adam-lazy": "fused-adam-mxnet1",
    "torch-adam": "fused-adam-torch",
}


def production(other: Implementation) -> Implementation:
    return load(PRODUCTION[other.claim.dialect])


def compared(one: Implementation, other: Implementation, number: int = 300, *, until_found: bool = False) -> Outcome:
    """Merged over the problems of a run of `number`."""
    outcome = Outcome()
    for pair in beside(one, other, number, 0):
        outcome.add(checks.direct(one, pair))
        if until_found and outcome.findings:
            break
    return outcome


# Right and wrong


@pytest.mark.parametrize(
    "twin", [t for t in mutants.TWINS if t.claim.dialect in PRODUCTION], ids=lambda twin: twin.__name__
)
def test_two_right_ones_agree_within_the_sum_of_both_bounds(twin: type[Twin]) -> None:
    outcome = compared(production(twin()), twin(), 150)
    assert outcome.findings == []
    assert 0.05 < outcome.worst_fraction < 1
    assert checks.informative(outcome).findings == []


NOT_BY_THIS = {
    formula.AdaptiveEpsilonDenseOnly: "rows",
    formula.ZeroClipIgnored: "clip_gradient = 0 has problems of its own",
    state.CountSticks: "256 steps",
    state.DecayStops: "more steps",
    state.FirstCorrectionEnds: "300 steps",
    state.FirstDtypeForAll: "two dtypes in one list",
    state.CountOfPlaceInBucket: "two dtypes in one list",
    state.SharedMoments: "equal shapes have problems of their own",
    state.RowsShareMoments: "rows",
    state.GradientsOverwritten: "what it computes is right",
    state.InitialParametersOverwritten: "what it computes is right",
    state.LiveViews: "what it computes is right",
}
"""Mutants that are right on dense problems, and what exposes them."""
WRONG = [
    mutant
    for mutant in mutants.MUTANTS
    if mutant.__module__ in (formula.__name__, state.__name__) and mutant not in NOT_BY_THIS
]


@pytest.mark.parametrize("mutant", WRONG, ids=lambda mutant: mutant.__name__)
def test_a_wrong_counterpart_is_found(mutant: type[Twin]) -> None:
    assert compared(production(mutant()), mutant(), until_found=True).findings


@pytest.mark.parametrize("mutant", NOT_BY_THIS, ids=lambda mutant: mutant.__name__)
def test_the_exceptions_are_no_others(mutant: type[Twin]) -> None:
    assert compared(production(mutant()), mutant(), 60).findings == []


def test_a_finding_names_the_counterpart_the_place_and_the_command_that_repeats_it() -> None:
    adapter, counterpart = "fused-adam-keras-v2", "conformance/mutants/formula.py:LearningRateTooSmall"
    options = ("--counterpart", counterpart, "--check", "direct", "--problem", "0")
    ended = run(adapter, options=("--profile", "smoke", *options))
    assert ended.code == 1
    (check,) = (r for r in ended.records if r["record"] == "check")
    (finding,) = check["outcome"]["findings"]
    assert finding["message"].startswith("beside mutant-learning-rate-too-small, step 1: ")
    assert finding["worst"]
    assert finding["again"].endswith(
        f"--adapter {adapter} --counterpart {counterpart} --check direct --problem 0 --problems 40 --seed 0"
    )
    numbers = check["counterparts"][counterpart]
    assert (numbers["problems"], numbers["failing"]) == (1, 1)


def test_a_counterpart_whose_bound_hides_everything_is_found() -> None:
    adapter, counterpart = "fused-adam-keras-v2", "conformance/mutants/breaches.py:CoarseArithmetic"
    options = ("--problems", "120", "--counterpart", counterpart, "--check", "direct")
    ended = run(adapter, options=options)
    assert (ended.code, ended.failing(adapter)) == (1, {"direct"})
    assert f"beside {counterpart}: informative share is 0.000" in ended.text


def test_a_counterpart_that_breaks_the_contract_is_a_finding() -> None:
    (finding, *_) = compared(load("fused-adam-torch"), breaches.WrongShape(), 40).findings
    assert finding.message.startswith("cannot be compared with mutant-wrong-shape: step 1: m[0].shape is ")


def test_a_counterpart_that_raises_is_named() -> None:
    raises = "conformance/mutants/harness.py:Raises"
    ended = run("fused-adam-keras-v2", options=("--check", "direct", "--counterpart", raises))
    assert ended.code == 1
    assert "fake-raises, the counterpart, raised RuntimeError: the optimizer broke in step 3" in ended.text


# Two, and not one


class UnderAnotherName(KerasV2Twin):
    """The twin itself; only its name is another."""

    name = "something-else"


class Delegating(KerasV2Twin):
    """Its own name and operations, beside those of the code that really runs (pytorch#91228)."""

    name = "its-own-kernel"
    required = frozenset({"my_kernel"})

    def identity(self) -> Identity:
        ran = KerasV2Twin().identity()
        return replace(ran, required=self.required, observed=ran.observed | self.required)


class ShowsNothing(KerasV2Twin):
    name = "shows-nothing"

    def identity(self) -> Identity:
        return Identity(framework="numpy", version="1", required=frozenset(), observed=frozenset({"add"}))


class RunsAnother(KerasV2Twin):
    name = "runs-another"

    def identity(self) -> Identity:
        own = frozenset({"my_kernel"})
        return Identity(framework="numpy", version="1", required=own, observed=frozenset({"add"}))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (KerasV2Twin(), "was seen running 'amsgrad_maximum', "),
        (UnderAnotherName(), "something-else (numpy "),
        (Delegating(), "was seen running 'amsgrad_maximum', "),
        (ShowsNothing(), "the operations observed in shows-nothing ('add') do not show that it is itself"),
        (RunsAnother(), "do not show that it is itself; accepted: all of its own ('my_kernel')"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_same_code_under_any_name_is_refused(other: Implementation, why: str) -> None:
    for one, two in ((KerasV2Twin(), other), (other, KerasV2Twin())):
        with pytest.raises(CannotTest) as refused:
            direct.pairs(one, two, 10, 0)
        assert f"{one.name} cannot be compared with {two.name}: " in str(refused.value)
        assert why in str(refused.value)


FAKES = "tests/suite/fake_adapters.py"


@pytest.mark.parametrize("counterpart", ["fused-adam-keras-v2", f"{FAKES}:Renamed"])
def test_a_run_against_itself_could_not_be_tested_and_is_no_pass(counterpart: str) -> None:
    ended = run("fused-adam-keras-v2", options=("--profile", "smoke", "--counterpart", counterpart))
    record = ended.implementation("fused-adam-keras-v2")
    assert (ended.code, record["verdict"]) == (2, "could not be tested")
    assert "was seen running 'cpu-numba serial', 'float32_amsgrad'" in record["reason"]


def test_the_same_bits_everywhere_are_no_comparison_whatever_the_identity_says() -> None:
    ended = run("fused-adam-keras-v2", options=("--profile", "smoke", "--counterpart", f"{FAKES}:Liar"))
    record = ended.implementation("fused-adam-keras-v2")
    assert (ended.code, record["verdict"]) == (2, "could not be tested")
    assert "numbers are the same in every bit" in record["reason"]


class RemembersResults(KerasV2Twin):
    """Returns its own buffers, for `ReturnsThem` to return again."""

    results: list[State] = []  # noqa: RUF012

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        self.results.append(super().state(slots, h))
        return self.results[-1]


class ReturnsThem(TorchTwin):
    name, claim = "returns-them", KerasV2Twin.claim

    def __init__(self) -> None:
        self.number = -1

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        self.number += 1
        return RemembersResults.results[self.number]


def test_results_in_shared_memory_are_refused() -> None:
    one, other = RemembersResults(), ReturnsThem()
    theta = np.ones(3, np.float32)
    problem = Problem(dtype="float32", hyperparameters=Hyperparameters(), parameters=(theta,), gradients=((theta,),))
    with pytest.raises(CannotTest, match="both returned the same array of parameters; accepted: two results"):
        checks.direct(one, direct.Pair(counterpart=other, problem=problem))


# What is compared


def test_the_hyperparameters_arrive_as_the_same_numbers_whoever_rounds_them() -> None:
    """So the two float64 trajectories are one, and nothing is added to the two bounds."""
    exact = TorchTwin().arithmetic("float64")
    roles = {f.name: "float32" for f in fields(exact) if getattr(exact, f.name) == "float64"}
    rounding: Any = replace(exact, **{**roles, "storage": "float64", "compute": "float64"})
    for pair in beside(load("fused-adam-torch"), TorchTwin(), 300, 0):
        assert oracle.received(pair.problem, exact) == oracle.received(pair.problem, rounding)
        assert any(theta.size for theta in pair.problem.parameters)


@pytest.mark.parametrize(("ref_a", "ref_b", "seen"), [(1.0, 1.0, 0.25), (1.0, 3.0, -1.75), (np.inf, np.inf, 0.25)])
def test_nothing_but_what_lies_between_the_references_is_taken_off(ref_a: float, ref_b: float, seen: float) -> None:
    assert direct._seen_beside(*map(np.asarray, (0.25, ref_b, ref_a))) == seen


class OtherwiseInStepSix(RectifiedTwin):
    """Rectifies in step 6 where it should not, and does not where it should."""

    name = "otherwise-in-step-six"

    def rectifies(self, w: Work, length: Scalar) -> bool:
        return super().rectifies(w, length) != (w.t == 6)


@pytest.mark.parametrize(("above", "accepted"), [(0.0, True), (0.125, False), (-0.125, False)])
def test_only_an_ambiguous_branch_may_be_decided_differently_and_is_counted(above: float, accepted: bool) -> None:
    """rho_t in float32, as the twin forms it, cannot say whether it is above itself; in double it is exact."""
    beta_2 = float(np.float32(0.99))
    threshold = float(np.float32(sma(beta_2, 6, FLOAT64) + above))
    theta, g = np.ones(3, np.float32), np.array([1, -0.5, 0.25], np.float32)
    problem = Problem(
        dtype="float32",
        hyperparameters=Hyperparameters(beta_2=beta_2, sma_threshold=threshold),
        parameters=(theta,),
        gradients=((g,),) * 6,
    )
    one = load("fused-adam-tfa-rectified")
    right, other = (checks.direct(one, direct.Pair(counterpart=twin(), problem=problem)) for twin in TWO_BRANCHES)
    assert right.findings == []
    assert (other.findings == []) == accepted
    assert (other.ambiguous > 0) == (right.ambiguous > 0) == accepted
    assert (other.worst_fraction < 1) == accepted


TWO_BRANCHES = (RectifiedTwin, OtherwiseInStepSix)


# Who is compared with whom


def test_every_live_adapter_that_takes_dense_gradients_has_a_counterpart_where_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(direct, "load", lambda name: name)
    seen: set[tuple[str, str]] = set()
    for name, entry in ADAPTERS.items():
        for environment in entry.environments:
            found, left_out = direct.counterparts(name, (environment,))
            assert bool(found or left_out) == (entry.distribution == direct.PRODUCTION)
            seen |= {(other, environment) for other in found}
    spoken = [
        reference.dialect(direct.claim_of(entry).dialect)
        for entry in ADAPTERS.values()
        if entry.distribution == direct.PRODUCTION
    ]
    live = {
        (name, environment)
        for name, entry in ADAPTERS.items()
        if entry.distribution != direct.PRODUCTION
        and any(reference.dialect(direct.claim_of(entry).dialect).computes_as(d) for d in spoken)
        for environment in entry.environments
    }
    # They take rows alone, fused_adam none yet.
    assert live - seen == {("mxnet2-lazy-row-sparse", "mxnet"), ("mxnet1-lazy-row-sparse", "mxnet1")}
    assert set(direct.counterparts("fused-adam-mxnet2", ("mxnet",))[0]) == {
        "mxnet2-fused",
        "mxnet2-step",
        "mxnet2-lazy",
    }
    assert set(direct.counterparts("fused-adam-torch-face", ("torch",))[0]) == {
        "torch-loop",
        "torch-foreach",
        "torch-fused",
        "torch-adamw-loop",
        "torch-adamw-foreach",
        "torch-adamw-fused",
    }


def test_who_is_left_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Implementation:
        raise Missing(f"{name} is not installed")

    monkeypatch.setattr(direct, "load", missing)
    others = ("tf-keras", "tf-keras-package", "keras3-adam", "keras3-adamw")
    absent = [f"direct comparison with {other} (not installed here)" for other in others]
    assert direct.counterparts("fused-adam-tf-keras") == ({}, absent)
    nobody = "direct comparison (no live mxnet1-adam in this environment)"
    assert direct.counterparts("fused-adam-mxnet1", ("keras",)) == ({}, [nobody])
    with pytest.raises(Missing, match="tf-keras is not installed"):
        direct.counterparts("fused-adam-tf-keras", ("keras",))


@pytest.mark.parametrize("other", [TfKerasTwin(), TorchTwin()], ids=lambda other: other.name)
def test_another_formula_is_refused(other: Implementation) -> None:
    with pytest.raises(CannotTest, match=r"accepted: a keras-v2-adam that claims some of dense, none"):
        direct.pairs(load("fused-adam-keras-v2"), other, 10, 0)


def test_problems_lie_inside_both_claims() -> None:
    claim = direct.in_common(Mxnet2LazyTwin.claim, Mxnet2Twin.claim)
    assert claim is not None
    assert claim.gradients == {"dense", "none"}
    claim = direct.in_common(load("fused-adam-tf-keras").claim, replace(TfKerasTwin.claim, dtypes=("float64",)))
    assert claim is not None
    assert (claim.gradients, claim.dtypes) == ({"dense", "none"}, ("float64",))


def test_the_reports_show_each_comparison(tmp_path: Any) -> None:
    """In the check's record, in the Markdown and on the terminal."""
    counterpart = "conformance/mutants/twins.py:KerasV2Twin"
    options = ("--profile", "smoke", "--counterpart", counterpart, "--report", tmp_path)
    ended = run("fused-adam-keras-v2", options=options)
    assert ended.code == 0
    assert f"fused-adam-keras-v2: beside {counterpart} 0." in ended.text
    assert f"- fused-adam-keras-v2: beside {counterpart} 0." in (tmp_path / "report.md").read_text(encoding="utf-8")
