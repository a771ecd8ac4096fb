"""Laws of what changes from step to step: the learning rate and weight decay."""

from __future__ import annotations

from adapters.contract import Claim, Implementation, Problem
from conformance.findings import Outcome
from conformance.laws.related import agree, states

CHANGING: frozenset[str] = frozenset({"schedule", "weight_decay_schedule", "total_steps"})
"""What the problems of `schedules` set, and no drawn problem."""


def schedules(implementation: Implementation, problem: Problem) -> Outcome:
    """Schedules of the learning rate and of weight decay, and warm-up, give what the oracle does, within the bound.

    In step t a schedule is asked for its value after t - 1 steps, those without a gradient of this parameter included;
    then comes decay, which counts likewise, and then warm-up, which counts from 1.
    """
    return agree(implementation, problem, states(implementation, problem))


def change(claim: Claim) -> bool:
    """Whether the claim has any of it."""
    return bool(CHANGING & claim.hyperparameters)
