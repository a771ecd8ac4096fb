"""From what a child said to a verdict on its implementation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from conformance.process import ChildEnd


class Verdict(StrEnum):
    """What is said of an implementation."""

    CONFORMS = "conforms"
    DEVIATES = "deviates as declared"
    DOES_NOT_CONFORM = "does not conform"
    CRASHED = "crashed"
    COULD_NOT_TEST = "could not be tested"
    SUITE_FAILED = "suite failed"


class ExitCode(IntEnum):
    """Exit codes of the commands."""

    CONFORMS = 0
    DOES_NOT_CONFORM = 1
    COULD_NOT_TEST = 2
    SUITE_FAILED = 3


_CODES = {
    Verdict.CONFORMS: ExitCode.CONFORMS,
    Verdict.DEVIATES: ExitCode.CONFORMS,
    Verdict.DOES_NOT_CONFORM: ExitCode.DOES_NOT_CONFORM,
    Verdict.CRASHED: ExitCode.DOES_NOT_CONFORM,
    Verdict.COULD_NOT_TEST: ExitCode.COULD_NOT_TEST,
    Verdict.SUITE_FAILED: ExitCode.SUITE_FAILED,
}
_GRAVEST_FIRST = (ExitCode.SUITE_FAILED, ExitCode.DOES_NOT_CONFORM, ExitCode.COULD_NOT_TEST)


@dataclass(kw_only=True)
class Result:
    """Everything known about one implementation after a run."""

    adapter: str
    """The name it was asked for by."""
    verdict: Verdict
    reason: str = ""
    dialect: str = ""
    identity: dict[str, Any] | None = None
    arithmetic: dict[str, Any] | None = None
    """As declared, per dtype: what the bound followed from."""
    not_claimed: list[str] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    """The child's result events: check, problems, failing, outcome."""
    deviations: list[str] = field(default_factory=list)
    """Ids of the declared deviations that explain failing checks."""
    missing: bool = False
    """It could not be tested because a package is not installed."""
    complete: bool = True
    """Whether the checks ran to the end."""
    seconds: float = 0.0
    diagnosis: dict[str, Any] | None = None
    """What it computes instead (`conformance.diagnosis.Diagnosis` as JSON), where a check failed undeclared."""

    def check(self, name: str) -> dict[str, Any] | None:
        """The result of one check, None if it did not run."""
        return next((result for result in self.checks if result["check"] == name), None)

    def counterparts(self) -> dict[str, dict[str, Any]]:
        """Whom it was compared with directly, and problems, worst fraction, informative share, ambiguous of each."""
        direct = self.check("direct")
        return direct["counterparts"] if direct else {}

    def measures(self) -> dict[str, Any]:
        """Problems, worst fraction of the bound, informative share, ambiguous count: the table's numbers.

        Taken over the general problems' two comparisons, so that a declared deviation with a check of
        its own does not colour them.
        """
        numeric = [c for name in ("one-step", "free-running") if (c := self.check(name)) is not None]
        one_step = self.check("one-step")
        return {
            "problems": max((c["problems"] for c in numeric), default=0),
            "worst_fraction": max((float(c["outcome"]["worst_fraction"]) for c in numeric), default=None),
            "informative_share": float(one_step["informative_share"]) if one_step else None,
            "ambiguous": sum(c["outcome"]["ambiguous"] for c in numeric),
            "compared": sum(c["outcome"]["compared"] for c in numeric),
        }


def judge(adapter: str, end: ChildEnd) -> Result:
    """The verdict before deviations are considered."""
    result = Result(adapter=adapter, verdict=Verdict.CONFORMS, seconds=end.seconds)
    where, checked = "before the first problem", False
    for event in end.events:
        match event["event"]:
            case "claim":
                result.dialect, result.not_claimed = event["dialect"], event["not_claimed"]
                result.arithmetic = event.get("arithmetic")
            case "identity":
                result.identity = event["identity"]
            case "problem":
                where = f"on problem {event['number']} of set {event['set']}"
            case "result":
                result.checks.append(event)
            case "checked":
                checked = True
            case "diagnosis":
                result.diagnosis = event["diagnosis"]
            case "cannot-test":
                result.verdict, result.reason = Verdict.COULD_NOT_TEST, event["reason"]
                result.missing = event.get("missing", False)
            case "suite-failed":
                result.verdict, result.reason = Verdict.SUITE_FAILED, f"{event['reason']}\n{event['traceback']}"
            case "crashed":
                asked = _asked(event.get("check", ""))
                result.verdict, result.reason = Verdict.CRASHED, f"raised {where}{asked}: {event['reason']}"
    if end.failure is not None and checked:  # all checks have run: it is the diagnosis that did not end
        result.diagnosis = {"says": f"the diagnosis did not end: {end.failure}"}
    elif end.failure is not None:
        tail = end.output.strip().splitlines()[-1:]
        said = f"; its last words: {tail[0]}" if tail else ""
        result.verdict, result.reason = Verdict.CRASHED, f"{end.failure} {where}{said}"
    if result.verdict is Verdict.CONFORMS and not result.checks:
        result.verdict, result.reason = Verdict.COULD_NOT_TEST, "no check ran: none that was asked for applies"
    failing = [c["check"] for c in result.checks if c["failing"]]
    if result.verdict is Verdict.CONFORMS and failing:
        result.verdict, result.reason = Verdict.DOES_NOT_CONFORM, ", ".join(failing)
    result.complete = result.verdict in (Verdict.CONFORMS, Verdict.DOES_NOT_CONFORM)
    return result


def _asked(check: str) -> str:
    """Which law it was that asked: a law does more than to take the steps of a problem."""
    more = " (one of its groups has no parameters)" if check == "law-groups" else ""
    return f", in {check}{more}" if check.startswith("law-") else ""


def exit_code(verdicts: Iterable[Verdict]) -> ExitCode:
    """The gravest: the suite's own failure, then a proven failure, then what could not be tested."""
    codes = {_CODES[verdict] for verdict in verdicts}
    return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.CONFORMS)
