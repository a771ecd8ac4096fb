"""The hand-written mutants under the ordinary checks: what rejects each, in which format, after how many problems.

Each runs in float32. What is wrong in a narrow format alone is rejected in that one, on the problems that the narrow
formats have, which come last.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

from conformance import checks, mutants
from conformance.mutants.tokens import pool
from conformance.mutants.tokens.changes import Change
from conformance.mutants.tokens.gate import Outcome, Shown, Unsound, comes_late, every, problem_of
from conformance.mutants.tokens.mutant import Mutant
from conformance.mutants.tokens.trial import Listener, outcome_of
from conformance.mutants.twin import Twin
from conformance.problems import PROFILES
from conformance.subjects import SETS, subjects


def mutants_of_classes() -> list[Mutant]:
    """A mutant per class: its twin before, what is wrong after."""
    return [_mutant(planted) for planted in mutants.MUTANTS]


def run(
    chosen: Sequence[Mutant],
    *,
    wanted: Sequence[str],
    profile: str,
    seed: int,
    jobs: int,
    seconds: float,
    listener: Listener,
) -> list[Outcome]:
    """The outcome of each, in their order. Raises `Unsound` where a twin, which is right, is rejected."""
    classes = {planted.__name__: planted for planted in mutants.MUTANTS}
    planted = [classes[mutant.change.scope] for mutant in chosen]
    twins = list(dict.fromkeys(_twin(mutant) for mutant in planted))
    listener.stage("problems of the twins", len(twins))
    shown: dict[type[Twin], list[Shown]] = {}
    for twin in twins:
        shown[twin] = _shown(twin, wanted, PROFILES[profile].problems, seed)
        listener.step(len(chosen))

    telling: dict[type[Twin], Sequence[str]] = dict.fromkeys(twins, wanted)

    def judge(implementation: type[Twin]) -> Outcome:
        twin = _twin(implementation)
        return every(_without_float64(implementation), shown[twin], telling[twin])

    listener.stage("twins, every check", len(twins))
    with pool.in_children(judge, twins, jobs=jobs, seconds=10 * seconds) as answers:
        for at, answer in answers:
            outcome = outcome_of(answer)
            if outcome.killed == "informative":  # a share of both wide formats, which float32 alone may not reach
                telling[twins[at]] = [name for name in wanted if name != "informative"]
            elif outcome.killed:
                raise Unsound(f"{twins[at].name} as it is fails: {outcome.killed}, {outcome.where}")
            listener.step(len(chosen))
    outcomes = [Outcome() for _ in planted]
    listener.stage("classes", left := len(planted))
    with pool.in_children(judge, planted, jobs=jobs, seconds=10 * seconds) as answers:
        for at, answer in answers:
            outcomes[at] = outcome_of(answer)
            listener.found(at, outcomes[at])
            left -= bool(outcomes[at].killed)
            listener.step(left)
    return outcomes


def _mutant(planted: type[Twin]) -> Mutant:
    wrong = (inspect.getdoc(planted) or "").splitlines()[0]
    change = Change(
        start=0,
        end=0,
        new="",
        rule="class",
        scope=planted.__name__,
        line=inspect.getsourcelines(planted)[1],
        before=_twin(planted).name,
        after=wrong,
    )
    return Mutant(planted.__module__, "", change)


def _twin(planted: type[Twin]) -> type[Twin]:
    return next(base for base in planted.__mro__ if base in mutants.TWINS)


def _without_float64(planted: type[Twin]) -> Twin:
    implementation = planted()
    dtypes = tuple(dtype for dtype in implementation.claim.dtypes if dtype != "float64")
    implementation.claim = replace(implementation.claim, dtypes=dtypes)
    return implementation


def _shown(twin: type[Twin], wanted: Sequence[str], number: int, seed: int) -> list[Shown]:
    implementation = _without_float64(twin)
    found: list[Shown] = []
    for set_name in SETS:
        chosen = [
            c for c in checks.CHECKS if c.problems == set_name and c.name in wanted and c.applies(implementation.claim)
        ]
        if chosen:
            drawn = subjects(implementation, set_name, number, seed)
            found += [(set_name, k, subject, chosen) for k, subject in enumerate(drawn)]
    return sorted(found, key=lambda one: (problem_of(one[2]).dtype != "float32", comes_late(one[0], one[1])))
