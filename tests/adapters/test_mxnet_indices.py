"""What MXNet knows of a weight by its index: multipliers in all their forms, and arguments that no number shows.

Run in the environments of both versions.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from adapters import mxnet1, mxnet2
from adapters.contract import Array, Hyperparameters, State

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mxnet

SECOND = mxnet.__version__.startswith("2.")
PATHS: dict[str, Any] = {
    path.name: path
    for path in (
        (mxnet2.Fused, mxnet2.Step, mxnet2.Lazy) if SECOND else (mxnet1.Standard, mxnet1.Lazy)  # rows alone: as these
    )
}
NAMES = ("first_weight", "second_weight", "third_weight")
"""Of such an ending, because 1.9 lets nothing else decay."""
LR_MULT, WD_MULT = (0.5, 3.0, 0.0), (1.5, 0.0, 0.7)
Moved = list[Array]


def adam(name: str, **given: Any) -> Any:
    return mxnet.optimizer.Adam(learning_rate=0.1, wd=0.1, **PATHS[name].arguments, **given)


def moved(optimizer: Any, steps: int = 4) -> Moved:
    """Three weights after some steps, one of which the first one has no gradient in."""
    weights = [mxnet.nd.array([1.0, -2.0, 0.5]) * (i + 1) for i in range(3)]
    states = [optimizer.create_state(i, weight) for i, weight in enumerate(weights)]
    for k in range(steps):
        for i in range(k == 1, 3):
            _update(optimizer, i, weights[i], mxnet.nd.array([1.0, 0.25, -3.0]) * (k + 1), states[i])
    return [weight.asnumpy() for weight in weights]


def _update(optimizer: Any, i: int, *operands: Any) -> None:
    if SECOND:
        optimizer.update([i], *([operand] for operand in operands))
    else:
        optimizer.update(i, *operands)


def same(some: Moved, others: Moved) -> bool:
    return [a.tobytes() for a in some] == [b.tobytes() for b in others]


# --- Multipliers ------------------------------------------------------------------------------------------


def by_index(name: str) -> Any:
    optimizer = adam(name)
    optimizer.set_lr_mult(dict(enumerate(LR_MULT)))
    optimizer.set_wd_mult(dict(enumerate(WD_MULT)))
    return optimizer


def by_name(name: str) -> Any:
    optimizer = adam(name, param_idx2name=dict(enumerate(NAMES)))
    optimizer.set_lr_mult(dict(zip(NAMES, LR_MULT, strict=True)))
    optimizer.set_wd_mult(dict(zip(NAMES, WD_MULT, strict=True)))
    return optimizer


def by_parameter(name: str) -> Any:
    made = (
        mxnet.gluon.Parameter(n, shape=(3,), lr_mult=lr_mult, wd_mult=wd_mult)
        for n, lr_mult, wd_mult in zip(NAMES, LR_MULT, WD_MULT, strict=True)
    )
    return adam(name, param_dict=dict(enumerate(made)))


def by_symbol(name: str) -> Any:
    first, *others = (
        mxnet.sym.Variable(n, lr_mult=lr_mult, wd_mult=wd_mult)
        for n, lr_mult, wd_mult in zip(NAMES, LR_MULT, WD_MULT, strict=True)
    )
    symbol = first + others[0] + others[1]
    return adam(name, sym=symbol, param_idx2name=dict(enumerate(NAMES)))


@pytest.mark.parametrize("form", [by_name, by_parameter, by_symbol])
@pytest.mark.parametrize("name", PATHS)
def test_all_forms_of_multipliers_give_the_same_bits(name: str, form: Callable[[str], Any]) -> None:
    assert same(moved(form(name)), moved(by_index(name)))
    assert not same(moved(form(name)), moved(adam(name)))


@pytest.mark.parametrize("name", PATHS)
def test_a_parameter_goes_before_an_index_and_an_index_before_a_name(name: str) -> None:
    optimizer = by_name(name)
    optimizer.set_lr_mult({"first_weight": 7.0, 0: 0.5, "second_weight": 3.0, 2: 0.0})
    assert same(moved(optimizer), moved(by_index(name)))
    optimizer = by_parameter(name)
    optimizer.set_lr_mult(dict.fromkeys(range(3), 7.0))
    assert same(moved(optimizer), moved(by_index(name)))


@pytest.mark.parametrize("name", PATHS)
def test_setting_multipliers_forgets_those_that_were_set(name: str) -> None:
    optimizer = by_index(name)
    optimizer.set_lr_mult({})
    optimizer.set_wd_mult({1: 1.0})
    assert same(moved(optimizer), moved(adam(name)))


def test_multipliers_of_parameters_are_not_saved() -> None:
    """``param_dict`` is not pickled: what loads an optimizer must give it again, as ``gluon.Trainer`` does."""
    for form, kept in ((by_index, True), (by_parameter, False)):
        optimizer = form(next(iter(PATHS)))
        loaded = pickle.loads(pickle.dumps(optimizer))
        assert same(moved(loaded), moved(optimizer)) == kept


# --- What has no numeric meaning, or has one ---------------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_names_say_nothing_but_in_1_9_that_biases_do_not_decay(name: str) -> None:
    """1.9: wd_mult of names that end neither with _weight nor with _gamma is 0, until somebody sets another."""
    plain = moved(adam(name))
    assert same(moved(adam(name, param_idx2name=dict(enumerate(NAMES)))), plain)
    names = {0: "first_gamma", 1: "second_bias", 2: "third_weight"}
    still, named = adam(name), adam(name, param_idx2name=names)
    still.set_wd_mult({} if SECOND else {1: 0.0})
    assert same(moved(adam(name, param_idx2name=names)), moved(still))
    named.set_wd_mult({"second_bias": 1.0})
    assert same(moved(named), plain)


@pytest.mark.parametrize("name", PATHS)
def test_parameters_and_symbols_without_multipliers_say_nothing(name: str) -> None:
    parameters = {i: mxnet.gluon.Parameter(n, shape=(3,)) for i, n in enumerate(NAMES)}
    symbol = mxnet.sym.Variable("first_weight") + mxnet.sym.Variable("second_weight")
    names = dict(enumerate(NAMES))
    given: tuple[Mapping[str, Any], ...] = (
        {"param_dict": parameters},
        {"sym": symbol, "param_idx2name": names},
        {"multi_precision": True},  # of float32 weights
    )
    for one in given:
        assert same(moved(adam(name, **one)), moved(adam(name))), one


@pytest.mark.parametrize("name", PATHS)
def test_a_learning_rate_of_none_is_a_hundredth(name: str) -> None:
    found = moved(mxnet.optimizer.Adam(learning_rate=None, **PATHS[name].arguments))
    assert same(found, moved(mxnet.optimizer.Adam(learning_rate=0.01, **PATHS[name].arguments)))
    assert not same(found, moved(mxnet.optimizer.Adam(**PATHS[name].arguments))), "the default is 0.001"


@pytest.mark.parametrize("together", [1, 2, 4, 5, np.inf])
@pytest.mark.parametrize("name", PATHS)
def test_how_many_weights_an_updater_hands_over_together_is_not_seen(name: str, together: float) -> None:
    """Five weights of two dtypes, which an ``Updater`` cuts into pieces of `aggregate_num` weights of one dtype.

    Each has its own multiples of learning rate and decay, whichever piece it is in.
    Adam of MXNet 1.9 has no such argument, and takes one weight at a time.
    """
    if not SECOND:
        assert adam(name).aggregate_num == 0
        return

    def after(multipliers: bool = True, **given: Any) -> Moved:
        optimizer = adam(name, **given)
        optimizer.wd, optimizer.clip_gradient = 0.1, 0.75
        if multipliers:
            optimizer.set_lr_mult({1: 0.5, 4: 3.0})
            optimizer.set_wd_mult({0: 0.7, 3: 0.0})
        updater = mxnet.optimizer.get_updater(optimizer)
        dtypes = ("float32", "float64", "float32", "float32", "float32")
        weights = [mxnet.nd.array([1.0 + i, -2.0], dtype=dtype) for i, dtype in enumerate(dtypes)]
        for k in range(3):
            gradients = [mxnet.nd.array([0.5 + k, i], dtype=dtype) for i, dtype in enumerate(dtypes)]
            updater(list(range(5)), gradients, weights)
        return [weight.asnumpy() for weight in weights]

    assert same(after(aggregate_num=together), after())
    bare = after(multipliers=False)
    assert [not same([a], [b]) for a, b in zip(after(), bare, strict=True)] == [True, True, False, True, True]


# --- multi_precision ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_the_weight_is_rounded(name: str) -> None:
    """To nearest even, of ties, subnormal numbers and what overflows; a step with learning rate 0 writes the weight."""
    theta = np.array([1 + 2.0**-11, 1 + 3 * 2.0**-11, 2.0**-24, 3 * 2.0**-26, -1 / 3, 65519.0, 65520.0], np.float32)
    zeros = np.zeros(len(theta), np.float16)
    run = PATHS[name]().start([zeros], Hyperparameters(learning_rate=0.0, epsilon=1.0))
    run.put(State(parameters=(theta,), m=(zeros,), v=(zeros,), v_max=None, t=(1,)))
    state = run.step([zeros])
    assert state.weights is not None
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(state.weights[0], theta.astype(np.float16))
    np.testing.assert_array_equal(state.parameters[0], theta)
    assert (state.weights[0].dtype, state.parameters[0].dtype, state.m[0].dtype) == (np.float16, np.float32, np.float32)


@pytest.mark.parametrize("name", PATHS)
def test_a_float32_weight_has_no_master_copy(name: str) -> None:
    assert PATHS[name]().start([np.ones(2, np.float32)], Hyperparameters()).step([None]).weights is None


# --- The adapters set them --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_what_the_adapter_moves_is_what_the_framework_does(name: str) -> None:
    h = Hyperparameters(learning_rate=0.1, l2=0.1, epsilon=1e-8, lr_mult=LR_MULT, wd_mult=WD_MULT)
    run = PATHS[name]().start([np.array([1.0, -2.0, 0.5], np.float32) * (i + 1) for i in range(3)], h)
    gradients = [np.array([1.0, 0.25, -3.0], np.float32) * (k + 1) for k in range(4)]
    states = [run.step([None if (k, i) == (1, 0) else g for i in range(3)]) for k, g in enumerate(gradients)]
    assert same(list(states[-1].parameters), moved(by_index(name)))


@pytest.mark.parametrize("name", PATHS)
def test_t_of_every_weight_begins_at_begin_num_update(name: str) -> None:
    h, theta = Hyperparameters(begin_num_update=10), np.ones(2, np.float32)
    run = PATHS[name]().start([theta, theta], h)
    assert [run.step(gradients).t for gradients in ([theta, None], [theta, theta], [None, theta])] == [
        (11, 10),
        (12, 11),
        (12, 12),
    ]
