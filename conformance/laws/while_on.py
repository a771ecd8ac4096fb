"""Laws of save, load and change while that is on which no drawn problem has: schedules, warm-up, clips, an average."""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import RATE_OF_ANOTHER_KIND, Claim, Implementation, Problem
from conformance.findings import Outcome
from conformance.laws.procedures import OFF, other, reach
from conformance.laws.saved import load_continues, load_keeps_its_word, mixture

SETTINGS: frozenset[str] = (frozenset(OFF) | {"ema_momentum"}) - {"l2", "weight_decay", "clip_gradient"}
"""What the problems of these laws set."""


def saved(implementation: Implementation, problem: Problem) -> Outcome:
    """As `load_continues` and `load_keeps_its_word`, while a schedule, a warm-up, decay, clipping or an average is on.

    And of an object that was built without those of them that no load brings back, which loads the state of one
    that has them, and the reverse. A rate of which there is a schedule is no number that a load could bring back.
    """
    outcome = load_continues(implementation, problem)
    outcome.add(load_keeps_its_word(implementation, problem))
    claim, h = implementation.claim, problem.hyperparameters
    apart = {name for name in SETTINGS & OFF.keys() if getattr(h, name) != OFF[name]} - reach(implementation, "save")
    if RATE_OF_ANOTHER_KIND in claim.not_claimed:
        apart -= {"schedule"}
    if apart:
        without = replace(h, **{name: OFF[name] for name in apart})
        for before, new in ((h, without), (without, h)):
            given = replace(problem, hyperparameters=before)
            outcome.add(mixture(implementation, given, other(new, claim.hyperparameters - {"amsgrad"})))
    return outcome


def can_be_saved(claim: Claim) -> bool:
    """Whether there is any of it, and it can be saved."""
    return "save" in claim.procedures and bool(SETTINGS & claim.hyperparameters)


def can_be_changed(claim: Claim) -> bool:
    """Whether there is any of it, and hyper-parameters can be changed beside it."""
    return "change" in claim.procedures and bool(SETTINGS & claim.hyperparameters)
