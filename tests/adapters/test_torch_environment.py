"""The PyTorch adapters against the real package: torch 2.13.0 on the CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from adapters import torch_optim
from adapters.contract import (
    Array,
    ContractError,
    Gradient,
    Hyperparameters,
    Identity,
    Implementation,
    Precision,
    Rows,
    State,
)
from adapters.fused_adam_torch import TorchFace
from adapters.memory import laid_out, offset
from adapters.torch_run import TorchRun
from conformance import direct
from conformance.load import CannotTest
from conformance.plot.curves import curve, figure
from conformance.plot.problem import Standard

ADAPTERS: dict[str, Any] = {a.name: a for a in (torch_optim.Loop, torch_optim.Foreach, torch_optim.Fused)}
NAMES = sorted(ADAPTERS)
DTYPES: tuple[Precision, ...] = ("float32", "float64")
SETTINGS = (
    Hyperparameters(epsilon=1e-8),
    Hyperparameters(learning_rate=0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-3, amsgrad=True, l2=0.3),
    Hyperparameters(learning_rate=0.0123, beta_1=0.83, beta_2=0.9917, epsilon=3.3e-7, amsgrad=True, weight_decay=0.37),
    Hyperparameters(learning_rate=0.02, beta_1=0.3, beta_2=0.4),  # 1 - beta_1 above 1/2: the other side of the lerp
)


@cache
def adapter(name: str) -> Any:
    return ADAPTERS[name]()


def arrays(state: State) -> list[Array]:
    return [*state.parameters, *state.m, *state.v, *(state.v_max or ())]


def same(a: State, b: State) -> bool:
    """Bit for bit, NaN and the sign of zero included."""

    def bits(state: State) -> list[object]:
        return [state.t, state.v_max is None, *((x.shape, x.dtype, x.tobytes()) for x in arrays(state))]

    return bits(a) == bits(b)


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
    assert (identity.framework, identity.version) == ("torch", adapter(name)._torch.__version__)


@pytest.mark.parametrize(("name", "path"), [(a, b) for a, b in product(NAMES, NAMES) if a != b])
def test_another_path_behind_an_adapter_is_seen(name: str, path: str) -> None:
    identity = type("Wrong", (ADAPTERS[name],), {"arguments": ADAPTERS[path].arguments})().identity()
    assert identity.required - identity.observed
    assert identity.excluded & identity.observed


class Borrowed(TorchFace):
    """fused_adam by its name and its record of what ran; torch's fused kernel does the work (pytorch#91228)."""

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> TorchRun:
        run: TorchRun = adapter("torch-fused").start(parameters, hyperparameters)
        run.optimizer.ran = BORROWED
        return run


BORROWED = frozenset({"cpu-numba serial", "float32", "float32_l2_amsgrad", "float32_decay_before"})


@pytest.mark.parametrize("name", NAMES)
def test_torch_in_the_clothes_of_fused_adam_is_not_compared_with_torch(name: str) -> None:
    with pytest.raises(CannotTest, match=r"'aten._fused_adam_'.* do not show that it is itself"):
        direct.pairs(Borrowed(), adapter(name), 1, 0)


def test_nor_is_it_where_it_denies_that_torch_belongs_to_another() -> None:
    class Denying(Borrowed):
        def identity(self) -> Identity:
            return replace(super().identity(), excluded=frozenset())

    with pytest.raises(CannotTest, match=r"was seen running 'aten._fused_adam_', 'aten._fused_adamw_', by which torch"):
        direct.pairs(Denying(), adapter("torch-fused"), 1, 0)


def test_on_the_cpu_the_framework_itself_chooses_the_loop() -> None:
    identity = type("Default", (torch_optim.Loop,), {"arguments": {}})().identity()
    assert recognised(torch_optim.Loop, identity.observed)


@pytest.mark.parametrize("name", NAMES)
def test_every_claimed_hyperparameter_matters(name: str) -> None:
    changed: dict[str, Any] = {
        "learning_rate": 0.02,
        "beta_1": 0.7,
        "beta_2": 0.9,
        "epsilon": 0.1,
        "amsgrad": True,
        "l2": 0.1,
        "weight_decay": 0.1,
    }

    def last(**hyper: Any) -> State:
        run = adapter(name).start([np.ones(2, np.float32)], Hyperparameters(**hyper))
        gradients = [np.array(g, np.float32) for g in ([1.0, -0.25], [1e-3, 1e-3], [1e-3, 1e-3])]
        return [run.step([g]) for g in gradients][-1]

    assert set(changed) == set(adapter(name).claim.hyperparameters)
    for hyper, value in changed.items():
        assert not np.array_equal(last().parameters[0], last(**{hyper: value}).parameters[0]), hyper


