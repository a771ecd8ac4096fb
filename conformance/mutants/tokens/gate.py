"""The gate's ordinary machinery as a judge of mutants of fused_adam: adapters, problems, golden cases, checks.

Once, before any fork, the unchanged package runs every problem. A mutant whose states are the same bits, and
which left the same arrays alone, is judged as the unchanged package is; only where something differs do the
checks have to say whether it may. A finding counts only if the unchanged package passes that check there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adapters.contract import Array, Identity, Implementation, Problem, State
from conformance import checks, oracle
from conformance.findings import short_text
from conformance.load import CannotTest, Missing, load
from conformance.observe import ContractBreach, ImplementationFailed, Observation, answered, observe
from conformance.problems import PROFILES
from conformance.subjects import SETS, Subject, subjects

CHECKS: tuple[str, ...] = (*(c.name for c in checks.CHECKS if c.problems in SETS), "identity")
"""Of one implementation by itself, each of which can reject."""


class Unsound(Exception):
    """The unchanged package is rejected as well: nothing can be said of a mutant."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mutant."""

    killed: str = ""
    """The check, test or accident that rejects it; empty: it lives."""
    kind: str = ""
    """check, exception, compiler, end, test: of what killed it."""
    where: str = ""
    """Adapter, set and number of the problem, or the test."""
    problems: int = 0
    """Problems that ran, up to that one."""
    exhibit: tuple[str, int] | None = None
    """Adapter and index of the exhibit on which a check rejects it."""
    differs: bool = False
    """Whether any bit of any state was another than the unchanged package's."""
    effect: float = 0.0
    """The largest difference from the unchanged package, as a fraction of the bound, where it lives."""
    ambiguous: bool = False
    """Whether some difference was where the bound is infinite."""


@dataclass(frozen=True)
class Exhibit:
    """A subject, its checks, and what the unchanged package made of it."""

    set_name: str
    number: int
    subject: Subject
    checks: Sequence[checks.Check]
    unchanged: Observation

    @property
    def problem(self) -> Problem:
        """What an implementation is given."""
        return _problem(self.subject)


