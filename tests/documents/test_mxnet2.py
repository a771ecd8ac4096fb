"""What the document of MXNet 2's Adam says, argument by argument, run on MXNet 2.0.0b1."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from judged import SINGLE, Rate, judge

from adapters.contract import Array, Hyperparameters
from adapters.mxnet2 import Fused, Step

ADAPTERS = {"fused_step": Fused(), "step": Step()}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mxnet
    from mxnet import nd

Adam = mxnet.optimizer.Adam


class Weight:
    """One weight, its state, and steps of it."""

    def __init__(self, optimizer: Any, value: float = 1.0, index: int = 0) -> None:
        self.optimizer, self.index = optimizer, index
        self.weight = nd.array([value])
        self.state = optimizer.create_state(index, self.weight)

    def steps(self, *gradients: float) -> list[Array]:
        observed = []
        for gradient in gradients:
            self.optimizer.update([self.index], [self.weight], [nd.array([gradient])], [self.state])
            observed.append(self.weight.asnumpy())
        return observed


def alone(*values: float) -> list[Array]:
    return [np.array([value], np.float32) for value in values]


@pytest.mark.parametrize("name", ADAPTERS)
def test_standard_updates_are_the_formula(name: str) -> None:
    weight = Weight(Adam(learning_rate=0.1, use_fused_step=name == "fused_step"), 10.0)
    gradients, observed = [], []
    for _ in range(10):
        gradients.append(weight.weight.asnumpy())
        observed += weight.steps(float(gradients[-1][0]))
    judge(ADAPTERS[name], Hyperparameters(learning_rate=0.1, epsilon=1e-8), *alone(10.0), gradients, observed)


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_method_that_use_fused_step_chooses_can_be_called(name: str) -> None:
    """clip(0.5 * 8, 1) + 0.5 * 1 enters the moments, t of the index is counted, and `step` has rescaled the
    caller's gradient where it lies.
    """
    assert Adam().use_fused_step
    for chosen in (True, False):
        optimizer = Adam(0.5, 0.5, 0.75, rescale_grad=0.5, clip_gradient=1.0, wd=0.5, use_fused_step=chosen)
        weight, gradient = nd.array([1.0]), nd.array([8.0])
        state = optimizer.create_state(3, weight)
        getattr(optimizer, name)([3], [weight], [gradient], [state])
        assert [float(slot.asscalar()) for slot in state] == [0.75, 0.5625]
        assert optimizer._index_update_count == {3: 1}
        assert float(gradient.asscalar()) == (4.0 if name == "step" else 8.0)


def test_a_state_is_mean_and_variance_of_zeros_stored_as_the_weight_where_lazy() -> None:
    for lazy, stored in ((False, "default"), (True, "row_sparse")):
        weight = nd.ones((3, 2)).tostype("row_sparse")
        mean, variance = Adam(lazy_update=lazy).create_state(0, weight)
        assert (mean.stype, variance.stype) == (stored, stored)
        assert not mean.asnumpy().any() | variance.asnumpy().any()
        assert (mean.shape, mean.dtype) == (weight.shape, weight.dtype)


def test_lazy_update_needs_the_fused_step() -> None:
    with pytest.raises(AssertionError, match="lazy_update has to be turned off"):
        Adam(lazy_update=True, use_fused_step=False)
    assert Adam(lazy_update=True).lazy_update
    assert not Adam().lazy_update


def scheduler() -> Any:
    """0.5 in the first step, and half of it in each that follows."""
    return mxnet.lr_scheduler.FactorScheduler(step=1, factor=0.5, base_lr=0.5)


def test_a_learning_rate_of_none_is_the_scheduler_s() -> None:
    """Without a scheduler it is 0.01."""
    optimizer = Adam(learning_rate=None, lr_scheduler=scheduler())
    assert optimizer.learning_rate == 0.5
    observed = Weight(optimizer).steps(1.0, 1.0, 1.0)
    h = Hyperparameters(epsilon=1e-8)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(1, 1, 1), observed, map(Rate, [0.5, 0.25, 0.125]))
    observed = Weight(Adam(learning_rate=None)).steps(1.0)
    h = Hyperparameters(learning_rate=0.01, epsilon=1e-8)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(1), observed)


@pytest.mark.parametrize("given", [{"learning_rate": 0.25}, {}], ids=str)
def test_any_other_learning_rate_overwrites_the_scheduler_s(given: dict[str, float]) -> None:
    """The default of 0.001 too."""
    used = scheduler()
    rate = given.get("learning_rate", 0.001)
    assert Adam(lr_scheduler=used, **given).learning_rate == used.base_lr == rate


def by_setters() -> Any:
    optimizer = Adam(0.5, wd=0.5, param_idx2name={0: "first", 1: "second"})
    optimizer.set_lr_mult({"first": 0.5})
    optimizer.set_wd_mult({"first": 0.0})
    return optimizer


def by_parameters() -> Any:
    first = mxnet.gluon.Parameter("first", shape=(1,), lr_mult=0.5, wd_mult=0.0)
    return Adam(0.5, wd=0.5, param_dict={0: first})


def by_symbols() -> Any:
    symbol = mxnet.sym.Variable("first", lr_mult=0.5, wd_mult=0.0) + mxnet.sym.Variable("second")
    return Adam(0.5, wd=0.5, sym=symbol, param_idx2name={0: "first", 1: "second"})


@pytest.mark.parametrize("made", [by_setters, by_parameters, by_symbols])
def test_rates_and_decays_may_have_factors_of_their_own(made: Any) -> None:
    """By the name that param_idx2name gives to an index, by a parameter, or by a symbol's attributes."""
    optimizer = made()
    h = Hyperparameters(learning_rate=0.25, epsilon=1e-8)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(1), Weight(optimizer).steps(1.0))
    h = Hyperparameters(learning_rate=0.5, epsilon=1e-8, l2=0.5)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(1), Weight(optimizer, index=1).steps(1.0))


