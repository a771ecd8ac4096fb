"""The oracle: counts, received hyper-parameters, the two comparisons, and ambiguity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import reference
from adapters.contract import Arithmetic, Gradient, Hyperparameters, Problem, State
from conformance import checks, oracle, problems
from conformance.mutants import TWINS
from conformance.mutants.twin import Slot, Work
from conformance.mutants.twins import KerasV2Twin, RectifiedTwin, TorchTwin
from conformance.observe import observe

ONE = np.ones(3, dtype=np.float32)


def problem(gradients: Sequence[Sequence[Gradient]], **hyperparameters: Any) -> Problem:
    count = len(gradients[0])
    return Problem(
        dtype="float32",
        hyperparameters=Hyperparameters(**hyperparameters),
        parameters=(ONE, np.ones((2, 2), dtype=np.float32))[:count],
        gradients=tuple(tuple(step) for step in gradients),
    )


def alternating(steps: int, **hyperparameters: Any) -> Problem:
    return problem([[(-1) ** k * (1 + k) * ONE] for k in range(steps)], **hyperparameters)


# Step counts


@pytest.mark.parametrize("dialect", reference.DIALECTS)
def test_t_is_one_per_optimizer_or_one_per_parameter(dialect: str) -> None:
    other = np.ones((2, 2), dtype=np.float32)
    given = problem([[ONE, None], [None, other], [ONE, other]])
    expected = {"optimizer": [(1, 1), (2, 2), (3, 3)], "parameter": [(1, 0), (1, 1), (2, 2)]}
    assert oracle.step_counts(dialect, given) == expected[reference.DIALECTS[dialect].step_count]


def test_the_dialects_with_a_count_per_parameter_are_those_of_mxnet_and_torch() -> None:
    per_parameter = {name for name, dialect in reference.DIALECTS.items() if dialect.step_count == "parameter"}
    assert per_parameter == {name for name in reference.DIALECTS if name.startswith(("torch-", "mxnet"))}


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_there_is_a_twin_that_reports_the_counts_of_its_dialect(twin: type[Any]) -> None:
    other = np.ones((2, 2), dtype=np.float32)
    given = problem([[ONE, None], [None, other], [ONE, other]])
    assert not checks.step_count(twin(), given).findings


def test_every_dialect_has_a_twin() -> None:
    assert {twin.claim.dialect for twin in TWINS} == set(reference.DIALECTS)


# Received hyper-parameters


def test_hyper_parameters_are_rounded_as_they_are_received() -> None:
    given = problem([[ONE]], learning_rate=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-7, clip_gradient=0.1)
    a = Arithmetic(storage="float32", compute="float32", learning_rate="float32", power_betas="float32")
    received = oracle.received(given, a)
    assert received.learning_rate == float(np.float32(0.1))
    assert (received.beta_1, received.power_beta_1) == (0.9, float(np.float32(0.9)))
    assert (received.beta_2, received.power_beta_2) == (0.999, float(np.float32(0.999)))
    assert (received.epsilon, received.clip_gradient) == (1e-7, 0.1)


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.1, 0.10009765625), (1 / 3, 0.333984375), (1.0, 1.0), (0.0, 0.0), (1.00390625, 1.0)]
)
def test_bfloat16_is_rounded_to_nearest_even(value: float, rounded: float) -> None:
    a = Arithmetic(storage="float32", compute="float32", learning_rate="bfloat16")
    assert oracle.received(problem([[ONE]], learning_rate=value), a).learning_rate == rounded


# Two comparisons


class WrongOnce(KerasV2Twin):
    """Moves theta too far in step 2 and is right in all others."""

    def move(self, w: Work, direction: Any) -> Any:
        right = KerasV2Twin.move(self, w, direction)
        return right + w.element(0.5) if w.t == 2 else right


def out_of_bound(comparison: str, implementation: Any, given: Problem) -> set[int]:
    """Steps in which a parameter, a moment or the update is out of its bound."""
    states = observe(implementation, given).states
    arithmetic = implementation.arithmetic(given.dtype)
    return {
        e.step
        for e in oracle.compare(implementation.claim.dialect, arithmetic, given, states)
        if e.comparison == comparison and np.any(np.abs(e.obtained - e.value) > e.bound)
    }


def test_an_error_shows_in_its_step_alone_when_each_step_begins_from_the_observed_state() -> None:
    assert out_of_bound("one step", WrongOnce(), alternating(5)) == {2}


def test_an_error_stays_in_the_free_running_comparison() -> None:
    assert out_of_bound("free running", WrongOnce(), alternating(5)) == {2, 3, 4, 5}


def test_a_finding_names_step_parameter_quantity_and_the_worst_element() -> None:
    class WrongElement(TorchTwin):
        def second_moment(self, w: Work) -> Any:
            right = np.array(TorchTwin.second_moment(self, w))
            right.flat[1] *= w.element(1.5 if w.t == 3 else 1)
            return right

    (finding,) = checks.one_step(WrongElement(), alternating(5)).findings
    assert (finding.step, finding.parameter) == (3, 0)
    assert finding.worst[0].index == (1,)
    assert finding.worst[0].obtained != finding.worst[0].expected
    assert "step 3" in finding.message
    assert "1 of 3 elements" in finding.message
    assert finding.description == "float32, shapes [3], 5 steps"


def test_a_nan_is_never_within_its_bound() -> None:
    class NotANumber(KerasV2Twin):
        def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
            state = KerasV2Twin.state(self, slots, h)
            return replace(state, m=tuple(np.full_like(m, np.nan) for m in state.m))

    for check in (checks.one_step, checks.free_running):
        outcome = check(NotANumber(), alternating(2))
        assert outcome.worst_fraction == np.inf
        assert outcome.findings[0].quantity == "m"


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_the_two_comparisons_made_together_are_those_made_one_by_one(twin: type[Any]) -> None:
    """Bit for bit. A stage that knew more of an array than elements, and rows along the first axis, would show."""
    implementation = twin()
    for given in problems.draw(problems.general(twin.claim), 12, 0):
        arithmetic, states = implementation.arithmetic(given.dtype), observe(implementation, given).states
        walks = (oracle.walk(twin.claim.dialect, arithmetic, given, states, both=both) for both in (True, False))
        for together, alone in zip(*walks, strict=True):
            for i in range(len(given.parameters)):
                pairs = [(together.from_observed, alone.from_observed), (together.free_running, alone.free_running)]
                for a, b in pairs:
                    for (name, *found), (same, *wanted) in zip(a(i), b(i), strict=True):
                        assert name == same
                        assert [x.tobytes() for x in found] == [x.tobytes() for x in wanted]
            assert together.one()[2] == alone.one()[2]


def test_a_bound_that_is_not_a_number_accepts_nothing() -> None:
    one, nan = np.ones(1), np.full(1, np.nan)
    assert checks.fraction_of(one, 2 * one, nan) == np.inf


# Ambiguity


class Rectifies(RectifiedTwin):
    """Takes the branch that it is told to in one step."""

    def __init__(self, step: int, branch: bool) -> None:
        self.step, self.branch = step, branch

    def rectifies(self, w: Work, length: Any) -> bool:
        return self.branch if w.t == self.step else RectifiedTwin.rectifies(self, w, length)


def threshold_at(step: int, beta_2: float) -> float:
    """sma_t itself: the threshold that `step` can miss by rounding alone."""
    longest = 2 / (1 - beta_2) - 1
    return longest - 2 * step * beta_2**step / (1 - beta_2**step)


@pytest.mark.parametrize("branch", [True, False])
def test_where_rounding_decides_the_branch_both_are_accepted_and_counted(branch: bool) -> None:
    given = alternating(12, beta_2=0.999, sma_threshold=threshold_at(6, 0.999))
    implementation = Rectifies(6, branch)
    for check in (checks.one_step, checks.free_running):
        outcome = check(implementation, given)
        assert not outcome.findings
        assert 0 < outcome.ambiguous < outcome.compared


@pytest.mark.parametrize(("step", "branch"), [(3, True), (11, False)])
def test_where_rounding_does_not_decide_the_other_branch_is_a_finding(step: int, branch: bool) -> None:
    given = alternating(12, beta_2=0.999, sma_threshold=threshold_at(6, 0.999))
    assert [finding.step for finding in checks.one_step(Rectifies(step, branch), given).findings] == [step]


# Informative share


def test_a_run_informs_only_while_its_bound_is_small_beside_the_movement() -> None:
    class Coarse(KerasV2Twin):
        def arithmetic(self, dtype: Any) -> Arithmetic:
            return replace(KerasV2Twin.arithmetic(self, dtype), compute="bfloat16")

    fine, coarse = (checks.one_step(twin, alternating(5)) for twin in (KerasV2Twin(), Coarse()))
    assert fine.informative_share > 0.9
    assert not checks.informative(fine).findings
    assert coarse.informative_share < 0.1
    assert "informative share is" in checks.informative(coarse).findings[0].message


def test_nothing_that_moved_does_not_inform() -> None:
    zeros = problem([[np.zeros(3, dtype=np.float32)]])
    assert checks.informative(checks.one_step(KerasV2Twin(), zeros)).findings
