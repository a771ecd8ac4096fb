"""Laws of what MXNet has by a parameter's index: multipliers, and the count from which t begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Claim, Hyperparameters, Implementation, Problem
from adapters.hyperparameters import MULTIPLIERS
from conformance.findings import Outcome
from conformance.laws.procedures import Steps, ask, ask_bytes, first_waits, reach, started
from conformance.laws.related import agree, each, related, states
from conformance.laws.settings import with_changes

BY_INDEX: frozenset[str] = frozenset({*MULTIPLIERS, "begin_num_update"})
"""What the problems of these laws set, and no drawn problem."""
_ABSENT: dict[str, Any] = {**dict.fromkeys(MULTIPLIERS, ()), "begin_num_update": 0, "lr_scheduler": None}


def multipliers(implementation: Implementation, problem: Problem) -> Outcome:
    """Each parameter moves by its own multiple of the learning rate and decays by its own multiple of l2.

    As the oracle, which gives each parameter its own product; one whose multiplier is 0 stays as it is, up to the sign
    of zero. The place in the list decides, whoever has a gradient. They are saved as every hyper-parameter, and where
    they may change, other multipliers hold from the next step on.
    """
    outcome = agree(implementation, problem, states(implementation, problem))
    add_loaded(outcome, implementation, problem, frozenset(MULTIPLIERS))
    if "change" in implementation.claim.procedures:
        h, n = problem.hyperparameters, len(problem.gradients)
        names = reach(implementation, "change") & {*MULTIPLIERS}
        changed = replace(h, **{name: getattr(h, name)[::-1] for name in names})
        outcome.add(with_changes(implementation, problem, {0: h, n // 3: changed, 2 * n // 3: h}))
    return outcome


def begin(implementation: Implementation, problem: Problem) -> Outcome:
    """t of every parameter begins at begin_num_update: its first gradient is in step begin_num_update + 1 of its own.

    m and v begin at 0 all the same, so that the bias correction of a later step makes the first updates smaller. A
    parameter that comes late begins there too, also where it comes after a load.
    """
    outcome = agree(implementation, problem, states(implementation, problem))
    if "none" in implementation.claim.gradients:
        k = len(problem.gradients) // 2
        late = replace(problem, gradients=first_waits(problem.gradients[:k]) + problem.gradients[k:])
        outcome.add(agree(implementation, late, related(implementation, late)))
        add_loaded(outcome, implementation, late, frozenset({"begin_num_update"}))
    return outcome


def add_loaded(outcome: Outcome, implementation: Implementation, problem: Problem, names: frozenset[str]) -> None:
    """Of `names` what a load brings back, loaded by an object that was built without: the same run, bit for bit."""
    claim = implementation.claim
    lost = names & reach(implementation, "save") if "save" in claim.procedures else frozenset()
    if not lost:
        return
    k = len(problem.gradients) // 2
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    found.take(run, 0, problem.gradients[:k])
    saved = ask_bytes(run, "save")
    wanted = found.take(run, k, problem.gradients[k:])
    h: Hyperparameters = replace(problem.hyperparameters, **{name: _ABSENT[name] for name in lost})
    resumed = ask(implementation, "resume", each(problem.parameters, np.ones_like), h, saved)
    outcome.add(found.same_runs(found.take(resumed, k, problem.gradients[k:]), wanted, first=k))


def has_multipliers(claim: Claim) -> bool:
    """Whether the claim has any."""
    return bool(claim.hyperparameters & {*MULTIPLIERS})


def can_begin_later(claim: Claim) -> bool:
    """Whether t may begin at another number than 0."""
    return "begin_num_update" in claim.hyperparameters