@dataclass
class Gate:
    """A profile's problems for some adapters, with the unchanged package's answers."""

    profile: str
    wanted: Sequence[str]
    """Names of checks."""
    hints: Sequence[tuple[str, str]]
    """Word of a changed line, and the adapter that is tried first for it."""
    implementations: dict[str, Implementation] = field(default_factory=dict)
    exhibits: dict[str, list[Exhibit]] = field(default_factory=dict)
    _confirmed: set[tuple[str, int, str]] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    """Adapters whose packages are not installed."""

    def prepare(self, adapters: Sequence[str], seed: int) -> Iterator[str]:
        """Draw and run everything unchanged; the name of each adapter when it is ready.

        Raises `CannotTest` if an adapter cannot be had for another reason than a missing package, and
        `Unsound` if the unchanged package breaks the contract or raises.
        """
        number = PROFILES[self.profile].problems
        for name in adapters:
            try:
                implementation = load(name)
            except Missing as reason:
                self.missing.append(str(reason))
                continue
            self.implementations[name] = implementation
            self.exhibits[name] = [
                _exhibit(implementation, set_name, k, subject, chosen)
                for set_name, chosen in self._sets(implementation)
                for k, subject in enumerate(subjects(implementation, set_name, number, seed))
            ]
            yield name

    def _sets(self, implementation: Implementation) -> Iterator[tuple[str, list[checks.Check]]]:
        for set_name in SETS:
            chosen = [
                c
                for c in checks.CHECKS
                if c.problems == set_name and c.name in self.wanted and c.applies(implementation.claim)
            ]
            if chosen:
                yield set_name, chosen

    def judge(self, line: str) -> Outcome:
        """The mutant that this process imports from now on; `line` is what was changed in it."""
        outcome = Outcome()
        for name in self._order(line):
            outcome = self._judge_adapter(name, outcome)
            if outcome.killed:
                break
        return outcome

    def _order(self, line: str) -> list[str]:
        first = [adapter for word, adapter in self.hints if re.search(word, line)]
        return [name for name in dict.fromkeys([*first, *self.exhibits]) if name in self.exhibits]

    def _judge_adapter(self, name: str, outcome: Outcome) -> Outcome:
        try:
            mutant = load(name)
        except CannotTest as error:
            return replace(outcome, killed=f"does not load: {error}", kind=_kind_of(error), where=name)
        for k, exhibit in enumerate(self.exhibits[name]):
            where = f"{name}, {exhibit.set_name} {exhibit.number}"
            outcome = replace(outcome, problems=outcome.problems + 1, where=where)
            try:
                seen = observe(mutant, exhibit.problem)
            except ContractBreach:
                seen = None
            except ImplementationFailed as error:
                return replace(outcome, killed=_said(error), kind=_kind_of(error))
            if seen is not None and _same(seen, exhibit.unchanged):
                continue
            outcome = replace(outcome, differs=True)
            for check in exhibit.checks:
                if check.judge(mutant, exhibit.subject).findings:
                    return replace(outcome, killed=check.name, kind="check", exhibit=(name, k))
            effect, ambiguous = self._effect(name, exhibit, seen)
            outcome = replace(outcome, effect=max(outcome.effect, effect), ambiguous=outcome.ambiguous or ambiguous)
        if "identity" in self.wanted:
            try:
                findings = checks.identity(answered(mutant.identity, Identity)).findings
            except ImplementationFailed as error:
                return replace(outcome, killed=_said(error), kind=_kind_of(error), where=f"{name}, identity")
            if findings:
                return replace(outcome, killed="identity", kind="check", where=name)
        return replace(outcome, where="")

    def confirm(self, outcome: Outcome) -> None:
        """`Unsound` if the unchanged package is rejected where a mutant was. For the process that has no mutant."""
        if outcome.kind == "check" and outcome.exhibit is not None:
            name, k = outcome.exhibit
            if (name, k, outcome.killed) not in self._confirmed:
                self._confirmed.add((name, k, outcome.killed))
                (check,) = (c for c in checks.CHECKS if c.name == outcome.killed)
                findings = check.judge(self.implementations[name], self.exhibits[name][k].subject).findings
                if findings:
                    raise Unsound(f"{name} as it is fails {check.name}: {findings[0].message}")

    def _effect(self, name: str, exhibit: Exhibit, seen: Observation | None) -> tuple[float, bool]:
        """Largest difference of two free-running trajectories as a fraction of the bound; any where it is infinite?"""
        if seen is None:
            return 0.0, False
        implementation, problem = self.implementations[name], exhibit.problem
        arithmetic, dialect = implementation.arithmetic(problem.dtype), implementation.claim.dialect
        largest, ambiguous = 0.0, False
        pairs = zip(
            oracle.compare(dialect, arithmetic, problem, seen.states),
            oracle.compare(dialect, arithmetic, problem, exhibit.unchanged.states),
            strict=True,
        )
        for mutant, unchanged in pairs:
            if mutant.comparison != "free running":
                continue
            other = mutant.obtained != unchanged.obtained
            other &= ~(np.isnan(mutant.obtained) & np.isnan(unchanged.obtained))
            finite = other & np.isfinite(mutant.bound)
            ambiguous |= bool(np.any(other & ~finite))
            if np.any(finite):
                with np.errstate(all="ignore"):
                    fraction = np.abs(mutant.obtained - unchanged.obtained)[finite] / mutant.bound[finite]
                largest = max(largest, float(np.max(fraction)))
        return largest, ambiguous


def _exhibit(
    implementation: Implementation, set_name: str, number: int, subject: Subject, chosen: Sequence[checks.Check]
) -> Exhibit:
    try:
        unchanged = observe(implementation, _problem(subject))
    except (ContractBreach, ImplementationFailed) as error:
        raise Unsound(f"{implementation.name} as it is fails on {set_name} {number}: {short_text(error)}") from error
    return Exhibit(set_name, number, subject, chosen, unchanged)


def _problem(subject: Subject) -> Problem:
    return subject if isinstance(subject, Problem) else subject.problem


def _same(a: Observation, b: Observation) -> bool:
    """Bit for bit."""
    if (a.overwritten, a.changed_later) != (b.overwritten, b.changed_later) or len(a.states) != len(b.states):
        return False
    for one, other in zip(a.states, b.states, strict=True):
        if one.t != other.t or (one.v_max is None) != (other.v_max is None):
            return False
        if any(x.tobytes() != y.tobytes() for x, y in zip(_arrays(one), _arrays(other), strict=True)):
            return False
    return True


def _arrays(state: State) -> tuple[Array, ...]:
    return (*state.parameters, *state.m, *state.v, *(state.v_max or ()))


def _said(error: Exception) -> str:
    return str(error).splitlines()[0][:100]


def _kind_of(error: BaseException) -> str:
    """compiler, if Numba refused to compile; else exception."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__module__.startswith(("numba.", "llvmlite.")):
            return "compiler"
        cause = cause.__cause__
    return "exception"
