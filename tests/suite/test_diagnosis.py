"""What is wrong gets its name: every mutant that computes something else, as itself or as what is the same."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_cli import ROOT, run
from too_tight import PowersInDouble

import reference
from adapters.contract import Claim, Hyperparameters, Problem
from conformance.child import Child
from conformance.diagnosis import Failure, diagnose, search
from conformance.diagnosis.candidate import together
from conformance.diagnosis.facts import facts, ratio_text
from conformance.diagnosis.places import holding
from conformance.diagnosis.sentences import SENTENCES, statement
from conformance.diagnosis.trail import trail_of
from conformance.findings import Bounded, Finding
from conformance.laws import LAWS
from conformance.mutants import (
    MUTANTS,
    TWINS,
    breaches,
    clipping,
    constraining,
    directions,
    ema,
    formula,
    given_as,
    indices,
    lookahead,
    masters,
    procedures,
    rows,
    schedulers,
    schedules,
    state,
    unlawful,
)
from conformance.mutants.twin import Twin, TwinRun
from conformance.mutants.twins import TorchTwin
from conformance.observe import observe
from conformance.process import ChildEnd
from conformance.subjects import subjects
from conformance.verdict import Result, Verdict, judge

NUMERIC = ("one-step", "free-running", "equal-shapes", "clip-gradient-zero", "epsilon-zero", "step-count")

NAMED: dict[type[Twin], str] = {
    formula.PaperEpsilonInKeras: "paper epsilon instead of epsilon hat",
    formula.EpsilonHatInTorch: "epsilon hat instead of paper epsilon",
    formula.EpsilonInsideRoot: "epsilon inside the square root, of v",
    formula.RectifiedEpsilonInsideRoot: "epsilon inside the square root, of v / (1 - beta_2^t)",
    formula.NoEpsilon: "epsilon is not used at all",
    formula.RectifiedWithoutEpsilon: "epsilon is not used at all",
    formula.LearningRateTooSmall: "learning rate x 0.999",
    formula.ZeroLearningRateIsDefault: "learning_rate 0 becomes 0.001",
    formula.LearningRateAtMostOne: "learning rate above 1 is taken for 1",
    formula.BetaAsText: "beta_1 passes through a text of 10 digits",
    formula.BetaOneIgnored: "beta_1 is 0.8, whatever was asked",
    formula.BiasCorrectionOff: "no bias correction",
    formula.SignSgd: "only the sign of g is used (sign-SGD)",
    formula.NoMomentum: "no momentum: the step uses g instead of m",
    formula.Nesterov: "Nesterov momentum: the step uses beta_1 m + (1 - beta_1) g instead of m",
    rows.DuplicatesSquaredOneByOne: "it computes keras3-adam",
    formula.AmsgradIgnored: "amsgrad is ignored: its maximum is kept, and the step uses v",
    formula.RectifiesTooLate: "rectifies from sma_threshold + 1 on",
    formula.ClipsAfterDecay: (
        "clipped after the L2 term instead of before: clip(rescale_grad g + l2 theta), as MXNet 1 does"
    ),
    formula.ZeroClipIgnored: "clip_gradient 0 is taken for no clipping",
    formula.DecayAfterStep: "decay after the step: the updated parameter decays, not the one before",
    formula.DecayWithoutLearningRate: "weight_decay is not multiplied by the learning rate",
    formula.L2AppliedDecoupled: "l2 is applied decoupled (as AdamW's decay) instead of entering the gradient",
    directions.RadamPaperEpsilon: "paper epsilon instead of epsilon hat",
    directions.ThresholdIgnored: "sma_threshold is 5, whatever was asked",
    directions.RadamRectifiesFromFour: "sma_threshold is 4, whatever was asked",
    directions.NesterovWithoutGradient: "no Nesterov momentum: the step uses m alone, as Adam's",
    directions.EpsilonRootOutside: "epsilon_root is added outside the root, beside epsilon",
    directions.NesterovOfThisStep: "Nesterov momentum: m is corrected by 1 - beta_1^t instead of 1 - beta_1^(t+1)",
    lookahead.SynchronisesOneStepLate: "Lookahead synchronises one step too late",
    lookahead.SlowFromZeros: "the slow weights begin at 0",
    lookahead.FastNotReset: "Lookahead moves the slow weights and not theta",
    lookahead.SlowNotMoved: "Lookahead moves theta and not the slow weights",
    lookahead.SlowShareExchanged: "slow_step_size and 1 - slow_step_size are exchanged",
    rows.AllRowsMove: "all rows move, not only those that the gradient names",
    state.StepCountOffByOne: "step count off by one: t + 1 where t belongs",
    state.CountSticks: "the step count sticks at 256 (bfloat16's last)",
    state.CountsPerParameter: "a step count per parameter instead of one for the whole optimizer",
    state.CountsEveryParameter: "one step count that a step advances by the number of its gradients",
    state.CountNotReported: "state not saved: t (the step count stays 0)",
    state.NoneIsZero: "a parameter without gradient takes a step with gradient 0, and its t does not count it",
    state.AmsgradMaximumNotStored: "the maximum of AMSGrad is used and not stored",
    state.SharedMoments: "parameters of equal shape share their moments",
    state.RowsShareMoments: "parameters of equal shape share their moments from their first row-sparse gradient on",
}
"""Named by an explanation that knows no mutant."""
AS_ITSELF: tuple[type[Twin], ...] = (
    formula.NonFusedMinusEpsilon,
    formula.AdaptiveEpsilonDenseOnly,
    formula.PowersInSinglePrecision,
    formula.DecayMultipliesGradient,
    directions.RadamDividesAlways,
    directions.ScheduleFactorTwice,
    directions.ScheduleStandsStill,
    directions.EmptyGradientNotCounted,
    directions.MaximumOfRawMoment,
    rows.DuplicatesSummedBeforeTheSquare,
    formula.TailDecaysByItself,
    rows.LastDuplicateWins,
    rows.OnlyNeighboursSummed,
    rows.RowsTakenForSorted,
    rows.RowsStick,
    rows.DuplicatesDecayTwice,
    rows.UntouchedRowsDecay,
    lookahead.SlowFromFirstStep,
    lookahead.SynchronisesNamedRowsAlone,
    lookahead.SynchronisesWithoutGradient,
    state.OnlyRemainderStored,
    state.OnlyFirstBlockStored,
    state.SecondVectorTwice,
    state.ZeroStaysZero,
    state.DecayStops,
    state.NoneForgets,
    state.NoneShiftsGradients,
)
"""Named by their own docstring."""
SENTENCED: dict[type[Twin], str] = {
    state.GradientsOverwritten: "caller-arrays",
    state.InitialParametersOverwritten: "caller-arrays",
    state.LiveViews: "caller-arrays",
    breaches.AnotherCodePath: "identity",
    breaches.CoarseArithmetic: "informative",
    breaches.WrongShape: "contract",
    breaches.WrongDtype: "contract",
    breaches.TooFewArrays: "contract",
    breaches.MaximumNotReturned: "contract",
    state.FirstDtypeForAll: "law-mixed-dtypes",
    state.CountOfPlaceInBucket: "law-mixed-dtypes",
    state.FirstCorrectionEnds: "law-large-count",
    **{m: "law-multipliers" for m in MUTANTS if m.__module__ == indices.__name__ and "Begin" not in m.__name__},
    **{m: "law-master" for m in MUTANTS if m.__module__ == masters.__name__},
    indices.BeginIgnored: "law-begin",
    indices.BeginIsTheFirstStep: "law-begin",
    indices.BeginLostOnLoad: "law-begin",
    unlawful.NanBecomesZero: "law-nonfinite",
    unlawful.StepSkippedForInfinity: "law-nonfinite",
    unlawful.TailInDouble: "law-permutation",
    unlawful.RoundsDown: "law-sign",
    unlawful.ScaledTogether: "law-independence",
    unlawful.Dithered: "law-determinism",
    lookahead.SlowNotSaved: "law-save-load",
    **{mutant: "law-clips" for mutant in MUTANTS if mutant.__module__ == clipping.__name__},
    **{mutant: "law-averages" for mutant in MUTANTS if mutant.__module__ == ema.__name__},
    **{mutant: "law-constraints" for mutant in MUTANTS if mutant.__module__ == constraining.__name__},
    ema.AverageOfConstrained: "law-constraints",
    ema.AverageNotSaved: "law-saved-average",
    ema.FinalizeIsForgotten: "law-finalized",
    ema.FinalizeExchanges: "law-finalized",
    constraining.ExclusionIgnored: "law-exclusions",
    constraining.ExclusionOfAll: "law-exclusions",
    **{mutant: "law-schedules" for mutant in MUTANTS if mutant.__module__ == schedules.__name__},
    **{mutant: "law-forms" for mutant in MUTANTS if mutant.__module__ == given_as.__name__},
    **{mutant: "law-lr-scheduler" for mutant in MUTANTS if mutant.__module__ == schedulers.__name__},
}
"""Their numbers are the oracle's: the check that fails says what it shows."""


