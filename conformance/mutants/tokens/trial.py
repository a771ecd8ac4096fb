"""From mutants to outcomes: problems, the tests and more problems for what is left, a search for what remains."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from conformance.load import Missing, load
from conformance.mutants.tokens import overlay, pool, tests
from conformance.mutants.tokens.aim import Aim
from conformance.mutants.tokens.gate import Gate, Outcome, Unsound
from conformance.mutants.tokens.mutant import Mutant
from conformance.mutants.tokens.search import Effect

CONTROL_SECONDS = 900.0
"""For one implementation under every check on every problem."""


class Listener(Protocol):
    """Told how far a run is."""

    def stage(self, name: str, total: int) -> None:
        """A stage with `total` steps begins."""

    def step(self, left: int) -> None:
        """One step is done; `left` mutants of this stage live so far."""

    def found(self, number: int, outcome: Outcome) -> None:
        """What is known of the mutant of that number by now."""


@dataclass(kw_only=True)
class Plan:
    """What is asked for."""

    aim: Aim
    adapters: Sequence[str]
    """Some or all of the aim's."""
    checks: Sequence[str]
    profiles: Sequence[str]
    """At least one. What lives after one goes on to the next."""
    tests: Sequence[str]
    """Run on what lives after the first profile; none: no tests."""
    seed: int
    jobs: int
    seconds: float
    folder: Path
    """For the changed modules and their compiled code."""
    missing: list[str] = field(default_factory=list)
    """Filled with the adapters that could not be had for want of a package."""


def run(plan: Plan, mutants: Sequence[Mutant], listener: Listener) -> list[Outcome]:
    """The outcome of every mutant, in their order.

    Raises `Unsound` if the unchanged package is rejected, and `CannotTest` if an adapter cannot be had.
    """
    outcomes = [Outcome() for _ in mutants]
    first, *others = plan.profiles
    stages: list[Callable[[], None]] = [partial(_problems, plan, first, mutants, outcomes, listener)]
    if plan.tests:  # before the many problems, because they are quick to reject
        stages.append(partial(_tests, plan, mutants, outcomes, listener))
    stages += [partial(_problems, plan, profile, mutants, outcomes, listener) for profile in others]
    if plan.aim.search is not None:
        stages.append(partial(_search, plan, plan.aim.search, mutants, outcomes, listener))
    for stage in stages:
        if any(not outcome.killed for outcome in outcomes):
            stage()
    return outcomes


def _problems(plan: Plan, profile: str, mutants: Sequence[Mutant], outcomes: list[Outcome], listener: Listener) -> None:
    gate = Gate(profile, plan.checks, plan.aim.hints, load=plan.aim.load, patience=plan.aim.patience)
    listener.stage(f"{profile} problems, unchanged", len(plan.adapters))
    for _ in gate.prepare(plan.adapters, plan.seed):
        listener.step(len(mutants))
    plan.missing[:] = gate.missing
    if not gate.implementations:
        raise Unsound("no adapter could be loaded: " + "; ".join(gate.missing))
    if plan.aim.controlled:
        _control(plan, gate, listener)

    def judge(mutant: Mutant | None) -> Outcome:
        if mutant is None:
            return gate.judge("", plan.adapters)
        return gate.judge(f"{mutant.change.scope} {mutant.change.before}", plan.aim.reached(mutant, plan.adapters))

    _stage(plan, f"{profile} problems", mutants, outcomes, listener, judge, gate.confirm)


def _control(plan: Plan, gate: Gate, listener: Listener) -> None:
    """Every implementation as it is, under every check on every problem."""
    names = list(gate.implementations)
    listener.stage("unchanged, every check", len(names))
    with pool.in_children(gate.unchanged, names, jobs=plan.jobs, seconds=CONTROL_SECONDS) as answers:
        for at, answer in answers:
            if (outcome := outcome_of(answer)).killed:
                raise Unsound(f"{names[at]} as it is fails: {outcome.killed}, {outcome.where}")
            listener.step(len(names))


def _search(
    plan: Plan,
    search: Callable[[Sequence[str], int], Effect],
    mutants: Sequence[Mutant],
    outcomes: list[Outcome],
    listener: Listener,
) -> None:
    """The largest effect of what lives."""

    def judge(mutant: Mutant | None) -> Outcome:
        reached = plan.adapters if mutant is None else plan.aim.reached(mutant, plan.adapters)
        effect = search(reached, plan.seed)
        return Outcome(differs=effect.differs, found=effect.fraction, found_where=effect.where)

    _stage(plan, "search for the largest effect", mutants, outcomes, listener, judge, lambda _: None)


def _tests(plan: Plan, mutants: Sequence[Mutant], outcomes: list[Outcome], listener: Listener) -> None:
    with contextlib.suppress(Missing):
        load(plan.aim.before_tests)
    _stage(plan, "tests", mutants, outcomes, listener, lambda _: tests.run(plan.tests), lambda _: None)


def _stage(
    plan: Plan,
    name: str,
    mutants: Sequence[Mutant],
    outcomes: list[Outcome],
    listener: Listener,
    judge: Callable[[Mutant | None], Outcome],
    confirm: Callable[[Outcome], None],
) -> None:
    """Judge what lives, in children."""

    def trial(number: int | None) -> Outcome:
        if number is None:
            return judge(None)
        mutant = mutants[number]
        hand_over = plan.aim.inherit(mutant)
        overlay.lay(mutant.module, mutant.change.apply(mutant.source), plan.folder / str(number))
        with contextlib.suppress(Exception):  # the mutant may not even import: the judge will say so
            hand_over()
        return judge(mutant)

    # A child in which nothing was changed: from here on, whatever goes wrong in a child is its mutant's doing.
    with pool.in_children(trial, [None], jobs=1, seconds=plan.seconds) as answers:
        ((_, answer),) = answers
    unchanged = outcome_of(answer)
    if unchanged.killed or unchanged.differs:
        raise Unsound(f"the package as it is does not pass: {unchanged.killed or 'another result'} {unchanged.where}")
    living = [k for k, outcome in enumerate(outcomes) if not outcome.killed]
    left = len(living)
    listener.stage(name, left)
    with pool.in_children(trial, living, jobs=plan.jobs, seconds=plan.seconds) as answers:
        for at, answer in answers:
            outcome = outcome_of(answer)
            confirm(outcome)
            before = outcomes[living[at]]
            outcomes[living[at]] = replace(
                outcome,
                problems=before.problems + outcome.problems,
                differs=before.differs or outcome.differs,
                effect=max(before.effect, outcome.effect),
                ambiguous=before.ambiguous or outcome.ambiguous,
            )
            listener.found(living[at], outcomes[living[at]])
            left -= bool(outcome.killed)
            listener.step(left)


def outcome_of(answer: object) -> Outcome:
    """What a child answered, or how it ended."""
    if isinstance(answer, pool.Broken):
        return Outcome(killed=f"breaks the process: {answer.traceback.splitlines()[-1][:80]}", kind="end")
    if isinstance(answer, pool.Ended):
        return Outcome(killed=answer.how, kind="end")
    assert isinstance(answer, Outcome)
    return answer
