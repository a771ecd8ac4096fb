"""The gate's ordinary machinery as a judge of mutants: implementations, problems, golden cases, checks.

Once, before any fork, the unchanged package runs every problem. A mutant whose states are the same bits, and
which left the same arrays alone, is judged as the unchanged package is; only where something differs do the
checks have to say whether it may. A finding counts only if the unchanged package passes that check there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adapters.contract import QUANTITIES, Array, Identity, Implementation, Problem, State
from conformance import checks, oracle
from conformance.findings import Outcome as Findings
from conformance.findings import short_text
from conformance.load import CannotTest, Missing, load
from conformance.observe import ContractBreach, ImplementationFailed, Observation, answered, observe
from conformance.problems import PROFILES
from conformance.subjects import SETS, Subject, subjects

CHECKS: tuple[str, ...] = (*(c.name for c in checks.CHECKS if c.problems in SETS), "identity")
"""Of one implementation by itself, each of which can reject."""
FIRST = PROFILES["smoke"].problems
"""General problems that come before the small sets."""


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
    needed: int = 0
    """Of the implementation that is rejected: its problems up to and with the one that rejects it."""
    exhibit: tuple[str, int] | None = None
    """Adapter and index of the exhibit on which a check rejects it."""
    differs: bool = False
    """Whether any bit of any state was another than the unchanged package's."""
    effect: float = 0.0
    """The largest difference from the unchanged package, or else from the oracle, as a fraction of the bound."""
    ambiguous: bool = False
    """Whether some difference was where the bound is infinite."""
    found: float | None = None
    """The largest effect that a search made to maximise it found, as a fraction of the bound; None: no search."""
    found_where: str = ""
    """What it was found on."""


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
        return problem_of(self.subject)


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
    load: Callable[[str], Implementation] = load
    """From a name to what this process imports of it."""
    patience: int = 1
    """Problems on which a mutant may raise before the next implementation is looked at."""
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
                implementation = self.load(name)
            except Missing as reason:
                self.missing.append(str(reason))
                continue
            self.implementations[name] = implementation
            exhibits = [
                _exhibit(implementation, set_name, k, subject, chosen)
                for set_name, chosen in self._sets(implementation)
                for k, subject in enumerate(subjects(implementation, set_name, number, seed))
            ]
            self.exhibits[name] = sorted(exhibits, key=lambda e: comes_late(e.set_name, e.number))
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

    def judge(self, line: str, adapters: Sequence[str]) -> Outcome:
        """The mutant that this process imports from now on, by `adapters`; `line` is what was changed in it.

        With `patience` it may raise somewhere: a check that rejects what it returns elsewhere says more.
        """
        outcome, accident = Outcome(), Outcome()
        for name in self._order(line, adapters):
            outcome = self._judge_adapter(name, outcome)
            if outcome.kind == "check" or (outcome.killed and self.patience == 1):
                return outcome
            if outcome.killed:
                accident = accident if accident.killed else outcome
                outcome = replace(outcome, killed="", kind="", where="", needed=0)
        return replace(accident, problems=outcome.problems) if accident.killed else outcome

    def unchanged(self, name: str) -> Outcome:
        """The implementation as it is under every check on every problem: nothing may reject it."""
        shown = [(e.set_name, e.number, e.subject, e.checks) for e in self.exhibits[name]]
        return every(self.implementations[name], shown, self.wanted)

    def _order(self, line: str, adapters: Sequence[str]) -> list[str]:
        first = [adapter for word, adapter in self.hints if re.search(word, line)]
        return [name for name in dict.fromkeys([*first, *adapters]) if name in adapters and name in self.exhibits]

    def _judge_adapter(self, name: str, outcome: Outcome) -> Outcome:
        try:
            mutant = self.load(name)
        except CannotTest as error:
            return replace(outcome, killed=f"does not load: {error}", kind=_kind_of(error), where=name)
        except Exception as error:
            return replace(outcome, killed=f"does not load: {_said(error)}", kind=_kind_of(error), where=name)
        accident, accidents = outcome, 0
        for k, exhibit in enumerate(self.exhibits[name]):
            where = f"{name}, {exhibit.set_name} {exhibit.number}"
            outcome = replace(outcome, problems=outcome.problems + 1, where=where, needed=k + 1)
            try:
                seen, rejected = self._look(mutant, exhibit)
            except ImplementationFailed as error:
                accidents += 1
                if not accident.killed:
                    accident = replace(outcome, killed=_said(error), kind=_kind_of(error))
                if accidents == self.patience:
                    return accident
                continue
            if seen is not None and _same(seen, exhibit.unchanged):
                continue
            outcome = replace(outcome, differs=True)
            if rejected:
                return replace(outcome, killed=rejected, kind="check", exhibit=(name, k))
            effect, ambiguous = self._effect(name, exhibit, seen)
            outcome = replace(outcome, effect=max(outcome.effect, effect), ambiguous=outcome.ambiguous or ambiguous)
        if accident.killed:
            return replace(accident, problems=outcome.problems)
        if "identity" in self.wanted:
            try:
                findings = checks.identity(answered(mutant.identity, Identity)).findings
            except ImplementationFailed as error:
                return replace(outcome, killed=_said(error), kind=_kind_of(error), where=f"{name}, identity")
            if findings:
                return replace(outcome, killed="identity", kind="check", where=name)
        return replace(outcome, where="", needed=0)

    def _look(self, mutant: Implementation, exhibit: Exhibit) -> tuple[Observation | None, str]:
        """What is seen, None where the contract is broken, and the check that rejects it, if one does."""
        try:
            seen = observe(mutant, exhibit.problem)
        except ContractBreach:
            seen = None
        if seen is not None and _same(seen, exhibit.unchanged):
            return seen, ""
        return seen, first_finding(mutant, exhibit.subject, exhibit.checks)

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


