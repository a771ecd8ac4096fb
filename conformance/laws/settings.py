"""Laws of hyper-parameters: a configuration holds them all, a change holds from the next step on, the caller's stay."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from adapters.contract import Claim, Hyperparameters, Implementation, Problem, State
from conformance.findings import Finding, Outcome
from conformance.laws.procedures import (
    OTHERS,
    Steps,
    after_default,
    ask,
    ask_bytes,
    changeable,
    copies,
    of_length,
    other,
    reach,
    started,
    value,
)
from conformance.laws.related import agree, on_values, related, states, with_gradients

_OF_A_PRODUCT = (
    "nothing where the betas stay as they are: whoever carries beta^t as a product from step to step"
    """ declares it, by --arithmetic '{"power_form": "product"}'"""
)


def configuration(implementation: Implementation, problem: Problem) -> Outcome:
    """An optimizer made from another's configuration alone has every one of its hyper-parameters.

    With equal hyper-parameters, parameters and gradients two new optimizers give equal bits. Every hyper-parameter
    that is claimed has another value than its default, and gradients are of the order of 1, so that each shows. The
    configuration is taken in the middle of a run, after a change where there is one, which it then holds.
    """
    problem = replace(of_length(problem, 8), hyperparameters=_everything(implementation.claim, problem))
    problem = with_gradients(problem, on_values(lambda g: np.asarray(np.frexp(g)[0])))
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    found.take(run, 0, problem.gradients[:2])
    h = problem.hyperparameters
    if "change" in implementation.claim.procedures:
        h = other(h, reach(implementation, "change"))
        ask(run, "change", h)
    made = ask(implementation, "configured", copies(problem.parameters), ask_bytes(run, "configuration"))
    expected = related(implementation, replace(problem, hyperparameters=h))
    return found.same_runs(found.take(made, 0, problem.gradients), expected)


def changed(implementation: Implementation, problem: Problem) -> Outcome:
    """Hyper-parameters that are changed between steps hold from the next step on, and no state is lost.

    A step of every dialect reads hyper-parameters as they are then, beta^t included, which is a power of the current
    beta: the trajectory is the reference's with the changed ones in the middle third and the first ones again in the
    last. The bound follows step by step, each with the hyper-parameters that hold in it. Arithmetic that carries
    beta^t as a product is given the same betas throughout. Where a constructor takes epsilon 0 for its default, which
    an assignment need not, epsilon is not 0. Where no decay is on, so again with each: it may keep another rate. And
    so with learning rates that differ by little: by a 512th, and by half of 2^-20.
    """
    problem = of_length(after_default(implementation, problem), 6)
    h = problem.hyperparameters
    n = len(problem.gradients)
    names = changeable(implementation, problem)
    decays = [] if h.l2 or h.weight_decay else sorted(names & {"l2", "weight_decay"})

    def beside(first: Hyperparameters, new: Hyperparameters) -> Outcome:
        given = replace(problem, hyperparameters=first)
        return with_changes(implementation, given, {0: first, n // 3: new, 2 * n // 3: first})

    outcome = Outcome()
    for first in (h, *(replace(h, **{name: value(name, 0.0)}) for name in decays)):
        new = other(first, names)
        found, same_betas = beside(first, new), replace(new, beta_1=first.beta_1, beta_2=first.beta_2)
        if found.findings and new != same_betas and not beside(first, same_betas).findings:
            found.findings = [replace(found.findings[0], message=f"{found.findings[0].message}; {_OF_A_PRODUCT}")]
        outcome.add(found)
    if "learning_rate" in names and not (h.schedule or h.lr_scheduler):  # whose warm-up may begin above it
        for rate, new_rate in _NEAR_RATES:
            outcome.add(beside(replace(h, learning_rate=rate), replace(h, learning_rate=new_rate)))
    return outcome


_NEAR_RATES = ((0.125, 0.125 * (1 + 2.0**-9)), (2.0**-20, 2.0**-21))
"""A rate and the next one, which a cache by its digits or an absolute tolerance takes for the same."""
CLIPS: frozenset[str] = frozenset({"clipvalue", "clipnorm", "global_clipnorm", "decay"})
"""What the problems of `clips_and_decay` set, and no drawn problem."""


def clips_and_decay(implementation: Implementation, problem: Problem) -> Outcome:
    """Clipped gradients and a decaying learning rate follow the oracle, within the bound.

    Clipping comes before everything that a step does with a gradient, the sum of a row's duplicates included, and so
    the norm has each of them. The global norm is that of the gradients which are there in this step. Decay
    counts from 0: the learning rate of the first step is the one that was given.
    """
    return agree(implementation, problem, states(implementation, problem))


def clips_or_decays(claim: Claim) -> bool:
    """Whether the claim has any of it."""
    return bool(CLIPS & claim.hyperparameters)


def callers(implementation: Implementation, problem: Problem) -> Outcome:
    """The hyper-parameters that the caller gave are the caller's: no step and no change writes into them."""
    problem = of_length(problem, 1, 3)
    found = Steps(implementation, problem)
    given = replace(problem.hyperparameters)
    run = ask(implementation, "start", copies(problem.parameters), given)
    found.take(run, 0, problem.gradients)
    pairs = [(given, problem.hyperparameters)]
    if "change" in implementation.claim.procedures:
        new = other(problem.hyperparameters, reach(implementation, "change"))
        pairs.append((replace(new), new))
        ask(run, "change", pairs[-1][0])
        found.take(run, len(problem.gradients), problem.gradients)
    for now, then in pairs:
        found.outcome.compared += len(vars(then))
        for name, was in vars(then).items():
            if getattr(now, name) != was:
                message = f"the caller's {name} was {was!r} and is {getattr(now, name)!r}"
                found.outcome.findings.append(Finding(message=message))
    return found.outcome


NO_ARGUMENTS = frozenset({"amsgrad", "exclude_from_weight_decay", "constraint"})
"""amsgrad; the others are the caller's doing to parameters, which no configuration holds."""


def _everything(claim: Claim, problem: Problem) -> Hyperparameters:
    """No hyper-parameter of the claim is its default, but for those that cannot be given beside another."""
    names = claim.hyperparameters & OTHERS.keys()
    if {"l2", "weight_decay"} <= names and not claim.both_decays:
        names -= {"l2" if problem.hyperparameters.weight_decay else "weight_decay"}
    norms = sorted(names & {"clipnorm", "global_clipnorm"})
    if norms:  # one of them, and without clipvalue where one is all that is taken
        kept = norms[len(problem.gradients) % len(norms)]
        names -= {*norms, *(() if claim.clips_together else ("clipvalue",))} - {kept}
    usual = Hyperparameters()
    given: dict[str, Any] = {name: value(name, getattr(usual, name)) for name in names - NO_ARGUMENTS}
    return replace(usual, **given, amsgrad="amsgrad" in names)


def with_changes(implementation: Implementation, problem: Problem, at: dict[int, Hyperparameters]) -> Outcome:
    """A run in which hyper-parameters change before the steps of these numbers, from 0 on, beside the reference."""
    found = Steps(implementation, problem)
    run = started(implementation, problem)
    borders = [*at, len(problem.gradients)]
    observed: list[State] = []
    held: list[Hyperparameters] = []
    for k, until in pairwise(borders):
        if k:
            ask(run, "change", at[k])
        observed += found.take(run, k, problem.gradients[k:until])
        held += [at[k]] * (until - k)
    return found.as_reference(observed, held)
