"""Laws of what acts beside the step: the average of the parameters, exceptions from decay, constraints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adapters.contract import Claim, Implementation, Problem, State
from conformance.findings import Outcome
from conformance.laws.procedures import Steps, ask, started
from conformance.laws.related import agree, quantities, states
from conformance.observe import checked


def averages(implementation: Implementation, problem: Problem) -> Outcome:
    """The average of the parameters, and theta where it is written over them, are the oracle's, within the bound.

    average <- ema_momentum average + (1 - ema_momentum) theta, of theta as the step leaves it, before a constraint.
    Where it begins, and what becomes of a parameter that has no gradient in a step, is the dialect's.
    """
    return agree(implementation, problem, states(implementation, problem))


def exclusions(implementation: Implementation, problem: Problem) -> Outcome:
    """Decay leaves the parameters alone that are excluded from it, and no other: theta is the oracle's."""
    return agree(implementation, problem, states(implementation, problem))


def constraints(implementation: Implementation, problem: Problem) -> Outcome:
    """theta at the end of a step is what the constraint makes of it, the average and slow weights are of theta before.

    A parameter without gradient is not constrained in that step: it may be what an average has made of it.
    """
    return agree(implementation, problem, states(implementation, problem))


def finalized(implementation: Implementation, problem: Problem) -> Outcome:
    """After the last step theta becomes the average, bit for bit, and nothing else changes; without an average nothing.

    It is an assignment: no operation rounds.
    """
    outcome = Outcome()
    for momentum in (problem.hyperparameters.ema_momentum, None):
        h = replace(problem.hyperparameters, ema_momentum=momentum)
        found = Steps(implementation, replace(problem, hyperparameters=h))
        run = started(implementation, found.problem)
        taken = found.take(run, 0, problem.gradients)
        if taken:
            last = len(taken)
            now = checked(implementation, ask(run, "finalize"), found.problem, last - 1)
            was = at_the_end(taken[-1], momentum is not None)
            for i in range(len(problem.parameters)):
                found.equal(last, i, "t", np.asarray(now.t[i]), was.t[i])
                for (name, obtained), (_, wanted) in zip(quantities(now, i), quantities(was, i), strict=True):
                    found.equal(last, i, name, obtained, wanted)
        outcome.add(found.outcome)
    return outcome


def at_the_end(last: State, averaged: bool) -> State:
    """What the last state becomes."""
    return replace(last, parameters=last.average or ()) if averaged else last


def has_average(claim: Claim) -> bool:
    """Whether there is an average to be asked for."""
    return "ema_momentum" in claim.hyperparameters


def excludes(claim: Claim) -> bool:
    """Whether parameters can be excluded from decay."""
    return "exclude_from_weight_decay" in claim.hyperparameters


def constrains(claim: Claim) -> bool:
    """Whether parameters can be constrained."""
    return "constraint" in claim.hyperparameters
