"""A mutant, what became of it, and whether that is as it should be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.mutants.tokens import overlay
from conformance.mutants.tokens.changes import Change, Vocabulary, changes
from conformance.mutants.tokens.gate import Outcome
from conformance.mutants.tokens.proofs import Proof, by_key


@dataclass(frozen=True, kw_only=True)
class Target:
    """A part of a module that is changed."""

    module: str
    """Dotted name."""
    scopes: Sequence[str]
    vocabulary: Vocabulary
    leave: str = "(?!)"
    """Lines that this regular expression is found in are left alone."""


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: str
    source: str
    """Unchanged."""
    change: Change

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a proof goes by: module, scope, the lines before and after. No line number."""
        return self.module, self.change.scope, self.change.before, self.change.after

    def __str__(self) -> str:
        c = self.change
        return f"{self.module}:{c.line} {c.scope}: {c.before} -> {c.after}"


class Class(StrEnum):
    """What is said of a mutant."""

    KILLED = "killed"
    BY_TEST = "killed by a test"
    DOES_NOT_RUN = "does not run"
    EQUIVALENT = "equivalent"
    ONLY_SPEED = "only speed"
    BELOW = "below the bound"
    SURVIVED = "survived"


@dataclass(frozen=True)
class Verdict:
    """A mutant, its outcome and its proof."""

    mutant: Mutant
    outcome: Outcome
    proof: Proof | None

    @property
    def cls(self) -> Class:
        """Killed first, whatever a proof says; a proof is believed only of what lives, and that it does not refute."""
        if self.outcome.killed:
            return {"test": Class.BY_TEST, "check": Class.KILLED}.get(self.outcome.kind, Class.DOES_NOT_RUN)
        return Class.SURVIVED if self.proof is None or self.refuted else Class(self.proof.cls)

    @property
    def refuted(self) -> str:
        """What speaks against the proof: a bit that differs, or an effect that reaches the bound."""
        if self.proof is None or self.outcome.killed:
            return ""
        o = self.outcome
        if self.proof.cls != "below the bound" and o.differs:
            return (
                f"listed as {self.proof.cls}, but its results differ{f' on {o.found_where}' if o.found_where else ''}"
            )
        if self.proof.cls == "below the bound" and o.found is not None and o.found >= 1:
            return f"listed as below the bound, but it reaches {o.found:.3g} of it on {o.found_where}"
        return ""


def mutants_of(targets: Sequence[Target]) -> list[Mutant]:
    """All of them, in the order of targets and text."""
    found = []
    for target in targets:
        source = overlay.source_of(target.module).read_text()
        made = changes(source, target.scopes, target.vocabulary)
        found += [Mutant(target.module, source, c) for c in made if not re.search(target.leave, c.before)]
    return found


def stale(verdicts: Sequence[Verdict], proofs: Sequence[Proof]) -> list[str]:
    """What is wrong with `proofs`, in words: rejected after all, refuted, or the change is not made any more."""
    killed = [v.mutant for v in verdicts if v.proof is not None and v.outcome.killed]
    refuted = [f"{v.refuted}: {v.mutant}" for v in verdicts if v.refuted]
    known = {v.mutant.key for v in verdicts}
    gone = [key for key in by_key(proofs) if key not in known]
    return [
        *(f"rejected, but listed as no mistake: {mutant}" for mutant in killed),
        *refuted,
        *(f"listed, but no such change is made: {' | '.join(key)}" for key in gone),
    ]
