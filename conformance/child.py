"""One implementation under all checks, in a process of its own.

Run by `conformance.process` as ``python -m conformance.child FD JSON``. What happens is written as JSON
lines to file descriptor FD, so that an implementation may print, crash or hang as it likes: the last
line says how far it came.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from adapters.contract import Arithmetic, Identity, Implementation
from conformance import checks, direct
from conformance.diagnosis import Failure, diagnose
from conformance.findings import Finding, Outcome, short_text, to_json
from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.observe import ImplementationFailed, answered
from conformance.subjects import DIRECT, SETS, Subject, beside, subjects

MAX_FINDINGS = 5
"""Findings kept per check; the number of failing problems is counted in full."""


def main(argv: list[str]) -> None:
    """Arguments: the file descriptor and the order, the keys of which `conformance.run.child` gives, as JSON."""
    answer(argv, lambda order, out: Child(order, out).run())


def answer(argv: list[str], do: Callable[[dict[str, Any], TextIO], None]) -> None:
    """Do what the order says, in a process that ends with its parent; arguments as of `main`."""
    order = json.loads(argv[1])
    # Whatever ends the run, SIGKILL too, ends its children (Linux, prctl(2): PR_SET_PDEATHSIG is 1).
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != order["parent"]:  # it ended before that
        return
    with os.fdopen(int(argv[0]), "w", buffering=1, encoding="utf-8") as out:
        do(order, out)


def say(out: TextIO, event: str, **data: Any) -> None:
    """One JSON line."""
    out.write(json.dumps({"event": event, **to_json(data)}, allow_nan=False) + "\n")


@dataclass
class Tally:
    """What came of one check on a set of subjects."""

    outcome: Outcome = field(default_factory=Outcome)
    judged: int = 0
    failing: int = 0
    seconds: float = 0.0
    """Of wall clock. A run, or an oracle's pass, that several checks share counts for the first of them."""

    def add(self, outcome: Outcome, judged: int, failing: int, seconds: float = 0.0) -> None:
        """Some more subjects; of all findings `MAX_FINDINGS` are kept."""
        room = outcome.findings[: MAX_FINDINGS - len(self.outcome.findings)]
        self.outcome.add(replace(outcome, findings=room))
        self.judged += judged
        self.failing += failing
        self.seconds += seconds


_FOR_BREACHES = ("contract", "caller-arrays")


