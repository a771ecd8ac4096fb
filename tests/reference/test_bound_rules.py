"""The bound: its laws, where it is zero, where it is infinite."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_adam import F
from random_problems import LAW, Problem, problems

from reference import DIALECTS, Bound, Hyperparameters, Rounding, State, bounded_step, dialect, initial_bound, step
from reference.bias_correction import sma
from reference.bound_rules import RULES
from reference.namespace import FLOAT64

SINGLE = Rounding(compute="float32", powers="float32", step_size="float32")
DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")
FIELDS = ("theta", "m", "v", "v_max", "update", "slow")


def run(problem: Problem, a: Rounding) -> list[tuple[State, Bound]]:
    """State and bound after every step of the free run."""
    state, bound, found = problem.start, initial_bound(problem.start), []
    for gradients in problem.gradients:
        state, bound = bounded_step(problem.dialect, problem.h, a, state, bound, gradients)
        found.append((state, bound))
    return found


def single(theta: Any, m: Any = 0.0, v: Any = 0.0, t: int = 0) -> State:
    """A state of one parameter."""
    shape = np.shape(theta)
    theta, m, v = (np.broadcast_to(np.asarray(array, dtype=float), shape).copy() for array in (theta, m, v))
    return State((theta,), (m,), (v,), None, (t,))


def one_step(name: str, state: State, gradient: Any, a: Rounding = SINGLE, **hyperparameters: Any) -> Bound:
    h = Hyperparameters(**hyperparameters)
    return bounded_step(dialect(name), h, a, state, initial_bound(state), [gradient])[1]


def test_rules_cover_every_stage_of_every_dialect_and_no_other() -> None:
    assert set(RULES) == {stage for d in DIALECTS.values() for stage in d.stages}


# Laws


@pytest.mark.parametrize("name", DIALECTS)
@LAW
@given(data=st.data())
def test_the_bound_changes_nothing_and_is_a_bound(name: str, data: st.DataObject) -> None:
    """The state is that of `step`, bit for bit; nothing is written to; every entry is at least 0, of its shape."""
    problem = data.draw(problems(dialects=[dialect(name)], max_steps=8))
    state, bound = problem.start, initial_bound(problem.start)
    for gradients in problem.gradients:
        kept = copy.deepcopy((state, bound))
        new, after = bounded_step(problem.dialect, problem.h, SINGLE, state, bound, gradients)
        with np.errstate(all="ignore"):
            wanted = step(problem.dialect, problem.h, state, gradients)
        assert_equal(new, wanted)
        assert_equal((state, bound), kept)
        for field in FIELDS:
            for array, theta in zip(getattr(after, field) or (), new.theta, strict=False):
                assert array.shape == theta.shape
                assert (array >= 0).all()
        state, bound = new, after


def assert_equal(got: Any, wanted: Any) -> None:
    """Bit-identical, NaN included, through tuples and dataclasses."""
    if isinstance(got, tuple):
        for a, b in zip(got, wanted, strict=True):
            assert_equal(a, b)
    elif isinstance(got, State | Bound):
        for field in vars(got):
            assert_equal(getattr(got, field), getattr(wanted, field))
    else:
        np.testing.assert_array_equal(got, wanted)


COARSER = {
    "float64, all of it": replace(SINGLE, compute="float64", powers="float64", step_size="float64"),
    "float64 powers": replace(SINGLE, powers="float64"),
    "float64 but for the step size": replace(SINGLE, compute="float64", powers="float64"),
}


@pytest.mark.parametrize("finer", COARSER)
@LAW
@given(problem=problems(max_steps=8))
def test_finer_arithmetic_has_no_larger_bound(finer: str, problem: Problem) -> None:
    for (_, small), (_, large) in zip(run(problem, COARSER[finer]), run(problem, SINGLE), strict=True):
        assert_no_larger(small, large)


@pytest.mark.parametrize("change", [{"power_form": "product"}, {"first_moment": "lerp"}, {"second_moment": "lerp"}])
@LAW
@given(problem=problems(max_steps=8))
def test_more_roundings_have_no_smaller_bound(change: dict[str, Any], problem: Problem) -> None:
    # A power function is better than a product where |log beta| <= 1.
    h = replace(problem.h, **{name: max(0.5, getattr(problem.h, name)) for name in ("power_beta_1", "power_beta_2")})
    problem = replace(problem, h=h)
    for (_, small), (_, large) in zip(run(problem, SINGLE), run(problem, replace(SINGLE, **change)), strict=True):
        assert_no_larger(small, large)


@LAW
@given(problem=problems(max_steps=8))
def test_a_run_that_began_with_an_error_has_no_smaller_bound(problem: Problem) -> None:
    """The one-step bound is the free-running one of a run that begins there."""
    state, bound = problem.start, initial_bound(problem.start)
    for gradients in problem.gradients:
        fresh = bounded_step(problem.dialect, problem.h, SINGLE, state, initial_bound(state), gradients)[1]
        state, bound = bounded_step(problem.dialect, problem.h, SINGLE, state, bound, gradients)
        assert_no_larger(fresh, bound)


def assert_no_larger(small: Bound, large: Bound) -> None:
    for field in FIELDS:
        for a, b in zip(getattr(small, field) or (), getattr(large, field) or (), strict=True):
            assert (a <= b * (1 + 1e-12)).all(), field


# Where the bound is zero


@pytest.mark.parametrize("name", [name for name in DIALECTS if name.endswith("-lazy")])
def test_rows_that_a_lazy_step_leaves_alone_have_no_error(name: str) -> None:
    state = single(np.ones((3, 2)), m=0.5, v=0.25, t=7)
    bound = one_step(name, state, (np.array([1]), np.ones((1, 2))), l2=0.1)
    for field in ("theta", "m", "v", "update"):
        array = getattr(bound, field)[0]
        assert (array[[0, 2]] == 0).all()
        assert (array[1] > 0).all()


@pytest.mark.parametrize("name", DIALECTS)
def test_a_parameter_without_a_gradient_keeps_its_error(name: str) -> None:
    h, d, start = Hyperparameters(), dialect(name), single([1.0])
    state, bound = bounded_step(d, h, SINGLE, start, initial_bound(start), [np.ones(1)])
    _, after = bounded_step(d, h, SINGLE, state, bound, [None])
    for field in ("theta", "m", "v"):
        assert_equal(getattr(after, field), getattr(bound, field))
    assert (after.update[0] == 0).all()


# Where it is infinite: the format's range decides


def ambiguous(bound: Bound) -> list[bool]:
    assert all((np.isinf(getattr(bound, field)[0]) == bound.out_of_range[0]).all() for field in ("theta", "m", "v"))
    return list(bound.out_of_range[0])


TINY_AND_HUGE = np.array([1e-25, 1e-15, 1.0, 1e15, 1e25])


@pytest.mark.parametrize("name", ["tf-keras-adam", "mxnet2-adam", "torch-adam"])
def test_squares_that_leave_the_range_of_float32_are_ambiguous(name: str) -> None:
    """1e-25 squared is zero, and epsilon too; 1e25 squared is infinite. In float64 all are plain."""
    state = single(np.ones(5))
    assert ambiguous(one_step(name, state, TINY_AND_HUGE, epsilon=0.0)) == [True, False, False, False, True]
    assert ambiguous(one_step(name, state, TINY_AND_HUGE, epsilon=1e-7)) == [False, False, False, False, True]
    assert ambiguous(one_step(name, state, TINY_AND_HUGE, DOUBLE, epsilon=0.0)) == [False] * 5


def test_what_was_ambiguous_stays_so() -> None:
    d, h, start = dialect("tf-keras-adam"), Hyperparameters(), single(np.ones(2))
    state, bound = bounded_step(d, h, SINGLE, start, initial_bound(start), [np.array([1e25, 1.0])])
    _, after = bounded_step(d, h, SINGLE, state, bound, [np.ones(2)])
    assert ambiguous(after) == [True, False]


def test_0_by_0_is_ambiguous() -> None:
    assert ambiguous(one_step("torch-adam", single(np.ones(2)), np.array([0.0, 1.0]), epsilon=0.0)) == [True, False]


@pytest.mark.parametrize(("l2", "wanted"), [(0.0, False), (1.0, True)])
def test_an_overflow_by_another_way_is_ambiguous(l2: float, wanted: bool) -> None:
    assert ambiguous(one_step("mxnet2-adam", single([1e30]), np.ones(1), l2=l2)) == [wanted]


# The branch of RectifiedAdam


def rectified_step(t: int, a: Rounding = SINGLE, **hyperparameters: Any) -> Bound:
    return one_step("tfa-rectified-adam", single([1.0], t=t - 1), np.ones(1), a, **hyperparameters)


def test_the_branch_is_ambiguous_where_float32_takes_the_other() -> None:
    """beta_2 = 0.99999 at step 3: rho_3 is 3, which TF-Addons' float32 formula makes 5."""
    beta_2, t = F(0.99999), 3
    power = beta_2 ** F(t)
    in_float32 = F(2) / (F(1) - beta_2) - F(1) - F(2) * F(t) * power / (F(1) - power)
    assert in_float32 >= 5 > sma(float(beta_2), t, FLOAT64) + 1
    assert rectified_step(t, beta_2=float(beta_2)).branch


NEAR = [(0.999, 4, False), (0.999, 5, True), (0.999, 6, False), (0.9999, 5, True), (0.9, 5, False), (0.9, 50, False)]


@pytest.mark.parametrize(("beta_2", "t", "wanted"), NEAR)
def test_the_branch_is_ambiguous_near_the_threshold(beta_2: float, t: int, wanted: bool) -> None:
    assert rectified_step(t, beta_2=beta_2).branch is wanted
    assert rectified_step(t, DOUBLE, beta_2=beta_2).branch is False


@pytest.mark.parametrize("a", [SINGLE, DOUBLE])
def test_the_branch_is_ambiguous_at_the_threshold(a: Rounding) -> None:
    rho = sma(0.9, 8, FLOAT64)
    assert rectified_step(8, a, beta_2=0.9, sma_threshold=rho).branch
    assert not rectified_step(8, a, beta_2=0.9, sma_threshold=rho + 1e-3).branch


def test_other_dialects_have_no_branch() -> None:
    for name in (name for name, d in DIALECTS.items() if not d.rectifies):
        assert one_step(name, single([1.0]), np.ones(1)).branch is False
