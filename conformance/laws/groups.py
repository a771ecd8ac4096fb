"""Laws of parameter groups: each is an optimizer of its own. Bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from adapters.contract import Claim, Hyperparameters, Implementation, Problem, State
from conformance import oracle
from conformance.findings import Outcome
from conformance.laws.procedures import (
    Steps,
    after_default,
    ask,
    ask_bytes,
    casts_momenta,
    changeable,
    copies,
    exact,
    of_length,
    other,
    quieter_from,
    reach,
    unlike,
    unlike_in_one,
)
from conformance.laws.related import each, related


def groups_are_independent(implementation: Implementation, problem: Problem) -> Outcome:
    """Every group moves as an optimizer with its hyper-parameters alone does, whatever groups are beside it.

    A step reads of hyper-parameters those of the parameter's group, and t counts steps, or those with a gradient.
    Beside each other are: two groups with different hyper-parameters; one without parameters; one with learning rate
    0 (where that is claimed), whose parameters stay and whose moments move as ever; one of each kind of decay that
    the first has not, none among them, and with AMSGrad if the first is without; one for each hyper-parameter in which
    nothing else is different, flags and the kind of decay among them, so that no other value stands for it; and, where
    a gradient may be None, one that never has one, whose parameters and moments stay. So in this order and in the
    reverse, because the first group's flags may be read for all, or the last one's.
    """
    problem = of_length(problem, 3)
    n = len(problem.parameters)
    j = (n + 1) // 2
    h, reached = problem.hyperparameters, reach(implementation, "groups")
    second, frozen = other(h, reached), replace(h, learning_rate=_least(implementation.claim, h))
    parts = [_part(problem, 0, j, h), _part(problem, j, n, second), _part(problem, 0, 1, frozen)]
    unalike = (*unlike(implementation.claim, h, reached), *unlike_in_one(implementation.claim, h, reached))
    parts += [_part(problem, n - 1, n, one) for one in unalike]
    still = problem.parameters[-1:] if "none" in implementation.claim.gradients else ()
    never = replace(problem, parameters=still, gradients=((None,) * len(still),) * len(problem.gradients))
    alone = [related(implementation, part) for part in parts]
    outcome = Outcome()
    for order in (slice(None), slice(None, None, -1)):
        groups = [*parts[order], _part(problem, 0, 0, h), never]
        whole = _beside(groups)
        found = Steps(implementation, whole)
        given = [(copies(part.parameters), replace(part.hyperparameters)) for part in groups]
        run = ask(implementation, "start_groups", given)
        counts = oracle.step_counts(implementation.claim.dialect, whole)
        wanted = [
            _joined(states, still, t[len(t) - len(still) :]) for *states, t in zip(*alone[order], counts, strict=True)
        ]
        outcome.add(found.same_runs(found.take(run, 0, whole.gradients), wanted))
    return outcome


def late_group_begins_anew(implementation: Implementation, problem: Problem) -> Outcome:
    """A group that is added between steps moves as one that has been there from the start without gradients.

    Until its first gradient a parameter stays, its moments are 0, and its t is 0, or the optimizer's where there is
    one for all. The groups that were there before do not notice. It has another kind of decay than they, and AMSGrad
    where they are without; or else the same hyper-parameters, and then all move as in one group.
    """
    outcome = Outcome()
    h = problem.hyperparameters
    for late in (unlike(implementation.claim, h, reach(implementation, "groups"))[-1], h):
        outcome.add(_late(implementation, problem, late))
    return outcome


def _late(implementation: Implementation, problem: Problem, late: Hyperparameters) -> Outcome:
    problem = of_length(problem, 4)
    n = len(problem.parameters)
    j, k = (n + 1) // 2, len(problem.gradients) // 2
    h = problem.hyperparameters
    waiting = tuple((*step[:j], *(None,) * (n - j)) for step in problem.gradients[:k])
    problem = _with_maximum(replace(problem, gradients=waiting + problem.gradients[k:]), late)
    first, second = problem.parameters[:j], problem.parameters[j:]
    found = Steps(implementation, problem)
    both = ask(implementation, "start_groups", [(copies(first), replace(h)), (copies(second), replace(late))])
    wanted = found.take(both, 0, problem.gradients)
    if late == h:
        found.same_runs(wanted, related(implementation, problem))
    run = ask(implementation, "start_groups", [(copies(first), replace(h))])
    found.take_of(_part(problem, 0, j, h), run, 0, [step[:j] for step in waiting])
    ask(run, "add_group", copies(second), replace(late))
    return found.same_runs(found.take(run, k, problem.gradients[k:]), wanted[k:], first=k)


def saved_groups_continue(implementation: Implementation, problem: Problem) -> Outcome:
    """Groups that are saved and loaded at once go on bit for bit, each with its hyper-parameters, moments and counts.

    As `saved.load_continues`, of two groups that have different hyper-parameters, another kind of decay and AMSGrad
    among them; where groups can come late, the second one does, so that its parameters have other counts than the first
    one's. The new object is built over other parameters, and with the two groups' hyper-parameters in each other's
    place, of those that a load brings back.
    """
    problem = of_length(exact(implementation, problem), 4)
    n = len(problem.parameters)
    j, k = (n + 1) // 2, len(problem.gradients) // 2
    problem = quieter_from(problem, k)
    h = problem.hyperparameters
    kept = {"beta_1"} if casts_momenta(implementation, problem) else set()
    second = unlike(implementation.claim, h, reach(implementation, "groups") - kept)[0]
    problem = _with_maximum(problem, second)
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


def one_group_changes(implementation: Implementation, problem: Problem) -> Outcome:
    """What changes in one group alone holds for it from the next step on, and in the other group nothing changes.

    As `settings.changed`, of two groups: every hyper-parameter by itself, one more before each step, so that no
    other one's change stands for it; in the second group while the first one's stay, and in the first one.
    The two differ in everything, another kind of decay and AMSGrad among it, so that what is renewed when another group
    changes, or never, shows. Both follow the oracle with the hyper-parameters that hold in each step.
    """
    problem = after_default(implementation, problem)
    n, h, reached = len(problem.parameters), problem.hyperparameters, reach(implementation, "groups")
    held = [unlike(implementation.claim, h, reached)[-1]]
    for name in sorted(changeable(implementation, problem) & reached):
        new = other(held[-1], frozenset({name}))
        held += [new] if new != held[-1] else []
    problem = of_length(problem, len(held), 0)
    kept, changed = _part(problem, 0, (n + 1) // 2, h), _part(problem, n // 2, n, held[0])
    outcome = Outcome()
    for at, groups in enumerate(([changed, kept], [kept, changed])):
        whole = _beside(groups)
        found = Steps(implementation, whole)
        run = ask(implementation, "start_groups", [(copies(g.parameters), replace(g.hyperparameters)) for g in groups])
        observed = found.take(run, 0, whole.gradients[:1])
        for k, new in enumerate(held[1:], 1):
            ask(run, "change_group", at, replace(new))
            observed += found.take(run, k, whole.gradients[k : k + 1])
        before = 0
        for group in groups:
            own = each(observed, _only(group, before))
            found.as_walk(group, own, held if group is changed else None, before=before)
            before += len(group.parameters)
        outcome.add(found.outcome)
    return outcome


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


def _beside(parts: Sequence[Problem]) -> Problem:
    """All parameters in one problem, whose hyper-parameters are the first's, with AMSGrad where any has it."""
    return replace(
        parts[0],
        hyperparameters=replace(parts[0].hyperparameters, amsgrad=any(p.hyperparameters.amsgrad for p in parts)),
        parameters=tuple(theta for part in parts for theta in part.parameters),
        gradients=tuple(
            tuple(g for step in steps for g in step) for steps in zip(*(p.gradients for p in parts), strict=True)
        ),
    )


