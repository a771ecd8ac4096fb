"""The gate's check: every correct twin gives the stored values, and wrong implementations do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from golden_copies import ROOT

from adapters.contract import Arithmetic, Claim, Precision
from conformance import checks, mutants
from conformance.findings import Outcome
from conformance.kills import killed_by
from conformance.mutants import (
    aggregation,
    breaches,
    directions,
    formula,
    given_as,
    low_precision,
    masters,
    memory,
    mistaken,
    procedures,
    rewinding,
    state,
    switching,
    unlawful,
)
from conformance.mutants.twin import Twin
from conformance.mutants.twins import KerasV2Twin, TorchTwin
from conformance.replay import LeftOut, asked, replays
from golden import cases_of

NOT_BY_GOLDEN = {
    formula.ZeroClipIgnored: "clip_gradient 0 is a declared deviation of MXNet, with a check of its own",
    directions.RadamDividesAlways: "no case divides 0 by 0: a declared deviation of torch, with a check of its own",
    state.SharedMoments: "equal shapes are a declared deviation of Keras, with a check of its own",
    **dict.fromkeys(
        (mutant for mutant in mutants.MUTANTS if mutant.__module__ == mistaken.__name__),
        "steps rightly, or no case has such parameters, groups or rates; laws are for them",
    ),
    state.FirstDtypeForAll: "a case has one dtype",
    state.CountOfPlaceInBucket: "a case has one dtype",
    state.LiveViews: "computes rightly",
    **dict.fromkeys(
        (given_as.FunctionsCalledOnce, given_as.TensorsInHalf), "numbers are right; law-forms is for the others"
    ),
    state.RowsShareMoments: "equal shapes are a declared deviation of Keras, with a check of its own",
    breaches.AnotherCodePath: "computes rightly",
    breaches.CoarseArithmetic: "what it declares hides its error; the check informative is for that",
    breaches.WrongShape: "the check contract's",
    **dict.fromkeys(
        (
            unlawful.NanBecomesZero,
            unlawful.StepSkippedForInfinity,
            unlawful.TailInDouble,
            unlawful.RoundsDown,
            unlawful.ScaledTogether,
            unlawful.Dithered,
        ),
        "within the bound on finite problems; laws are for that",
    ),
    state.FirstCorrectionEnds: "no case has a beta_1 that has not forgotten the first step by then",
    memory.BufferShorterThanTail: "no case has 16384 elements",
    **dict.fromkeys(
        (memory.LargeMatricesFactored, memory.TallMatricesSpared, memory.ChannelsBehindEight),
        "no case has such a parameter",
    ),
    memory.GradientKnownByItsArray: "every gradient of a case has memory of its own; law-reused-gradients is for that",
    rewinding.StateMergedOnLoad: "steps rightly; law-rewind-to-start is for that",
    rewinding.MaximumMergedOnLoad: "steps rightly; law-rewind is for that",
    **dict.fromkeys(
        (mutant for mutant in mutants.MUTANTS if mutant.__module__ == aggregation.__name__),
        "steps rightly by itself; laws of replicas and transformers are for that",
    ),
    **dict.fromkeys(
        (
            low_precision.CountReportedRightly,
            low_precision.EpsilonInStorageFormat,
            memory.FullVectorsNotStored,
        ),
        "cases are replayed in float32 and float64; laws are for the low formats",
    ),
    **dict.fromkeys(
        (memory.GradientTakenForRowMajor, memory.GapsDecay, memory.FromAlignedAddress, memory.ForwardsOnly),
        "arrays of cases are C-contiguous; laws are for other layouts",
    ),
    **dict.fromkeys(
        (masters.MomentsInHalf, masters.RescaledInHalf, masters.WeightIsTruncated),
        "the master copy is right, or no case is for it; law-master is for float16",
    ),
    **dict.fromkeys(
        (
            procedures.LoadedRateComesBack,
            switching.RateComesBackBesideSchedule,
            procedures.DecayStaysOff,
            switching.WarmUpStaysOff,
        ),
        "what Keras does, a declared deviation with a check of its own",
    ),
    **dict.fromkeys(
        (
            procedures.GroupRateIgnored,
            procedures.RatesRenewedByTheFirst,
            procedures.LateGroupSharesCount,
            procedures.GroupsLoadedInReverse,
        ),
        "a case has one group",
    ),
    procedures.PowersLostOnLoad: "either is right within the bound; laws compare bits",
    procedures.CountSavedInSixteenBits: "no case has 65 536 steps",
    procedures.CountSeenInSixteenBits: "no case has 65 536 steps",
    procedures.SavedEpsilonKept: "what is saved goes on rightly; law-load-into-other is for the new object's",
    procedures.RoundedInPlace: "computes rightly; law-caller-hyperparameters is for that",
    switching.FirstScheduleStays: "no case sets a schedule",
}


def judged(implementation: Twin) -> Outcome:
    merged = Outcome()
    for replay in replays(implementation):
        merged.add(checks.golden(implementation, replay))
    return merged


@pytest.mark.parametrize("twin", mutants.TWINS, ids=lambda twin: twin.__name__)
def test_a_correct_implementation_gives_the_stored_values(twin: type[Twin]) -> None:
    implementation = twin()
    replayed, left_out = replays(implementation), [one for one in asked(implementation) if isinstance(one, LeftOut)]
    left = {one.case.id for one in left_out}
    assert {r.case.id for r in replayed} | left == {case.id for case in cases_of(twin.claim.dialect)}
    assert all(
        re.match("procedure not claimed: |not claimed together: |for parameters of b?float16 alone", one.why)
        for one in left_out
    )
    assert len({r.case.id for r in replayed}) > len({one.case.id for one in left_out if "procedure" in one.why})
    assert {r.problem.dtype for r in replayed} >= {"float32", "float64"}
    merged = Outcome()
    for replay in replayed:
        found = checks.golden(implementation, replay)
        # Without a float32 copy float16 loses as much as decides, but t: golden/catalogue_long.py.
        merged.add(replace(found, ambiguous=0) if replay.problem.dtype == "float16" else found)
    assert merged.findings == []
    assert 0.05 < merged.worst_fraction < 1
    assert merged.ambiguous == 0
    assert merged.compared > 1000


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.__name__)
def test_golden_cases_alone_reject_a_wrong_implementation(mutant: type[Twin]) -> None:
    ids = killed_by(mutant())
    assert bool(ids) != (mutant in NOT_BY_GOLDEN), NOT_BY_GOLDEN.get(mutant, "no case rejects it")


def test_a_finding_names_the_case() -> None:
    implementation = formula.EpsilonInsideRoot()
    (finding, *_) = judged(implementation).findings
    assert finding.message.startswith("golden, step ")
    assert (finding.quantity, finding.parameter) == ("parameters", 0)
    assert "golden case keras-v2-adam/" in finding.description
    assert finding.worst


def test_a_case_outside_the_claim_is_not_replayed() -> None:
    class Dense(KerasV2Twin):
        claim = Claim(
            dialect="keras-v2-adam",
            hyperparameters=KerasV2Twin.claim.hyperparameters - {"amsgrad"},
            dtypes=("float64",),
            gradients=frozenset({"dense"}),
        )

    found = replays(Dense())
    assert found
    assert all(r.case.gradient_kinds == {"dense"} and not r.case.hyperparameters.amsgrad for r in found)
    assert {r.problem.dtype for r in found} == {"float64"}


def test_hyperparameters_that_arrive_changed_are_not_compared_with_what_is_stored() -> None:
    class Coarse(TorchTwin):
        def arithmetic(self, dtype: Precision) -> Arithmetic:
            return replace(TorchTwin.arithmetic(self, dtype), moment_betas="bfloat16")

    found = replays(Coarse())
    assert {r.case.hyperparameters.beta_2 for r in found} == {0.875, 0.9375}, "1 - 2^-10 is no bfloat16"


def test_single_precision_on_the_way_in_changes_no_case() -> None:
    roles = {name: "float32" for name, value in vars(Arithmetic(storage="float32", compute="float32")).items()
             if value in ("float32", "float64")}  # fmt: skip

    class Single(TorchTwin):
        def arithmetic(self, dtype: Precision) -> Arithmetic:
            return Arithmetic(**roles)  # type: ignore[arg-type]

    assert len(replays(Single())) == len(replays(TorchTwin()))


@pytest.mark.parametrize("missing", ["mpmath", "jsonschema"])
def test_the_gate_reads_golden_files_without(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import golden; print(len(golden.cases_of('torch-adam')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(len(cases_of("torch-adam")))), done.stderr


@pytest.mark.parametrize(("missing", "command"), [("mpmath", "regenerate"), ("jsonschema", "verify")])
def test_a_missing_package_is_named(missing: str, command: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from golden.__main__ import main; sys.exit(main([{command!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert missing in done.stderr
    assert "pip install --group golden" in done.stderr
    assert "Traceback" not in done.stderr


def test_numpy_that_is_missing_is_named(tmp_path: Path) -> None:
    """By the command itself: whatever it imports needs it."""
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    done = subprocess.run(
        [sys.executable, "-m", "golden", "lint"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = "error: No module named 'numpy'; accepted: an environment with pip install --group golden\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
