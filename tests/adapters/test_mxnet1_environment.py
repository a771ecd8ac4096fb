"""The MXNet 1.9 adapters against the real package: MXNet 1.9.1.

What they share with those of MXNet 2 (`adapters.mxnet2`) is tested there too; here is what 1.9 does.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mxnet_helpers import draw, parsed, rows, same

from adapters import mxnet1, mxnet2
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

ADAPTERS: dict[str, Any] = {a.name: a for a in (mxnet1.Standard, mxnet1.Lazy, mxnet1.LazyRowSparse)}
NAMES = sorted(ADAPTERS)
DENSE = ("mxnet1-standard", "mxnet1-lazy")
LAZY = ("mxnet1-lazy", "mxnet1-lazy-row-sparse")
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


def recognised(claimed: Any, observed: frozenset[str]) -> bool:
    return claimed.required <= observed and not claimed.excluded & observed


@pytest.mark.parametrize("name", NAMES)
def test_observed_operations_are_those_of_this_adapter_and_of_no_other(name: str) -> None:
    identity: Identity = adapter(name).identity()
    assert [other for other in NAMES if recognised(ADAPTERS[other], identity.observed)] == [name]
    assert (identity.required, identity.excluded) == (ADAPTERS[name].required, ADAPTERS[name].excluded)
    assert (identity.framework, identity.version) == ("mxnet", "1.9.1")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mxnet1-standard", {"arguments": {"lazy_update": True}}),
        ("mxnet1-standard", {"weight_storage": "row_sparse"}),
        ("mxnet1-lazy", {"arguments": {"lazy_update": False}}),
        ("mxnet1-lazy", {"weight_storage": "row_sparse"}),
        ("mxnet1-lazy-row-sparse", {"arguments": {"lazy_update": False}}),
        ("mxnet1-lazy-row-sparse", {"weight_storage": "default"}),
    ],
)
def test_another_path_behind_an_adapter_is_seen(name: str, wrong: dict[str, Any]) -> None:
    identity = type("Wrong", (ADAPTERS[name],), wrong)().identity()
    assert identity.required - identity.observed
    assert identity.excluded & identity.observed


def test_another_optimizer_behind_an_adapter_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nadam of the same module, which composes operators."""
    wrong = ADAPTERS["mxnet1-standard"]()
    optimizers = wrong._mxnet.optimizer
    without = {"lazy_update"}
    monkeypatch.setattr(
        optimizers, "Adam", lambda **given: optimizers.Nadam(**{k: v for k, v in given.items() if k not in without})
    )
    identity = wrong.identity()
    assert "adam_update" in identity.required - identity.observed


def test_lazy_update_is_the_frameworks_default() -> None:
    assert adapter("mxnet1-lazy")._mxnet.optimizer.Adam().lazy_update is True


def test_observing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = adapter("mxnet1-lazy")._mxnet.optimizer.optimizer
    before = module.adam_update
    adapter("mxnet1-lazy").identity()
    assert module.adam_update is before
    assert not list(tmp_path.iterdir())


def test_the_adapters_of_the_other_version_refuse_to_start() -> None:
    with pytest.raises(ImportError, match=r"mxnet is 1\.9\.1, accepted: 2\.x"):
        mxnet2.Fused()


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


# --- The contract -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
def test_arrays_of_the_caller_are_neither_written_nor_kept(name: str, dtype: Precision) -> None:
    theta = np.arange(6, dtype=dtype).reshape(3, 2)
    dense, values = np.full_like(theta, 0.5), np.full_like(theta[:2], 0.25)
    indices = np.array([0, 2])
    originals = [array.copy() for array in (theta, dense, values, indices)]
    run = adapter(name).start([theta], Hyperparameters(l2=0.1, rescale_grad=3.0, clip_gradient=0.7))
    returned = [run.step([Rows(indices, values)]), run.step([Rows(indices, values)])]
    if name != "mxnet1-lazy-row-sparse":
        returned.append(run.step([dense]))
    kept = [[array.copy() for array in (*s.parameters, *s.m, *s.v)] for s in returned]
    for array, original in zip((theta, dense, values, indices), originals, strict=True):
        np.testing.assert_array_equal(array, original)
        array[...] = 0
    run.step([rows([1], np.ones((1, 2), dtype))])
    for state, copies in zip(returned, kept, strict=True):
        for array, copy in zip((*state.parameters, *state.m, *state.v), copies, strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (7,), (4, 2, 3)])