def judged(implementation: type[Twin], only: Sequence[str] = (), problems: int = 40) -> Result:
    """What a run says, in this process."""
    adapter = f"{Path(inspect.getfile(implementation))}:{implementation.__name__}"
    order = {"adapter": adapter, "problems": problems, "seed": 0, "checks": list(only), "only": None}
    out = io.StringIO()
    Child(order | {"environments": [], "counterparts": []}, out).run()
    events = tuple(json.loads(line) for line in out.getvalue().splitlines())
    return judge(adapter, ChildEnd(events=events, failure=None, output="", seconds=0.0))


def told(implementation: type[Twin], only: Sequence[str]) -> dict[str, Any]:
    result = judged(implementation, only)
    assert result.verdict is Verdict.DOES_NOT_CONFORM
    assert result.diagnosis is not None
    return result.diagnosis


def name_of(implementation: type[Twin]) -> str:
    return implementation.__name__


@pytest.mark.parametrize("mutant", NAMED, ids=name_of)
def test_a_mutant_is_named(mutant: type[Twin]) -> None:
    only = ("golden",) if mutant is state.CountSticks else NUMERIC
    assert told(mutant, only)["says"] == NAMED[mutant]


@pytest.mark.parametrize("mutant", AS_ITSELF, ids=name_of)
def test_a_mutant_is_named_as_itself(mutant: type[Twin]) -> None:
    seldom = {state.DecayStops: ("long-run",), rows.RowsStick: ("law-sizes",)}
    says = told(mutant, seldom.get(mutant, NUMERIC))["says"]
    assert says == f"{(inspect.getdoc(mutant) or '').splitlines()[0].rstrip('.')} ({mutant.__name__})"


