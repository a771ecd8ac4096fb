"""From mutants to outcomes: few problems for all; the tests, then more problems, for what is left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from conformance.load import Missing, load
from conformance.mutants.tokens import overlay, pool, tests
from conformance.mutants.tokens.gate import Gate, Outcome, Unsound
from conformance.mutants.tokens.mutant import Mutant


class Listener(Protocol):
    """Told how far a run is."""

    def stage(self, name: str, total: int) -> None:
        """A stage with `total` steps begins."""

    def step(self, left: int) -> None:
        """One step is done; `left` mutants of this stage live so far."""


@dataclass(kw_only=True)
class Plan:
    """What is asked for."""

    adapters: Sequence[str]
    checks: Sequence[str]
    hints: Sequence[tuple[str, str]]
    profiles: Sequence[str]
    """At least one. What lives after one goes on to the next."""
    inherit: Callable[[Mutant], Callable[[], None]]
    """What a child may keep of the unchanged package: asked before the mutant is laid, called after."""
    tests: Sequence[str]
    """Run on what lives after the first profile; none: no tests."""
    before_tests: str
    """Adapter that is loaded once before the tests, for what it imports."""
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
    for stage in stages:
        if any(not outcome.killed for outcome in outcomes):
            stage()
    return outcomes


def _problems(plan: Plan, profile: str, mutants: Sequence[Mutant], outcomes: list[Outcome], listener: Listener) -> None:
    gate = Gate(profile, plan.checks, plan.hints)
    listener.stage(f"{profile} problems, unchanged", len(plan.adapters))
    for _ in gate.prepare(plan.adapters, plan.seed):
        listener.step(len(mutants))
    plan.missing[:] = gate.missing
    if not gate.implementations:
        raise Unsound("no adapter could be loaded: " + "; ".join(gate.missing))
    _stage(plan, f"{profile} problems", mutants, outcomes, listener, gate.judge, gate.confirm)


def _tests(plan: Plan, mutants: Sequence[Mutant], outcomes: list[Outcome], listener: Listener) -> None:
    with contextlib.suppress(Missing):
        load(plan.before_tests)
    _stage(plan, "tests", mutants, outcomes, listener, lambda _: tests.run(plan.tests), lambda _: None)


def _stage(
    plan: Plan,
    name: str,
    mutants: Sequence[Mutant],
    outcomes: list[Outcome],
    listener: Listener,
    judge: Callable[[str], Outcome],
    confirm: Callable[[Outcome], None],
) -> None:
    """Judge what lives, in children."""

    def trial(number: int | None) -> Outcome:
        if number is None:
            return judge("")
        mutant = mutants[number]
        hand_over = plan.inherit(mutant)
        overlay.lay(mutant.module, mutant.change.apply(mutant.source), plan.folder / str(number))
        with contextlib.suppress(Exception):  # the mutant may not even import: the judge will say so
            hand_over()
        return judge(f"{mutant.change.scope} {mutant.change.before}")

    # A child in which nothing was changed: from here on, whatever goes wrong in a child is its mutant's doing.
    ((_, answer),) = pool.in_children(trial, [None], jobs=1, seconds=plan.seconds)
    unchanged = _outcome(answer)
    if unchanged.killed or unchanged.differs:
        raise Unsound(f"the package as it is does not pass: {unchanged.killed or 'another result'} {unchanged.where}")
    living = [k for k, outcome in enumerate(outcomes) if not outcome.killed]
    left = len(living)
    listener.stage(name, left)
    for at, answer in pool.in_children(trial, living, jobs=plan.jobs, seconds=plan.seconds):
        outcome = _outcome(answer)
        confirm(outcome)
        before = outcomes[living[at]]
        outcomes[living[at]] = replace(
            outcome,
            problems=before.problems + outcome.problems,
            differs=before.differs or outcome.differs,
            effect=max(before.effect, outcome.effect),
            ambiguous=before.ambiguous or outcome.ambiguous,
        )
        left -= bool(outcome.killed)
        listener.step(left)


def _outcome(answer: object) -> Outcome:
    if isinstance(answer, pool.Broken):
        return Outcome(killed=f"breaks the process: {answer.traceback.splitlines()[-1][:80]}", kind="end")
    if isinstance(answer, pool.Ended):
        return Outcome(killed=answer.how, kind="end")
    assert isinstance(answer, Outcome)
    return answer
