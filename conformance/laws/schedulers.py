"""The law of MXNet's lr_scheduler."""

from __future__ import annotations

from adapters.contract import Claim, Implementation, Problem
from conformance.findings import Outcome
from conformance.laws.indices import add_loaded
from conformance.laws.related import agree, states


def lr_schedulers(implementation: Implementation, problem: Problem) -> Outcome:
    """A scheduler gives each parameter the learning rate of num_update, as the oracle; a load brings it back.

    num_update is the largest count of any parameter when this one's turn comes, so that the order of the list matters:
    a parameter that lags behind and stands before the others has the rate of their last step. What multiplies its
    learning rate multiplies what the scheduler gives. A scheduler that is loaded goes on where it was, bit for bit,
    also in an object that was built without.
    """
    outcome = agree(implementation, problem, states(implementation, problem))
    add_loaded(outcome, implementation, problem, frozenset({"lr_scheduler"}))
    return outcome


def has_scheduler(claim: Claim) -> bool:
    """Whether the claim has one."""
    return "lr_scheduler" in claim.hyperparameters
