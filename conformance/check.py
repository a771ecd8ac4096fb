"""What a check on problems is: a name, the problems it is for, a plain function, and who it applies to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.contract import Claim, Implementation, Problem
from conformance.describe import describe
from conformance.findings import Finding, Outcome
from conformance.observe import ContractBreach, overwrites


class Breach(Finding):
    """A returned state breaks the contract, so that the check's question could not be asked."""

    @property
    def kind(self) -> str:
        """What is wrong, wherever it is: ``m[].shape`` of "step 3: m[1].shape is (2,); accepted: (4,)"."""
        return re.sub(r"^step \d+: |\d+| is .*", "", self.message, flags=re.DOTALL)


class Overwritten(Breach):
    """An array that is the caller's has changed, of which the check's question was not."""

    @property
    def kind(self) -> str:
        """One, whichever arrays."""
        return "caller-arrays"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check on problems: its name, the set of problems it is for, and who it applies to."""

    name: str
    problems: str
    rule: Callable[[Implementation, Any], Outcome]
    """Of a `Problem`, of a `Replay` in the set of golden cases, of a `Pair` in the direct comparison.

    May raise `ContractBreach`.
    """
    applies: Callable[[Claim], bool] = lambda _: True

    def judge(self, implementation: Implementation, subject: Any) -> Outcome:
        """What the rule finds; a `Breach` where it cannot. `Overwritten` besides, where no check is for that."""
        with overwrites() as changed:
            try:
                outcome = self.rule(implementation, subject)
            except ContractBreach as breach:
                outcome = Outcome([Breach(message=str(breach), description=_words(subject))])
        if changed and self.problems != GENERAL:
            names = [*dict.fromkeys(changed)]
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            message = f"the caller's {', '.join(names[:_SHOWN])}{more} changed"
            outcome.findings.append(Overwritten(message=message, description=_words(subject)))
        return outcome


_SHOWN = 4
GENERAL = "general"
"""The set whose problems `checks.caller_arrays` is for."""


def _words(subject: Any) -> str:
    return describe(subject) if isinstance(subject, Problem) else str(subject)