def two_of_each_check() -> list[type[Twin]]:
    """The sentence is the check's own, and `tests/suite/test_mutants.py` has every mutant rejected by it."""
    return [m for check in {*SENTENCED.values()} for m in [m for m, c in SENTENCED.items() if c == check][:2]]


@pytest.mark.parametrize("mutant", sorted(two_of_each_check(), key=name_of), ids=name_of)
def test_what_computes_rightly_is_told_by_the_check_that_fails(mutant: type[Twin]) -> None:
    check = SENTENCED[mutant]
    found = told(mutant, (check,))
    assert all(mutant.__name__ in match["words"] for match in found["matches"])
    # The planted one moves in some plain problem too, by more than the bound: no guess is made then.
    said = statement(check, "") if mutant is unlawful.ScaledTogether else f"{check}: {SENTENCES[check]}"
    assert said in found["notes"]


class HatAndNotSaved(formula.EpsilonHatInTorch):
    """Epsilon hat where the paper's is claimed, and a load that does nothing."""

    def load(self, slots: Any, saved: Any) -> None: ...


def test_where_steps_are_wrong_laws_do_not_guess_why_they_fail() -> None:
    found = told(HatAndNotSaved, ("one-step", "law-save-load", "law-load-into-other", "law-change", "law-sizes"))
    assert found["says"] == "epsilon hat instead of paper epsilon"
    assert found["notes"] == [
        "state not saved, or not loaded: m, v, t",
        "law-save-load: saved, loaded and continued it is not what it would have been",
        "law-load-into-other, law-change, law-sizes fail too, and what is said above may be all of it: run again when"
        " that is right",
    ]


class LoadTakesVForItsMaximum(TorchTwin):
    """As if v had never been larger than it is now."""

    def load(self, slots: Any, saved: Any) -> None:
        super().load(slots, saved)
        for slot in slots:
            if slot.v_max is not None:
                slot.v_max[...] = slot.v


@pytest.mark.parametrize(
    ("mutant", "lost"),
    [
        (procedures.CountNotSaved, "t"),
        (procedures.MaximumNotSaved, "v_max"),
        (LoadTakesVForItsMaximum, "v_max"),
        (procedures.NewLearningRateKept, None),
    ],
    ids=str,
)
def test_what_a_load_does_not_bring_back_is_named(mutant: type[Twin], lost: str | None) -> None:
    says = told(mutant, ("law-save-load", "law-load-into-other"))["says"]
    if lost is None:
        assert says.startswith("law-")
    else:
        assert says == f"state not saved, or not loaded: {lost}"


