"""Laws that every dialect keeps, bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_problems import LAW, Array, Problem, problems

from reference import DIALECTS, Hyperparameters, State, dialect, initial_state, step
from reference import stages as s
from reference.hyperparameters import MULTIPLIERS

LAZY = [name for name in DIALECTS if name.endswith("-lazy")]
SCATTER = ["keras-v2-adam", "tf-keras-adam", "mxnet2-adam", "mxnet1-adam"]
NO_NORM: dict[str, Any] = {"clipnorm": None, "global_clipnorm": None}
SCALE_FREE = [n for n, d in DIALECTS.items() if s.zero_epsilon_is_default not in d.stages and not d.rectifies]
"""Dialects that know an epsilon of zero, and no branch that is a plain average of gradients."""
every_dialect = pytest.mark.parametrize("name", DIALECTS)


def run(problem: Problem, state: State | None = None) -> State:
    """The state after every gradient of `problem`."""
    state = problem.start if state is None else state
    with np.errstate(all="ignore"):
        for gradients in problem.gradients:
            state = step(problem.dialect, problem.h, state, gradients)
    return state


def assert_same(got: State, wanted: State) -> None:
    """Bit-identical arrays, and the same step counts."""
    assert got.t == wanted.t
    for name in ("theta", "m", "v", "v_max", "slow"):
        for a, b in zip(getattr(got, name) or (), getattr(wanted, name) or (), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)


def mapped(state: State, change: Callable[[Array], Array]) -> State:
    def arrays(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(change(array) for array in values)

    v_max, slow = (None if group is None else arrays(group) for group in (state.v_max, state.slow))
    return State(arrays(state.theta), arrays(state.m), arrays(state.v), v_max, state.t, slow)


def on_dense(gradient: Any, change: Callable[[Array], Array]) -> Any:
    return None if gradient is None else change(gradient)


def dense_like(problem: Problem, change: Callable[[Array], Array]) -> Problem:
    """`problem`, whose gradients are dense, with every array changed."""
    gradients = tuple(tuple(on_dense(g, change) for g in one) for one in problem.gradients)
    return replace(problem, theta=tuple(change(array) for array in problem.theta), gradients=gradients)


def by_element(problem: Problem) -> Problem:
    """Without a norm that clips, which is of all elements, rounded in their order, and 0 / 0 where it is 0."""
    return replace(problem, h=replace(problem.h, **NO_NORM))


@every_dialect
@LAW
@given(data=st.data())
def test_nothing_that_is_passed_in_is_written_to(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=5))
    kept = copy.deepcopy(problem)
    state = problem.start
    states = [(state, copy.deepcopy(state))]
    with np.errstate(all="ignore"):
        for gradients in problem.gradients:
            state = step(problem.dialect, problem.h, state, gradients)
            states.append((state, copy.deepcopy(state)))
    for seen, remembered in states:
        assert_same(seen, remembered)
    for ours, theirs in zip(problem.theta, kept.theta, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    flat = [array for one in (problem, kept) for g in one.gradients for item in g for array in _arrays(item)]
    for ours, theirs in zip(flat[: len(flat) // 2], flat[len(flat) // 2 :], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _arrays(gradient: Any) -> tuple[Any, ...]:
    if gradient is None:
        return ()
    return gradient if isinstance(gradient, tuple) else (gradient,)


@every_dialect
@LAW
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_elements_may_be_permuted(name: str, data: st.DataObject, seed: int) -> None:
    problem = by_element(data.draw(problems(dialects=[dialect(name)], max_steps=8, rows=False)))

    def shuffled(array: Array) -> Array:
        return np.random.default_rng(seed).permutation(array.ravel()).reshape(array.shape)

    assert_same(run(dense_like(problem, shuffled)), mapped(run(problem), shuffled))


@every_dialect
@LAW
@given(data=st.data(), cut=st.integers(0, 4))
def test_a_tensor_may_be_split(name: str, data: st.DataObject, cut: int) -> None:
    problem = by_element(data.draw(problems(dialects=[dialect(name)], max_steps=8, rows=False)))

    def halves(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part for array in values for part in (array[:cut], array[cut:]))

    def of_none(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part for g in gradients for part in ((None, None) if g is None else (g[:cut], g[cut:])))

    doubled = {name: tuple(f for f in getattr(problem.h, name) for _ in range(2)) for name in MULTIPLIERS}
    parts = replace(problem, theta=halves(problem.theta), gradients=tuple(of_none(one) for one in problem.gradients))
    parts = replace(parts, h=replace(problem.h, **doubled))
    whole = run(problem)
    v_max, slow = (None if group is None else halves(group) for group in (whole.v_max, whole.slow))
    t = tuple(count for count in whole.t for _ in range(2))
    assert_same(run(parts), State(halves(whole.theta), halves(whole.m), halves(whole.v), v_max, t, slow))


@every_dialect
@LAW
@given(data=st.data(), steps=st.integers(0, 8))
def test_a_run_may_be_interrupted(name: str, data: st.DataObject, steps: int) -> None:
    """The state holds everything that the next step needs."""
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    first = run(replace(problem, gradients=problem.gradients[:steps]))
    assert_same(run(replace(problem, gradients=problem.gradients[steps:]), copy.deepcopy(first)), run(problem))


@every_dialect
@LAW
@given(data=st.data())
def test_a_mirrored_problem_is_mirrored(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8, rows=False))
    mirrored, state = run(dense_like(problem, np.negative)), run(problem)
    wanted = mapped(state, np.negative)
    assert_same(mirrored, replace(wanted, v=state.v, v_max=state.v_max))


@pytest.mark.parametrize("name", SCALE_FREE)
@LAW
@given(data=st.data(), power=st.integers(-20, 20))
def test_the_scale_of_the_gradient_cancels_without_epsilon(name: str, data: st.DataObject, power: int) -> None:
    """By a power of two, so that nothing rounds."""
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=5))
    h = replace(problem.h, epsilon=0.0, l2=0.0, clip_gradient=None, **NO_NORM, clipvalue=None, epsilon_root=0.0)
    scaled = tuple(tuple(_times(g, 2.0**power) for g in one) for one in problem.gradients)
    got = run(replace(problem, h=h, gradients=scaled))
    wanted = run(replace(problem, h=h))
    for a, b in zip(got.theta, wanted.theta, strict=True):
        np.testing.assert_array_equal(a, b)


def _times(gradient: Any, factor: float) -> Any:
    if gradient is None:
        return None
    return (gradient[0], gradient[1] * factor) if isinstance(gradient, tuple) else gradient * factor


def _dense(problem: Problem) -> Problem:
    """The problem with zeros for the rows that a gradient does not name, and duplicates summed."""

    def filled(gradient: Any, like: Array) -> Any:
        if not isinstance(gradient, tuple):
            return gradient
        dense = np.zeros(like.shape)
        np.add.at(dense, gradient[0], gradient[1])
        return dense

    return replace(
        problem,
        gradients=tuple(
            tuple(filled(g, theta) for g, theta in zip(one, problem.theta, strict=True)) for one in problem.gradients
        ),
    )


@pytest.mark.parametrize("name", SCATTER)
@LAW
@given(data=st.data())
def test_rows_are_the_dense_gradient_with_zeros(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    problem = replace(problem, h=replace(problem.h, **NO_NORM, clipvalue=None))  # done to duplicates one by one
    assert_same(run(problem), run(_dense(problem)))


@pytest.mark.parametrize("name", LAZY)
@LAW
@given(data=st.data())
def test_lazy_is_not_lazy_when_every_row_is_named(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8, rows=False))
    order = np.random.default_rng(len(problem.gradients))

    def all_rows(gradient: Any) -> Any:
        if gradient is None:
            return None
        rows = order.permutation(len(gradient))
        return rows, gradient[rows]

    named = replace(problem, gradients=tuple(tuple(all_rows(g) for g in one) for one in problem.gradients))
    eager = replace(problem, dialect=dialect(name.removesuffix("-lazy")))
    assert_same(run(named), run(eager))


@pytest.mark.parametrize(
    ("name", "other", "neutral"),
    [
        ("keras-v2-adam", "tf-keras-adam", {}),
        ("tf-keras-adam", "mxnet2-adam", {}),
        ("mxnet2-adam", "mxnet1-adam", {"l2": 0.1}),
        ("mxnet2-adam", "mxnet1-adam", {"clip_gradient": 0.5, "rescale_grad": 2.0}),
        ("mxnet2-adam-lazy", "mxnet1-adam-lazy", {"clip_gradient": 0.5}),
    ],
)
@LAW
@given(problem=problems(dialects=[dialect("keras-v2-adam")], max_steps=8, rows=False))
def test_dialects_agree_where_they_do_not_differ(
    name: str, other: str, neutral: dict[str, Any], problem: Problem
) -> None:
    """Dense gradients, each parameter with one in every step, and an epsilon."""
    assume(all(g is not None for one in problem.gradients for g in one))
    h = Hyperparameters(learning_rate=0.1, beta_1=problem.h.beta_1, beta_2=problem.h.beta_2, **neutral)
    runs = [run(replace(problem, h=h, dialect=dialect(one))) for one in (name, other)]
    assert_same(*runs)


@every_dialect
@LAW
@given(data=st.data())
def test_moments_are_averages_and_the_maximum_does_not_fall(name: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    problem = by_element(replace(problem, h=replace(problem.h, l2=0.0, epsilon=1e-3)))
    largest = problem.h.rescale_grad * max(
        (float(np.abs(g).sum(initial=0)) for one in problem.gradients for item in one for g in _arrays(item)[-1:]),
        default=0.0,
    )
    state = problem.start
    with np.errstate(all="ignore"):
        for gradients in problem.gradients:
            new = step(problem.dialect, problem.h, state, gradients)
            for i, (m, v) in enumerate(zip(new.m, new.v, strict=True)):
                assert (np.abs(m) <= largest * (1 + 1e-12)).all()
                assert (v >= 0).all()
                assert (v <= largest**2 * (1 + 1e-12)).all()
                if new.v_max is not None and state.v_max is not None:
                    assert (new.v_max[i] >= state.v_max[i]).all()
            state = new


def test_initial_state_copies() -> None:
    theta = np.ones(2)
    state = initial_state([theta], Hyperparameters())
    theta[0] = 7.0
    assert state.theta[0][0] == 1.0
