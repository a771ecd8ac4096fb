"""One implementation under all checks, in a process of its own.

Run by `conformance.process` as ``python -m conformance.child FD JSON``. What happens is written as JSON
lines to file descriptor FD, so that an implementation may print, crash or hang as it likes: the last
line says how far it came.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TextIO

from adapters.contract import Arithmetic, Identity, Implementation
from conformance import checks
from conformance.findings import Outcome, short_text, to_json
from conformance.load import CannotTest, load
from conformance.observe import ImplementationFailed, answered
from conformance.subjects import SETS, subjects

MAX_FINDINGS = 5
"""Findings kept per check; the number of failing problems is counted in full."""


def main(argv: list[str]) -> None:
    """Arguments: the file descriptor and the order as JSON (adapter, problems, seed, checks, only)."""
    with os.fdopen(int(argv[0]), "w", buffering=1, encoding="utf-8") as out:
        Child(json.loads(argv[1]), out).run()


class Child:
    """Runs the checks and tells what happens."""

    def __init__(self, order: dict[str, Any], out: TextIO) -> None:
        self.order, self.out = order, out

    def say(self, event: str, **data: Any) -> None:
        """One JSON line."""
        self.out.write(json.dumps({"event": event, **to_json(data)}, allow_nan=False) + "\n")

    def run(self) -> None:
        """All checks, to the end; an exception of the implementation is an event, not an end of the suite."""
        try:
            implementation = load(self.order["adapter"])
        except CannotTest as reason:
            self.say("cannot-test", reason=str(reason), missing=reason.missing)
            return
        try:
            self._judge(implementation)
        except ImplementationFailed as failure:
            self.say("crashed", reason=str(failure))
        except Exception as error:
            self.say("suite-failed", reason=short_text(error), traceback=traceback.format_exc()[-5000:])
        else:
            self.say("done")

    def _judge(self, implementation: Implementation) -> None:
        claim = implementation.claim
        arithmetic = {dtype: answered(implementation.arithmetic, Arithmetic, dtype) for dtype in claim.dtypes}
        for dtype, declared in arithmetic.items():
            if declared.storage != dtype:
                raise ImplementationFailed(f"arithmetic({dtype!r}).storage is {declared.storage!r}; accepted: {dtype}")
        self.say(
            "claim",
            name=implementation.name,
            dialect=claim.dialect,
            not_claimed=list(claim.not_claimed),
            arithmetic=arithmetic,
        )
        wanted = self.order["checks"] or list(checks.NAMES)
        if "identity" in wanted:
            seen = answered(implementation.identity, Identity)
            self.say("identity", identity=seen)
            self._result("identity", checks.identity(seen))
        merged: dict[str, Outcome] = {}
        for set_name, chosen in self._chosen(implementation, wanted):
            merged |= self._judge_set(implementation, set_name, chosen)
        enough = self.order["only"] is None and self.order["problems"] >= checks.INFORMATIVE_FROM
        if "informative" in wanted and "one-step" in merged and enough:
            self._result("informative", checks.informative(merged["one-step"]))

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
        self, implementation: Implementation, set_name: str, chosen: list[checks.Check]
    ) -> dict[str, Outcome]:
        drawn = subjects(implementation, set_name, self.order["problems"], self.order["seed"])
        outcomes = {check.name: Outcome() for check in chosen}
        failing = dict.fromkeys(outcomes, 0)
        self.say("set", set=set_name, problems=len(drawn))
        for number, problem in enumerate(drawn):
            if self.order["only"] not in (None, number):
                continue
            self.say("problem", set=set_name, number=number)
            for check in chosen:
                outcome = check.judge(implementation, problem)
                failing[check.name] += bool(outcome.findings)
                kept = len(outcomes[check.name].findings)
                room = outcome.findings[: MAX_FINDINGS - kept]
                again = self._again(check.name, number)
                numbered = [replace(finding, problem=number, again=again) for finding in room]
                outcomes[check.name].add(replace(outcome, findings=numbered))
        only = self.order["only"]
        judged = len(drawn) if only is None else int(only < len(drawn))
        self.say("problem", set=set_name, number=len(drawn))
        for name, outcome in outcomes.items():
            if judged:
                self._result(name, outcome, judged, failing[name])
        return outcomes

    def _again(self, check: str, number: int) -> str:
        order = self.order
        which = f"--adapter {shlex.quote(order['adapter'])} --check {check} --problem {number}"
        return f"python -m conformance run {which} --problems {order['problems']} --seed {order['seed']}"

    def _result(self, check: str, outcome: Outcome, number: int = 0, failing: int | None = None) -> None:
        failing = len(outcome.findings) if failing is None else failing
        share = outcome.informative_share
        self.say("result", check=check, problems=number, failing=failing, outcome=outcome, informative_share=share)


if __name__ == "__main__":
    main(sys.argv[1:])
