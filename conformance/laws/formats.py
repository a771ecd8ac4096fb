"""Laws of low formats: where hyper-parameters, step counts and epsilon end when parameters are of few digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adapters.contract import Implementation, Problem
from conformance import oracle
from conformance.findings import Finding, Outcome
from conformance.formats import rounded
from conformance.laws.related import Comparison, agree, not_held, on_values, related, states, with_gradients
from conformance.laws.saved import load_continues

USUAL_EPSILON = 1e-8
"""The default of most frameworks; float16 has nothing between 0 and 6e-8."""


def agreement(implementation: Implementation, problem: Problem) -> Outcome:
    """bfloat16 and float16 parameters follow the oracle, within the bound of the declared arithmetic.

    The unit of the bound is the storage's where results are stored, so that the steps by themselves tell more than
    the free run. What the format has no room for is left out: epsilon is above its smallest normal number.
    """
    return agree(implementation, problem, states(implementation, problem))


def many_steps(implementation: Implementation, problem: Problem) -> Outcome:
    """t counts on where the parameters' format cannot: 256 + 1 is 256 in bfloat16, 2048 + 1 is 2048 in float16.

    1 - beta_2^t of a t that stays shows in the step from the observed state, by 29 % and 6 %, with beta_2 so near to 1
    that the correction still matters. The steps before and after every power of two are compared, and the last.
    """
    refused = not_held(implementation, problem)
    if refused is not None:
        return refused
    found = Comparison(problem)
    run = states(implementation, problem)
    counts = oracle.step_counts(implementation.claim.dialect, problem)
    last = len(run)
    watched = {1, last, *(2**k + d for k in range(1, 20) for d in (-1, 0, 1, 2) if 2**k + d < last)}
    for k, (state, wanted) in enumerate(zip(run, counts, strict=False)):
        for i, t in enumerate(wanted):
            found.equal(k + 1, i, "t", np.asarray(state.t[i]), t)
    for number in sorted(watched) if run else ():
        step = oracle.single(
            implementation.claim.dialect, implementation.arithmetic(problem.dtype), problem, run, number
        )
        for i in range(len(problem.parameters)):
            for name, obtained, value, bound in step.from_observed(i):
                found.within(number, i, name, obtained, value, bound)
    return found.outcome


def master_copy(implementation: Implementation, problem: Problem) -> Outcome:
    """A parameter is its float32 master copy rounded to the nearest, bit for bit; the copy moves as the oracle does.

    The gradient is converted exactly before anything is done with it, m and v are of float32, and nothing that a
    parameter has no digits for is lost in a step, nor by a load: the next one goes on from the copy.
    """
    run = states(implementation, problem)
    outcome = agree(implementation, problem, run)
    found = Comparison(problem)
    for k, state in enumerate(run):
        if state.weights is None:
            outcome.findings.append(Finding(message=f"step {k + 1}: weights is None; accepted: the parameters"))
            return outcome
        for i, master in enumerate(state.parameters):
            with np.errstate(over="ignore"):
                found.equal(k + 1, i, "weights", state.weights[i], rounded(master, problem.dtype))
    outcome.add(found.outcome)
    if "save" in implementation.claim.procedures:
        outcome.add(load_continues(implementation, problem))
    return outcome


def epsilon_survives(implementation: Implementation, problem: Problem) -> Outcome:
    """With the usual epsilon of 1e-8 a gradient of 0 moves nothing: 0 / (sqrt(0) + epsilon) is 0, not 0 / 0.

    For epsilon above 0, however small. Where it is rounded to the parameters' format, or sqrt(v) + epsilon is, float16
    makes it 0 and every parameter without a gradient NaN. Decay is off.
    """
    h = replace(problem.hyperparameters, epsilon=USUAL_EPSILON, l2=0.0, weight_decay=0.0)
    zeros = replace(with_gradients(problem, on_values(np.zeros_like)), hyperparameters=h)
    found = Comparison(zeros)
    for k, state in enumerate(related(implementation, zeros)):
        for i, theta in enumerate(problem.parameters):
            found.equal(k + 1, i, "parameters", state.parameters[i], theta)
            found.equal(k + 1, i, "m", state.m[i], 0.0)
            found.equal(k + 1, i, "v", state.v[i], 0.0)
    return found.outcome