def comes_late(set_name: str, number: int) -> bool:
    """Whether a problem waits for every small set: what lives after so many general ones is seldom rejected by more."""
    return set_name == "general" and number >= FIRST


Shown = tuple[str, int, Subject, Sequence[checks.Check]]
"""Name of a set, number in it, the subject, and its checks."""


def first_finding(implementation: Implementation, subject: Subject, chosen: Sequence[checks.Check]) -> str:
    """The first check that rejects, or nothing."""
    found = (check.name for check in chosen if check.judge(implementation, subject).findings)
    return next(found, "")


def every(implementation: Implementation, shown: Sequence[Shown], wanted: Sequence[str]) -> Outcome:
    """Every check on every problem and those on the run as a whole, up to the first that rejects."""
    whole = Findings()
    outcome = Outcome()
    for set_name, number, subject, chosen in shown:
        outcome = replace(outcome, problems=outcome.problems + 1, needed=outcome.needed + 1)
        dtype = problem_of(subject).dtype
        where = f"{implementation.name}, {set_name} {number}{'' if dtype == 'float32' else f', in {dtype}'}"
        outcome = replace(outcome, where=where)
        try:
            for check in chosen:
                found = check.judge(implementation, subject)
                if found.findings:
                    return replace(outcome, killed=check.name, kind="check")
                if check.name == "one-step":
                    whole.add(found)
        except ImplementationFailed as error:
            return replace(outcome, killed=_said(error), kind=_kind_of(error))
    outcome = replace(outcome, where=implementation.name, effect=whole.worst_fraction)
    if "identity" in wanted and checks.identity(answered(implementation.identity, Identity)).findings:
        return replace(outcome, killed="identity", kind="check", needed=0)
    if "informative" in wanted and whole.compared and checks.informative(whole).findings:
        return replace(outcome, killed="informative", kind="check")
    return replace(outcome, where="", needed=0)


def _exhibit(
    implementation: Implementation, set_name: str, number: int, subject: Subject, chosen: Sequence[checks.Check]
) -> Exhibit:
    try:
        unchanged = observe(implementation, problem_of(subject))
    except (ContractBreach, ImplementationFailed) as error:
        raise Unsound(f"{implementation.name} as it is fails on {set_name} {number}: {short_text(error)}") from error
    return Exhibit(set_name, number, subject, chosen, unchanged)


def problem_of(subject: Subject) -> Problem:
    """What an implementation is given."""
    return subject if isinstance(subject, Problem) else subject.problem


def _same(a: Observation, b: Observation) -> bool:
    """Bit for bit."""
    if (a.overwritten, a.changed_later) != (b.overwritten, b.changed_later) or len(a.states) != len(b.states):
        return False
    for one, other in zip(a.states, b.states, strict=True):
        if one.t != other.t or len(_arrays(one)) != len(_arrays(other)):
            return False
        if any(x.tobytes() != y.tobytes() for x, y in zip(_arrays(one), _arrays(other), strict=True)):
            return False
    return True


def _arrays(state: State) -> tuple[Array, ...]:
    return tuple(array for name in QUANTITIES for array in getattr(state, name) or ())


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