def test_shapes(name: str, dtype: Precision, shape: tuple[int, ...]) -> None:
    state = one(name, np.ones(shape, dtype), np.full(shape, 2.0, dtype), learning_rate=0.1)
    for array in (*state.parameters, *state.m, *state.v):
        assert (array.shape, array.dtype) == (shape, dtype)
    np.testing.assert_allclose(state.parameters[0], np.full(shape, 1.9), rtol=1e-5)


def test_shapes_of_numpy_are_used_where_they_are_needed_and_nowhere_else() -> None:
    """The default of 1.9, in which () and (0,) mean "unknown", is what its users run."""
    mxnet = adapter("mxnet1-standard")._mxnet
    with pytest.raises(mxnet.MXNetError, match="inferring shapes failed"):
        mxnet.nd.zeros((0,)).asnumpy()
    seen: list[bool] = []
    real = mxnet.optimizer.optimizer.adam_update

    def spy(*operands: Any, **arguments: Any) -> Any:
        seen.append(mxnet.util.is_np_shape())
        return real(*operands, **arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mxnet.optimizer.optimizer, "adam_update", spy)
        for shape in ((2,), (), (0, 3)):
            one("mxnet1-standard", np.ones(shape, np.float32), np.ones(shape, np.float32))
    assert seen == [False, True, True]
    assert not mxnet.util.is_np_shape()


@pytest.mark.parametrize("name", NAMES)
def test_t_is_counted_per_parameter_and_one_without_gradient_stays(name: str) -> None:
    ones = np.ones(2, np.float32)
    run = adapter(name).start([ones, ones, ones], Hyperparameters(learning_rate=0.1, l2=0.1))
    first = run.step([ones, None, None])
    assert first.t == (1, 0, 0)
    np.testing.assert_array_equal(first.parameters[1], ones)
    second = run.step([None, ones, None])
    assert second.t == (1, 1, 0)
    for quantity in ("parameters", "m", "v"):
        np.testing.assert_array_equal(getattr(second, quantity)[0], getattr(first, quantity)[0])
        np.testing.assert_array_equal(getattr(second, quantity)[1], getattr(first, quantity)[0])


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
    without = run.step([rows([], g[:0])])
    assert (after.t, without.t) == ((2,), (3,))
    assert same(without, State(**{**vars(after), "t": (3,)}))


@pytest.mark.parametrize("dtype", DTYPES)
def test_standard_rows_are_zeros_elsewhere(dtype: Precision) -> None:
    theta = np.ones((3, 2), dtype)
    hyper = Hyperparameters(l2=0.5, clip_gradient=0.7)
    sparse, dense = (adapter("mxnet1-standard").start([theta], hyper) for _ in range(2))
    a = sparse.step([rows([1], np.ones((1, 2), dtype))])
    b = dense.step([np.array([[0, 0], [1, 1], [0, 0]], dtype)])
    # clip(0 + 0.5 theta, 0.7) moves every row; the named one is clipped after its decay was added.
    np.testing.assert_allclose(a.m[0][:, 0], [0.05, 0.07, 0.05], rtol=1e-6)
    for x, y in zip((*a.parameters, *a.m, *a.v), (*b.parameters, *b.m, *b.v), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5 if dtype == "float32" else 1e-13)


def test_why_dense_gradients_on_row_sparse_weights_are_not_claimed() -> None:
    run = adapter("mxnet1-lazy-row-sparse").start([np.zeros((3, 2), np.float32)], Hyperparameters())
    run.step([np.zeros((3, 2), np.float32)])  # stores the weight anew, without its zero rows
    with pytest.raises(adapter("mxnet1-lazy")._mxnet.MXNetError, match="all rows containing non-zeros"):
        run.step([rows([1], np.ones((1, 2), np.float32))])


# --- The formula ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_clipped_after_the_decay_was_added(name: str) -> None:
    """MXNet 2 clips first: 0.7 + 0.5 there."""
    state = one(name, np.ones(2, np.float32), np.ones(2, np.float32), l2=0.5, clip_gradient=0.7)
    np.testing.assert_allclose(state.m[0], [0.07, 0.07], rtol=1e-6)


@pytest.mark.parametrize(("name", "clip_gradient"), list(product(NAMES, [0.0, -0.5])))
def test_clip_gradient_zero_or_below_is_ignored(name: str, clip_gradient: float) -> None:
    mxnet, g = adapter(name)._mxnet, np.array([2, 0.3, -1], np.float32)
    optimizer = mxnet.optimizer.Adam(clip_gradient=clip_gradient)  # the contract refuses negative ones
    weight = mxnet.nd.ones(3)
    state = optimizer.create_state(0, weight)
    optimizer.update(0, weight, mxnet.nd.array(g), state)
    np.testing.assert_allclose(state[0].asnumpy(), 0.1 * g, rtol=1e-5)


