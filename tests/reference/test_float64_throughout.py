"""Computed float64 stays float64: no silent float32, no longdouble, after no stage of no dialect."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_problems import LAW, Array, Problem, problems

from reference import DIALECTS, Hyperparameters, State, dialect, initial_state, step
from reference import stages as s
from reference.namespace import FLOAT64, quotient
from reference.step import Watch

NOT_REAL = {"t", "rows", "rectified", "decays", "index", "num_update"}
QUANTITIES = [field.name for field in fields(s.Working) if field.name not in NOT_REAL]


def not_float64(value: Any) -> list[str]:
    """The types among `value` that are not float64."""
    if value is None:
        return []
    if isinstance(value, tuple):
        return [name for item in value for name in not_float64(item)]
    if isinstance(value, np.ndarray):
        return [] if value.dtype == np.float64 else [str(value.dtype)]
    return [] if isinstance(value, float) else [type(value).__name__]  # np.float64 is a float


def watcher(found: set[str], seen: set[s.Stage]) -> Watch:
    def watch(i: int, stage: s.Stage, before: s.Working, after: s.Working) -> None:
        seen.add(stage)
        for name in QUANTITIES:
            found.update(f"{stage.__name__}: {name} is {kind}" for kind in not_float64(getattr(after, name)))

    return watch


def findings(problem: Problem, state: State | None = None) -> tuple[set[str], State]:
    """What is not float64 after any stage; every stage must have been seen if any gradient was there."""
    found: set[str] = set()
    seen: set[s.Stage] = set()
    state = problem.start if state is None else state
    with np.errstate(all="ignore"):
        for gradients in problem.gradients:
            state = step(problem.dialect, problem.h, state, gradients, watch=watcher(found, seen))
            for name in ("theta", "m", "v", "v_max", "slow", "average"):
                arrays = getattr(state, name) or ()
                assert all(type(array) is np.ndarray for array in arrays), f"{name} of the state is not an array"
                found.update(f"state: {name} is {kind}" for kind in not_float64(arrays))
    if any(g is not None for gradients in problem.gradients for g in gradients):
        assert seen == set(problem.dialect.stages)
    return found, state


def as_type(gradient: Any, dtype: str) -> Any:
    if gradient is None:
        return None
    if isinstance(gradient, tuple):
        return gradient[0], gradient[1].astype(dtype)
    return gradient.astype(dtype)


def rounded(problem: Problem, dtype: str) -> Problem:
    """The problem with gradients and parameters of another type, the values of which float64 holds."""
    theta = tuple(array.astype(dtype) for array in problem.theta)
    gradients = tuple(tuple(as_type(g, dtype) for g in one) for one in problem.gradients)
    return replace(problem, theta=theta, gradients=gradients)


@pytest.mark.parametrize("name", DIALECTS)
@LAW
@given(data=st.data())
def test_every_quantity_is_float64_after_every_stage(name: str, data: st.DataObject) -> None:
    found, _ = findings(data.draw(problems(dialects=[dialect(name)], max_steps=3)))
    assert not found


@pytest.mark.parametrize("dtype", ["float32", "float16", "longdouble", "int64"])
@LAW
@given(problem=problems(max_steps=3))
def test_what_comes_in_another_type_is_computed_in_float64(dtype: str, problem: Problem) -> None:
    with np.errstate(over="ignore", under="ignore"):
        other = rounded(problem, dtype)
        same = rounded(other, "float64")
    found, state = findings(other)
    assert not found
    _, expected = findings(same)
    for name in ("theta", "m", "v"):
        for got, wanted in zip(getattr(state, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", DIALECTS)
def test_hyperparameters_of_another_type_are_computed_in_float64(name: str) -> None:
    d, single = dialect(name), np.float32
    h = Hyperparameters(learning_rate=single(0.1), beta_1=single(0.9), beta_2=single(0.99), epsilon=single(1e-3))
    found, _ = findings(Problem(d, h, (np.ones((3, 2)),), ((np.full((3, 2), 0.3, "float32"),),) * 3))
    assert not found


@pytest.mark.parametrize("name", DIALECTS)
def test_0_d_and_empty_parameters(name: str) -> None:
    arrays: tuple[Array, ...] = (np.array(1.5), np.ones(0), np.ones((0, 3)))
    found, state = findings(Problem(dialect(name), Hyperparameters(), arrays, (arrays,) * 2))
    assert not found
    assert [theta.shape for theta in state.theta] == [(), (0,), (0, 3)]


@pytest.mark.parametrize("gradient", [np.ones(1), None])
def test_a_state_of_float32_arrays_is_computed_in_float64(gradient: Array | None) -> None:
    zeros = (np.zeros(1, "float32"),)
    state = State((np.array([1.1], "float32"),), zeros, zeros, zeros, (0,))
    h = Hyperparameters(weight_decay=0.1, amsgrad=True)
    found, _ = findings(Problem(dialect("torch-adam"), h, (), ((gradient,),)), state)
    assert not found


# The watch, seen to find


def test_a_planted_float32_is_found() -> None:
    def single(p: s.Working, h: Hyperparameters, x: Any) -> None:
        p.m = p.m.astype(np.float32)

    d = dialect("keras-v2-adam")
    at = d.stages.index(s.first_moment) + 1
    planted = replace(d, stages=(*d.stages[:at], single, *d.stages[at:]))
    found, _ = findings(Problem(planted, Hyperparameters(), (np.ones(2),), ((np.ones(2),),)))
    assert "single: m is float32" in found
    assert "state: m is float32" in found
    assert not_float64(np.longdouble(1)) == ["longdouble"]
    assert not_float64((None, np.float64(1), np.float32(1))) == ["float32"]


def test_the_namespace_returns_float64() -> None:
    for value in (FLOAT64.number(np.float32(0.1)), FLOAT64.number(np.ones(2, "float16")), FLOAT64.sqrt(2.0)):
        assert not not_float64(value)
    assert FLOAT64.number(np.float32(0.1)) == float(np.float32(0.1))
    assert np.isnan(FLOAT64.sqrt(-1.0))
    assert FLOAT64.log(0.0) == -np.inf
    assert FLOAT64.expm1(1e4) == np.inf
    assert initial_state([np.ones(2, "float32")], Hyperparameters()).theta[0].dtype == np.float64


@pytest.mark.parametrize(("numerator", "wanted"), [(1.0, np.inf), (-1.0, -np.inf), (0.0, np.nan)])
def test_the_quotient_is_that_of_ieee(numerator: float, wanted: float) -> None:
    for number in (float, np.float64, np.array, lambda value: np.array([value])):
        with np.errstate(invalid="ignore"):
            got = quotient(number(numerator), number(0.0))
        assert not not_float64(got)
        np.testing.assert_array_equal(got, np.full(np.shape(number(0.0)), wanted))
    assert quotient(1.0, 4.0) == 0.25


def test_the_quotient_of_python_zeros_does_not_warn() -> None:
    """Seen in a step: RectifiedAdam, beta_2 0.6, sma_threshold 0, t 301, where rho_t - 4 and rho_inf - 4 are 0."""
    assert np.isnan(quotient(0.0, 0.0))