def _only(part: Problem, before: int) -> Callable[[State], State]:
    """What a state holds of a part's parameters, before which there are so many."""

    def only(state: State) -> State:
        own = {name: group[before : before + len(part.parameters)] for name, group in vars(state).items() if group}
        return replace(state, **own | ({} if part.hyperparameters.amsgrad else {"v_max": None}))

    return only


def _with_maximum(problem: Problem, h: Hyperparameters) -> Problem:
    """The problem, with AMSGrad if `h` has it: a state has a maximum where any group has one."""
    both = problem.hyperparameters.amsgrad or h.amsgrad
    return replace(problem, hyperparameters=replace(problem.hyperparameters, amsgrad=both))


def _least(claim: Claim, h: Hyperparameters) -> float:
    return h.learning_rate if "learning_rate" in claim.nonzero else 0.0


def _joined(states: Sequence[State], still: Sequence[np.ndarray], t: Sequence[int]) -> State:
    """The states of several optimizers as one's, and behind them parameters that have never had a gradient."""

    def all_of(name: str) -> tuple[np.ndarray, ...]:
        return tuple(array for state in states for array in getattr(state, name))

    zeros = tuple(np.zeros_like(theta) for theta in still)
    maxima = [each(s.v, np.zeros_like) if s.v_max is None else s.v_max for s in states]
    return State(
        parameters=(*all_of("parameters"), *still),
        m=(*all_of("m"), *zeros),
        v=(*all_of("v"), *zeros),
        v_max=None if all(s.v_max is None for s in states) else (*(x for arrays in maxima for x in arrays), *zeros),
        slow=None if states[0].slow is None else (*all_of("slow"), *still),
        t=(*(count for state in states for count in state.t), *t),
    )