@pytest.mark.parametrize("together", [None, 1, 2, 4])
def test_how_many_weights_are_updated_together_is_not_seen(together: int | None) -> None:
    optimizer = Adam(0.5, aggregate_num=together)
    assert optimizer.aggregate_num == (together or 1)
    weights = [Weight(optimizer, index=index) for index in range(5)]
    gradients = [nd.array([float(1 + index)]) for index in range(5)]
    optimizer.update([*range(5)], [w.weight for w in weights], gradients, [w.state for w in weights])
    alone_ = [Weight(Adam(0.5), index=index).steps(float(1 + index)) for index in range(5)]
    assert [w.weight.asnumpy().tolist() for w in weights] == [found[0].tolist() for found in alone_]


def test_a_float16_weight_has_a_float32_copy_where_precision_is_multiple() -> None:
    """The copy moves as a float32 weight does, and the weight is the copy, rounded."""
    optimizer, weight = Adam(0.5, multi_precision=True), nd.array([1.0], dtype="float16")
    state = optimizer.create_state_multi_precision(0, weight)
    copy, moments = state
    assert {copy.dtype, *(moment.dtype for moment in moments)} == {np.float32}
    observed = []
    for _ in range(3):
        optimizer.update_multi_precision([0], [weight], [nd.array([0.25], dtype="float16")], [state])
        observed.append(copy.asnumpy())
        assert weight.asnumpy() == observed[-1].astype(np.float16)
    h = Hyperparameters(learning_rate=0.5, epsilon=1e-8)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(0.25, 0.25, 0.25), observed)
    assert {moment.dtype for moment in Adam().create_state_multi_precision(0, nd.ones((1,), dtype="float32"))} == {
        np.float32
    }
    plain = Adam(multi_precision=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that float16 is poor
        assert {moment.dtype for moment in plain.create_state_multi_precision(0, weight)} == {np.float16}


def test_a_learning_rate_can_be_set_where_there_is_no_scheduler() -> None:
    optimizer = Adam(0.5)
    weight = Weight(optimizer)
    observed = weight.steps(1.0)
    optimizer.set_learning_rate(0.25)
    assert optimizer.learning_rate == 0.25
    observed += weight.steps(1.0)
    h = Hyperparameters(epsilon=1e-8)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(1, 1), observed, map(Rate, [0.5, 0.25]))
    with pytest.raises(UserWarning, match="LRScheduler of the optimizer has already been defined"):
        Adam(0.5, lr_scheduler=scheduler()).set_learning_rate(0.25)


def test_begin_num_update_is_where_t_begins() -> None:
    """With g = 1 the first step at t = 11 is rate (1 - beta_1) / sqrt(1 - beta_2) times the factor of that t.

    The state is what one step leaves, so the rate is what is left of the bias correction; it is off by the roundings
    of a quotient of two roots.
    """
    observed = Weight(Adam(0.5, 0.5, 0.75, begin_num_update=10)).steps(1.0)

    def factor(t: int) -> float:
        return math.sqrt(1 - 0.75**t) / (1 - 0.5**t)

    rate = 0.5 * factor(11) / factor(1)
    h = Hyperparameters(beta_1=0.5, beta_2=0.75, epsilon=1e-8)
    judge(ADAPTERS["fused_step"], h, *alone(1.0), alone(1), observed, [Rate(rate, 4 * SINGLE * rate)])


def test_it_is_registered_by_its_name() -> None:
    assert type(mxnet.optimizer.create("adam", learning_rate=0.5)) is Adam


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"momentum": 0.5}, TypeError, "takes exactly one argument"),
        ({"param_idx2name": [1]}, AssertionError, "param_idx2name should be a dict"),
    ],
    ids=str,
)
def test_arguments_that_are_refused(given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Adam(**given)
