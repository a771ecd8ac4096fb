"""What is changed, and who judges it: all that the engine is told about one piece of code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.contract import Implementation
from conformance.load import load
from conformance.mutants.tokens.gate import CHECKS
from conformance.mutants.tokens.mutant import Mutant, Target
from conformance.mutants.tokens.proofs import Key, Proof, by_key
from conformance.mutants.tokens.search import Effect


def _nothing(mutant: Mutant) -> Callable[[], None]:
    return lambda: None


def _none(mutants: Sequence[Mutant]) -> Iterable[Proof]:
    return ()


def _all(mutant: Mutant, adapters: Sequence[str]) -> Sequence[str]:
    return adapters


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One piece of code under the engine."""

    name: str
    targets: Sequence[Target]
    adapters: Sequence[str]
    """Names of the implementations that run the changed code."""
    load: Callable[[str], Implementation] = load
    """From such a name to what this process imports."""
    checks: Sequence[str] = CHECKS
    hints: Sequence[tuple[str, str]] = ()
    """Word of a changed line, and the implementation that is tried first for it. Saves time; decides nothing."""
    reached: Callable[[Mutant, Sequence[str]], Sequence[str]] = _all
    """Of these adapters, those whose code a change can be in. The others cannot tell it from what is unchanged."""
    profiles: Sequence[str] = ("smoke", "quick")
    """What lives after one goes on to the next."""
    patience: int = 1
    """Problems on which a mutant may raise before the next implementation is looked at."""
    controlled: bool = False
    """Whether every implementation, unchanged, is judged first by every check on every problem."""
    inherit: Callable[[Mutant], Callable[[], None]] = _nothing
    """What a child may keep of the unchanged package: asked before the mutant is laid, called after."""
    tests: Sequence[str] = ()
    """Run on what lives after the first profile."""
    before_tests: str = ""
    """Adapter that is loaded once before the tests, for what it imports."""
    search: Callable[[Sequence[str], int], Effect] | None = None
    """Of the mutant that this process imports: the largest effect found on some of `adapters`, with a seed."""
    proofs: Sequence[Proof] = ()
    """Listed, each with its reason."""
    derived: Callable[[Sequence[Mutant]], Iterable[Proof]] = _none
    """Of these mutants, what is proved from the source and need not be listed."""

    def reasons(self, mutants: Sequence[Mutant]) -> Mapping[Key, Proof]:
        """Why some of these mutants are no mistakes, listed and derived."""
        return by_key((*self.derived(mutants), *self.proofs))
