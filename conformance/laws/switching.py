"""Laws of what is off by default, and is switched on and off between steps or by a load."""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import SCHEDULE_STAYS, Claim, Implementation, Problem
from conformance.findings import Outcome
from conformance.laws.procedures import OFF, Steps, ask, ask_bytes, copies, exact, of_length, reach, started, value
from conformance.laws.settings import with_changes

WARM_UP = frozenset({"total_steps"})
"""What switches one, which has a law of its own."""


def switched_on(implementation: Implementation, problem: Problem) -> Outcome:
    """Decay, clipping and schedules act once they are given, and no longer than they are.

    As `changed`, from off to on and back, and from on to off; and as `load_continues`, for an object that was built
    with them off and loads the state of one that has them on, and the reverse. One of them at a time.
    """
    outcome = Outcome()
    for name in sorted(switches(implementation.claim) - WARM_UP):
        outcome.add(_switched(implementation, problem, name))
    return outcome


def warm_up_switched(implementation: Implementation, problem: Problem) -> Outcome:
    """As `switched_on`, of a warm-up: where it is on the learning rate is that of t, and where it is off unchanged."""
    return _switched(implementation, problem, "total_steps")


def _switched(implementation: Implementation, problem: Problem, name: str) -> Outcome:
    problem = of_length(problem, 4, 4)
    k = 2
    outcome = Outcome()
    off = replace(problem.hyperparameters, **OFF)
    on = replace(off, **{name: value(name, OFF[name])})
    if "change" in implementation.claim.procedures and name in reach(implementation, "change"):
        stays = name == "schedule" and SCHEDULE_STAYS in implementation.claim.not_claimed
        for first, changes in ((off, {k: on}),) if stays else ((off, {1: on, 3: off}), (on, {k: off})):
            outcome.add(with_changes(implementation, replace(problem, hyperparameters=first), {0: first, **changes}))
    if "save" in implementation.claim.procedures and name in reach(implementation, "save"):
        for saved, built in ((on, off), (off, on)):
            found = Steps(implementation, exact(implementation, replace(problem, hyperparameters=saved)))
            run = started(implementation, found.problem)
            found.take(run, 0, problem.gradients[:k])
            resumed = ask(implementation, "resume", copies(problem.parameters), built, ask_bytes(run, "save"))
            wanted = found.take(run, k, problem.gradients[k:])
            outcome.add(found.same_runs(found.take(resumed, k, problem.gradients[k:]), wanted, first=k))
    return outcome


def switches(claim: Claim) -> frozenset[str]:
    """What can be switched by a procedure that is claimed."""
    reached = [claim.procedures[name].hyperparameters for name in ("change", "save") if name in claim.procedures]
    return frozenset(OFF) & frozenset[str]().union(*reached)


def can_switch(claim: Claim) -> bool:
    """Whether there is anything to switch, beside a warm-up."""
    return bool(switches(claim) - WARM_UP)


def can_switch_warm_up(claim: Claim) -> bool:
    """Whether a warm-up can be switched."""
    return bool(switches(claim) & WARM_UP)