def test_where_only_the_count_is_wrong_laws_about_it_do_not_guess_either() -> None:
    found = told(state.CountNotReported, ("step-count", "law-sizes"))
    assert found["notes"] == [
        "state not saved: t (the step count stays 0)",
        "law-sizes fails too, and what is said above may be all of it: run again when that is right",
    ]


def test_golden_cases_that_change_something_between_steps_make_no_step_wrong() -> None:
    found = told(procedures.ChangedRateIgnored, ("law-change", "golden"))
    assert found["says"] == f"law-change: {SENTENCES['law-change']}"
    (golden,) = (note for note in found["notes"] if note != found["says"])
    assert golden.startswith("golden: cases fail in which something is done between steps, and no others: ")
    assert "changed-mid-run/rate" in golden


def test_what_may_follow_from_something_else_is_never_the_diagnosis() -> None:
    found = diagnose(
        TorchTwin(),
        [],
        [
            Failure(check="free-running", finding=Finding(message="-"), worst_fraction=2.0),
            Failure(check="law-sizes", finding=Bounded(message="-"), worst_fraction=2.0),
        ],
        seed=0,
    )
    assert found.says == "matches nothing known"
    assert [note.partition(",")[0] for note in found.notes] == ["law-sizes fails too"]


def test_every_mutant_that_does_not_break_a_procedure_is_here() -> None:
    computing = (formula, directions, rows, state, lookahead, clipping, schedules, indices, masters)
    modules = {m.__name__ for m in (*computing, schedulers, given_as, ema, constraining, breaches, unlawful)}
    assert {m for m in MUTANTS if m.__module__ in modules} == {*NAMED, *AS_ITSELF, *SENTENCED}


def test_every_law_has_a_sentence() -> None:
    assert {law.name for law in LAWS} <= SENTENCES.keys()


@pytest.mark.parametrize("twin", TWINS, ids=name_of)
def test_no_explanation_holds_of_what_is_right(twin: type[Twin]) -> None:
    implementation = twin()
    drawn = subjects(implementation, "general", 10, 1)
    trails = [
        trail_of(implementation, p, observe(implementation, p).states, "general")
        for p in drawn
        if isinstance(p, Problem)
    ]
    assert len(trails) == 10
    assert search.search(trails) == search.Searched()


def test_no_explanation_writes_into_what_it_is_tried_on() -> None:
    """Of float64 above all, which a conversion to float64 does not copy."""
    implementation = TorchTwin()
    drawn = [p for p in subjects(implementation, "general", 20, 0) if isinstance(p, Problem) and p.dtype == "float64"]
    problem = min(drawn, key=lambda p: (not p.hyperparameters.amsgrad, sum(theta.size for theta in p.parameters)))
    trail = trail_of(implementation, problem, observe(implementation, problem).states, "general")
    before = pickle.dumps((problem, trail.observed))
    for candidate in search.known(trail.dialect):
        with np.errstate(all="ignore"), contextlib.suppress(ArithmeticError, LookupError, ValueError, TypeError):
            assert list(candidate.steps(trail))
        assert pickle.dumps((problem, trail.observed)) == before, candidate.words


class FailsLater(formula.LearningRateTooSmall):
    """Raises from its hundredth start on: while it is diagnosed."""

    name = "fails-later"
    starts = 0

    def start(self, parameters: Any, hyperparameters: Hyperparameters) -> TwinRun:
        FailsLater.starts += 1
        if FailsLater.starts > 10:
            raise RuntimeError("enough")
        return super().start(parameters, hyperparameters)


def test_another_dialect_is_named_with_all_that_compute_the_same_there() -> None:
    """Keras' formula with torch's claim, on dense gradients."""

    class KerasForTorch(formula.KerasV2Twin):
        """Claims what it is not."""

        claim = Claim(
            dialect="torch-adam",
            hyperparameters=frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad"}),
            gradients=frozenset({"dense"}),
        )

    implementation = KerasForTorch()
    seen = [("general", n, p, True) for n, p in enumerate(subjects(implementation, "general", 40, 0))]
    words = [match.words for match in diagnose(implementation, seen, [], seed=0).matches]
    assert "it computes keras-v2-adam" in words


def test_what_raises_while_it_is_diagnosed_keeps_its_verdict() -> None:
    FailsLater.starts = 0
    implementation = FailsLater()
    seen = [("general", n, p, True) for n, p in enumerate(subjects(implementation, "general", 20, 0))]
    found = diagnose(implementation, seen, [], seed=0)
    assert found.problems == 10
    assert found.says == "learning rate x 0.999"
    assert diagnose(implementation, seen, [], seed=0).says == "matches nothing known"


