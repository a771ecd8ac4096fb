"""`--torch-optimizer module:Class`: torch's and fused_adam's own conform, wrong ones do not, bad input is refused."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from judging import command
from judging import judged as judged_by_option

import fused_adam
from adapters.contract import ContractError, Hyperparameters, Problem
from adapters.torch_class import TorchClass
from conformance import checks, promote
from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.subjects import subjects
from conformance.verdict import Verdict
from golden import Case

judged = partial(judged_by_option, "torch-optimizer")


# What conforms


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("torch.optim:Adam", {}),
        ("torch.optim:Adam", {"kwargs": {"foreach": True}}),
        ("torch.optim:AdamW", {}),
        ("fused_adam:Adam", {}),
        ("fused_adam:AdamW", {}),
        ("wrong_torch:Plain", {}),
        ("wrong_torch:PassesOn", {}),
        ("wrong_torch:FewArguments", {}),
        ("wrong_torch:EpsilonHat", {"dialect": "tf-keras-adam"}),
        ("torch.optim:RAdam", {}),
        ("torch.optim:RAdam", {"dialect": "torch-radam", "kwargs": {"decoupled_weight_decay": True}}),
        ("fused_adam:RAdam", {"dialect": "torch-radam"}),
        ("wrong_variants:PlainRAdam", {}),
        ("wrong_variants:PlainNAdam", {}),
    ],
    ids=str,
)
def test_a_right_one_conforms(path: str, about: dict[str, Any]) -> None:
    result = judged(path, **about)
    assert result.verdict is Verdict.CONFORMS, result.reason
    assert {check["check"] for check in result.checks} >= {"one-step", "free-running", "golden", "identity"}


def test_the_fused_kernel_is_right_but_for_layouts() -> None:
    """The declared deviation of torch-fused, found without being told."""
    result = judged("torch.optim:Adam", kwargs={"fused": True})
    failing = {check["check"] for check in result.checks if check["failing"]}
    assert failing == {"law-transposed", "law-channels-last", "law-strided", "law-expanded"}


def test_the_report_says_what_was_tested_and_what_was_not() -> None:
    adamw = judged("torch.optim:AdamW", problems=1)
    assert adamw.identity is not None
    assert (adamw.identity["framework"], adamw.identity["version"]) == ("torch", torch.__version__)
    assert adamw.identity["required"] == ["step of torch.optim.adamw:AdamW"]
    assert "aten.lerp_" in adamw.identity["observed"]
    reason = "(the argument weight_decay is decoupled: W at the end of the class's name; --decay says otherwise)"
    assert f"l2 {reason}" in adamw.not_claimed
    assert "foreach (left at its default)" in adamw.not_claimed
    own = "lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False"
    assert f"its own defaults {own} (every problem gives them)" in adamw.not_claimed
    few = judged("wrong_torch:FewArguments", problems=1)
    assert {"amsgrad", "l2", "weight_decay"} <= set(few.not_claimed)
    assert few.identity is not None
    assert few.identity["framework"] == "wrong_torch"
    assert few.identity["version"] == f"of no distribution, on torch {torch.__version__}"
    fused = judged("torch.optim:Adam", problems=1, kwargs={"fused": True})
    assert "fused other than True" in fused.not_claimed
    assert fused.identity is not None
    assert "aten._fused_adam_" in fused.identity["observed"]


def test_a_state_of_more_than_moments_and_a_count_cannot_be_put() -> None:
    assert "state" in TorchClass("torch.optim:Adam").claim.procedures
    more = TorchClass("wrong_torch:MoreState").claim
    assert "state" not in more.procedures
    assert "procedure state" in more.without()


@pytest.mark.parametrize(
    ("path", "about", "claimed"),
    [
        ("torch.optim:Adam", {}, "amsgrad l2 weight_decay"),
        ("torch.optim:Adam", {"kwargs": {"decoupled_weight_decay": True}}, "amsgrad weight_decay"),
        ("torch.optim:Adam", {"kwargs": {"amsgrad": False, "weight_decay": 0}}, ""),
        ("torch.optim:AdamW", {}, "amsgrad weight_decay"),
        ("torch.optim:AdamW", {"decay": "l2"}, "amsgrad l2"),
        ("wrong_torch:PassesOn", {}, "amsgrad l2 weight_decay"),
        ("wrong_torch:FewArguments", {}, ""),
        ("wrong_torch:CoupledDespiteItsNameW", {}, "weight_decay"),
        ("wrong_torch:CoupledDespiteItsNameW", {"decay": "l2"}, "l2"),
        ("torch.optim:RAdam", {}, "l2 weight_decay"),
        ("torch.optim:NAdam", {}, "l2 weight_decay momentum_decay"),
        ("torch.optim:NAdam", {"kwargs": {"momentum_decay": 0.004}}, "l2 weight_decay"),
        ("torch.optim:NAdam", {"dialect": "torch-adam"}, "l2 weight_decay"),
        ("wrong_torch:FewArguments", {"dialect": "torch-nadam"}, ""),
        ("fused_adam:Adam", {"dialect": "mxnet2-adam"}, None),
    ],
    ids=str,
)
def test_what_the_signature_has_is_claimed(path: str, about: dict[str, Any], claimed: str | None) -> None:
    if claimed is None:  # its state says no count that is torch's
        with pytest.raises(ContractError, match="holds exp_avg, exp_avg_sq, step"):
            TorchClass(path, kwargs={"dialect": about["dialect"]}, **about)
        return
    adam = {"learning_rate", "beta_1", "beta_2", "epsilon"}
    assert TorchClass(path, **about).claim.hyperparameters == adam | set(claimed.split())


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("torch.optim:Adam", "torch-adam"),
        ("torch.optim:AdamW", "torch-adam"),
        ("torch.optim:RAdam", "torch-radam"),
        ("fused_adam:RAdam", "torch-radam"),
        ("torch.optim:NAdam", "torch-nadam"),
        ("wrong_variants:PlainNAdam", "torch-nadam"),
    ],
)
def test_the_dialect_is_what_name_and_signature_promise(path: str, dialect: str) -> None:
    assert TorchClass(path).claim.dialect == dialect


@pytest.mark.parametrize("about", [{}, {"dialect": "torch-nadam", "kwargs": {"foreach": True}}], ids=str)
def test_nadam_is_right_but_for_the_product_that_it_loads(about: dict[str, Any]) -> None:
    """The declared deviation of torch-nadam-loop and -foreach, found without being told."""
    result = judged("torch.optim:NAdam", **about)
    assert {check["check"] for check in result.checks if check["failing"]} == {"law-saved-momenta"}


def test_the_foreach_radam_divides_by_zero() -> None:
    """The declared deviation of torch-radam-foreach, found without being told."""
    result = judged("torch.optim:RAdam", kwargs={"foreach": True})
    assert {check["check"] for check in result.checks if check["failing"]} == {"epsilon-zero"}


# What does not


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("DecayStopsAfterFifty", "long-run"),
        ("MaximumStopsAfterFifty", "long-run"),
        ("DtypeOfTheFirst", "law-mixed-dtypes"),
        ("OnlySixtyFour", "law-sizes"),
        ("OnlyTheFirstHundredThousands", "law-sizes"),
        ("GradientBecomesMoment", "caller-arrays"),
        ("DecayOfTheFirstRate", "law-change"),
        ("InfinityBecomesTheLargest", "law-nonfinite"),
        ("WrongForAWhile", "law-large-count"),
        ("WrongForAWhileWithAName", "law-large-count"),
        ("WrongBetweenTwoSizes", "law-sizes"),
        ("TallSpared", "law-sizes"),
        ("ChannelsBehindEight", "law-sizes"),
        ("FirstCorrectionEnds", "law-large-count"),
        ("CountsZippedWithBuckets", "law-mixed-dtypes"),
        ("LargeParametersClamped", "law-magnitudes"),
        ("DecayAtMostOne", "law-magnitudes"),
        ("LargeGradientsClamped", "law-magnitudes"),
        ("MaximumOfTheFirstGroup", "law-groups"),
        ("KindOfDecayOfTheFirstGroup", "law-groups"),
        ("EpsilonOfTheSameRate", "law-groups"),
        ("StridedIsNotShrunk", "law-strided"),
        ("SmallRatesRounded", "one-step"),
        ("SmallEpsilonsRounded", "one-step"),
    ],
)
def test_what_shows_seldom_is_shown(name: str, check: str) -> None:
    result = judged(f"subtle_torch:{name}", problems=120, only=[check])
    assert [c["check"] for c in result.checks if c["failing"]] == [check]


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("AmsgradOfItsBucket", "law-groups"),
        ("CorrectionsByBetas", "law-late-group"),
        ("GradientInTheFirstDtype", "law-mixed-dtypes"),
        ("MemoryOfTheFirstStep", "law-rewind"),
        ("OnlyParameters", "one-step"),
        ("ChunksOfNanRest", "law-nonfinite-chunks"),
        ("LeastEpsilon", "law-magnitudes"),
        ("SmallDecayIsNone", "law-magnitudes"),
    ],
)
def test_what_is_taken_for_something_else_is_shown(name: str, check: str) -> None:
    result = judged(f"mistaken_torch:{name}", problems=120, only=[check], diagnose=False)
    assert [c["check"] for c in result.checks if c["failing"]] == [check]


@pytest.mark.parametrize(
    ("name", "check", "says"),
    [
        ("WritesWholeVectors", "contract", "memory behind parameters["),
        ("KnowsEveryKey", "law-change", "unexpected keyword argument 'initial_lr'"),
    ],
)
def test_what_ends_a_run_is_said(name: str, check: str, says: str) -> None:
    result = judged(f"mistaken_torch:{name}", problems=40, only=[check], diagnose=False)
    assert result.verdict is not Verdict.CONFORMS
    assert says in str(result)


@pytest.mark.parametrize(
    ("name", "checks"),
    [
        ("LoadMerges", {"law-rewind-to-start"}),
        ("LargerCountStays", {"law-rewind", "law-rewind-to-start"}),
        ("LoadKeepsChangedRate", {"law-rewind", "law-rewind-to-start"}),
    ],
)
def test_a_load_into_an_object_that_has_stepped_is_shown(name: str, checks: set[str]) -> None:
    among = ("law-save-load", "law-load-into-other", "law-late-parameter", "law-rewind", "law-rewind-to-start")
    result = judged(f"live_torch:{name}", only=among, diagnose=False)
    assert {c["check"] for c in result.checks if c["failing"]} == checks


def test_a_gradient_of_zeros_counts() -> None:
    result = judged("live_torch:ZeroFreezesCount", only=["step-count"], diagnose=False)
    assert result.verdict is Verdict.DOES_NOT_CONFORM


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("StridedGradientHalved", "law-strided"),
        ("GradientsOfGroupsCleared", "law-late-group"),
        ("GradientClearedAfterLoad", "law-save-load"),
    ],
)
def test_a_gradient_that_is_changed_outside_the_general_problems_is_shown(name: str, check: str) -> None:
    result = judged(f"subtle_torch:{name}", problems=40, only=["caller-arrays", check])
    assert [c["check"] for c in result.checks if c["failing"]] == [check]
    (finding,) = result.check(check)["outcome"]["findings"]
    assert finding["message"].startswith("the caller's gradients[")
    assert result.diagnosis["says"].startswith(f"{check}: it writes into arrays that are the caller's")


def test_an_optimizer_that_takes_the_gradient_away_is_told_so() -> None:
    result = judged("subtle_torch:GradientTaken", problems=1, only=["one-step"])
    assert result.verdict is Verdict.CRASHED
    assert "parameters[0].grad after step() is 'None'; accepted: the tensor that it was before" in result.reason


def test_an_optimizer_that_takes_away_what_makes_gradients_is_told_so() -> None:
    result = judged("subtle_torch:RequiresNoGradient", problems=1, only=["one-step"])
    assert result.verdict is Verdict.CRASHED
    assert "parameters[0].requires_grad after step() is False; accepted: True, as before" in result.reason


def test_what_the_constructor_takes_above_0_alone_is_not_claimed_at_0() -> None:
    result = judged("subtle_torch:AboveZero", problems=40, only=["one-step", "law-groups"])
    assert (result.verdict, result.reason) == (Verdict.CONFORMS, "")
    not_claimed = TorchClass("subtle_torch:AboveZero").claim.not_claimed
    assert {"epsilon 0 (ValueError: 0.001, 0.0)", "learning_rate 0 (ValueError: 0.0, 1e-07)"} < {*not_claimed}


def test_a_state_that_cannot_be_put_is_not_claimed_and_said() -> None:
    claim = TorchClass("torch.optim:NAdam").claim
    assert "state" not in claim.procedures
    assert "a count far in a run (the state has mu_product)" in claim.not_claimed
    assert "state" in TorchClass("subtle_torch:WrongForAWhileWithAName").claim.procedures


def test_a_name_is_a_promise_that_can_be_broken() -> None:
    assert judged("wrong_torch:CoupledDespiteItsNameW").verdict is Verdict.DOES_NOT_CONFORM
    assert judged("wrong_torch:CoupledDespiteItsNameW", decay="l2").verdict is Verdict.CONFORMS


def test_another_class_behind_the_name_is_seen() -> None:
    result = judged("wrong_torch:AnotherOne", problems=1)
    identity = result.check("identity")
    assert identity is not None
    (finding,) = identity["outcome"]["findings"]
    assert "operation 'step of wrong_torch:AnotherOne' did not run" in finding["message"]
    assert "step of torch.optim.adam:Adam" in finding["message"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("LeavesGradModeOff", "grad mode"),
        ("SeedsEveryStep", "random generator"),
        ("LeavesDoubleForDefault", "default dtype"),
        ("FlushesSubnormals", "subnormal numbers"),
        ("TakesAThread", "number of threads"),
        ("SeedsNumPy", "NumPy generator"),
        ("SeedsPython", "Python generator"),
    ],
)
def test_a_step_leaves_the_process_as_it_was(name: str, what: str) -> None:
    adapter = TorchClass(f"wrong_torch:{name}")
    (finding,) = checks.identity(adapter.identity()).findings
    assert finding.message.startswith(f'operation "a change of the program\'s {what}" ran')
    assert torch.is_grad_enabled()
    assert not checks.identity(TorchClass("wrong_torch:Plain").identity()).findings


def test_a_step_that_raises_is_a_crash() -> None:
    result = judged("wrong_torch:Raises", problems=1)
    assert (result.verdict, result.reason) == (
        Verdict.CRASHED,
        "raised before the first problem: RuntimeError: not today",
    )
    assert judged("wrong_torch:Raises", problems=1, kwargs={"foreach": False}).verdict is Verdict.CRASHED


def test_the_declared_arithmetic_is_what_the_bound_follows_from() -> None:
    """Half the digits: the correct one passes by a wider margin, and tells too little."""
    result = judged("torch.optim:Adam", arithmetic={"compute": "float16", "powers": "float16"})
    assert result.arithmetic is not None
    assert result.arithmetic["float32"]["compute"] == "float16"
    informative = result.check(checks.RUN_CHECKS[1])
    assert informative is not None
    assert informative["failing"]


# Bad input


@pytest.mark.parametrize(
    ("path", "about", "why"),
    [
        ("torch.optim.Adam", {}, "torch-optimizer is 'torch.optim.Adam'; accepted: package.module:Class"),
        (
            "nowhere.optim:Adam",
            {},
            "accepted: one whose module imports here (ModuleNotFoundError: No module named 'nowhere')",
        ),
        ("torch.nowhere:Adam", {}, "accepted: one whose module imports here (ModuleNotFoundError"),
        ("wrong_torch:Adam", {}, "torch-optimizer is 'wrong_torch:Adam'; accepted: one of wrong_torch's: AnotherOne,"),
        ("wrong_torch:factory", {}, "accepted: a class; factory is a function"),
        ("torch.nn:Linear", {}, "accepted: a subclass of torch.optim.optimizer.Optimizer"),
        ("torch.optim:SparseAdam", {}, "a class that takes dense gradients; torch's SparseAdam is --adapter torch-spa"),
        ("torch.optim:SGD", {}, "accepted: a class whose constructor takes betas; it takes params, lr, momentum"),
        ("wrong_torch:OtherState", {}, "exp_avg, exp_avg_sq, step (it holds step, exp_avg_sq, mine)"),
        (
            "torch.optim:Adam",
            {"dialect": "tfa-rectified-adam"},
            "dialect is 'tfa-rectified-adam'; accepted: what a torch optimizer can speak: torch-adam, torch-radam",
        ),
        (
            "torch.optim:NAdam",
            {"kwargs": {"momentum_decay": 1.0}},
            "no momentum_decay, which the suite varies, or",
        ),
        ("torch.optim:Adam", {"kwargs": {"lr": 1}}, "kwargs is {'lr': 1}; accepted: no lr, which the suite varies"),
        ("torch.optim:Adam", {"kwargs": {"amsgrad": True}}, "accepted: no amsgrad, which the suite varies, or False"),
        ("torch.optim:Adam", {"kwargs": {"fuzed": True}}, "accepted: arguments of torch.optim:Adam: foreach, maximize"),
        ("torch.optim:Adam", {"kwargs": {"fused": True, "foreach": True}}, "(RuntimeError: `fused` and `foreach`"),
        (
            "torch.optim:Adam",
            {"kwargs": {"capturable": True}},
            "kwargs is {'capturable': True}; accepted: what torch.optim:Adam takes beside {'lr': 0.001, 'betas': (0.9, "
            "0.999), 'eps': 1e-07, 'amsgrad': False, 'weight_decay': 0.0, 'decoupled_weight_decay': False}, in its"
            " first step too "
            "(AssertionError: If capturable=True, params and state_steps must be on supported devices: ",
        ),
        (
            "torch.optim:NAdam",
            {"kwargs": {"differentiable": True}},
            ", in its first step too (RuntimeError: a leaf Var",
        ),
        ("wrong_torch:FewArguments", {"decay": "l2"}, "takes no weight_decay"),
        ("torch.optim:Adam", {"decay": "l2"}, "takes decoupled_weight_decay, which chooses"),
        ("torch.optim:Adam", {"arithmetic": {"speed": "float32"}}, "arithmetic is {'speed': 'float32'}; accepted: "),
        ("torch.optim:Adam", {"arithmetic": {"powers": "float8"}}, "arithmetic.powers is 'float8'; accepted: "),
    ],
    ids=str,
)
def test_what_cannot_be_tested_is_refused_before_anything_runs(path: str, about: dict[str, Any], why: str) -> None:
    with pytest.raises(CannotTest) as caught:
        load(path, Given(option="torch-optimizer", path=path, **about))
    assert why in str(caught.value)


# The command


def test_the_command_exits_with_what_the_gravest_says() -> None:
    right = command("--torch-optimizer", "torch.optim:Adam", "--problems", "3")
    assert right.returncode == 0, right.stderr
    wrong = command("--torch-optimizer", "wrong_torch:EpsilonHat", "--problems", "5")
    assert wrong.returncode == 1
    assert "again: python -m conformance run --torch-optimizer wrong_torch:EpsilonHat --check" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nowhere:Adam",), "torch-optimizer is 'nowhere:Adam'; accepted: one whose module imports here"),
        (("torch.nn:Linear",), "torch-optimizer is 'torch.nn:Linear'; accepted: a subclass of torch.optim"),
        (("torch.optim:RAdam", "--kwargs", '{"amsgrad": true}'), "kwargs is {'amsgrad': True}; accepted: "),
        (
            ("torch.optim:RAdam", "--kwargs", '{"nesterov": true}'),
            "kwargs is {'nesterov': True}; accepted: arg",
        ),
        (("torch.optim:Adam", "--kwargs", '{"capturable": true}'), "kwargs is {'capturable': True}; accepted: what"),
        (("torch.optim:RAdam", "--dialect", "torch-ladam"), "invalid choice: 'torch-ladam' (choose from"),
        (("torch.optim:RAdam", "--dialect", "optax-radam"), "dialect is 'optax-radam'; accepted: what a torch"),
    ],
    ids=str,
)
def test_the_command_refuses_what_it_cannot_test(words: tuple[str, ...], why: str) -> None:
    done = command("--torch-optimizer", *words, "--problems", "3")
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())


def test_of_several_the_wrong_one_is_told_before_any_runs() -> None:
    words = ("torch.optim:Adam", "--torch-optimizer", "torch.nn:Linear", "--torch-optimizer", "torch.optim:RAdam")
    done = command("--torch-optimizer", *words, "--problems", "3")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["implementation"] for r in told if r["record"] == "implementation"] == ["torch.nn:Linear"]
    assert (done.returncode, "nothing has run: 1 of 3 cannot be tested" in done.stderr) == (2, True)


def test_the_printed_command_repeats_all_that_was_given() -> None:
    given = Given(option="torch-optimizer", path="a:B", dialect="torch-adam", kwargs={"x": "y z"}, decay="l2")
    assert given.words() == """--torch-optimizer a:B --dialect torch-adam --kwargs '{"x": "y z"}' --decay l2"""
    assert given.name == "a:B(x='y z')"
    assert Given(**given.order()) == given


def test_the_words_that_repeat_a_finding_promote_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which case it is; that it is stored and replayed, tests/golden shows."""
    about = {"dialect": "tf-keras-adam", "kwargs": {"amsgrad": False}, "arithmetic": {"powers": "float32"}}
    given = Given(option="torch-optimizer", path="wrong_torch:EpsilonHat", **about)
    kept: list[Case] = []
    monkeypatch.setattr(promote, "add", lambda case, folder: (kept.append(case), folder)[1])
    words = f"{given.words()} --check one-step --problem 3 --problems 40 --seed 0 --id x --folder {tmp_path}"
    assert promote.main(shlex.split(words)) == 0
    (case,) = kept
    (problem,) = subjects(load(given.path, given), "general", 40, 0)[3:4]
    assert isinstance(problem, Problem)
    assert (case.id, case.steps) == ("tf-keras-adam/promoted/x", len(problem.gradients))
    assert [theta.shape for theta in case.parameters] == [theta.shape for theta in problem.parameters]
    assert case.description.startswith("met by one-step on wrong_torch:EpsilonHat")


def test_arrays_of_the_caller_stay_the_callers() -> None:
    """The generic adapter copies in and out."""
    import numpy as np

    theta = np.ones(2, np.float32)
    run = TorchClass("fused_adam:Adam").start([theta], Hyperparameters())
    first = run.step([theta])
    kept = first.parameters[0].copy()
    run.step([theta])
    assert (theta == 1).all()
    assert (first.parameters[0] == kept).all()
    assert fused_adam.__version__
