"""The adapters of optax against the real package: optax 0.2.8, jitted by JAX 0.10.2 on the CPU."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import optax
import pytest

from adapters import optax_adam
from adapters.contract import ContractError, Hyperparameters, Implementation, Precision, Rows, State

ADAPTERS: dict[str, Any] = {
    a.name: a
    for a in (
        optax_adam.Adam,
        optax_adam.AdamW,
        optax_adam.Amsgrad,
        optax_adam.RAdam,
        optax_adam.NAdam,
        optax_adam.NAdamW,
    )
}
NAMES = sorted(ADAPTERS)
DTYPES: tuple[Precision, ...] = ("float32", "float64")
B1, B2, LR = 0.8, 0.9, 0.5


@cache
def adapter(name: str) -> Any:
    return ADAPTERS[name]()


def hyper(name: str, **given: Any) -> Hyperparameters:
    return Hyperparameters(amsgrad=name == "optax-amsgrad", **given)


def steps(name: str, gradients: list[float], dtype: str = "float64", **given: Any) -> list[State]:
    run = adapter(name).start([np.zeros(1, dtype)], hyper(name, **given))
    return [run.step([np.full(1, g, dtype)]) for g in gradients]


@pytest.mark.parametrize("name", NAMES)
def test_is_an_implementation_of_the_contract(name: str) -> None:
    assert isinstance(adapter(name), Implementation)
    assert adapter(name).contract_version == 1


@pytest.mark.parametrize("name", NAMES)
def test_what_was_compiled_is_this_function_of_optax_and_no_other(name: str) -> None:
    identity = adapter(name).identity()

    def recognised(other: Any) -> bool:
        return other.required <= identity.observed and not other.excluded & identity.observed

    assert [other for other in NAMES if recognised(adapter(other))] == [name]
    assert (identity.framework, identity.version) == ("optax", optax.__version__)


@pytest.mark.parametrize(
    ("name", "function"),
    [("optax-adam", "nadam"), ("optax-nadam", "adam"), ("optax-adam", "radam"), ("optax-adam", "amsgrad")],
)
def test_another_function_behind_an_adapter_is_seen(name: str, function: str) -> None:
    wrong = type("Wrong", (ADAPTERS[name],), {"function": function})()
    identity = wrong.identity()
    assert identity.required - identity.observed
    assert identity.excluded & identity.observed


@pytest.mark.parametrize("name", NAMES)
def test_every_claimed_hyperparameter_matters(name: str) -> None:
    changed: dict[str, Any] = {
        "learning_rate": 0.02,
        "beta_1": 0.7,
        "beta_2": 0.9,
        "epsilon": 0.1,
        "epsilon_root": 0.1,
        "weight_decay": 0.1,
        "sma_threshold": 6.5,
    }

    def last(**given: Any) -> Any:
        run = adapter(name).start([np.ones(2, np.float32)], hyper(name, **given))
        gradients = [np.array(g, np.float32) for g in ([1e-3, 1e-3], [1.0, -0.25], *[[1e-3, 1e-3]] * 4)]
        return [run.step([g]) for g in gradients][-1].parameters[0]

    claimed = adapter(name).claim.hyperparameters - {"amsgrad"}
    assert claimed <= set(changed)
    for one in claimed:
        assert not np.array_equal(last(), last(**{one: changed[one]})), one


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
def test_arrays_of_the_caller_are_neither_written_nor_kept(name: str, dtype: Precision) -> None:
    theta, g = np.arange(6, dtype=dtype).reshape(3, 2), np.full((3, 2), 0.5, dtype)
    run = adapter(name).start([theta], hyper(name))
    first = run.step([g])
    kept = first.parameters[0].copy()
    run.step([g])
    assert (theta == np.arange(6).reshape(3, 2)).all()
    assert (g == 0.5).all()
    assert (first.parameters[0] == kept).all()
    for array in (*first.parameters, *first.m, *first.v, *(first.v_max or ())):
        assert (array.dtype, array.shape) == (dtype, (3, 2))
    assert first.t == (1,)


@pytest.mark.parametrize("gradient", [None, Rows(np.array([0]), np.ones((1, 2)))])
def test_what_optax_has_no_word_for_is_refused(gradient: Any) -> None:
    run = adapter("optax-adam").start([np.ones((3, 2))], Hyperparameters())
    with pytest.raises(ContractError, match=r"gradients\[0\] is '(NoneType|Rows)'; accepted: an array"):
        run.step([gradient])


# Numbers by hand: the formulas of optax's documents


def test_epsilon_stands_outside_the_root_and_epsilon_root_inside() -> None:
    """g = 1: both corrected moments are 1."""
    given: dict[str, Any] = {"learning_rate": LR, "beta_1": B1, "beta_2": B2}
    (state,) = steps("optax-adam", [1.0], epsilon=0.25, epsilon_root=3.0, **given)
    np.testing.assert_allclose(state.parameters[0], -LR / (math.sqrt(1 + 3) + 0.25), rtol=1e-14)


def test_decay_is_times_the_learning_rate() -> None:
    run = adapter("optax-adamw").start([np.full(1, 4.0)], Hyperparameters(learning_rate=LR, weight_decay=0.1))
    assert run.step([np.zeros(1)]).parameters[0] == pytest.approx(4 - LR * 0.1 * 4, rel=1e-14)


def test_the_maximum_is_of_the_corrected_moment() -> None:
    given: dict[str, Any] = {"learning_rate": LR, "beta_1": B1, "beta_2": B2, "epsilon": 0.25}
    first, second = steps("optax-amsgrad", [2.0, 0.0], **given)
    assert first.v_max is not None
    assert second.v_max is not None
    np.testing.assert_allclose([first.v_max[0][0], second.v_max[0][0]], [4.0, 4.0], rtol=1e-14)
    np.testing.assert_allclose(second.v[0], B2 * 0.1 * 4, rtol=1e-14)
    moved = first.parameters[0] - second.parameters[0]
    np.testing.assert_allclose(moved, LR * B1 * 0.2 * 2 / (1 - B1**2) / (2 + 0.25), rtol=1e-14)


def test_nesterov_corrects_m_for_the_next_step() -> None:
    (state,) = steps("optax-nadam", [1.0], learning_rate=LR, beta_1=B1, beta_2=B2, epsilon=0.25)
    hat = B1 * (1 - B1) / (1 - B1**2) + (1 - B1) / (1 - B1)
    np.testing.assert_allclose(state.parameters[0], -LR * hat / 1.25, rtol=1e-14)


def test_the_threshold_of_radam_is_inclusive_and_below_it_nothing_is_divided() -> None:
    states = steps("optax-radam", [2.0] * 6, learning_rate=LR, epsilon=0.0)
    moved = [a.parameters[0][0] - b.parameters[0][0] for a, b in pairwise(states)]
    np.testing.assert_allclose(moved[:4], [LR * 2.0] * 4, rtol=1e-12)
    rho_inf = 2 / (1 - 0.999) - 1
    rho = rho_inf - 2 * 6 * 0.999**6 / (1 - 0.999**6)
    r_t = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    np.testing.assert_allclose(moved[4], LR * r_t, rtol=1e-9)


# What is saved and changed


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_are_in_the_state_so_that_they_are_saved_and_can_be_changed(name: str) -> None:
    """``optax.inject_hyperparams``: optax's own names, and the values that the next step reads."""
    g, theta = np.full(2, 0.5, np.float32), np.ones(2, np.float32)
    run = adapter(name).start([theta], hyper(name, learning_rate=LR))
    run.step([g])
    assert float(run.state.hyperparams["learning_rate"]) == LR
    resumed = adapter(name).resume([np.zeros(2, np.float32)], hyper(name, learning_rate=0.25), run.save())
    assert float(resumed.state.hyperparams["learning_rate"]) == LR
    resumed.change(hyper(name, learning_rate=0.0))
    assert float(run.state.hyperparams["learning_rate"]) == LR
    still, moved = resumed.step([g]), run.step([g])
    assert np.array_equal(still.m[0], moved.m[0])
    assert not np.array_equal(still.parameters[0], moved.parameters[0])


def test_a_change_compiles_nothing_anew() -> None:
    """The numbers in the state keep their dtype: a weak one would be another argument to XLA."""
    one = optax_adam.Adam()
    run = one.start([np.ones(2, np.float32)], Hyperparameters())
    for rate in (0.5, 0.25):
        run.step([np.ones(2, np.float32)])
        run.change(Hyperparameters(learning_rate=rate))
    run.step([np.ones(2, np.float32)])
    assert one.step._cache_size() == 1