def test_a_diagnosis_that_does_not_end_takes_no_verdict_away() -> None:
    result = {"event": "result", "check": "one-step", "problems": 4, "failing": 1, "outcome": {"findings": []}}
    events = (result, {"event": "checked"}, {"event": "diagnosing", "trying": "x"})
    ended = judge("it", ChildEnd(events=events, failure="hung: no progress for 9 s", output="", seconds=9.0))
    assert (ended.verdict, ended.reason) == (Verdict.DOES_NOT_CONFORM, "one-step")
    assert ended.diagnosis == {"says": "the diagnosis did not end: hung: no progress for 9 s"}
    assert judge("it", ChildEnd(events=(result,), failure="hung", output="", seconds=9.0)).verdict is Verdict.CRASHED


def test_where_nothing_is_known_the_facts_say_what_was_measured() -> None:
    class OddStepsHalved(formula.KerasV2Twin):
        """Every odd element moves half as far, where amsgrad is on."""

        def move(self, w: Any, direction: Any) -> Any:
            odd = np.arange(w.theta.size).reshape(w.theta.shape) % 2 == 1
            half = odd & (w.v_max is not None)
            return w.theta - np.where(half, w.element(0.5) * direction, direction)

    implementation = OddStepsHalved()
    seen = [("general", n, p, True) for n, p in enumerate(subjects(implementation, "general", 30, 0))]
    found = diagnose(implementation, seen, [], seed=0)
    assert found.says == "matches nothing known"
    assert any("parameters came out wrong; m, v and v_max right" in fact for fact in found.facts)
    assert any("where amsgrad is on" in fact for fact in found.facts)
    assert any("update obtained / expected, median: 0.5 at t = " in fact for fact in found.facts)


class RateInSingle(TorchTwin):
    """The step size is a float32 number, and nothing says so."""

    def step_size(self, w: Any) -> Any:
        return np.float64(np.float32(super().step_size(w)))


@pytest.mark.parametrize(
    ("implementation", "roles"),
    [(PowersInDouble(), '{"powers": "float32"}'), (RateInSingle(), '{"step_size": "float32"}')],
)
def test_what_is_right_in_coarser_arithmetic_is_told_what_to_declare(implementation: Twin, roles: str) -> None:
    seen = [("general", n, p, True) for n, p in enumerate(subjects(implementation, "general", 30, 0))]
    found = diagnose(implementation, seen, [], seed=0)
    assert found.matches[-1].words == f"right in coarser arithmetic; conforms if declared: --arithmetic '{roles}'"
    assert found.unexplained


def test_a_ratio_that_would_be_rounded_to_one_says_what_is_missing() -> None:
    assert [ratio_text([x]) for x in (1.0, 0.5, 1 - 2.5e-8, 1 + 4e-4, 1.0006)] == [
        "1",
        "0.5",
        "1 - 2.5e-08",
        "1 + 0.0004",
        "1.001",
    ]


def _part(select: Callable[[int], slice]) -> type[Twin]:
    class Part(TorchTwin):
        """Some elements move half as far: those that a slice for the parameter's size says."""

        def direction(self, w: Any) -> Any:
            share = np.ones(w.theta.size, w.theta.dtype)
            share[select(w.theta.size)] = 0.5
            return share.reshape(w.theta.shape) * super().direction(w)

    return Part


