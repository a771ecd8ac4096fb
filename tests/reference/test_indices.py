"""Worked cases of what MXNet has by index: multipliers, and where t begins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from reference import DIALECTS, Hyperparameters, Rounding, State, bounded_step, dialect, initial_bound, initial_state
from reference import step as one_step

MXNET = [name for name, d in DIALECTS.items() if "lr_mult" in d.hyperparameters]
SINGLE = Rounding(compute="float32", powers="float64", step_size="float32")


def run(name: str, theta: Any, *steps: list[Any], **hyperparameters: Any) -> State:
    """The state after `steps`, from parameters `theta`."""
    h = Hyperparameters(**hyperparameters)
    state = initial_state([np.array(array, dtype=float) for array in theta], h)
    for gradients in steps:
        state = one_step(dialect(name), h, state, [np.array(g) if isinstance(g, list) else g for g in gradients])
    return state


def test_who_has_them() -> None:
    assert MXNET == ["mxnet2-adam", "mxnet2-adam-lazy", "mxnet1-adam", "mxnet1-adam-lazy"]
    for d in DIALECTS.values():
        assert len({"lr_mult", "wd_mult", "begin_num_update"} & d.hyperparameters) in (0, 3)


@pytest.mark.parametrize("name", MXNET)
def test_each_parameter_moves_and_decays_by_its_own_multiple(name: str) -> None:
    """The first step is learning_rate sign(g), and m is (g + l2 theta) / 2."""
    given = {"learning_rate": 0.5, "beta_1": 0.5, "epsilon": 0.0, "l2": 0.25}
    given |= {"lr_mult": (0.5, 0.0, 3.0), "wd_mult": (0.0, 2.0, 4.0)}
    state = run(name, [[8.0]] * 3, [[1.0]] * 3, **given)
    np.testing.assert_allclose(np.ravel(state.theta), [7.75, 8.0, 6.5], rtol=1e-14)
    np.testing.assert_array_equal(np.ravel(state.m), [0.5, 2.5, 4.5])


@pytest.mark.parametrize("name", MXNET)
def test_the_place_counts_though_another_has_no_gradient(name: str) -> None:
    state = run(name, [[8.0]] * 2, [None, [1.0]], learning_rate=0.5, epsilon=0.0, lr_mult=(0.5, 3.0))
    np.testing.assert_allclose(np.ravel(state.theta), [8.0, 6.5], rtol=1e-14)


@pytest.mark.parametrize("name", MXNET)
@pytest.mark.parametrize("mult", ["lr_mult", "wd_mult"])
def test_one_multiplier_per_parameter_or_none(name: str, mult: str) -> None:
    with pytest.raises(ValueError, match=rf"len\({mult}\) is 1; accepted: 0, or 2 parameters"):
        run(name, [[8.0]] * 2, [[1.0]] * 2, **{mult: (1.0,)})


@pytest.mark.parametrize("name", MXNET)
def test_t_begins_at_begin_num_update(name: str) -> None:
    """The first step of a parameter that comes late is that of the same t."""
    h: dict[str, Any] = {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0, "begin_num_update": 10}
    state = run(name, [[1.0], [1.0]], [[1.0], None], [None, [-1.0]], **h)
    assert state.t == (11, 11)
    first = 0.5 * math.sqrt(1 - 0.75**11) / (1 - 0.5**11) * 0.5 / math.sqrt(0.25)
    np.testing.assert_allclose(np.ravel(state.theta), [1 - first, 1 + first], rtol=1e-14)


@pytest.mark.parametrize("name", MXNET)
def test_a_multiplied_learning_rate_has_one_rounding_more_in_double(name: str) -> None:
    """2^-52 of the update and of its error, a few 2^-24 of it: the product's rounding, and the reference's own."""
    h = {"learning_rate": 0.5, "epsilon": 0.0}
    bounds = []
    for own in ({"lr_mult": (3.0,)}, {"learning_rate": 1.5}):
        settings = Hyperparameters(**(h | own))
        state = initial_state([np.array([1.0])], settings)
        bounds.append(bounded_step(dialect(name), settings, SINGLE, state, initial_bound(state), [np.array([1.0])])[1])
    multiplied, whole = (bound.theta[0][0] for bound in bounds)
    assert 0 < (multiplied - whole) / (2.0**-52 * 1.5) - 1 < 50 * 2.0**-24
