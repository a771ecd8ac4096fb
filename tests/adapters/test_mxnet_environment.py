"""The MXNet adapters against the real package: MXNet 2.0.0b1."""

from __future__ import annotations

import math
import os
import stat
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mxnet_helpers import draw, parsed, rows, same

from adapters import mxnet2
from adapters.contract import (
    Array,
    Gradient,
    Hyperparameters,
    Identity,
    Implementation,
    Precision,
    Rows,
    Schedule,
    State,
)

ADAPTERS: dict[str, Any] = {a.name: a for a in (mxnet2.Fused, mxnet2.Step, mxnet2.Lazy, mxnet2.LazyRowSparse)}
NAMES = sorted(ADAPTERS)
STANDARD = ("mxnet2-fused", "mxnet2-step")
LAZY = ("mxnet2-lazy", "mxnet2-lazy-row-sparse")
KERNEL = ("mxnet2-fused", *LAZY)
DTYPES: tuple[Precision, ...] = ("float32", "float64")
SETTINGS = (
    Hyperparameters(epsilon=1e-8),
    Hyperparameters(
        learning_rate=0.0123,
        beta_1=0.83,
        beta_2=0.9917,
        epsilon=3.3e-7,
        l2=0.37,
        rescale_grad=1.37,
        clip_gradient=0.9,
    ),
    # Numbers that dmlc does not round to the nearest float32, and a step size with an exponent.
    Hyperparameters(learning_rate=1.234e-5, epsilon=1.8e-5, l2=2.3e-5, rescale_grad=4.6e-5, clip_gradient=4.3e-5),
)


@cache
def adapter(name: str) -> Any:
    return ADAPTERS[name]()


def one(name: str, gradient: Gradient, theta: Array, steps: int = 1, **hyper: Any) -> State:
    run = adapter(name).start([theta], Hyperparameters(**hyper))
    return [run.step([gradient]) for _ in range(steps)][-1]


# --- What it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_is_an_implementation_of_the_contract(name: str) -> None:
    assert isinstance(adapter(name), Implementation)
    assert adapter(name).contract_version == 1


def recognised(claimed: Any, observed: frozenset[str]) -> bool:
    return claimed.required <= observed and not claimed.excluded & observed


@pytest.mark.parametrize("name", NAMES)
def test_observed_operations_are_those_of_this_adapter_and_of_no_other(name: str) -> None:
    identity: Identity = adapter(name).identity()
    assert [other for other in NAMES if recognised(ADAPTERS[other], identity.observed)] == [name]
    assert (identity.required, identity.excluded) == (ADAPTERS[name].required, ADAPTERS[name].excluded)
    assert (identity.framework, identity.version) == ("mxnet", adapter(name)._mxnet.__version__)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mxnet2-fused", {"arguments": {"use_fused_step": False}}),
        ("mxnet2-fused", {"arguments": {"lazy_update": True}}),
        ("mxnet2-fused", {"weight_storage": "row_sparse"}),
        ("mxnet2-step", {"arguments": {"use_fused_step": True}}),
        ("mxnet2-step", {"arguments": {"lazy_update": True}}),
        ("mxnet2-lazy", {"arguments": {"lazy_update": False}}),
        ("mxnet2-lazy", {"arguments": {"use_fused_step": False}}),
        ("mxnet2-lazy", {"weight_storage": "row_sparse"}),
        ("mxnet2-lazy-row-sparse", {"arguments": {"lazy_update": False}}),
        ("mxnet2-lazy-row-sparse", {"weight_storage": "default"}),
    ],
)
def test_another_path_behind_an_adapter_is_seen(name: str, wrong: dict[str, Any]) -> None:
    identity = type("Wrong", (ADAPTERS[name],), wrong)().identity()
    assert identity.required - identity.observed
    assert identity.excluded & identity.observed


def test_a_gradient_that_is_made_dense_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = ADAPTERS["mxnet2-lazy"]()
    real = mxnet2._row_sparse
    monkeypatch.setattr(mxnet2, "_row_sparse", lambda *arguments: real(*arguments).tostype("default"))
    identity = lazy.identity()
    assert "untouched rows kept" in identity.required - identity.observed


