"""Run an implementation on a problem and keep everything that a check may ask about it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from adapters.contract import QUANTITIES, Gradient, Implementation, Problem, Rows, Run, State
from adapters.memory import copied, gaps
from conformance.findings import short_text
from conformance.formats import holds, travels_as

_ARRAYS = (*QUANTITIES, "weights")
"""Of a state."""


class ImplementationFailed(Exception):
    """The implementation raised instead of answering."""


class ContractBreach(Exception):
    """What the implementation returned does not fit the contract; nothing can be compared."""


Answer = TypeVar("Answer")


def guarded(call: Callable[..., Answer], *arguments: Any) -> Answer:
    """What the implementation answers; `ImplementationFailed` if it raises, leaves or breaks the contract's types.

    Everything that the suite asks of an implementation goes through here, so that its failures are
    told from the suite's own.
    """
    try:
        return call(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: an implementation does not end the suite
        raise ImplementationFailed(short_text(error)) from error


def answered(call: Callable[..., Any], kind: type[Answer], *arguments: Any) -> Answer:
    """As `guarded`, and the answer must be of `kind`."""
    answer = guarded(call, *arguments)
    if not isinstance(answer, kind):
        name = getattr(call, "__name__", "the answer")
        accepted = f"adapters.contract.{kind.__name__}"
        raise ImplementationFailed(f"{name}() returned a {type(answer).__name__}; accepted: {accepted}")
    return answer


@dataclass(frozen=True, kw_only=True)
class Observation:
    """States after every step, as read then, and what became of the arrays passed in and read before."""

    states: tuple[State, ...]
    overwritten: tuple[str, ...]
    """The caller's arrays that changed, by name."""
    changed_later: tuple[str, ...]
    """Arrays of returned states that changed after they had been returned."""
    returned: State | None = None
    """The last state itself, not a copy."""


_noting: list[list[str]] = []


@contextmanager
def overwrites() -> Iterator[list[str]]:
    """The caller's arrays that are found to have changed meanwhile, by name, whatever has passed them."""
    noted: list[str] = []
    _noting.append(noted)
    try:
        yield noted
    finally:
        _noting.pop()


def _note(overwritten: Sequence[str]) -> None:
    for noted in _noting:
        noted += overwritten


_last: tuple[Implementation, Problem, Observation | ContractBreach] | None = None


def observe(implementation: Implementation, problem: Problem) -> Observation:
    """Run `problem` once. The last run is remembered, so that many checks share it.

    Raises `ContractBreach` if a returned state does not fit the problem.
    """
    global _last
    if _last is None or _last[0] is not implementation or _last[1] is not problem:
        try:
            _last = (implementation, problem, _run(implementation, problem))
        except ContractBreach as breach:
            _last = (implementation, problem, breach)
    if isinstance(_last[2], ContractBreach):
        raise _last[2]
    _note(_last[2].overwritten)
    return _last[2]


def run(implementation: Implementation, problem: Problem) -> Observation:
    """As `observe`, and it runs, whatever is remembered."""
    observation = _run(implementation, problem)
    _note(observation.overwritten)
    return observation


def _run(implementation: Implementation, problem: Problem) -> Observation:
    given = tuple(copied(theta) for theta in problem.parameters)
    overwritten: list[str] = []
    states: list[State] = []
    live: list[State] = []
    started = guarded(told(implementation.start, problem), given, replace(problem.hyperparameters))
    overwritten += _changed("parameters", given, problem.parameters)
    passed = [tuple(_passed(g) for g in gradients) for gradients in problem.gradients]
    for k in range(len(problem.gradients)):
        state = guarded(started.step, passed[k])
        _check_state(implementation, state, problem, k)
        live.append(state)
        states.append(_copy(state))
        overwritten += _changed("parameters", given, problem.parameters)
    for k, gradients in enumerate(problem.gradients):
        overwritten += _changed(f"gradients[{k}]", passed[k], gradients)
    changed_later = [
        f"step {k + 1}: {name}"
        for k, (now, then) in enumerate(zip(live, states, strict=True))
        for name in _ARRAYS
        if _changed(name, getattr(now, name) or (), getattr(then, name) or ())
    ]
    changed_later += [f"step {k + 1}: t" for k, state in enumerate(states) if tuple(live[k].t) != state.t]
    return Observation(
        states=tuple(states),
        overwritten=tuple(dict.fromkeys(overwritten)),
        changed_later=tuple(changed_later),
        returned=live[-1] if live else None,
    )


def told(make: Callable[..., Any], problem: Problem) -> Callable[..., Any]:
    """What makes a run, told of the one dtype that the arrays do not show."""
    return partial(make, dtype="bfloat16") if problem.dtype == "bfloat16" else make


def _passed(g: Gradient) -> Gradient:
    return copied(g) if isinstance(g, np.ndarray) else copy.deepcopy(g)