@pytest.mark.parametrize("name", NAMES)
def test_one_of_both_decays(name: str) -> None:
    with pytest.raises(ContractError, match=r"l2, weight_decay is \(0.1, 0.2\); accepted: at most one"):
        adapter(name).start([np.ones(1)], Hyperparameters(l2=0.1, weight_decay=0.2))
    decoupled = one(name, np.zeros(2), np.ones(2), learning_rate=0.5, weight_decay=0.1)
    assert decoupled.parameters[0].tolist() == [0.95, 0.95]
    assert decoupled.m[0].tolist() == [0, 0]
    coupled = one(name, np.zeros(2), np.ones(2), learning_rate=0.5, l2=0.1)
    np.testing.assert_allclose(coupled.m[0], [0.01, 0.01])


@pytest.mark.parametrize("name", NAMES)
def test_integers_are_numbers(name: str) -> None:
    theta, g = np.ones(2, np.float32), np.full(2, 0.5, np.float32)
    integers = one(name, g, theta, learning_rate=1, beta_1=0, beta_2=0, epsilon=1, l2=1)
    assert same(integers, one(name, g, theta, learning_rate=1.0, beta_1=0.0, beta_2=0.0, epsilon=1.0, l2=1.0))


# --- The contract -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
def test_arrays_of_the_caller_are_neither_written_nor_kept(name: str, dtype: Precision) -> None:
    theta = np.arange(6, dtype=dtype).reshape(3, 2)
    g = np.full((2, 3), 0.5, dtype).T[::-1]  # neither contiguous nor of positive strides
    originals = [theta.copy(), g.copy()]
    run = adapter(name).start([theta], Hyperparameters(l2=0.1, amsgrad=True))
    returned = [run.step([g]) for _ in range(2)]
    kept = [[array.copy() for array in arrays(state)] for state in returned]
    for array, original in zip((theta, g), originals, strict=True):
        np.testing.assert_array_equal(array, original)
        array[...] = 0
    run.step([np.ones_like(theta)])
    for state, copies in zip(returned, kept, strict=True):
        for array, copy in zip(arrays(state), copies, strict=True):
            assert array.dtype == dtype
            assert array.flags.owndata
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("writeable", [True, False])
def test_a_gradient_is_the_callers_own_memory_unless_nobody_may_write_it(writeable: bool) -> None:
    """An optimizer that writes its gradients is seen to; torch warns, which is an error here, of what is read-only."""
    run: Any = adapter("torch-loop").start([np.ones(3)], Hyperparameters())
    g = np.full(3, 0.5)
    g.flags.writeable = writeable
    assert np.shares_memory(run.gradient(0, g).numpy(), g) is writeable


@pytest.mark.parametrize("name", NAMES)
def test_every_run_is_a_new_optimizer(name: str) -> None:
    def run() -> Any:
        return adapter(name).start([np.ones(5, np.float32)], Hyperparameters(l2=0.1, amsgrad=True))

    random = np.random.default_rng(0)
    gradients = [random.normal(size=5).astype(np.float32) for _ in range(4)]
    alone = run()
    expected = [alone.step([g]) for g in gradients]
    a, b = run(), run()
    for g, state in zip(gradients, expected, strict=True):
        b.step([3 * g])
        assert same(a.step([g]), state)


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (7,), (4, 2, 3)])
def test_shapes(name: str, dtype: Precision, shape: tuple[int, ...]) -> None:
    state = one(name, np.full(shape, 2.0, dtype), np.ones(shape, dtype), learning_rate=0.1, amsgrad=True)
    for array in arrays(state):
        assert (array.shape, array.dtype) == (shape, dtype)
    np.testing.assert_allclose(state.parameters[0], np.full(shape, 0.9), rtol=1e-5)
    assert state.t == (1,)


