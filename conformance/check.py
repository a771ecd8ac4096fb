"""What a check on problems is: a name, the problems it is for, a plain function, and who it applies to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.contract import Claim, Implementation
from conformance.findings import Outcome


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check on problems: its name, the set of problems it is for, and who it applies to."""

    name: str
    problems: str
    judge: Callable[[Implementation, Any], Outcome]
    """Of a `Problem`, of a `Replay` in the set of golden cases, of a `Pair` in the direct comparison."""
    applies: Callable[[Claim], bool] = lambda _: True
