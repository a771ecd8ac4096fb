"""Laws of save and load, by the framework's own full procedure, which the claim names: training goes on as ever."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adapters.contract import STATE_STAYS, Claim, Hyperparameters, Implementation, Problem, State
from conformance.findings import Outcome
from conformance.laws.procedures import (
    Steps,
    after_default,
    ask,
    ask_bytes,
    brought_back,
    changeable,
    copies,
    exact,
    first_waits,
    of_length,
    other,
    quieter_from,
    started,
)
from conformance.laws.related import each, related

AFTER_LOAD = "hyper-parameters changed between a load and the next step"
"""Not claimed where the next step reads what the load brings back."""


def load_continues(implementation: Implementation, problem: Problem) -> Outcome:
    """Saved in the middle and loaded into another object, the trajectory goes on bit for bit; so does the saved run.

    theta, m, v, v_max, slow weights and t are all that a step reads beside hyper-parameters and gradients, so that
    equal state gives equal bits. The new object is built over other parameters, and with others of the hyper-parameters
    that a load brings back. Gradients are smaller afterwards, so that a maximum that is lost shows.
    """
    return _continues(implementation, exact(implementation, problem))


def momenta_continue(implementation: Implementation, problem: Problem) -> Outcome:
    """As `load_continues`, where a product of momenta is carried as state, in whatever precision.

    mu_1 mu_2 ... mu_t is read by the next step as t is, and cast to a narrower format it is another number.
    """
    return _continues(implementation, problem)


def _continues(implementation: Implementation, problem: Problem) -> Outcome:
    problem, k = _halved(problem)
    found = Steps(implementation, problem)
    h = problem.hyperparameters
    h = other(h, brought_back(implementation, h, h))
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
    problem = exact(implementation, problem)
    k = len(problem.gradients) - 2
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    found.take(run, 0, problem.gradients[:k])
    saved = ask_bytes(run, "save")
    uninterrupted = found.take(run, k, problem.gradients[k:])
    resumed = ask(implementation, "resume", copies(problem.parameters), replace(problem.hyperparameters), saved)
    return found.same_runs(found.take(resumed, k, problem.gradients[k:]), uninterrupted, first=k)


def load_keeps_its_word(implementation: Implementation, problem: Problem) -> Outcome:
    """After a load the hyper-parameters that it brings back are the saved ones, and all others the new object's.

    The new object is built with other values of all of them, so that the trajectory is the reference's with that
    mixture from the load on. Compared within the bounds of a step from the observed state and of the free-running
    trajectory. AMSGrad is on where it is claimed.
    """
    claim = implementation.claim
    h = replace(problem.hyperparameters, amsgrad="amsgrad" in claim.hyperparameters)
    return mixture(implementation, replace(problem, hyperparameters=h), other(h, claim.hyperparameters - {"amsgrad"}))


def mixture(implementation: Implementation, problem: Problem, new: Hyperparameters) -> Outcome:
    """As `load_keeps_its_word`, of an object that was built with `new`."""
    problem, k = _halved(problem)
    h = problem.hyperparameters
    found = Steps(implementation, problem)
    mixed = replace(new, **{name: getattr(h, name) for name in brought_back(implementation, h, new)})
    run = started(implementation, problem)
    before = found.take(run, 0, problem.gradients[:k])
    resumed = ask(implementation, "resume", copies(problem.parameters), new, ask_bytes(run, "save"))
    after = found.take(resumed, k, problem.gradients[k:])
    return found.as_reference((*before, *after), (h,) * k + (mixed,) * len(after))


def late_parameter_continues(implementation: Implementation, problem: Problem) -> Outcome:
    """As `load_continues`, where the first parameter has had no gradient yet when the others are saved.

    What is saved of the others is theirs after the load as well, though the first one may have no state to save: it
    begins with m = v = 0 and with the dialect's t. Where nobody else has a gradient in a step, it keeps its own.
    """
    problem = of_length(problem, 4)
    k = len(problem.gradients) // 2
    waiting = first_waits(problem.gradients[:k])
    return load_continues(implementation, replace(problem, gradients=waiting + problem.gradients[k:]))


def rewound(implementation: Implementation, problem: Problem) -> Outcome:
    """Loaded into the object itself, which has stepped on and been changed since, steps are those of the first time.

    A load replaces parameters, state and the hyper-parameters that it brings back, so that the same gradients give the
    same bits again. They are larger behind the save, so that a maximum that stays shows. Every parameter that ever has
    a gradient has one in the first step.
    """
    problem, k = _louder(problem)
    h = replace(problem.hyperparameters, amsgrad="amsgrad" in implementation.claim.hyperparameters)
    first = tuple(next((g for g in of_one if g is not None), None) for of_one in zip(*problem.gradients, strict=True))
    gradients = (first, *problem.gradients[1:])
    return _rewound(implementation, replace(problem, hyperparameters=h, gradients=gradients), (k,))


def rewound_to_start(implementation: Implementation, problem: Problem) -> Outcome:
    """As `rewound`, of an object whose first parameter had not stepped when it was saved, and of one of which none had.

    There is no state then, or none of that parameter's, and t = 0. What came later is nothing that was saved, and so
    it is gone after the load: m = v = 0 and t = 0 again.
    """
    problem, k = _louder(problem)
    if "none" in implementation.claim.gradients:
        problem = replace(problem, gradients=first_waits(problem.gradients[:k]) + problem.gradients[k:])
    return _rewound(implementation, problem, (k, 0))


def _rewound(implementation: Implementation, problem: Problem, places: tuple[int, ...]) -> Outcome:
    """Saved after each of so many steps, and loaded from each in turn."""
    problem = after_default(implementation, exact(implementation, problem))
    found = Steps(implementation, problem)
    h = problem.hyperparameters
    run = started(implementation, problem)
    saved: dict[int, bytes] = {}
    once: list[State] = []
    for k, gradients in enumerate(problem.gradients):
        if k in places:
            saved[k] = ask_bytes(run, "save")
        once += found.take(run, k, [gradients])
    for k in places:
        if "change" in implementation.claim.procedures:
            ask(run, "change", other(h, brought_back(implementation, h, h) & changeable(implementation, problem)))
        ask(run, "load", saved[k])
        found.same_runs(found.take(run, k, problem.gradients[k:]), once[k:], first=k)
    return found.outcome


def changed_after_load(implementation: Implementation, problem: Problem) -> Outcome:
    """Hyper-parameters that are changed between a load and the next step hold from that step on.

    A load sets them, a change sets them again, and a step reads them as they are then: neither the loaded ones come
    back nor those that the new object was built with, which are the same here. As `settings.changed`, with the load in
    the middle: the trajectory is the reference's with the changed ones from there on.
    """
    problem, k = _halved(after_default(implementation, problem))
    h = problem.hyperparameters
    new = other(h, changeable(implementation, problem))
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    before = found.take(run, 0, problem.gradients[:k])
    resumed = ask(implementation, "resume", each(problem.parameters, np.ones_like), replace(h), ask_bytes(run, "save"))
    ask(resumed, "change", replace(new))
    after = found.take(resumed, k, problem.gradients[k:])
    return found.as_reference((*before, *after), (h,) * k + (new,) * len(after))


def can_change_after_load(claim: Claim) -> bool:
    """Whether there are both, and nothing is said against one after the other."""
    return {"save", "change"} <= claim.procedures.keys() and AFTER_LOAD not in claim.not_claimed


def can_rewind_to_start(claim: Claim) -> bool:
    """Whether it can, and nothing is said against a load of no state."""
    return "rewind" in claim.procedures and STATE_STAYS not in claim.not_claimed


def _halved(problem: Problem) -> tuple[Problem, int]:
    """The problem with at least four steps, and after how many it is saved; gradients are quieter from there on."""
    problem = of_length(problem, 4)
    k = len(problem.gradients) // 2
    return quieter_from(problem, k), k


def _louder(problem: Problem) -> tuple[Problem, int]:
    """As `_halved`, with gradients that are larger from there on."""
    problem, k = _halved(problem)
    return replace(problem, gradients=problem.gradients[::-1]), len(problem.gradients) - k