@pytest.mark.parametrize(("name", "amsgrad"), list(product(NAMES, (False, True))))
def test_t_is_counted_per_parameter_and_one_without_gradient_stays(name: str, amsgrad: bool) -> None:
    ones = np.ones(2, np.float32)
    run = adapter(name).start([ones, ones, ones], Hyperparameters(weight_decay=0.1, amsgrad=amsgrad))
    nothing = run.step([None, None, None])
    assert nothing.t == (0, 0, 0)
    assert (nothing.v_max is None) is not amsgrad
    first = run.step([ones, None, None])
    assert first.t == (1, 0, 0)
    np.testing.assert_array_equal(first.parameters[1], ones)
    np.testing.assert_array_equal(first.m[1], 0 * ones)
    second = run.step([None, ones, None])
    assert second.t == (1, 1, 0)
    for quantity in ("parameters", "m", "v", *(["v_max"] if amsgrad else [])):
        np.testing.assert_array_equal(getattr(second, quantity)[0], getattr(first, quantity)[0])
        # A late parameter begins at t = 1: its first step is the first one's.
        np.testing.assert_array_equal(getattr(second, quantity)[1], getattr(first, quantity)[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_has_the_live_path_inside_its_band(name: str) -> None:
    problem = Standard(steps=20).of(adapter(name))
    c = curve(adapter(name), name, problem, figure("torch-adam", problem, "words"))
    assert (c.package, c.identity) == ("torch", ())
    assert all(0 <= error <= bound for error, bound in zip(c.error, c.bound, strict=True))
    assert 0 < max(c.worst()) < 1


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_refused(name: str) -> None:
    rows = Rows(np.array([0]), np.ones((1, 2)))
    with pytest.raises(ContractError, match=r"gradients\[0\] is 'Rows'"):
        one(name, rows, np.ones((3, 2)))


# --- Arithmetic -------------------------------------------------------------------------------------------


def emulated(before: State, g: Array, h: Hyperparameters, t: int) -> list[Array]:
    """``_single_tensor_adam``, one rounding per operation, scalars in double until they meet an element."""
    real = before.parameters[0].dtype.type
    theta, m, v = before.parameters[0], before.m[0], before.v[0]
    if h.weight_decay:
        theta = theta * real(1 - h.learning_rate * h.weight_decay)
    if h.l2:
        g = g + real(h.l2) * theta
    weight = 1 - h.beta_1
    m = m + real(weight) * (g - m) if weight < 0.5 else g - (g - m) * (real(1) - real(weight))
    v = v * real(h.beta_2) + real(1 - h.beta_2) * g * g
    v_max = v if before.v_max is None else np.maximum(before.v_max[0], v)
    denominator = np.sqrt(v_max) / real(math.sqrt(1 - h.beta_2**t)) + real(h.epsilon)
    theta = theta + real(-h.learning_rate / (1 - h.beta_1**t)) * m / denominator
    return [theta, m, v] if before.v_max is None else [theta, m, v, v_max]


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
@pytest.mark.parametrize("size", [3, 37])  # below one vector, and vectors with a remainder
@pytest.mark.parametrize("hyper", SETTINGS)
def test_every_step_within_a_few_units(name: str, dtype: Precision, size: int, hyper: Hyperparameters) -> None:
    """From the state before it: FMA, where the compiler contracts, is all that is not emulated."""
    random = np.random.default_rng(0)
    theta = random.normal(size=size).astype(dtype)
    zeros = (np.zeros_like(theta),)
    before = State(parameters=(theta,), m=zeros, v=zeros, v_max=zeros if hyper.amsgrad else None, t=(0,))
    unit = np.finfo(dtype).eps
    run = adapter(name).start([theta], hyper)
    for t in range(1, 121):
        g = (10 ** random.uniform(-3, 1) * random.normal(size=size)).astype(dtype)
        state = run.step([g])
        # Each quantity against the larger of what it was formed from; theta's step adds its own rounding.
        whole = np.abs(g) + hyper.l2 * np.abs(before.parameters[0])
        moved = np.abs(state.parameters[0] - before.parameters[0])
        scales = [
            np.abs(before.parameters[0]) + 4 * moved,
            np.maximum(np.abs(before.m[0]), whole),
            *2 * [np.maximum(before.v[0], whole**2)],
        ]
        for obtained, expected, scale in zip(arrays(state), emulated(before, g, hyper, t), scales, strict=False):
            assert np.all(np.abs(obtained - expected) <= 4 * unit * scale)
        assert state.t == (t,)
        before = state


# --- Edges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), list(product(NAMES, (3, 64))))
def test_subnormals_are_kept(name: str, size: int) -> None:
    state = one(name, np.full(size, 1e-38, np.float32), np.ones(size, np.float32))
    np.testing.assert_array_equal(state.m[0], np.full(size, 1e-39, np.float32))


@pytest.mark.parametrize(("name", "size"), list(product(NAMES, (1, 64))))
def test_zero_hyperparameters(name: str, size: int) -> None:
    ones = np.ones(size, np.float32)
    assert np.all(one(name, ones, ones, epsilon=0.0).parameters[0] < 1)
    assert np.all(np.isnan(one(name, 0 * ones, ones, epsilon=0.0).parameters[0]))  # 0 / 0
    np.testing.assert_array_equal(one(name, ones, ones, learning_rate=0.0, weight_decay=0.5).parameters[0], ones)
    np.testing.assert_array_equal(one(name, 2 * ones, ones, beta_1=0.0).m[0], 2 * ones)
    np.testing.assert_array_equal(one(name, 2 * ones, ones, beta_2=0.0).v[0], 4 * ones)


@pytest.mark.parametrize("name", NAMES)
def test_amsgrad_takes_the_maximum_of_raw_v_before_the_bias_correction(name: str) -> None:
    run = adapter(name).start([np.zeros(1)], Hyperparameters(amsgrad=True, beta_2=0.5, epsilon=0.0))
    states = [run.step([np.array([g])]) for g in (2.0, 1.0)]
    assert [state.v[0][0] for state in states] == [2, 1.5]
    assert [state.v_max[0][0] for state in states if state.v_max] == [2, 2]
    corrected = (0.9 * 0.2 + 0.1) / (1 - 0.9**2) / math.sqrt(2 / 0.75)
    np.testing.assert_allclose(states[0].parameters[0] - states[1].parameters[0], 1e-3 * corrected, rtol=1e-12)


# --- Layouts and low formats ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "fused-adam-torch-face"])
def test_tensors_lie_as_the_arrays_do(name: str) -> None:
    implementation: Any = TorchFace() if name == "fused-adam-torch-face" else adapter(name)
    for layout in torch_optim.LAYOUTS - {"expanded"}:
        theta = laid_out(np.ones((2, 3, 4, 5), np.float32), layout)
        run = implementation.start([theta], Hyperparameters())
        (tensor,) = run.parameters
        assert [4 * stride for stride in tensor.stride()] == [*theta.strides], layout
        assert tensor.data_ptr() % 16 == offset(theta), layout


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_parameters_and_moments_are_of_the_low_format(name: str, dtype: Precision) -> None:
    theta = np.ones(3, "float16" if dtype == "float16" else "float32")
    run = adapter(name).start([theta], Hyperparameters(), **({"dtype": dtype} if dtype == "bfloat16" else {}))
    run.step([theta])
    (tensor,) = run.parameters
    kept = {str(tensor.dtype), *(str(run.optimizer.state[tensor][key].dtype) for key in ("exp_avg", "exp_avg_sq"))}
    assert kept == {f"torch.{dtype}"}
    assert str(run.optimizer.state[tensor]["step"].dtype) == "torch.float32"


def test_what_the_deviations_say() -> None:
    torch = adapter("torch-loop")._torch
    transposed = np.array([[1, 1], [-1, -1]], np.float32).T
    moved = {name: one(name, transposed, np.zeros((2, 2), np.float32), learning_rate=0.1) for name in NAMES}
    assert np.sign(moved["torch-fused"].parameters[0]).tolist() == [[-1, -1], [1, 1]]
    assert np.sign(moved["torch-loop"].parameters[0]).tolist() == [[-1, 1], [-1, 1]]
    zero = np.zeros(2, np.float16)
    still = {name: one(name, zero, zero + 1, epsilon=1e-8).parameters[0] for name in NAMES}
    assert np.isnan(still["torch-loop"]).all()
    assert np.isnan(still["torch-foreach"]).all()
    assert still["torch-fused"].tolist() == [1, 1]
    assert torch.finfo(torch.float16).smallest_normal > 1e-8
