"""One implementation's diagnosis: of what failed, on those problems and on some that did not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.contract import Claim, Implementation, Problem
from conformance.checks import CHECKS
from conformance.diagnosis import counts, loaded
from conformance.diagnosis.facts import facts
from conformance.diagnosis.law_script import law_script
from conformance.diagnosis.reproducer import reproducer
from conformance.diagnosis.search import Match, Searched, Tick, deadline, search
from conformance.diagnosis.sentences import Failure, between, notes
from conformance.diagnosis.trail import Trail, trail_of
from conformance.observe import ContractBreach, ImplementationFailed, run
from conformance.replay import Replay
from conformance.subjects import GOLDEN, Subject, subjects

SECONDS = 10.0
"""Of computing that the search for an explanation may take."""
SECONDS_OF_PAIRS = 20.0
"""Of the same, that for a pair and the one before may take together."""
FAILING, PASSING = 16, 16
"""Problems that are looked at, of each set."""
MOST_SCRIPTS, MOST_TRIED = 5, 8
"""Checks that get one, and problems that are tried for each."""
UNKNOWN = "matches nothing known"
_BY_VALUE = ("one-step", "free-running", "equal-shapes", "clip-gradient-zero", GOLDEN, "direct", "long-run")
_NAMED_BY_VALUES = (*_BY_VALUE, "step-count")
_PLAIN = frozenset(check.problems for check in CHECKS if not check.name.startswith("law-"))
"""Sets of problems that are no law's."""
_MORE = "more of "
"""... such a set, drawn for the diagnosis."""


@dataclass(kw_only=True)
class Diagnosis:
    """What is said of one implementation; plain data that travels as JSON."""

    says: str
    """The diagnosis in one line: what matches, or else what a check shows that does not follow from something else."""
    matches: list[Match] = field(default_factory=list)
    """Explanations that hold on all that was looked at, the simplest first; several cannot be told apart there."""
    notes: list[str] = field(default_factory=list)
    """What other failing checks show by themselves."""
    facts: list[str] = field(default_factory=list)
    """Measured, where nothing matches."""
    first: Failure | None = None
    """The first divergence: step, parameter, elements."""
    problems: int = 0
    """Looked at."""
    unexplained: int = 0
    """Of those, the ones that the claim does not explain."""
    tried: int = 0
    """Explanations."""
    pairs: int = 0
    """Pairs of explanations."""
    seconds: float = 0.0
    reproducer: str | None = None
    """A Python file that runs without the suite."""
    scripts: dict[str, str] = field(default_factory=dict)
    """The same of checks that compare no value with the oracle's, by the check."""


def diagnose(
    implementation: Implementation,
    seen: Sequence[tuple[str, int, Subject, bool]],
    failures: Sequence[Failure],
    seed: int,
    say: Tick = lambda _: None,
) -> Diagnosis:
    """The diagnosis of an implementation with failing checks.

    seen: what the checks ran on: set, number, subject, and whether any check failed on it. say: told of progress.
    """
    began = time.monotonic()
    trails = _trails(implementation, _chosen(seen, implementation.claim, implementation, seed), say)
    wrong = [trail for trail in trails if trail.wrong]
    searched = search(trails, deadline(SECONDS, say), deadline(SECONDS_OF_PAIRS, say)) if trails else Searched()
    found = searched.matches
    reported = any(counts.misreported(trail) for trail in trails)
    others = [f for f in failures if f.check not in _NAMED_BY_VALUES]
    done_between = _failing_between(seen) if any(f.check == GOLDEN for f in failures) else []
    by_value = [f for f in failures if f.check in _BY_VALUE and not (f.check == GOLDEN and done_between)]
    plain = [trail for trail in trails if trail.label.rpartition(" ")[0].removeprefix(_MORE) in _PLAIN]
    said = [counts.reported(trails)] if reported else []
    alone, following = notes(
        others,
        values_wrong=bool(by_value) or any(trail.wrong for trail in plain),
        counts_wrong=any(counts.misreported(trail) for trail in plain),
    )
    said += _lost(implementation, seen, failures)
    said += alone + ([between(done_between)] if done_between else [])
    diagnosis = Diagnosis(
        says=_says(searched, bool(wrong), said),
        matches=found,
        notes=said + following,
        facts=[] if found else facts(trails),
        first=_first(failures),
        problems=len(trails),
        unexplained=len(wrong),
        tried=searched.tried,
        pairs=searched.pairs,
    )
    diagnosis.reproducer = reproducer(implementation, trails, f"{implementation.name}: {diagnosis.says}")
    if diagnosis.reproducer is None:
        checks = [f.check for f in failures if f.check not in _BY_VALUE][:MOST_SCRIPTS]
        scripts = ((check, _script(implementation, check, seen, diagnosis.says, say)) for check in checks)
        diagnosis.scripts = {check: text for check, text in scripts if text is not None}
    diagnosis.seconds = time.monotonic() - began
    return diagnosis