def stepped(
    implementation: Implementation, run: Run, problem: Problem, first: int, gradients: Sequence[Sequence[Gradient]]
) -> tuple[State, ...]:
    """Copies of the states after each of `gradients`, the first of which is step number `first` + 1 of `problem`.

    Raises `ContractBreach` as `observe` does.
    """
    passed = [tuple(_passed(g) for g in step) for step in gradients]
    states = [checked(implementation, guarded(run.step, step), problem, k) for k, step in enumerate(passed, first)]
    for k, (now, then) in enumerate(zip(passed, gradients, strict=True), first):
        _note(_changed(f"gradients[{k}]", now, then))
    return tuple(states)


def _copy(state: State) -> State:
    def arrays(name: str) -> Any:
        group = getattr(state, name)
        return None if group is None else tuple(copied(array) for array in group)

    return State(**{name: arrays(name) for name in _ARRAYS}, t=tuple(state.t))


def _changed(name: str, now: Sequence[Gradient], then: Sequence[Gradient]) -> list[str]:
    return [f"{name}[{i}]" for i, (a, b) in enumerate(zip(now, then, strict=True)) if not _same(a, b)]


def _same(a: Gradient, b: Gradient) -> bool:
    if isinstance(a, Rows) and isinstance(b, Rows):
        return _same(a.indices, b.indices) and _same(a.values, b.values)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        between = a.flags.c_contiguous or gaps(a).tobytes() == gaps(b).tobytes()
        return between and a.tobytes() == b.tobytes()
    return a is b


def checked(implementation: Implementation, state: object, problem: Problem, k: int) -> State:
    """A copy of a state that was returned after step number `k` + 1. Raises `ContractBreach` as `observe` does."""
    _check_state(implementation, state, problem, k)
    assert isinstance(state, State)
    return _copy(state)


def _check_state(implementation: Implementation, state: object, problem: Problem, k: int) -> None:
    """Raise `ContractBreach` unless `state` has one array of the right shape and dtype per parameter.

    implementation: whose claim says whether there are master copies.
    """

    def breach(name: str, value: object, accepted: str) -> ContractBreach:
        return ContractBreach(f"step {k + 1}: {name} is {value!r}; accepted: {accepted}")

    if not isinstance(state, State):
        raise breach("the result of step()", type(state).__name__, "adapters.contract.State")
    n = len(problem.parameters)
    copied_from = state.weights is not None and problem.dtype in ("bfloat16", "float16")
    h = problem.hyperparameters
    for name, wanted, of in (
        ("v_max", h.amsgrad, "amsgrad"),
        ("slow", h.sync_period is not None, "sync_period"),
        ("average", h.ema_momentum is not None, "ema_momentum"),
    ):
        given = getattr(state, name) is not None
        if given != wanted:
            raise breach(name, "given" if given else None, f"arrays with {of}, None without")
    if state.weights is not None and not copied_from:
        raise breach("weights", "given", f"None, no format has a master copy of {problem.dtype}")
    if copied_from and problem.dtype not in implementation.claim.masters:
        raise ContractBreach(f"step {k + 1}: weights is given; accepted: None, the claim has no master copies")
    for name in _ARRAYS:
        arrays = getattr(state, name)
        if arrays is None and name in ("v_max", "slow", "average", "weights"):
            continue
        precision = "float32" if copied_from and name != "weights" else problem.dtype
        dtype = travels_as(precision)
        usual = np.dtype(dtype)
        if not isinstance(arrays, tuple | list) or len(arrays) != n:
            count = len(arrays) if isinstance(arrays, tuple | list) else type(arrays).__name__
            raise breach(f"len({name})", count, f"{n}, one per parameter")
        for i, (array, theta) in enumerate(zip(arrays, problem.parameters, strict=True)):
            if type(array) is not np.ndarray:  # a subclass may answer anything to what is asked of it
                raise breach(f"{name}[{i}]", type(array).__name__, "a NumPy array")
            if array.shape != theta.shape:
                raise breach(f"{name}[{i}].shape", array.shape, str(theta.shape))
            if (
                array.dtype != usual and array.dtype.name != dtype
            ):  # another byte order has the same name, which is slow
                raise breach(f"{name}[{i}].dtype", array.dtype.name, dtype)
            if not holds(precision, array):
                raise breach(f"{name}[{i}]", array, f"numbers of {precision}")
    if not isinstance(state.t, tuple | list) or len(state.t) != n:
        raise breach("t", state.t, f"{n} integers, one per parameter")
    for i, t in enumerate(state.t):
        if isinstance(t, bool) or not isinstance(t, int) or not 0 <= t < 2**63:
            shown = t if not isinstance(t, int) or abs(t) < 2**64 else f"an int of {t.bit_length()} bits"
            raise breach(f"t[{i}]", shown, "an int >= 0 and below 2**63")
