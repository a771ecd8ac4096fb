"""A law of long training: what is loaded with a large step count goes on from it."""

from __future__ import annotations

import zlib
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
OCTAVES = range(6, 24)
"""Of step counts from those of drawn problems to 2^24, where a float32 count stops."""


def large_count(implementation: Implementation, problem: Problem) -> Outcome:
    """From a state of 100 000 steps on, saved and loaded by the framework's own procedure, every step is the dialect's.

    1 - beta^t is read with beta_1 = 1 - 2^-18 and beta_2 = 1 - 2^-17, where it is 0.32 and 0.53 and still grows: a
    count that has wrapped around, has been rounded to a narrow format or begins anew shows in the update, as a product
    of betas does that a load does not bring back, and a correction that ends somewhere. t is compared, every step from
    the observed state, and the free run from the loaded one, within the bounds of the declared arithmetic. t is one
    more for every parameter where each has its own, so that no two can stand for each other. Without "save" the state
    is put in its place and training goes on. So it is with a count in every octave up to 2^24, one step from each, at
    places that the problem's numbers say: what begins or ends somewhere in a long run is seen at the counts behind it.
    """
    refused = not_held(implementation, problem)
    if refused is not None:
        return refused
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    found.take(run, 0, problem.gradients[:1])  # what the first gradient creates is there
    together = oracle.one_count(implementation.claim.dialect)
    start = far_state(problem, FAR, together=together)
    ask(run, "put", start)
    taken = 1
    if "save" in implementation.claim.procedures:
        resuming: Any = implementation
        other, saved = each(problem.parameters, np.ones_like), ask_bytes(run, "save")
        run = guarded(told(resuming.resume, problem), other, replace(problem.hyperparameters), saved)
        taken = 0
    rest, one = (replace(problem, gradients=problem.gradients[1:until]) for until in (None, 2))
    outcome = _goes_on(implementation, rest, run, taken, start)
    taken += len(rest.gradients)
    products = "momentum_decay" in implementation.claim.hyperparameters  # of as many momenta as there were steps
    for steps in _in_octaves(problem):
        if products and steps > FAR:
            break
        start = far_state(problem, steps, together=together)
        ask(run, "put", start)
        outcome.add(_goes_on(implementation, one, run, taken, start))
        taken += 1
    return outcome


def _goes_on(implementation: Implementation, problem: Problem, run: Any, taken: int, start: State) -> Outcome:
    """What a run that has taken so many steps does from a state on, beside the reference."""
    found = Steps(implementation, problem)
    observed = found.take(run, taken, problem.gradients)
    counts = oracle.step_counts(implementation.claim.dialect, problem, start)
    for k, (state, wanted) in enumerate(zip(observed, counts, strict=True)):
        for i, t in enumerate(wanted):
            found.equal(taken + k + 1, i, "t", np.asarray(state.t[i]), t)
    outcome = found.as_walk(problem, observed, start=start, first=taken)
    told = [replace(f, message=f"a state of {start.t[0]} steps is put; {f.message}") for f in outcome.findings]
    outcome.findings = told
    return outcome


def _in_octaves(problem: Problem) -> list[int]:
    """A count in each of `OCTAVES`; any is as likely as another within the octave, and another problem has others."""
    random = np.random.Generator(np.random.Philox(zlib.crc32(problem.parameters[0].tobytes())))
    return [int(2**k * (1 + random.random())) for k in OCTAVES]


def far_state(problem: Problem, steps: int, *, together: bool) -> State:
    """A state that so many steps may have left: m and slow weights of the size of theta, v of its square, above 0."""

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
        t=tuple(steps if together else steps + i for i in range(len(problem.parameters))),
    )