def _lost(
    implementation: Implementation, seen: Sequence[tuple[str, int, Subject, bool]], failures: Sequence[Failure]
) -> list[str]:
    """What a load does not bring back, where a law of it fails; nothing where two runs are never the same."""
    failing_checks = {f.check for f in failures}
    if not failing_checks & loaded.LAWS or "law-determinism" in failing_checks:
        return []
    failing = [subject for name, _, subject, failed in seen if failed and name.startswith("laws")]
    problems = sorted((p for p in failing if isinstance(p, Problem)), key=_numbers)
    found = loaded.lost(implementation, problems[:MOST_TRIED])
    return [found] if found else []


def _failing_between(seen: Sequence[tuple[str, int, Subject, bool]]) -> list[str]:
    """The failing golden cases, where all of them have something done between steps: their plain steps are right."""
    cases = [subject.case for _, _, subject, failed in seen if failed and isinstance(subject, Replay)]
    return [case.id.partition("/")[2] for case in cases] if all(case.between for case in cases) else []


def _script(
    implementation: Implementation, check: str, seen: Sequence[tuple[str, int, Subject, bool]], says: str, say: Tick
) -> str | None:
    """Of the smallest problems on which a check of that set failed."""
    judged = next((one for one in CHECKS if one.name == check), None)
    if judged is None:
        return None
    say(f"a script for {check}")
    failed = [subject for name, _, subject, failed in seen if failed and name == judged.problems]
    problems = sorted((p for p in failed if isinstance(p, Problem)), key=_numbers)[:MOST_TRIED]
    return law_script(implementation, check, problems, f"{implementation.name}: {says}")


def _numbers(problem: Problem) -> int:
    return len(problem.gradients) * sum(theta.size for theta in problem.parameters)


def _says(searched: Searched, values_wrong: bool, notes: Sequence[str]) -> str:
    if searched.matches:
        return searched.matches[0].words
    if values_wrong:
        return f"{UNKNOWN}{'' if searched.whole else ' within the time for it'}"
    return notes[0] if notes else UNKNOWN


def _first(failures: Sequence[Failure]) -> Failure | None:
    """Of the check that says most about values."""
    ordered = sorted(failures, key=lambda f: _BY_VALUE.index(f.check) if f.check in _BY_VALUE else len(_BY_VALUE))
    return ordered[0] if ordered else None


def _chosen(
    seen: Sequence[tuple[str, int, Subject, bool]], claim: Claim, implementation: Implementation, seed: int
) -> list[tuple[str, Problem]]:
    """Failing and passing problems of every set, evenly; where few were run, some more inside the claim."""
    rows = [(name, number, _problem(subject), failed) for name, number, subject, failed in seen]
    whole = [row for row in rows if not row[0].startswith("laws") and (row[3] or row[0] != GOLDEN)]
    if sum(1 for row in whole if row[0] == "general") < PASSING:
        have = {(name, number) for name, number, *_ in whole}
        for name in ("general", "equal-shapes"):
            drawn = subjects(implementation, name, 2 * PASSING if name == "general" else 8 * PASSING, seed)
            whole += [(f"{_MORE}{name}", n, _problem(p), False) for n, p in enumerate(drawn) if (name, n) not in have]
    chosen = []
    for name in dict.fromkeys(row[0] for row in whole):
        for failing, most in ((True, FAILING), (False, PASSING)):
            some = [row for row in whole if row[0] == name and row[3] is failing]
            if name == GOLDEN:
                some.sort(key=lambda row: len(row[2].gradients))
                most = 2
            chosen += some[:: max(1, -(-len(some) // most))]
    return [(f"{name} {number}", problem) for name, number, problem, _ in chosen]


def _problem(subject: Subject) -> Problem:
    return subject if isinstance(subject, Problem) else subject.problem


def _trails(implementation: Implementation, chosen: Sequence[tuple[str, Problem]], say: Tick) -> list[Trail]:
    """What can be observed of them."""
    trails = []
    for label, problem in chosen:
        say(label)
        try:
            trails.append(trail_of(implementation, problem, run(implementation, problem).states, label))
        except (ContractBreach, ImplementationFailed, ValueError):
            continue
    return trails
