"""Why a mutant that nothing rejects is not wrong, each with its reason.

An entry goes by the lines before and after the change and by what they are in, so that it follows them
through the file. An entry whose change is not made any more, or is rejected after all, fails the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Proof:
    """What the changes of one reason are, and why."""

    cls: Literal["equivalent", "only speed", "below the bound"]
    reason: str
    module: str
    changes: Sequence[tuple[str, str, str]]
    """Scope, lines before, lines after."""


PROOFS: tuple[Proof, ...] = ()


def by_key(proofs: Sequence[Proof] = PROOFS) -> Mapping[tuple[str, str, str, str], Proof]:
    """The proof of every change that has one."""
    return {(proof.module, *change): proof for proof in proofs for change in proof.changes}