@pytest.mark.parametrize(
    ("select", "holds"),
    [
        (lambda size: slice(size // 8 * 8 if size > 8 else size, None), True),  # tails
        (lambda size: slice(None if size < 8 else 0), False),  # small ones wholly, large ones not at all
    ],
)
def test_a_place_is_one_only_if_something_beside_it_is_right(select: Callable[[int], slice], holds: bool) -> None:
    implementation = _part(select)()
    drawn = [p for p in subjects(implementation, "general", 20, 0) if isinstance(p, Problem)]
    trails = [trail_of(implementation, p, observe(implementation, p).states, "general") for p in drawn]
    assert any(trail.wrong for trail in trails)
    found = {place.words for place in holding(trails)}
    assert ("the elements behind the last full vector of 8" in found) is holds
    wrong, right = [t for t in trails if t.wrong], [t for t in trails if not t.wrong]
    assert len(wrong) > 2
    conditions = ("only where ", "exactly where ")
    assert any(fact.startswith(conditions) for fact in facts(trails)) or not holds
    assert not any(fact.startswith(conditions) for fact in facts([*wrong[:2], *right]))


# Reports and the reproducer


def test_the_report_has_the_diagnosis_and_a_reproducer_that_runs_by_itself(tmp_path: Path) -> None:
    adapter = "conformance/mutants/formula.py:LearningRateTooSmall"
    ended = run(adapter, options=("--problems", "20", "--report", tmp_path), diagnosis=True)
    assert ended.code == 1
    (record,) = (r for r in ended.records if r["record"] == "diagnosis")
    assert record["implementation"] == adapter
    assert record["says"] == "learning rate x 0.999"
    assert record["first"]["check"] == "one-step"
    assert {"step", "parameter", "quantity", "worst"} <= record["first"]["finding"].keys()
    assert "diagnosis: learning rate x 0.999 (holds on all" in (tmp_path / "report.md").read_text()
    assert "diagnosis: learning rate x 0.999 (holds on all" in ended.text
    (file,) = (tmp_path / "reproducers").iterdir()
    alone = _python(file, tmp_path)
    assert (alone.returncode, alone.stderr) == (1, "")
    assert "obtained " in alone.stdout
    healed = tmp_path / "healed.py"
    healed.write_text(file.read_text().replace("LearningRateTooSmall", "KerasV2Twin"))
    right = _python(healed, tmp_path)
    assert (right.returncode, right.stderr) == (0, "")


def test_a_declared_deviation_is_not_diagnosed(tmp_path: Path) -> None:
    adapter = "conformance/mutants/formula.py:ZeroClipIgnored"
    entry = f"""[[deviation]]
id = "zero-clip"
implementation = "{adapter}"
distribution = "numpy"
versions = ">=1"
checks = ["clip-gradient-zero"]
reason = "planted"
link = "-"
effect = "planted"
"""
    (tmp_path / "deviations.toml").write_text(entry)
    ended = run(adapter, options=("--problems", "40", "--deviations", tmp_path / "deviations.toml"), diagnosis=True)
    assert ended.implementation(adapter)["verdict"] == "deviates as declared"
    assert not [r for r in ended.records if r["record"] == "diagnosis"]


def _python(file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """With nothing of the suite on the path but what the adapter itself imports."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", file]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


class FirstOfEveryGroup(TorchTwin):
    """Asks the first parameter of every group for its dtype."""

    def start_groups(self, groups: Any) -> TwinRun:
        assert [parameters[0].dtype for parameters, _ in groups]
        return super().start_groups(groups)


def test_a_crash_in_a_law_says_in_which() -> None:
    result = judged(FirstOfEveryGroup, ("one-step", "law-groups"), 2)
    where = "raised on problem 0 of set laws-procedures, in law-groups (one of its groups has no parameters)"
    assert (result.verdict, result.reason.partition(": ")[0]) == (Verdict.CRASHED, where)


# Pairs


class HatAndCount(formula.EpsilonHatInTorch):
    """Epsilon hat where the paper's is claimed, and t + 1 where t belongs."""

    def bias_correction(self, w: Any, beta: Any) -> Any:
        return w.scalar(1) - beta ** w.scalar(w.t + 1)


def test_two_things_at_once_are_named_as_a_pair() -> None:
    implementation = HatAndCount()
    seen = [("general", n, p, True) for n, p in enumerate(subjects(implementation, "general", 40, 0))]
    found = diagnose(implementation, seen, [], seed=0)
    both = "epsilon hat instead of paper epsilon; and step count off by one: t + 1 where t belongs"
    assert found.says == f"two things at once: {both}"
    assert (found.tried > 250, found.pairs > 1000, found.facts) == (True, True, [])


def test_two_changes_of_the_same_thing_are_no_pair() -> None:
    d = reference.dialect("torch-adam")
    by_words = {variant.words: variant for variant in search.paired(d)}
    hat, unused = by_words["epsilon hat instead of paper epsilon"], by_words["epsilon is not used at all"]
    late, stuck = by_words["the step count stays 1"], by_words["the step count sticks at 2"]
    reset, uncorrected = by_words["v is never updated"], by_words["no bias correction of m"]
    for a, b in ((hat, unused), (late, stuck), (reset, by_words["v is the squared gradient: v = g^2"])):
        assert together(a, b) is None
    for a, b in ((hat, late), (hat, reset), (hat, uncorrected), (reset, late)):
        both = together(a, b)
        assert both is not None
        assert both.words == f"two things at once: {a.words}; and {b.words}"
