"""Laws of parameter groups: each is an optimizer of its own. Bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adapters.contract import Claim, Hyperparameters, Implementation, Problem, State
from conformance import oracle
from conformance.findings import Outcome
from conformance.laws.procedures import (
    Steps,
    ask,
    ask_bytes,
    casts_momenta,
    copies,
    exact,
    of_length,
    other,
    quieter_from,
    reach,
)
from conformance.laws.related import each, related


def groups_are_independent(implementation: Implementation, problem: Problem) -> Outcome:
    """Every group moves as an optimizer with its hyper-parameters alone does, whatever groups are beside it.

    A step reads of hyper-parameters those of the parameter's group, and t counts steps, or those with a gradient.
    Beside each other are: two groups with different hyper-parameters; one without parameters; one with learning rate
    0 (where that is claimed), whose parameters stay and whose moments move as ever; and, where a gradient may be None,
    one that never has one, whose parameters and moments stay.
    """
    problem = of_length(problem, 3)
    n = len(problem.parameters)
    j = (n + 1) // 2
    h = problem.hyperparameters
    second, frozen = (
        other(h, reach(implementation, "groups")),
        replace(h, learning_rate=_least(implementation.claim, h)),
    )
    alone = [_part(problem, 0, j, h), _part(problem, j, n, second), _part(problem, 0, 1, frozen)]
    sizes = [(part.parameters, part.hyperparameters) for part in alone]
    never = "none" in implementation.claim.gradients
    whole = replace(
        problem,
        parameters=(*problem.parameters, problem.parameters[0]) + (problem.parameters[-1:] if never else ()),
        gradients=each(problem.gradients, lambda step: (*step, step[0]) + ((None,) if never else ())),
    )
    groups = [*sizes[:2], ((), h), sizes[2], *([(problem.parameters[-1:], second)] if never else [])]
    found = Steps(implementation, whole)
    run = ask(implementation, "start_groups", [(copies(theta), replace(given)) for theta, given in groups])
    observed = found.take(run, 0, whole.gradients)
    counts = oracle.step_counts(implementation.claim.dialect, whole)
    wanted = [
        _joined(states, problem.parameters[-1:] if never else (), t[-1:] if never else ())
        for *states, t in zip(*(related(implementation, part) for part in alone), counts, strict=False)
    ]
    return found.same_runs(observed, wanted)


def late_group_begins_anew(implementation: Implementation, problem: Problem) -> Outcome:
    """A group that is added between steps moves as one that has been there from the start without gradients.

    Until its first gradient a parameter stays, its moments are 0, and its t is 0, or the optimizer's where there is
    one for all. The groups that were there before do not notice.
    """
    problem = of_length(problem, 4)
    n = len(problem.parameters)
    j, k = (n + 1) // 2, len(problem.gradients) // 2
    h = problem.hyperparameters
    late = other(h, reach(implementation, "groups"))
    waiting = tuple((*step[:j], *(None,) * (n - j)) for step in problem.gradients[:k])
    problem = replace(problem, gradients=waiting + problem.gradients[k:])
    first, second = problem.parameters[:j], problem.parameters[j:]
    found = Steps(implementation, problem)
    both = ask(implementation, "start_groups", [(copies(first), replace(h)), (copies(second), replace(late))])
    wanted = found.take(both, 0, problem.gradients)
    run = ask(implementation, "start_groups", [(copies(first), replace(h))])
    found.take_of(_part(problem, 0, j, h), run, 0, [step[:j] for step in waiting])
    ask(run, "add_group", copies(second), replace(late))
    return found.same_runs(found.take(run, k, problem.gradients[k:]), wanted[k:], first=k)


def saved_groups_continue(implementation: Implementation, problem: Problem) -> Outcome:
    """Groups that are saved and loaded at once go on bit for bit, each with its hyper-parameters, moments and counts.

    As `saved.load_continues`, of two groups that have different hyper-parameters; where groups can come late, the
    second one does, so that its parameters have other counts than the first one's. The new object is built over other
    parameters, and with the two groups' hyper-parameters in each other's place, of those that a load brings back.
    """
    problem = of_length(exact(implementation, problem), 4)
    n = len(problem.parameters)
    j, k = (n + 1) // 2, len(problem.gradients) // 2
    problem = quieter_from(problem, k)
    h = problem.hyperparameters
    kept = {"beta_1"} if casts_momenta(implementation, problem) else set()
    second = other(h, reach(implementation, "groups") - kept)
    late = has_late_groups(implementation.claim)
    if late:
        problem = replace(problem, gradients=((*problem.gradients[0][:j], *(None,) * (n - j)), *problem.gradients[1:]))
    parts = [(problem.parameters[:j], h), (problem.parameters[j:], second)]
    found = Steps(implementation, problem)
    groups = [(copies(theta), replace(given)) for theta, given in parts]
    run = ask(implementation, "start_groups", groups[:1] if late else groups)
    if late:
        found.take_of(_part(problem, 0, j, h), run, 0, [problem.gradients[0][:j]])
        ask(run, "add_group", *groups[1])
    found.take(run, int(late), problem.gradients[int(late) : k])
    saved = ask_bytes(run, "save")
    uninterrupted = found.take(run, k, problem.gradients[k:])
    swapped = {name: getattr(second, name) for name in reach(implementation, "save") & reach(implementation, "groups")}
    back = {name: getattr(h, name) for name in swapped}
    built = [
        (each(parts[0][0], np.ones_like), replace(h, **swapped)),
        (each(parts[1][0], np.ones_like), replace(second, **back)),
    ]
    resumed = ask(implementation, "resume_groups", built, saved)
    return found.same_runs(found.take(resumed, k, problem.gradients[k:]), uninterrupted, first=k)


def has_late_groups(claim: Claim) -> bool:
    """Whether a group can come late, and one can wait for it without gradients."""
    return "late groups" in claim.procedures and "none" in claim.gradients


def _part(problem: Problem, first: int, end: int, h: Hyperparameters) -> Problem:
    """Some of the parameters by themselves, under hyper-parameters of their own."""
    return replace(
        problem,
        hyperparameters=h,
        parameters=problem.parameters[first:end],
        gradients=each(problem.gradients, lambda step: step[first:end]),
    )


def _least(claim: Claim, h: Hyperparameters) -> float:
    return h.learning_rate if "learning_rate" in claim.nonzero else 0.0


def _joined(states: Sequence[State], still: Sequence[np.ndarray], t: Sequence[int]) -> State:
    """The states of several optimizers as one's, and behind them parameters that have never had a gradient."""

    def all_of(name: str) -> tuple[np.ndarray, ...]:
        return tuple(array for state in states for array in getattr(state, name))

    zeros = tuple(np.zeros_like(theta) for theta in still)
    return State(
        parameters=(*all_of("parameters"), *still),
        m=(*all_of("m"), *zeros),
        v=(*all_of("v"), *zeros),
        v_max=None if states[0].v_max is None else (*all_of("v_max"), *zeros),
        slow=None if states[0].slow is None else (*all_of("slow"), *still),
        t=(*(count for state in states for count in state.t), *t),
    )