def test_the_documented_step_size_has_its_betas_exchanged() -> None:
    """The docstring prints sqrt(1 - beta1^t) / (1 - beta2^t)."""
    theta = one("mxnet1-lazy", np.ones(1), np.ones(1), learning_rate=0.1, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    np.testing.assert_allclose(1 - theta.parameters[0], [0.1], rtol=1e-6)
    documented = 0.1 * math.sqrt(0.5) / 0.25 * 0.5 / math.sqrt(0.25)
    assert abs(documented - 0.1) > 0.1


class Emulation:
    """Adam as the kernels of ``adam_update`` round it, one operation at a time."""

    def __init__(self, theta: Array, h: Hyperparameters) -> None:
        self.theta, self.m, self.v = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
        self.h, self.t = h, 0

    def step(self, g: Array, index: Any = ...) -> None:
        h, real = self.h, self.theta.dtype.type
        self.t += 1

        def single(number: float) -> Any:
            return real(parsed(number, np.float32))

        g = g * single(h.rescale_grad) + single(h.l2) * self.theta[index]
        if h.clip_gradient is not None:
            g = np.clip(g, -single(h.clip_gradient), single(h.clip_gradient))
        lr = h.learning_rate * (math.sqrt(1 - h.beta_2**self.t) / (1 - h.beta_1**self.t))
        beta_1, beta_2 = single(h.beta_1), single(h.beta_2)
        rest_1, rest_2 = real(1) - beta_1, real(1) - beta_2
        clipped_rows = index is not ... and h.clip_gradient is not None  # a branch of its own in the kernel
        square = rest_2 * (g * g) if clipped_rows else rest_2 * g * g
        self.m[index] = beta_1 * self.m[index] + rest_1 * g
        self.v[index] = beta_2 * self.v[index] + square
        self.theta[index] -= single(lr) * self.m[index] / (np.sqrt(self.v[index]) + single(h.epsilon))


@pytest.mark.parametrize(("name", "dtype", "hyper"), list(product(LAZY, DTYPES, SETTINGS)))
def test_lazy_rows_bit_for_bit(name: str, dtype: Precision, hyper: Hyperparameters) -> None:
    random = np.random.default_rng(2)
    theta = random.normal(size=(5, 4)).astype(dtype)
    run = adapter(name).start([theta], hyper)
    emulation = Emulation(theta, hyper)
    for _ in range(60):
        g = draw(random, theta.shape, dtype, sparse=True)
        state = run.step([g])
        emulation.step(g.values, g.indices)
        np.testing.assert_array_equal(state.m[0], emulation.m)
        np.testing.assert_array_equal(state.v[0], emulation.v)
        np.testing.assert_array_equal(state.parameters[0], emulation.theta)
        assert state.t == (emulation.t,)


@pytest.mark.parametrize(
    ("name", "dtype", "hyper"), list(product(("mxnet1-standard", "mxnet1-lazy"), DTYPES, SETTINGS))
)
def test_dense_steps_bit_for_bit(name: str, dtype: Precision, hyper: Hyperparameters) -> None:
    random = np.random.default_rng(1)
    theta = random.normal(size=(5, 4)).astype(dtype)
    run = adapter(name).start([theta], hyper)
    emulation = Emulation(theta, hyper)
    for _ in range(60):
        g = draw(random, theta.shape, dtype, sparse=False)
        state = run.step([g])
        emulation.step(g)
        np.testing.assert_array_equal(state.m[0], emulation.m)
        np.testing.assert_array_equal(state.v[0], emulation.v)
        np.testing.assert_array_equal(state.parameters[0], emulation.theta)


# --- Edges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_subnormals_are_kept(name: str) -> None:
    """MXNet 2 flushes them."""
    m = one(name, np.full(3, 1e-38, np.float32), np.ones(3, np.float32)).m[0]
    np.testing.assert_allclose(m, np.full(3, 1e-39), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_zero_hyperparameters(name: str) -> None:
    theta, g = np.ones(2, np.float32), np.array([2.0, 0.0], np.float32)
    without_epsilon = one(name, g, theta, epsilon=0.0).parameters[0]
    assert without_epsilon[0] < 1
    assert math.isnan(without_epsilon[1])  # 0 / 0
    np.testing.assert_array_equal(one(name, g, theta, learning_rate=0.0).parameters[0], theta)
    assert one(name, g, theta, beta_1=0.0).m[0].tolist() == [2, 0]
    assert one(name, g, theta, beta_2=0.0).v[0].tolist() == [4, 0]
