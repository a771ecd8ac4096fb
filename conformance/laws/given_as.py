"""The law of hyper-parameters that are given as something else than numbers: tensors, and functions of the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.contract import Claim, Hyperparameters, Implementation, Problem, State
from conformance.findings import Outcome
from conformance.laws.procedures import Steps, ask, copies, other, reach
from conformance.laws.related import related

FORMS = ("tensors", "callables")


def forms(implementation: Implementation, problem: Problem) -> Outcome:
    """Hyper-parameters in another form are the same hyper-parameters, bit for bit; a function is called in every step.

    Tensors of float32, in which whoever takes them holds numbers as well, and functions that return the numbers give
    the run that the numbers give. Functions that return others from a step on are as a change to them: the trajectory
    is the reference's with the others in the middle third, and with the first ones again in the last.
    """
    h, outcome = problem.hyperparameters, Outcome()
    found = Steps(implementation, problem)
    numbers = related(implementation, problem)
    if "tensors" in implementation.claim.procedures:
        run = ask(implementation, "start_tensors", copies(problem.parameters), h)
        outcome.add(found.same_runs(found.take(run, 0, problem.gradients), numbers))
    if "callables" in implementation.claim.procedures:
        calls = _Calls(h, reach(implementation, "callables"))
        run = ask(implementation, "start_callables", copies(problem.parameters), h, calls.functions)
        outcome.add(found.same_runs(found.take(run, 0, problem.gradients), numbers))
        outcome.add(_called_anew(implementation, problem))
    return outcome


def takes_forms(claim: Claim) -> bool:
    """Whether the claim has any of them."""
    return any(form in claim.procedures for form in FORMS)


class _Calls:
    """Functions that return what holds now."""

    def __init__(self, now: Hyperparameters, names: frozenset[str]) -> None:
        self.now = now
        self.functions: dict[str, Callable[[], Any]] = {name: self._function(name) for name in sorted(names)}

    def _function(self, name: str) -> Callable[[], Any]:
        return lambda: getattr(self.now, name)


def _called_anew(implementation: Implementation, problem: Problem) -> Outcome:
    found, h, n = Steps(implementation, problem), problem.hyperparameters, len(problem.gradients)
    calls = _Calls(h, reach(implementation, "callables"))
    run = ask(implementation, "start_callables", copies(problem.parameters), h, calls.functions)
    changed = other(h, reach(implementation, "callables"))
    observed: list[State] = []
    held: list[Hyperparameters] = []
    for k, until, now in ((0, n // 3, h), (n // 3, 2 * n // 3, changed), (2 * n // 3, n, h)):
        calls.now = now
        observed += found.take(run, k, problem.gradients[k:until])
        held += [now] * (until - k)
    return found.as_reference(observed, held)