def test_observing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The profiler deletes and rewrites the file that it is given."""
    monkeypatch.chdir(tmp_path)
    module = adapter("mxnet2-fused")._mxnet.optimizer.adam
    before = module.adam_update
    adapter("mxnet2-fused").identity()
    assert module.adam_update is before
    assert not list(tmp_path.iterdir())
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116 - a device


def test_a_failure_while_observing_stops_the_profiler() -> None:
    def fail() -> None:
        one("mxnet2-fused", np.ones(1), np.ones(1))
        raise RuntimeError("planted")

    mxnet = adapter("mxnet2-fused")._mxnet
    with pytest.raises(RuntimeError, match="planted"):
        mxnet2._observed(mxnet, mxnet.optimizer.adam, fail)
    assert recognised(mxnet2.Fused, adapter("mxnet2-fused").identity().observed)


@pytest.mark.parametrize("name", NAMES)
def test_every_claimed_hyperparameter_matters(name: str) -> None:
    changed: dict[str, Any] = {
        "learning_rate": 0.02,
        "beta_1": 0.7,
        "beta_2": 0.9,
        "epsilon": 0.1,
        "l2": 0.1,
        "rescale_grad": 0.5,
        "clip_gradient": 0.5,
        "lr_mult": (0.5,),
        "wd_mult": (0.5,),
        "begin_num_update": 3,
        "lr_scheduler": Schedule("mxnet_factor", step=1, factor=0.5),
    }
    g = np.array([1.0, -0.25], np.float32)
    usual = {"l2": 0.2}
    default = one(name, g, np.ones(2, np.float32), steps=2, **usual)
    assert set(changed) == set(adapter(name).claim.hyperparameters)
    for hyper, value in changed.items():
        other = one(name, g, np.ones(2, np.float32), steps=2, **usual | {hyper: value})
        assert not same(default, other), hyper


def test_integers_are_numbers() -> None:
    theta, g = np.ones(2, np.float32), np.full(2, 0.5, np.float32)
    for name in NAMES:
        integers = one(name, g, theta, learning_rate=1, beta_1=0, beta_2=0, epsilon=1, l2=1, rescale_grad=2)
        floats = one(name, g, theta, learning_rate=1.0, beta_1=0.0, beta_2=0.0, epsilon=1.0, l2=1.0, rescale_grad=2.0)
        assert same(integers, floats)


# --- The contract -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
def test_arrays_of_the_caller_are_neither_written_nor_kept(name: str, dtype: Precision) -> None:
    theta = np.arange(6, dtype=dtype).reshape(3, 2)
    dense, values = np.full_like(theta, 0.5), np.full_like(theta[:2], 0.25)
    indices = np.array([0, 2])
    originals = [array.copy() for array in (theta, dense, values, indices)]
    run = adapter(name).start([theta], Hyperparameters(l2=0.1, rescale_grad=3.0, clip_gradient=0.7))
    returned = [run.step([dense]), run.step([Rows(indices, values)])]
    kept = [[array.copy() for array in (*s.parameters, *s.m, *s.v)] for s in returned]
    for array, original in zip((theta, dense, values, indices), originals, strict=True):
        np.testing.assert_array_equal(array, original)
        array[...] = 0
    run.step([np.ones_like(theta)])
    for state, copies in zip(returned, kept, strict=True):
        for array, copy in zip((*state.parameters, *state.m, *state.v), copies, strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", NAMES)
def test_every_run_is_a_new_optimizer(name: str) -> None:
    def run() -> Any:
        return adapter(name).start([np.ones((3, 2), np.float32)], Hyperparameters(l2=0.1))

    def gradients(seed: int) -> list[Gradient]:
        random = np.random.default_rng(seed)
        return [draw(random, (3, 2), "float32", sparse=k % 2 == 1) for k in range(4)]

    alone = run()
    expected = [alone.step([g]) for g in gradients(0)]
    a, b = run(), run()
    for g, other, state in zip(gradients(0), gradients(1), expected, strict=True):
        b.step([other])
        assert same(a.step([g]), state)


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (7,), (4, 2, 3)])
def test_shapes(name: str, dtype: Precision, shape: tuple[int, ...]) -> None:
    state = one(name, np.ones(shape, dtype), np.full(shape, 2.0, dtype), learning_rate=0.1)
    for array in (*state.parameters, *state.m, *state.v):
        assert (array.shape, array.dtype) == (shape, dtype)
    np.testing.assert_allclose(state.parameters[0], np.full(shape, 1.9), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_t_is_counted_per_parameter_and_one_without_gradient_stays(name: str) -> None:
    ones = np.ones(2, np.float32)
    run = adapter(name).start([ones, ones, ones], Hyperparameters(learning_rate=0.1, l2=0.1))
    first = run.step([ones, None, None])
    assert first.t == (1, 0, 0)
    np.testing.assert_array_equal(first.parameters[1], ones)
    np.testing.assert_array_equal(first.m[1], 0 * ones)
    second = run.step([None, ones, None])
    assert second.t == (1, 1, 0)
    for quantity in ("parameters", "m", "v"):
        np.testing.assert_array_equal(getattr(second, quantity)[0], getattr(first, quantity)[0])
        # A late parameter begins at t = 1: its first step is the first one's.
        np.testing.assert_array_equal(getattr(second, quantity)[1], getattr(first, quantity)[0])
    assert run.step([None, None, None]).t == (1, 1, 0)


def test_an_error_of_the_engine_is_raised_in_its_own_step() -> None:
    """AdamStdUpdateDnsRspDnsImpl refuses a weight of size 0, asynchronously."""
    with pytest.raises(adapter("mxnet2-fused")._mxnet.MXNetError, match=r"Size\(\) > 0"):
        one("mxnet2-fused", rows([], np.zeros(0, np.float32)), np.zeros(0, np.float32))
    assert one("mxnet2-fused", np.ones(1, np.float32), np.ones(1, np.float32)).t == (1,)


# --- Rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAZY)
def test_lazy_moves_and_decays_the_named_rows_only(name: str) -> None:
    theta, g = np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)
    run = adapter(name).start([theta], Hyperparameters(l2=0.5))
    before = run.step([np.ones_like(theta)])
    after = run.step([rows([1], g)])
    for quantity in ("parameters", "m", "v"):
        old, new = getattr(before, quantity)[0], getattr(after, quantity)[0]
        np.testing.assert_array_equal(new[[0, 2]], old[[0, 2]])
        assert np.all(new[1] != old[1])
    assert after.t == (2,)


@pytest.mark.parametrize("name", LAZY)
def test_lazy_without_rows_counts_a_step_and_moves_nothing(name: str) -> None:
    theta = np.ones((3, 2), np.float32)
    run = adapter(name).start([theta], Hyperparameters(l2=0.5))
    before = run.step([theta])
    after = run.step([rows([], theta[:0])])
    assert (before.t, after.t) == ((1,), (2,))
    np.testing.assert_array_equal(after.parameters[0], before.parameters[0])
    np.testing.assert_array_equal(after.m[0], before.m[0])


@pytest.mark.parametrize(("name", "dtype"), list(product(STANDARD, DTYPES)))
def test_standard_rows_are_zeros_elsewhere(name: str, dtype: Precision) -> None:
    hyper = SETTINGS[1]
    random = np.random.default_rng(0)
    theta = random.normal(size=(6, 3)).astype(dtype)
    sparse, dense = (adapter(name).start([theta], hyper) for _ in range(2))
    for _ in range(30):
        g = draw(random, theta.shape, dtype, sparse=True)
        full = np.zeros_like(theta)
        full[g.indices] = g.values
        a, b = sparse.step([g]), dense.step([full])
        for x, y in zip((*a.parameters, *a.m, *a.v), (*b.parameters, *b.m, *b.v), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-30)
        assert a.t == b.t


def test_why_unsorted_and_duplicate_rows_are_not_claimed() -> None:
    theta, g = np.ones((3, 1), np.float32), np.array([[1], [2]], np.float32)
    exchanged = one("mxnet2-fused", rows([2, 0], g), theta)
    np.testing.assert_allclose(exchanged.m[0].ravel(), [0.1, 0, 0.2], rtol=1e-6)  # should be 0.2, 0, 0.1
    first_alone = one("mxnet2-fused", rows([1, 1], g), theta)
    np.testing.assert_allclose(first_alone.m[0].ravel(), [0, 0.1, 0], rtol=1e-6)
    one_after_the_other = one("mxnet2-lazy", rows([1, 1], g), theta)
    np.testing.assert_allclose(one_after_the_other.m[0].ravel(), [0, 0.9 * 0.1 + 0.2, 0], rtol=1e-6)


def test_a_row_sparse_weight_may_have_zero_rows() -> None:
    state = one("mxnet2-lazy-row-sparse", rows([0], np.ones((1, 2), np.float32)), np.zeros((3, 2), np.float32))
    assert np.all(state.parameters[0][0] < 0)


# --- Clipping ---------------------------------------------------------------------------------------------


def test_clip_gradient_zero_is_ignored_by_the_kernels_and_clips_to_zero_in_step() -> None:
    theta, g = np.ones(3, np.float32), np.array([2, 0.3, -1], np.float32)
    for name in KERNEL:
        assert same(one(name, g, theta, clip_gradient=0.0), one(name, g, theta, clip_gradient=None))
    clipped = one("mxnet2-step", g, theta, clip_gradient=0.0)
    np.testing.assert_array_equal(clipped.parameters[0], theta)
    np.testing.assert_array_equal(clipped.m[0], 0 * theta)


def test_a_negative_clip_gradient_is_ignored_by_the_kernels_and_inverts_in_step() -> None:
    """Asked of the framework itself: the contract refuses negative ones."""
    mxnet = adapter("mxnet2-fused")._mxnet
    means = {}
    for fused in (True, False):
        optimizer = mxnet.optimizer.Adam(clip_gradient=-0.5, use_fused_step=fused)
        weight = mxnet.nd.ones(2)
        state = optimizer.create_state(0, weight)
        optimizer.update([0], [weight], [mxnet.nd.array([2.0, -2.0])], [state])
        means[fused] = state[0].asnumpy()
    np.testing.assert_allclose(means[True], [0.2, -0.2], rtol=1e-6)
    np.testing.assert_allclose(means[False], [-0.05, 0.05], rtol=1e-6)


# --- Arithmetic -------------------------------------------------------------------------------------------


class Emulation:
    """Adam as ``AdamUpdateKernel`` (`composed` False) or ``Adam.step`` (True) rounds it, one operation at a time."""

    def __init__(self, theta: Array, h: Hyperparameters, *, composed: bool) -> None:
        self.theta, self.m, self.v = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
        self.h, self.composed, self.t = h, composed, 0

    def step(self, g: Array, index: Any = ..., *, standard_rows: bool = False) -> None:
        h, real = self.h, self.theta.dtype.type
        self.t += 1

        def single(number: float) -> Any:
            return real(parsed(number, np.float32))

        def scalar(number: float) -> Any:
            return real(parsed(number, np.float64)) if self.composed else single(number)

        g = g * scalar(h.rescale_grad)
        if h.clip_gradient is not None:
            g = np.clip(g, -single(h.clip_gradient), single(h.clip_gradient))
        g = g + scalar(h.l2) * self.theta[index]
        lr = h.learning_rate * (math.sqrt(1 - h.beta_2**self.t) / (1 - h.beta_1**self.t))
        beta_1, beta_2 = scalar(h.beta_1), scalar(h.beta_2)
        if self.composed:
            rest_1, rest_2 = scalar(1 - h.beta_1), scalar(1 - h.beta_2)
        else:
            rest_1, rest_2 = real(1) - beta_1, real(1) - beta_2
        square = rest_2 * (g * g) if self.composed or standard_rows else rest_2 * g * g
        self.m[index] = beta_1 * self.m[index] + rest_1 * g
        self.v[index] = beta_2 * self.v[index] + square
        denominator = np.sqrt(self.v[index]) + scalar(h.epsilon)
        if self.composed:
            self.theta[index] -= scalar(lr) * (self.m[index] / denominator)
        else:
            self.theta[index] -= scalar(lr) * self.m[index] / denominator


def assert_emulated(emulation: Emulation, state: State) -> None:
    np.testing.assert_array_equal(state.m[0], emulation.m)
    np.testing.assert_array_equal(state.v[0], emulation.v)
    np.testing.assert_array_equal(state.parameters[0], emulation.theta)
    assert state.t == (emulation.t,)


@pytest.mark.parametrize(("name", "dtype", "hyper"), list(product(NAMES, DTYPES, SETTINGS)))
def test_dense_steps_bit_for_bit(name: str, dtype: Precision, hyper: Hyperparameters) -> None:
    random = np.random.default_rng(1)
    theta = random.normal(size=(5, 4)).astype(dtype)
    run = adapter(name).start([theta], hyper)
    emulation = Emulation(theta, hyper, composed=name == "mxnet2-step")
    for _ in range(120):
        g = draw(random, theta.shape, dtype, sparse=False)
        state = run.step([g])
        emulation.step(g)
        assert_emulated(emulation, state)


@pytest.mark.parametrize(("name", "dtype", "hyper"), list(product(LAZY, DTYPES, SETTINGS)))
def test_lazy_rows_bit_for_bit(name: str, dtype: Precision, hyper: Hyperparameters) -> None:
    random = np.random.default_rng(2)
    theta = random.normal(size=(5, 4)).astype(dtype)
    run = adapter(name).start([theta], hyper)
    emulation = Emulation(theta, hyper, composed=False)
    for _ in range(120):
        g = draw(random, theta.shape, dtype, sparse=True)
        state = run.step([g])
        emulation.step(g.values, g.indices)
        assert_emulated(emulation, state)


@pytest.mark.parametrize(("name", "dtype", "hyper"), list(product(STANDARD, DTYPES, SETTINGS)))
def test_standard_rows_bit_for_bit(name: str, dtype: Precision, hyper: Hyperparameters) -> None:
    random = np.random.default_rng(3)
    theta = random.normal(size=(5, 4)).astype(dtype)
    run = adapter(name).start([theta], hyper)
    emulation = Emulation(theta, hyper, composed=name == "mxnet2-step")
    for _ in range(120):
        g = draw(random, theta.shape, dtype, sparse=True)
        full = np.zeros_like(theta)
        full[g.indices] = g.values
        state = run.step([g])
        emulation.step(full, standard_rows=True)
        assert_emulated(emulation, state)


@pytest.mark.parametrize("number", [1.8e-5, 2.3e-5, 4.6e-5])
def test_kernels_receive_some_numbers_off_the_nearest_float32(number: float) -> None:
    """Seen in float64: with beta_1 = 0 the first moment is rescale_grad itself."""
    one_ = np.ones(1)
    received = one("mxnet2-fused", one_, one_, beta_1=0.0, rescale_grad=number).m[0][0]
    assert received == parsed(number, np.float32)
    assert received != np.float32(number)
    assert abs(received / number - 1) < 2 * 2.0**-23


def test_step_receives_scalars_in_double_and_clip_gradient_in_single() -> None:
    one_ = np.ones(1)
    assert one("mxnet2-step", one_, one_, beta_1=0.0, rescale_grad=0.1).m[0][0] == 0.1
    assert one("mxnet2-step", one_, one_, beta_1=0.0, clip_gradient=0.1).m[0][0] == np.float32(0.1)


# --- Edges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_subnormals_are_flushed_to_zero(name: str) -> None:
    theta = np.ones(3, np.float32)
    assert one(name, np.full(3, 1e-38, np.float32), theta).m[0].tolist() == [0, 0, 0]
    assert one(name, np.zeros(3, np.float32), np.full(3, 1e-40, np.float32)).parameters[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_zero_hyperparameters(name: str) -> None:
    theta, g = np.ones(2, np.float32), np.array([2.0, 0.0], np.float32)
    without_epsilon = one(name, g, theta, epsilon=0.0).parameters[0]
    assert without_epsilon[0] < 1
    assert math.isnan(without_epsilon[1])  # 0 / 0
    np.testing.assert_array_equal(one(name, g, theta, learning_rate=0.0).parameters[0], theta)
    assert one(name, g, theta, beta_1=0.0).m[0].tolist() == [2, 0]
    assert one(name, g, theta, beta_2=0.0).v[0].tolist() == [4, 0]


def test_numbers_below_the_smallest_normal_float32_are_refused_by_the_kernels_alone() -> None:
    ones = np.ones(1, np.float32)
    for name in KERNEL:
        with pytest.raises(adapter(name)._mxnet.MXNetError, match="Out of range value for epsilon"):
            one(name, ones, ones, epsilon=1e-40)
    assert one("mxnet2-step", ones, ones, epsilon=1e-40).parameters[0][0] < 1
