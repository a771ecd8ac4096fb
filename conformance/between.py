"""What a golden case has done between steps, done by an implementation's own procedures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

import reference
from adapters.contract import Arithmetic, Array, Claim, Hyperparameters, Implementation, Problem, State
from conformance.laws.procedures import ask, ask_bytes, brought_back, copies, other, started
from conformance.laws.related import each as of_each
from conformance.laws.saved import AFTER_LOAD
from conformance.observe import guarded, stepped, told
from golden import Case, state_order
from golden.between import Doing, hyperparameters_by_step
from reference.hyperparameters import MULTIPLIERS

_PROCEDURES: dict[Doing, str] = {
    "set": "change",
    "save-and-load": "save",
    "rebuild": "configuration",
    "finalize": "finalize",
}


_BY_INDEX: dict[str, Any] = {**dict.fromkeys(MULTIPLIERS, ()), "begin_num_update": 0}
"""What `other` leaves as it is, and what an object has that was built without."""


def outside(case: Case, claim: Claim, arithmetic: Arithmetic) -> str:
    """Why what is done is not inside a claim; empty where it is."""
    if case.state_order and "weights" not in claim.procedures:
        return "procedure not claimed: weights"
    pairs = pairwise(case.between)
    if AFTER_LOAD in claim.not_claimed and any(
        (a.do, b.do) == ("save-and-load", "set") and a.after == b.after for a, b in pairs
    ):
        return f"not claimed: {AFTER_LOAD}"
    for event in case.between:
        name = _PROCEDURES[event.do]
        if name not in claim.procedures:
            return f"procedure not claimed: {name}"
        names = set(event.hyperparameters)
        if names - claim.procedures[name].hyperparameters:
            beyond = sorted(names - claim.procedures[name].hyperparameters)
            return f"not claimed to be changed between steps: {', '.join(beyond)}"
        if arithmetic.power_form == "product" and names & {"beta_1", "beta_2"}:
            return "betas change, and products of them are carried"
    return ""


def each(h: Hyperparameters, case: Case) -> Iterator[tuple[Hyperparameters, reference.Hyperparameters]]:
    """Of every step the hyper-parameters of the contract, begun with `h`, and those of the reference."""
    stored = hyperparameters_by_step(case.hyperparameters, case.between, case.steps)
    last = None
    for k, now in enumerate(stored):
        h = _set(h, case, k)
        if now is not last:
            yield h, now
        last = now


def _set(h: Hyperparameters, case: Case, k: int) -> Hyperparameters:
    for event in case.between:
        if event.after == k and event.do == "set":
            h = replace(h, **event.hyperparameters)
    return h


def run(implementation: Implementation, problem: Problem, case: Case) -> tuple[tuple[State, ...], list[Array]]:
    """The states after every step, and what is listed of the last one if the case has an order of that.

    A state is loaded into an object over other parameters, that was built with others of the hyper-parameters that the
    load is claimed to bring back.
    """
    going: Any = started(implementation, problem)
    h, states = problem.hyperparameters, list[State]()
    for event in case.between:
        states += stepped(implementation, going, problem, len(states), problem.gradients[len(states) : event.after])
        if event.do == "set":
            h = replace(h, **event.hyperparameters)
            ask(going, "change", replace(h))
        elif event.do == "save-and-load":
            back = brought_back(implementation, h, h)
            new = other(h, back)
            new = replace(new, **{name: absent for name, absent in _BY_INDEX.items() if name in back})
            resume = told(getattr(implementation, "resume"), problem)  # noqa: B009 - an optional member
            going = guarded(resume, of_each(problem.parameters, np.ones_like), new, ask_bytes(going, "save"))
        elif event.do == "rebuild":
            going = ask(implementation, "configured", copies(problem.parameters), ask_bytes(going, "configuration"))
        else:
            ask(going, "finalize")
    states += stepped(implementation, going, problem, len(states), problem.gradients[len(states) :])
    return tuple(states), list(ask(going, "weights")) if case.state_order else []


def misplaced(case: Case, h: Hyperparameters, last: State, listed: list[Array]) -> Iterator[str]:
    """What is listed elsewhere than the case has it, or is not what is read of the state: the first one, in words."""

    def is_it(name: str, array: Any) -> bool:
        at = state_order.place(name)
        if at is None:
            return bool(np.size(array) == 1 and float(array) == (last.t[0] if name == "t" else h.learning_rate))
        wanted = getattr(last, at[0])[at[1]]
        return bool(np.shape(array) == wanted.shape and np.asarray(array).tobytes() == wanted.tobytes())

    if len(listed) != len(case.state_order):
        yield f"golden, state_order: {len(listed)} are listed; accepted: {', '.join(case.state_order)}"
        return
    for k, (name, array) in enumerate(zip(case.state_order, listed, strict=True)):
        if not is_it(name, array):
            found = next((other for other in case.state_order if is_it(other, array)), "something else")
            yield f"golden, state_order: number {k} of what is listed is {found}; accepted: {name}"
            return
