"""From what a child said to a verdict, and from verdicts to an exit code."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from conformance.process import ChildEnd
from conformance.verdict import ExitCode, Result, Verdict, exit_code, judge


def event(name: str, **data: Any) -> dict[str, Any]:
    return {"event": name, **data}


def result(check: str, failing: int = 0) -> dict[str, Any]:
    outcome = {"findings": [], "worst_fraction": 0.25, "compared": 8, "ambiguous": 1}
    return event("result", check=check, problems=4, failing=failing, outcome=outcome, informative_share="nan")


CLAIM = event("claim", dialect="torch-adam", not_claimed=["maximize"])
PROBLEM = event("problem", set="general", number=3)
DONE = event("done")


def judged(*events: dict[str, Any], failure: str | None = None, output: str = "") -> Result:
    return judge("it", ChildEnd(events=events, failure=failure, output=output, seconds=1.0))


# Exit codes


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.CONFORMS], ExitCode.CONFORMS),
        ([Verdict.CONFORMS, Verdict.DEVIATES], ExitCode.CONFORMS),
        ([Verdict.CONFORMS, Verdict.DOES_NOT_CONFORM], ExitCode.DOES_NOT_CONFORM),
        ([Verdict.CONFORMS, Verdict.CRASHED], ExitCode.DOES_NOT_CONFORM),
        ([Verdict.CONFORMS, Verdict.COULD_NOT_TEST], ExitCode.COULD_NOT_TEST),
        ([Verdict.COULD_NOT_TEST, Verdict.DOES_NOT_CONFORM], ExitCode.DOES_NOT_CONFORM),
        ([Verdict.COULD_NOT_TEST, Verdict.CRASHED, Verdict.CONFORMS], ExitCode.DOES_NOT_CONFORM),
        ([Verdict.SUITE_FAILED, Verdict.DOES_NOT_CONFORM, Verdict.COULD_NOT_TEST], ExitCode.SUITE_FAILED),
    ],
)
def test_the_gravest_verdict_gives_the_exit_code_in_any_order(verdicts: list[Verdict], code: ExitCode) -> None:
    assert {exit_code(order) for order in permutations(verdicts)} == {code}


def test_the_exit_codes_are_the_documented_numbers() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3]
    assert {exit_code([verdict]) for verdict in Verdict} == set(ExitCode)


# Verdicts


def test_a_child_that_finished_without_findings_conforms() -> None:
    found = judged(CLAIM, PROBLEM, result("contract"), DONE)
    assert (found.verdict, found.complete) == (Verdict.CONFORMS, True)
    assert (found.dialect, found.not_claimed) == ("torch-adam", ["maximize"])


def test_a_failing_check_does_not_conform_and_is_named() -> None:
    found = judged(CLAIM, PROBLEM, result("contract"), result("one-step", failing=2), DONE)
    assert (found.verdict, found.reason, found.complete) == (Verdict.DOES_NOT_CONFORM, "one-step", True)


def test_a_child_that_ended_early_crashed_even_if_all_its_checks_passed() -> None:
    found = judged(CLAIM, PROBLEM, result("contract"), failure="died by SIGSEGV", output="a\nlast words\n")
    assert (found.verdict, found.complete) == (Verdict.CRASHED, False)
    assert found.reason == "died by SIGSEGV on problem 3 of set general; its last words: last words"


def test_a_child_that_said_nothing_crashed_before_the_first_problem() -> None:
    found = judged(failure="ended with exit status 0 before the checks did")
    assert found.verdict is Verdict.CRASHED
    assert found.reason.endswith("before the first problem")


def test_a_crash_outweighs_a_failing_check() -> None:
    found = judged(CLAIM, PROBLEM, result("one-step", failing=1), event("crashed", reason="ValueError: no"))
    assert (found.verdict, found.complete) == (Verdict.CRASHED, False)
    assert "raised on problem 3 of set general: ValueError: no" in found.reason


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (event("cannot-test", reason="no torch"), Verdict.COULD_NOT_TEST),
        (event("suite-failed", reason="no torch", traceback="..."), Verdict.SUITE_FAILED),
    ],
)
def test_what_ended_the_child_is_the_reason(said: dict[str, Any], verdict: Verdict) -> None:
    found = judged(said)
    assert (found.verdict, found.complete) == (verdict, False)
    assert "no torch" in found.reason


def test_a_run_in_which_no_check_ran_does_not_conform() -> None:
    assert judged(CLAIM, DONE).verdict is not Verdict.CONFORMS


# Measures


def test_measures_are_those_of_the_two_comparisons_alone() -> None:
    other = result("equal-shapes", failing=1)
    other["outcome"]["worst_fraction"] = 1e6
    found = judged(CLAIM, PROBLEM, result("one-step"), result("free-running"), other, DONE)
    measures = found.measures()
    assert (measures["problems"], measures["worst_fraction"]) == (4, 0.25)
    assert (measures["compared"], measures["ambiguous"]) == (16, 2)


def test_measures_of_a_crash_are_absent_and_not_zero() -> None:
    measures = judged(failure="died by SIGSEGV").measures()
    assert measures["worst_fraction"] is None
    assert measures["informative_share"] is None
