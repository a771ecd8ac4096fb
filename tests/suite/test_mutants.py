"""The suite bites: it accepts every twin, rejects every mutant, and each of its checks is needed."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from suite_cli import named, run
from suite_inside import failing, first_failing, judged, published_page
from test_laws import BY_LAWS_ALONE

from conformance import checks, edges, mutants
from conformance.laws import LAWS
from conformance.mutants import breaches, directions, formula, state
from conformance.mutants.twin import Twin
from conformance.verdict import Verdict


def name_of(implementation: type[Twin]) -> str:
    return implementation.__name__


@pytest.mark.parametrize("twin", mutants.TWINS, ids=name_of)
def test_a_correct_implementation_conforms(twin: type[Twin]) -> None:
    """On as many problems as leave no fixed set short. More of them: `python -m conformance.mutants.alarms`."""
    result = judged(named(twin), edges.FEW)
    assert (result.verdict, result.reason) == (Verdict.CONFORMS, "")
    measures = result.measures()
    assert 0.1 < measures["worst_fraction"] < 1, "a bound that is never half used may be too wide"
    assert measures["informative_share"] > checks.INFORMATIVE.share
    assert measures["problems"] == edges.FEW


@pytest.mark.parametrize(("number", "twins"), [(1, mutants.TWINS), (8, mutants.TWINS[:3])], ids=["1", "8"])
def test_correct_implementations_conform_in_a_run_of_few_problems(number: int, twins: Any) -> None:
    adapters = [named(twin) for twin in twins]
    ended = run(*adapters, options=("--problems", number))
    assert [adapter for adapter in adapters if ended.failing(adapter)] == []
    assert ended.code == 0


FOUND_ONLY_BY: dict[str, type[Twin]] = {
    "contract": breaches.WrongShape,
    "step-count": state.CountNotReported,
    "caller-arrays": state.LiveViews,
    "equal-shapes": state.RowsShareMoments,
    "long-run": state.DecayStops,
    "clip-gradient-zero": formula.ZeroClipIgnored,
    "epsilon-zero": directions.RadamDividesAlways,
    "golden": state.CountSticks,
    "identity": breaches.AnotherCodePath,
    "informative": breaches.CoarseArithmetic,
}
"""A mutant that this check finds and, laws and the golden cases aside, no other."""


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=name_of)
def test_a_wrong_implementation_is_rejected(mutant: type[Twin]) -> None:
    """Of some it is known by which check alone, and of those that published checks let pass by which one first."""
    result = judged(named(mutant))
    assert result.verdict is Verdict.DOES_NOT_CONFORM
    assert result.reason
    found = failing(result)
    assert found
    beside_golden = found - {"golden"}  # whom the cases reject, test_golden_replay.py says
    assert beside_golden == BY_LAWS_ALONE.get(mutant, beside_golden)
    first = first_failing(result)
    assert first == published_page()[1].get(mutant.__name__, first)
    only = {check for check, found_only in FOUND_ONLY_BY.items() if found_only is mutant}
    aside = {law.name for law in LAWS} | ({"golden"} - only)
    assert not only or found - aside == only


def test_who_is_rejected_by_one_check_alone_is_among_the_mutants() -> None:
    assert {*BY_LAWS_ALONE, *FOUND_ONLY_BY.values()} <= {*mutants.MUTANTS}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_seed_rejects_the_rarest_mutant_as_well(seed: int) -> None:
    """Wrong in one step only, while beta_2 is near 1."""
    assert run(named(formula.RectifiesTooLate), options=("--profile", "smoke", "--seed", seed)).code == 1


@pytest.mark.parametrize("check", ["one-step", "free-running"])
def test_each_of_the_two_comparisons_finds_a_mutant_by_itself(check: str) -> None:
    adapter = named(formula.EpsilonInsideRoot)
    ended = run(adapter, options=("--profile", "smoke", "--check", check))
    assert (ended.code, ended.failing(adapter)) == (1, {check})


def test_only_the_direct_comparison_finds_a_wrong_counterpart() -> None:
    adapter, counterpart = "fused-adam-keras-v2", named(formula.EpsilonInsideRoot)
    ended = run(adapter, options=("--profile", "smoke", "--counterpart", counterpart))
    assert (ended.code, ended.failing(adapter)) == (1, {"direct"})


def test_every_check_is_shown_to_fail_on_a_mutant() -> None:
    laws = {law.name for law in LAWS}  # in test_laws.py
    assert set(checks.NAMES) == {*FOUND_ONLY_BY, *laws, "one-step", "free-running", "direct"}


def test_mutants_and_twins_have_names_and_explanations_of_their_own() -> None:
    everyone = (*mutants.MUTANTS, *mutants.TWINS, *mutants.FAKES)
    assert len({implementation.name for implementation in everyone}) == len(everyone)
    assert all(inspect.getdoc(implementation) for implementation in everyone)


def test_no_mutant_is_weaker_than_its_twin() -> None:
    """A mutant claims dialect and arithmetic of the twin that it was planted in, unless that is what is wrong."""
    for mutant in mutants.MUTANTS:
        twin = next(base for base in mutant.__mro__ if base in mutants.TWINS)
        assert mutant.claim == twin.claim
        if mutant is not breaches.CoarseArithmetic:
            assert mutant().arithmetic("float32") == twin().arithmetic("float32")
