"""The numbers of a picture: laws of errors, bounds and fractions, and that they are those of the checks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import reference
from adapters.contract import Arithmetic, Claim, Identity, Problem, Rows, State
from conformance import checks, oracle
from conformance.findings import to_json
from conformance.mutants import MUTANTS, TWINS
from conformance.mutants.formula import EpsilonInsideRoot, LearningRateTooSmall
from conformance.mutants.harness import Raises
from conformance.mutants.twins import KerasV2Twin, TorchTwin
from conformance.observe import ContractBreach, ImplementationFailed, observe
from conformance.plot.curves import Curve, Figure, curve, figure, figure_from_json
from conformance.plot.problem import Golden, OfFinding, OutsideClaim, Standard, Subject, from_order, outside, to_order
from conformance.plot.words import label
from conformance.subjects import subjects
from reference import DIALECTS


class Oracle:
    """The reference behind the contract, with an error planted in theta of one step, if any."""

    contract_version, name = 1, "oracle"

    def __init__(self, dialect: str, *, step: int = 0, error: float = 0.0) -> None:
        d = DIALECTS[dialect]
        kinds = {"dense", "none"} | ({"rows"} if d.takes_rows else set())
        self.claim = Claim(dialect=dialect, hyperparameters=d.hyperparameters, gradients=frozenset(kinds))
        self.at, self.error = step, error

    def identity(self) -> Identity:
        ran = frozenset({"reference"})
        return Identity(framework="numpy", version=np.__version__, required=ran, observed=ran)

    def arithmetic(self, dtype: Any) -> Arithmetic:
        return Arithmetic(storage=dtype, compute=dtype)

    def start(self, parameters: Any, hyperparameters: Any) -> Oracle:
        problem = Problem(dtype="float64", hyperparameters=hyperparameters, parameters=tuple(parameters), gradients=())
        run = Oracle(self.claim.dialect, step=self.at, error=self.error)
        run.h: Any = oracle.received(problem, self.arithmetic("float64"))
        run.state: Any = reference.initial_state(parameters, run.h)
        run.t = 0
        return run

    def step(self, gradients: Any) -> State:
        self.t += 1
        given = [oracle.as_gradient(g) for g in gradients]
        self.state = s = reference.step(DIALECTS[self.claim.dialect], self.h, self.state, given)
        theta = tuple(array + (self.error if self.t == self.at else 0.0) for array in s.theta)
        return State(parameters=theta, m=s.m, v=s.v, v_max=s.v_max, t=s.t, slow=s.slow)


def drawn(implementation: Any, subject: Subject) -> Figure:
    problem = subject.of(implementation)
    alone = figure(implementation.claim.dialect, problem, "words")
    return replace(alone, curves=(curve(implementation, implementation.name, problem, alone),))


@cache
def twin(cls: type) -> Figure:
    return drawn(cls(), Standard(steps=20))


def first_above(numbers: Any) -> int | None:
    """The first step whose number is above 1."""
    return next((k for k, x in enumerate(numbers, 1) if x > 1), None)


# Laws


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_reference_against_itself_has_error_0(dialect: str) -> None:
    found = drawn(Oracle(dialect), Standard(dtype="float64", steps=20))
    (c,) = found.curves
    assert set(c.error) == {0.0}
    assert set(c.one_step) | set(c.free_running) == {0.0}
    assert c.expected == c.obtained == found.theta[1:]
    assert c.bound == found.bound[1:], "its arithmetic is the plain one"


@pytest.mark.parametrize("size", [1e-3, -1e-9])
def test_an_error_that_is_planted_in_one_step_is_seen_there_with_its_size(size: float) -> None:
    (c,) = drawn(Oracle("torch-adam", step=7, error=size), Standard(dtype="float64", steps=20)).curves
    assert [k for k, error in enumerate(c.error, 1) if error] == [7]
    assert c.error[6] == pytest.approx(abs(size), rel=1e-6)
    assert first_above(c.free_running) == first_above(c.one_step) == 7


@pytest.mark.parametrize("cls", TWINS, ids=lambda cls: cls.__name__)
def test_the_band_holds_a_conforming_twin_at_all_steps(cls: type) -> None:
    found = twin(cls)
    (c,) = found.curves
    assert all(0 <= error <= bound for error, bound in zip(c.error, c.bound, strict=True))
    assert max(c.worst()) < 1
    assert max(c.error) > 0, "float32 rounds"
    assert len(found.theta) == len(found.bound) == len(c.error) + 1 == 21
    assert found.bound[0] == 0 < min(found.bound[1:])


def test_every_mutant_is_above_the_bound_where_the_checks_say_and_by_as_much() -> None:
    above, branches = {"one step": 0, "free running": 0}, 0
    for cls in MUTANTS:
        implementation = cls()
        subject = Standard(steps=8)
        try:
            problem = subject.of(implementation)
            observe(implementation, problem)
        except (ContractBreach, OutsideClaim):
            continue
        alone = figure(implementation.claim.dialect, problem, "words")
        c = curve(implementation, cls.__name__, problem, alone)
        for check, name, series in (
            (checks.one_step, "one step", c.one_step),
            (checks.free_running, "free running", c.free_running),
        ):
            outcome = check(implementation, problem)
            assert max([x for x in series if not math.isnan(x)], default=0.0) == outcome.worst_fraction, cls
            assert first_above(series) == (outcome.findings[0].step if outcome.findings else None), cls
            above[name] += bool(outcome.findings)
        both = [check(implementation, problem) for check in (checks.one_step, checks.free_running)]
        assert c.compared == sum(outcome.compared for outcome in both), cls
        assert c.ambiguous == sum(outcome.ambiguous for outcome in both), cls
        branches += c.ambiguous
    assert min(above.values()) >= 20, above
    assert branches > 0, "some dialect is at its threshold"


@pytest.mark.parametrize("cls", [TorchTwin, LearningRateTooSmall])
def test_fewer_steps_are_the_first_of_more(cls: type) -> None:
    few, many = (drawn(cls(), Standard(steps=n)).curves[0] for n in (5, 12))
    assert many.one_step[:5] == few.one_step
    assert many.free_running[:5] == few.free_running


def test_the_element_is_the_one_that_goes_furthest() -> None:
    problem = Standard(dtype="float64").of(Oracle("torch-adam"))
    states = observe(Oracle("torch-adam"), problem).states
    way = np.max([abs(state.parameters[0] - problem.parameters[0]) for state in states], axis=0)
    found = figure("torch-adam", problem, "words")
    assert way[found.index] == way.max()
    assert found.theta[0] == problem.parameters[0][found.index]
    assert found.theta[1:] == tuple(float(state.parameters[0][found.index]) for state in states)


# Ambiguous, not finite


def test_a_step_in_which_all_is_ambiguous_has_no_fraction_and_not_the_fraction_0() -> None:
    (c,) = drawn(TorchTwin(), Standard(steps=3, scale=1e30)).curves  # squares overflow in float32
    assert all(map(math.isnan, (*c.one_step, *c.free_running)))
    assert set(c.bound) == {math.inf}
    assert c.ambiguous == c.compared > 0
    assert "worst error / bound undecided in one step, undecided free running" in label([c], {c.adapter: "it"})


class Nan(TorchTwin):
    """theta is NaN from step 3 on."""

    def direction(self, w: Any) -> Any:
        return super().direction(w) * np.float32(np.nan if w.t > 2 else 1)


def test_nan_is_an_infinite_error_and_above_every_bound() -> None:
    (c,) = drawn(Nan(), Standard(steps=4)).curves
    assert list(map(math.isinf, c.error)) == [False, False, True, True]
    assert first_above(c.free_running) == first_above(c.one_step) == 3


class AnotherPath(TorchTwin):
    """What it requires does not run."""

    required = TorchTwin.required | {"decay"}

    def identity(self) -> Identity:
        return replace(super().identity(), observed=frozenset({"move"}))


def test_who_is_not_the_code_path_that_it_says_is_marked() -> None:
    (c,) = drawn(AnotherPath(), Standard(steps=1)).curves
    assert any("'decay' did not run" in message for message in c.identity)
    assert "AnotherPath [another code path] (numpy" in label([c], {c.adapter: "AnotherPath"})
    assert twin(TorchTwin).curves[0].identity == ()


def test_who_raises_has_no_curve() -> None:
    with pytest.raises(ImplementationFailed, match="the optimizer broke in step"):
        drawn(Raises(), Standard(steps=60))


# Problems


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (Standard(dtype="float16"), "float16"),
        (Standard(hyperparameters={"l2": 0.1, "clip_gradient": 1.0}), "clip_gradient, l2"),
        (Standard(gradients="duplicates", hyperparameters={"weight_decay": 0.1}), "weight_decay"),
    ],
)
def test_what_is_not_claimed_is_named(subject: Standard, words: str) -> None:
    with pytest.raises(OutsideClaim, match=f"does not claim {words}"):
        subject.of(KerasV2Twin())


def test_both_decays_and_values_that_are_refused_are_outside() -> None:
    both = Standard(hyperparameters={"l2": 0.1, "weight_decay": 0.1}).problem("torch-adam")
    claim = TorchTwin().claim
    assert outside(both, replace(claim, both_decays=False)) == ["l2 and weight_decay together"]
    assert outside(both, replace(claim, both_decays=True)) == []
    assert outside(both, replace(claim, both_decays=True, nonzero=frozenset({"amsgrad"}))) == ["amsgrad=False"]


def test_all_that_is_not_claimed_is_named_at_once() -> None:
    problem = Standard(dtype="float16", gradients="rows", hyperparameters={"amsgrad": True}).problem("keras-v2-adam")
    nothing = {"procedures": {}, "hyperparameters": frozenset(), "clips_together": False}
    claim = replace(KerasV2Twin().claim, gradients=frozenset({"dense"}), **nothing)
    assert outside(problem, claim) == ["float16", "amsgrad", "rows gradients"]


@pytest.mark.parametrize("kind", ["dense", "absent", "rows", "duplicates"])
def test_the_kinds_of_gradients_are_what_a_claim_calls_so(kind: str) -> None:
    problem = Standard(gradients=kind).problem("keras-v2-adam")
    nothing = replace(KerasV2Twin().claim, gradients=frozenset({"dense"}))
    expected = {"dense": [], "absent": ["none"], "rows": ["rows"], "duplicates": ["duplicate rows", "rows"]}[kind]
    assert outside(problem, nothing) == [f"{name} gradients" for name in expected]


def test_who_takes_rows_alone_is_given_all_of_them() -> None:
    problem = Standard(steps=1).problem("torch-sparse-adam", all_rows=True)
    ((g,),) = problem.gradients
    assert isinstance(g, Rows)
    assert g.indices.tolist() == list(range(6))


def test_a_golden_case_and_the_problem_of_a_finding_are_those_of_the_run() -> None:
    case = Golden(id="torch-adam/spike/dense", dtype="float64")
    assert len(case.of(TorchTwin()).gradients) == 8
    with pytest.raises(OutsideClaim, match="one of torch-adam, not of keras-v2-adam"):
        case.of(KerasV2Twin())
    implementation = EpsilonInsideRoot()
    problem = OfFinding(check="one-step", number=3, problems=5, seed=5).of(implementation)
    same = subjects(implementation, "general", 5, 5)[3]
    assert isinstance(same, Problem)
    assert same.parameters[0].tobytes() == problem.parameters[0].tobytes()
    assert same.hyperparameters == problem.hyperparameters


# JSON


@pytest.mark.parametrize(
    "subject",
    [
        Standard(dtype="float64", hyperparameters={"beta_2": 0.5}, gradients="rows"),
        Golden(id="torch-adam/spike/dense"),
        OfFinding(check="long-run", number=1, problems=40, seed=2),
    ],
)
def test_a_problem_crosses_to_the_child(subject: Subject) -> None:
    assert from_order(json.loads(json.dumps(to_order(subject)))) == subject


def test_numbers_survive_json_what_is_not_finite_too() -> None:
    for found in (
        twin(KerasV2Twin),
        drawn(Nan(), Standard(steps=4)),
        drawn(TorchTwin(), Standard(steps=2, scale=1e30)),
    ):
        read = figure_from_json(json.loads(json.dumps(to_json(found), allow_nan=False)))
        assert repr(read) == repr(found)
        assert isinstance(read.curves[0], Curve)
