"""Laws of save and load, by the framework's own full procedure, which the claim names: training goes on as ever."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adapters.contract import Implementation, Problem
from conformance.findings import Outcome
from conformance.laws.procedures import (
    Steps,
    ask,
    ask_bytes,
    copies,
    of_length,
    other,
    quieter_from,
    reach,
    started,
)
from conformance.laws.related import each, related


def load_continues(implementation: Implementation, problem: Problem) -> Outcome:
    """Saved in the middle and loaded into another object, the trajectory goes on bit for bit; so does the saved run.

    theta, m, v, v_max, slow weights and t are all that a step reads beside hyper-parameters and gradients, so that
    equal state gives equal bits. The new object is built over other parameters, and with others of the hyper-parameters
    that a load brings back. Gradients are smaller afterwards, so that a maximum that is lost shows.
    """
    problem = of_length(problem, 4)
    k = len(problem.gradients) // 2
    problem = quieter_from(problem, k)
    found = Steps(implementation, problem)
    h = other(problem.hyperparameters, reach(implementation, "save"))
    uninterrupted = related(implementation, problem)
    run = started(implementation, problem)
    before = found.take(run, 0, problem.gradients[:k])
    saved = ask_bytes(run, "save")
    found.same_runs((*before, *found.take(run, k, problem.gradients[k:])), uninterrupted)
    resumed = ask(implementation, "resume", each(problem.parameters, np.ones_like), h, saved)
    return found.same_runs(found.take(resumed, k, problem.gradients[k:]), uninterrupted[k:], first=k)


def late_load_continues(implementation: Implementation, problem: Problem) -> Outcome:
    """As `load_continues`, after so many steps that a narrow format has no next step count.

    Whole numbers are exact up to 2^8 in bfloat16 and up to 2^11 in float16, and t + 1 = t from there on: a count that
    is cast to the parameters' dtype when it is loaded sticks, and with it 1 - beta^t. The problem has that many steps.
    """
    k = len(problem.gradients) - 2
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    found.take(run, 0, problem.gradients[:k])
    saved = ask_bytes(run, "save")
    uninterrupted = found.take(run, k, problem.gradients[k:])
    resumed = ask(implementation, "resume", copies(problem.parameters), problem.hyperparameters, saved)
    return found.same_runs(found.take(resumed, k, problem.gradients[k:]), uninterrupted, first=k)


def load_keeps_its_word(implementation: Implementation, problem: Problem) -> Outcome:
    """After a load the hyper-parameters that it brings back are the saved ones, and all others the new object's.

    The new object is built with other values of all of them, so that the trajectory is the reference's with that
    mixture from the load on. Compared within the bounds of a step from the observed state and of the free-running
    trajectory. AMSGrad is on where it is claimed.
    """
    claim = implementation.claim
    h = replace(problem.hyperparameters, amsgrad="amsgrad" in claim.hyperparameters)
    problem = of_length(replace(problem, hyperparameters=h), 4)
    k = len(problem.gradients) // 2
    problem = quieter_from(problem, k)
    found = Steps(implementation, problem)
    new = other(h, claim.hyperparameters - {"amsgrad"})
    mixed = replace(new, **{name: getattr(h, name) for name in reach(implementation, "save")})
    run = started(implementation, problem)
    before = found.take(run, 0, problem.gradients[:k])
    resumed = ask(implementation, "resume", copies(problem.parameters), new, ask_bytes(run, "save"))
    after = found.take(resumed, k, problem.gradients[k:])
    return found.as_reference((*before, *after), (h,) * k + (mixed,) * len(after))
