"""TF-Addons' Lookahead behind the contract: who is in it, what of it is slow, and what its documents do not say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from adapters.contract import Array, ContractError, Hyperparameters, Implementation, Precision, Rows, Schedule, State
from adapters.keras_v2 import Fused
from adapters.tfa_lookahead import LookaheadAdam, LookaheadRectified
from adapters.tfa_rectified import Rectified
from conformance.laws import given_as
from conformance.subjects import subjects

AROUND: dict[Any, Any] = {LookaheadAdam: Fused, LookaheadRectified: Rectified}
DTYPES: tuple[Precision, ...] = ("float32", "float64")
both = pytest.mark.parametrize("cls", AROUND, ids=lambda cls: cls.name)


@cache
def adapter(cls: Any) -> Any:
    return cls()


def array(*values: float, dtype: str = "float32") -> Array:
    return np.array(values, dtype)


def slow(state: State) -> tuple[Array, ...]:
    assert state.slow is not None
    return state.slow


# Identity


@both
def test_it_is_an_implementation_whose_operations_are_those_it_says(cls: Any) -> None:
    assert isinstance(adapter(cls), Implementation)
    identity = adapter(cls).identity()
    assert identity.required <= identity.observed
    assert not identity.excluded & identity.observed
    assert (identity.framework, identity.version) == ("tensorflow-addons", "0.23.0")


@both
def test_a_lookahead_that_does_not_look_is_seen(cls: Any) -> None:
    impostor = cls()

    class Blind(impostor.optimizer):  # type: ignore[misc, name-defined]
        def _look_ahead_op(self, var: Any) -> Any:
            return impostor.tensorflow.no_op()

    impostor.optimizer = Blind
    identity = impostor.identity()
    assert {"dense: FloorDiv", "rows: FloorDiv"} <= identity.required - identity.observed


@both
def test_another_optimizer_inside_is_seen(cls: Any) -> None:
    impostor = cls()
    (other,) = set(AROUND.values()) - {AROUND[cls]}
    wrong = other().optimizer
    known = ("learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad")
    impostor.inner.optimizer = lambda **given: wrong(**{name: given[name] for name in known})
    given = Hyperparameters(sync_period=1)
    assert impostor.start((array(1.0),), given).step((array(1.0),)).t == (1,)
    right = adapter(cls).identity()
    impostor.inner.identity = lambda: adapter(AROUND[cls]).identity()
    identity = impostor.identity()
    assert identity.required == right.required
    assert identity.required - identity.observed or identity.excluded & identity.observed


# Slow weights


@pytest.mark.parametrize("dtype", DTYPES)
@both
def test_theta_goes_a_share_of_the_way_that_arrives_in_float32(cls: Any, dtype: Precision) -> None:
    """Bit for bit, from where the optimizer inside would be by itself; in float64 a share of 0.1 would differ."""
    h: dict[str, Any] = {"learning_rate": 0.1, "epsilon": 1e-3}
    start = np.linspace(-2, 3, 17).astype(dtype)
    ahead = adapter(cls).start((start,), Hyperparameters(**h, sync_period=3, slow_step_size=0.1))
    alone = adapter(AROUND[cls]).start((start,), Hyperparameters(**h))
    for t in (1, 2, 3):
        g = (np.cos(np.arange(17) * t)).astype(dtype)
        state, fast = ahead.step((g,)), alone.step((g,)).parameters[0]
        share = start.dtype.type(np.float32(0.1))
        wanted = start + share * (fast - start) if t == 3 else fast
        np.testing.assert_array_equal(state.parameters[0], wanted)
        np.testing.assert_array_equal(slow(state)[0], wanted if t == 3 else start)
    if dtype == "float64":
        assert np.any(state.parameters[0] != start + 0.1 * (fast - start))


@both
def test_a_variable_without_gradient_is_not_synchronised_and_has_no_slow_weights_before_its_first(cls: Any) -> None:
    run = adapter(cls).start((array(1.0), array(2.0)), Hyperparameters(learning_rate=0.1, sync_period=2))
    wrapper, late = run._bench.optimizer, run._bench.variables[1]
    g = array(1.0)
    second = [run.step((g, None)), run.step((g, None))][1]
    with pytest.raises(KeyError):
        wrapper.get_slot(late, "slow")
    assert slow(second)[1] == 2
    third = run.step((None, g))
    assert wrapper.get_slot(late, "slow").numpy() == slow(third)[1] == 2
    fourth = run.step((g, None))  # t = 4 synchronises, but not what has no gradient
    assert fourth.parameters[0] == slow(fourth)[0]
    assert fourth.parameters[1] == third.parameters[1] < slow(fourth)[1]


def test_a_gradient_of_one_row_synchronises_all_rows() -> None:
    run = adapter(LookaheadRectified).start((np.ones((3, 1), np.float32),), Hyperparameters(sync_period=2))
    for row in (0, 1):
        state = run.step((Rows(np.array([row], np.int64), np.ones((1, 1), np.float32)),))
    np.testing.assert_array_equal(state.parameters[0], slow(state)[0])
    assert state.parameters[0][0] < 1
    assert state.parameters[0][2] == 1


@both
def test_states_share_nothing_with_what_goes_on_inside(cls: Any) -> None:
    theta = np.ones(4096, np.float32)
    run = adapter(cls).start((theta,), Hyperparameters(sync_period=2))
    first = run.step((np.ones(4096, np.float32),))
    theta[...] = slow(first)[0][...] = np.nan
    second = run.step((np.ones(4096, np.float32),))
    assert np.isfinite(slow(second)[0]).all()
    assert slow(second)[0].flags.owndata


# Hyper-parameters


@both
def test_lookahead_cannot_be_switched_off(cls: Any) -> None:
    with pytest.raises(ContractError, match="sync_period is None; accepted: a whole number >= 1"):
        adapter(cls).start((array(1.0),), Hyperparameters())


@both
def test_every_claimed_hyperparameter_matters(cls: Any) -> None:
    changed: dict[str, Any] = {
        "learning_rate": 0.02,
        "beta_1": 0.8,
        "beta_2": 0.99,
        "epsilon": 1e-2,
        "amsgrad": True,
        "weight_decay": 0.1,
        "sma_threshold": 7.0,
        "sync_period": 2,
        "slow_step_size": 0.25,
        "decay": 0.5,
        "clipvalue": 0.5,
        "clipnorm": 0.5,
        "global_clipnorm": 0.5,
        "schedule": Schedule("inverse_time", decay_steps=2, decay_rate=0.5),
        "weight_decay_schedule": Schedule("inverse_time", decay_steps=2, decay_rate=0.5),
        "total_steps": 9,
        "warmup_proportion": 0.5,
        "min_lr": 0.005,
        "constraint": "unit_norm",
    }
    beside = {"weight_decay_schedule": {"weight_decay": 0.1}, "warmup_proportion": {"total_steps": 9}}
    beside["min_lr"] = beside["warmup_proportion"]

    def end(**hyper: Any) -> Array:
        h = Hyperparameters(**{"learning_rate": 0.01, "sync_period": 3, **hyper})
        run = adapter(cls).start((array(1.0, 2.0),), h)
        for k in range(7):
            state = run.step((array(1.0, 3.0) * np.float32(10.0**-k),))
        return np.asarray(state.parameters[0])

    claimed = adapter(cls).claim.hyperparameters
    assert claimed <= changed.keys()
    given = {k: beside.get(k, {}) for k in claimed}
    assert {k for k in claimed if not np.array_equal(end(**given[k], **{k: changed[k]}), end(**given[k]))} == claimed


def test_an_assignment_to_the_wrapper_reaches_no_beta_inside() -> None:
    """Only learning_rate is a property of the wrapper."""
    run = adapter(LookaheadAdam).start((array(1.0),), Hyperparameters(sync_period=6))
    wrapper = run._bench.optimizer
    run.step((array(1.0),))
    wrapper.beta_1, wrapper.learning_rate = 0.5, 0.25
    assert float(wrapper._optimizer.beta_1.numpy()) == np.float32(0.9)
    assert float(wrapper._optimizer.learning_rate.numpy()) == 0.25


class ReadsOnce(LookaheadRectified):
    """Calls functions when it is built, and never again."""

    once: tuple[str, ...] = ()

    def made(self, hyperparameters: Hyperparameters, forms: Mapping[str, Any]) -> Any:
        read = {name: form() if name in self.once and callable(form) else form for name, form in forms.items()}
        return super().made(hyperparameters, read)


class HalfTensors(LookaheadRectified):
    """Gives tensors through float16."""

    def made(self, hyperparameters: Hyperparameters, forms: Mapping[str, Any]) -> Any:
        tf = self.tensorflow
        halves = {name: f if callable(f) else tf.cast(tf.cast(f, tf.float16), tf.float32) for name, f in forms.items()}
        return super().made(hyperparameters, halves)


@pytest.mark.parametrize("name", ["beta_1", "learning_rate", "min_lr", "warmup_proportion", "weight_decay"])
def test_a_function_that_is_called_once_is_found_by_the_law_of_forms(name: str) -> None:
    wrong = ReadsOnce()
    wrong.once = (name,)
    (problem, *_) = subjects(wrong, "forms", 40, 0)
    assert given_as.forms(wrong, problem).findings


def test_tensors_that_arrive_rounded_are_found_by_the_law_of_forms() -> None:
    (problem, *_) = subjects(HalfTensors(), "forms", 40, 0)
    assert given_as.forms(HalfTensors(), problem).findings
