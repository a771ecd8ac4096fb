"""A law of long training: what is loaded with a large step count goes on from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Implementation, Problem, State
from conformance import oracle
from conformance.findings import Outcome
from conformance.formats import rounded
from conformance.laws.procedures import Steps, ask, ask_bytes, started
from conformance.laws.related import each, not_held
from conformance.observe import guarded, told

FAR = 100_000
"""Steps behind the loaded state: above what int8, int16 and uint16 can count, and above all numbers of float16."""


def large_count(implementation: Implementation, problem: Problem) -> Outcome:
    """From a state of 100 000 steps on, saved and loaded by the framework's own procedure, every step is the dialect's.

    1 - beta_2^t is read with beta_2 = 1 - 2^-17, where it is 0.53 and still grows: a count that has wrapped around, has
    been rounded to a narrow format or begins anew shows in the update, as a product of beta_2 does that a load does not
    bring back. t is compared, every step from the observed state, and the free run from the loaded one, within the
    bounds of the declared arithmetic. t is one more for every parameter where each has its own, so that no two
    can stand for each other. Without "save" the state is put in its place and training goes on.
    """
    refused = not_held(implementation, problem)
    if refused is not None:
        return refused
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    found.take(run, 0, problem.gradients[:1])  # what the first gradient creates is there
    start = far_state(problem, together=oracle.one_count(implementation.claim.dialect))
    ask(run, "put", start)
    if "save" in implementation.claim.procedures:
        resuming: Any = implementation
        other, saved = each(problem.parameters, np.ones_like), ask_bytes(run, "save")
        run = guarded(told(resuming.resume, problem), other, replace(problem.hyperparameters), saved)
    rest = replace(problem, gradients=problem.gradients[1:])
    observed = found.take_of(rest, run, 0, rest.gradients)
    counts = oracle.step_counts(implementation.claim.dialect, rest, start)
    for k, (state, wanted) in enumerate(zip(observed, counts, strict=True)):
        for i, t in enumerate(wanted):
            found.equal(k + 1, i, "t", np.asarray(state.t[i]), t)
    return found.as_walk(rest, observed, start=start)


def far_state(problem: Problem, *, together: bool) -> State:
    """A state that `FAR` steps may have left: m and slow weights of the size of theta, v of its square and above 0."""

    def numbers(change: Callable[[Array], Array]) -> tuple[Array, ...]:
        return each(problem.parameters, lambda theta: rounded(change(theta.astype(np.float64)), problem.dtype))

    v = numbers(lambda theta: theta * theta / 8 + 2.0**-6)
    return State(
        parameters=problem.parameters,
        m=numbers(lambda theta: theta / 4),
        v=v,
        v_max=each(v, lambda array: 2 * array) if problem.hyperparameters.amsgrad else None,
        slow=numbers(lambda theta: theta * 3 / 4) if problem.hyperparameters.sync_period is not None else None,
        average=numbers(lambda theta: theta * 3 / 4) if problem.hyperparameters.ema_momentum is not None else None,
        t=tuple(FAR if together else FAR + i for i in range(len(problem.parameters))),
    )