class Child:
    """Runs the checks and tells what happens."""

    def __init__(self, order: dict[str, Any], out: TextIO) -> None:
        self.order, self.out = order, out
        self.given = Given(**order["given"]) if order.get("given") else None
        self.seen: list[tuple[str, int, Subject, bool]] = []
        """Set, number, subject, and whether any check failed on it."""
        self.breaches: set[str] = set()
        """Kinds of `checks.Breach` that the checks for them have found, so that no other check repeats them."""
        self.failures: list[Failure] = []
        self.asking = ""
        """The check that is being judged."""

    def say(self, event: str, **data: Any) -> None:
        """One JSON line."""
        say(self.out, event, **data)

    def run(self) -> None:
        """All checks, to the end; an exception of the implementation is an event, not an end of the suite."""
        try:
            implementation = load(self.order["adapter"], self.given)
        except CannotTest as reason:
            self.say("cannot-test", reason=str(reason), missing=reason.missing)
            return
        try:
            self._judge(implementation)
        except CannotTest as reason:
            self.say("cannot-test", reason=str(reason))
        except ImplementationFailed as failure:
            self.say("crashed", reason=str(failure), check=self.asking)
        except Exception as error:
            self.say("suite-failed", reason=short_text(error), traceback=traceback.format_exc()[-5000:])
        else:
            self._diagnose(implementation)
            self.say("done")

    def _diagnose(self, implementation: Implementation) -> None:
        """Of what failed and is not declared to. Whatever happens here, the verdict stands."""
        undeclared = [f for f in self.failures if f.check not in self.order.get("declared", ())]
        if not undeclared or not self.order.get("diagnose", True):
            return
        self.say("checked")
        self.say("set", set="diagnosis", problems=1)
        last = 0.0

        def tick(words: str) -> None:
            nonlocal last
            if time.monotonic() - last > 1:
                last = time.monotonic()
                self.say("diagnosing", trying=words)

        try:
            found = diagnose(implementation, self.seen, undeclared, self.order["seed"], tick)
        except Exception as error:
            self.say("diagnosis", diagnosis={"says": f"the diagnosis failed: {short_text(error)}"})
        else:
            self.say("diagnosis", diagnosis=found)

    def _judge(self, implementation: Implementation) -> None:
        claim = implementation.claim
        arithmetic = {dtype: answered(implementation.arithmetic, Arithmetic, dtype) for dtype in claim.dtypes}
        for dtype, declared in arithmetic.items():
            stored = "float32" if dtype in claim.masters else dtype
            if declared.storage != stored:
                raise ImplementationFailed(f"arithmetic({dtype!r}).storage is {declared.storage!r}; accepted: {stored}")
        number, seed = self.order["problems"], self.order["seed"]
        wanted = self.order["checks"] or list(checks.NAMES)
        counterparts, left_out = self._counterparts(wanted)
        self.say(
            "claim",
            name=implementation.name,
            dialect=claim.dialect,
            not_claimed=[*claim.without(), *left_out],
            arithmetic=arithmetic,
        )
        # Drawn first: whoever cannot be compared is refused before anything has run.
        together = {name: beside(implementation, other, number, seed) for name, other in counterparts.items()}
        if "identity" in wanted:
            began = time.perf_counter()
            seen = answered(implementation.identity, Identity)
            self.say("identity", identity=seen)
            self._whole_run("identity", checks.identity(seen), time.perf_counter() - began)
        tallies: dict[str, Tally] = {}
        for set_name, chosen in self._chosen(implementation, wanted):
            drawn = subjects(implementation, set_name, number, seed)
            found = self._judge_set(implementation, set_name, drawn, chosen)
            for name, tally in found.items():
                self._result(name, tally)
            tallies |= found
        if together:
            self._judge_directly(implementation, together)
        if "informative" in wanted and "one-step" in tallies and self._enough(tallies["one-step"].judged):
            self._whole_run("informative", checks.informative(tallies["one-step"].outcome))

    def _counterparts(self, wanted: list[str]) -> tuple[dict[str, Implementation], list[str]]:
        """By name, and who is left out."""
        if DIRECT not in wanted:
            return {}, []
        if self.order["counterparts"]:
            return {name: load(name, option="counterpart") for name in self.order["counterparts"]}, []
        return direct.counterparts(self.order["adapter"], self.order["environments"])

    def _chosen(self, implementation: Implementation, wanted: list[str]) -> Iterator[tuple[str, list[checks.Check]]]:
        for set_name in SETS:
            chosen = [
                check
                for check in checks.CHECKS
                if check.problems == set_name
                and (check.name in wanted or ("informative" in wanted and check.name == "one-step"))
                and check.applies(implementation.claim)
            ]
            if chosen:
                yield set_name, chosen

    def _judge_set(
        self,
        implementation: Implementation,
        set_name: str,
        drawn: list[Subject],
        chosen: list[checks.Check],
        options: str = "",
    ) -> dict[str, Tally]:
        """The tally of each chosen check; options: of the command that repeats a finding."""
        tallies = {check.name: Tally() for check in chosen}
        self.say("set", set=set_name, problems=len(drawn))
        for number, subject in enumerate(drawn):
            if self.order["only"] not in (None, number):
                continue
            self.say("problem", set=set_name, number=number)
            failed = False
            for check in chosen:
                began = time.perf_counter()
                self.asking = check.name
                outcome = check.judge(implementation, subject)
                seconds = time.perf_counter() - began
                again = self._again(f"{options} --check {check.name} --problem {number}")
                findings = [
                    replace(finding, problem=number, again=again)
                    for finding in outcome.findings
                    if not isinstance(finding, checks.Breach)
                    or check.name == ("caller-arrays" if finding.kind == "caller-arrays" else "contract")
                    or finding.kind not in self.breaches
                ]
                if check.name in _FOR_BREACHES:
                    self.breaches |= {finding.kind for finding in findings if isinstance(finding, checks.Breach)}
                tallies[check.name].add(replace(outcome, findings=findings), 1, bool(findings), seconds)
                failed |= bool(findings)
            self.seen.append((set_name, number, subject, failed))
        self.asking = ""
        self.say("problem", set=set_name, number=len(drawn))
        return tallies

    def _judge_directly(self, implementation: Implementation, together: dict[str, list[Subject]]) -> None:
        """The check `direct` is one result of all counterparts; each must leave enough that informs."""
        chosen = [check for check in checks.CHECKS if check.problems == DIRECT]
        total, each = Tally(), {}
        for name, drawn in together.items():
            options = f" --counterpart {shlex.quote(name)}"
            tally = self._judge_set(implementation, f"{DIRECT}, beside {name}", drawn, chosen, options)[DIRECT]
            total.add(tally.outcome, tally.judged, tally.failing, tally.seconds)
            if tally.outcome.compared and tally.outcome.worst_fraction == 0:
                direct.refuse_same_bits(implementation.name, name, tally.outcome.compared)
            if self._enough(tally.judged):
                for finding in checks.informative(tally.outcome).findings:
                    text = f"beside {name}: {finding.message}"
                    total.add(Outcome([Finding(message=text)]), 0, 1)
            each[name] = _numbers(tally)
        self._result(DIRECT, total, counterparts=each)

    def _enough(self, judged: int) -> bool:
        return self.order["only"] is None and judged >= checks.INFORMATIVE.problems

    def _again(self, options: str) -> str:
        order = self.order
        which = self.given.words() if self.given is not None else f"--adapter {shlex.quote(order['adapter'])}"
        return f"python -m conformance run {which}{options} --problems {order['problems']} --seed {order['seed']}"

    def _whole_run(self, check: str, outcome: Outcome, seconds: float = 0.0) -> None:
        self._say_result(check, Tally(outcome, failing=len(outcome.findings), seconds=seconds))

    def _result(self, check: str, tally: Tally, **more: Any) -> None:
        if tally.judged:
            self._say_result(check, tally, **more)

    def _say_result(self, check: str, tally: Tally, **more: Any) -> None:
        self.say("result", check=check, outcome=tally.outcome, **_numbers(tally), **more)
        if tally.outcome.findings:
            first, worst = tally.outcome.findings[0], tally.outcome.worst_fraction
            self.failures.append(Failure(check=check, finding=first, worst_fraction=worst))


def _numbers(tally: Tally) -> dict[str, Any]:
    """Beside the outcome, so that a reader need not merge or divide."""
    outcome = tally.outcome
    return {
        "problems": tally.judged,
        "failing": tally.failing,
        "informative_share": outcome.informative_share,
        "worst_fraction": outcome.worst_fraction,
        "ambiguous": outcome.ambiguous,
        "compared": outcome.compared,
        "seconds": round(tally.seconds, 3),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
