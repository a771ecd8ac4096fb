"""What is observed of a run: overwritten arrays, states that change later, breaches, failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adapters.contract import Array, Gradient, Hyperparameters, Problem, Rows, State
from conformance import checks
from conformance.laws.procedures import Steps
from conformance.mutants.twin import Slot
from conformance.mutants.twins import KerasV2Twin
from conformance.mutants.twins_lookahead import LookaheadKerasV2Twin
from conformance.observe import ContractBreach, ImplementationFailed, guarded, observe


def problem(*, steps: int = 3, **hyperparameters: Any) -> Problem:
    """One dense parameter and one with rows."""
    gradient = (
        np.array([1.0, -2.0, 0.5], dtype=np.float32),
        Rows(np.array([1, 0, 1]), np.full((3, 2), 0.5, dtype=np.float32)),
    )
    return Problem(
        dtype="float32",
        hyperparameters=Hyperparameters(**hyperparameters),
        parameters=(np.ones(3, dtype=np.float32), np.ones((2, 2), dtype=np.float32)),
        gradients=(gradient,) * steps,
    )


class Meddling(KerasV2Twin):
    """Calls `meddle` with the gradients of every step after it."""

    def __init__(self, meddle: Callable[[Sequence[Any]], None]) -> None:
        self.meddle = meddle

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        KerasV2Twin.count(self, slots, gradients)
        self.meddle(gradients)


class Returning(KerasV2Twin):
    """Returns what `change` makes of the right state."""

    def __init__(self, change: Callable[[State], Any]) -> None:
        self.change = change

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> Any:
        return self.change(KerasV2Twin.state(self, slots, h))


def _set(array: Array) -> None:
    array.flat[0] = 77


# Overwritten


def test_a_correct_implementation_overwrites_nothing_and_changes_nothing_later() -> None:
    observation = observe(KerasV2Twin(), problem(amsgrad=True))
    assert (observation.overwritten, observation.changed_later) == ((), ())
    assert [state.t for state in observation.states] == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    ("meddle", "name"),
    [
        (lambda gradients: _set(gradients[0]), "gradients[0][0]"),
        (lambda gradients: _set(gradients[1].values), "gradients[0][1]"),
        (lambda gradients: np.copyto(gradients[1].indices, 0), "gradients[0][1]"),
        (lambda gradients: np.negative(gradients[0], out=gradients[0]), "gradients[0][0]"),
    ],
    ids=["dense", "values", "indices", "in-place"],
)
def test_an_overwritten_gradient_is_seen(meddle: Callable[[Sequence[Any]], None], name: str) -> None:
    given = problem(steps=1)
    observation = observe(Meddling(meddle), given)
    assert observation.overwritten == (name,)
    assert given.gradients[0][0][0] == 1, "the problem itself is a copy's original"  # type: ignore[index]


def test_overwriting_a_zero_with_its_negative_is_seen() -> None:
    """Equal as numbers; only a comparison of bytes tells."""
    zero = np.zeros(3, dtype=np.float32)
    given = replace(problem(steps=1), parameters=(zero,), gradients=((zero,),))
    observation = observe(Meddling(lambda gradients: np.negative(gradients[0], out=gradients[0])), given)
    assert observation.overwritten == ("gradients[0][0]",)


def test_a_gradient_that_is_overwritten_in_a_later_step_is_seen() -> None:
    kept: list[Array] = []

    def meddle(gradients: Sequence[Any]) -> None:
        kept.append(gradients[0])
        if len(kept) > 1:
            _set(kept[0])

    assert "gradients[0][0]" in observe(Meddling(meddle), problem()).overwritten


def test_overwritten_initial_parameters_are_seen() -> None:
    class Keeps(KerasV2Twin):
        def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
            slots = KerasV2Twin.slots(self, parameters, h)
            slots[1].theta = parameters[1]
            return slots

    assert observe(Keeps(), problem()).overwritten == ("parameters[1]",)


@pytest.mark.parametrize("name", ["parameters", "m", "v", "v_max", "slow"])
def test_a_state_that_changes_later_is_seen(name: str) -> None:
    class Live(LookaheadKerasV2Twin):
        def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
            live = tuple(getattr(slot, "theta" if name == "parameters" else name) for slot in slots)
            return replace(LookaheadKerasV2Twin.state(self, slots, h), **{name: live})

    observation = observe(Live(), problem(amsgrad=True, sync_period=2))
    assert observation.overwritten == ()
    assert observation.changed_later
    assert all(text.split(": ")[1].startswith(name) for text in observation.changed_later)


def test_a_count_that_changes_later_is_seen_or_refused() -> None:
    counts: Any = [0, 0]

    def change(state: State) -> State:
        counts[:] = state.t
        return replace(state, t=counts)

    try:
        seen = bool(observe(Returning(change), problem()).changed_later)
    except ContractBreach:
        seen = True
    assert seen


# Breaches


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: None, "the result of step() is 'NoneType'; accepted: adapters.contract.State"),
        (lambda s: replace(s, m=s.m[:1]), "len(m) is 1; accepted: 2, one per parameter"),
        (lambda s: replace(s, m=None), "len(m) is 'NoneType'; accepted: 2, one per parameter"),
        (lambda s: replace(s, v=(s.v[0].tolist(), s.v[1])), "v[0] is 'list'; accepted: a NumPy array"),
        (lambda s: replace(s, v=(s.v[0], s.v[1].ravel())), "v[1].shape is (4,); accepted: (2, 2)"),
        (lambda s: replace(s, m=(s.m[0].astype(float), s.m[1])), "m[0].dtype is 'float64'; accepted: float32"),
        (lambda s: replace(s, v_max=s.v), "v_max is 'given'; accepted: arrays with amsgrad, None without"),
        (lambda s: replace(s, slow=s.v), "slow is 'given'; accepted: arrays with sync_period, None without"),
        (lambda s: replace(s, average=s.v), "average is 'given'; accepted: arrays with ema_momentum, None without"),
        (lambda s: replace(s, t=(1,)), "t is (1,); accepted: "),
        (lambda s: replace(s, t=1), "t is 1; accepted: "),
        (lambda s: replace(s, t=(1.0, 1)), "t[0] is 1.0; accepted: an int >= 0"),
        (lambda s: replace(s, t=(1, -1)), "t[1] is -1; accepted: an int >= 0"),
        (lambda s: replace(s, t=(1, True)), "t[1] is True; accepted: an int >= 0"),
        (lambda s: replace(s, t=(1, np.int64(1))), f"t[1] is {np.int64(1)!r}; accepted: an int >= 0"),
    ],
)
def test_a_state_that_does_not_fit_is_a_breach(change: Callable[[State], Any], message: str) -> None:
    implementation, given = Returning(change), problem()
    with pytest.raises(ContractBreach) as caught:
        observe(implementation, given)
    assert str(caught.value).startswith(f"step 1: {message}")


@pytest.mark.parametrize("check", [c for c in checks.CHECKS if c.problems == "general"], ids=lambda check: check.name)
def test_a_breach_is_a_finding_of_whatever_check_meets_it(check: checks.Check) -> None:
    (found,) = check.judge(Returning(lambda state: replace(state, m=state.m[:1])), problem()).findings
    assert isinstance(found, checks.Breach)
    assert found.message.startswith("step 1: len(m) is 1; accepted: 2")


def test_v_max_that_is_missing_is_a_breach() -> None:
    with pytest.raises(ContractBreach, match=r"v_max is None; accepted: arrays with amsgrad"):
        observe(Returning(lambda state: replace(state, v_max=None)), problem(amsgrad=True))


def test_slow_weights_that_are_missing_are_a_breach() -> None:
    with pytest.raises(ContractBreach, match=r"slow is None; accepted: arrays with sync_period"):
        observe(Returning(lambda state: replace(state, slow=None)), problem(sync_period=2))


# Failures


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(0), MemoryError(), GeneratorExit()], ids=repr)
def test_whatever_an_implementation_raises_is_its_failure(error: BaseException) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(ImplementationFailed, match=type(error).__name__):
        guarded(fails)


def test_an_exception_that_cannot_be_printed_is_a_failure_too() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ValueError

    def fails() -> None:
        raise Unprintable

    with pytest.raises(ImplementationFailed, match="Unprintable"):
        guarded(fails)


def test_an_interrupt_is_the_persons_and_not_the_implementations() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(interrupted)


def test_many_checks_share_one_run() -> None:
    implementation, given = KerasV2Twin(), problem()
    assert observe(implementation, given) is observe(implementation, given)
    assert observe(KerasV2Twin(), given) is not observe(implementation, given)


# Master copies


def half(weights: Any = ..., **changed: Any) -> Returning:
    """What has a master copy of a float16 parameter, and returns another state."""

    def change(state: State) -> State:
        arrays = {name: tuple(a.astype(np.float32) for a in getattr(state, name)) for name in ("parameters", "m", "v")}
        given = state.parameters if weights is ... else weights
        return replace(state, **arrays | {"weights": given} | changed)

    made = Returning(change)
    made.claim = replace(made.claim, dtypes=("float32", "float16"), masters=frozenset({"float16"}))
    return made


def half_problem() -> Problem:
    theta = np.ones(2, np.float16)
    return Problem(dtype="float16", hyperparameters=Hyperparameters(), parameters=(theta,), gradients=((theta,),))


def test_weights_are_of_the_problem_s_dtype_and_their_copies_of_float32() -> None:
    (state,) = observe(half(), half_problem()).states
    assert state.weights is not None
    assert (state.weights[0].dtype, state.parameters[0].dtype) == (np.float16, np.float32)
    for wrong, says in (
        (half((np.ones(2, np.float32),)), r"weights\[0\].dtype is 'float32'; accepted: float16"),
        (half(m=(np.ones(2, np.float16),)), r"m\[0\].dtype is 'float16'; accepted: float32"),
        (half(None), r"parameters\[0\].dtype is 'float32'; accepted: float16"),
        (half(()), r"len\(weights\) is 0; accepted: 1, one per parameter"),
    ):
        with pytest.raises(ContractBreach, match=says):
            observe(wrong, half_problem())


def test_a_master_copy_is_claimed() -> None:
    silent = half()
    silent.claim = KerasV2Twin.claim
    with pytest.raises(ContractBreach, match="the claim has no master copies"):
        observe(silent, half_problem())
    with pytest.raises(ContractBreach, match="the claim has no master copies"):
        taken_by_a_law(silent, half_problem())
    assert len(taken_by_a_law(half(), half_problem())) == 1


def taken_by_a_law(implementation: Returning, given: Problem) -> tuple[State, ...]:
    run = implementation.start(given.parameters, given.hyperparameters)
    return Steps(implementation, given).take(run, 0, given.gradients)


def test_a_float32_parameter_has_no_master_copy() -> None:
    with pytest.raises(ContractBreach, match="weights is 'given'; accepted: None"):
        observe(Returning(lambda state: replace(state, weights=state.parameters)), problem())
