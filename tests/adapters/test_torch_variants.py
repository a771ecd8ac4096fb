"""The adapters of torch's AdamW, RAdam, NAdam and SparseAdam against the real package: torch 2.13.0 on the CPU."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from adapters import torch_optim
from adapters import torch_variants as variants
from adapters.contract import Arithmetic, Array, ContractError, Hyperparameters, Implementation, Precision, Rows, State
from adapters.fused_adam_torch import TorchFaceRadam
from conformance import checks
from conformance.subjects import subjects

CLASSES = (
    variants.AdamWLoop,
    variants.AdamWForeach,
    variants.AdamWFused,
    variants.RAdamLoop,
    variants.RAdamForeach,
    variants.NAdamLoop,
    variants.NAdamForeach,
    variants.SparseAdam,
)
ADAPTERS: dict[str, Any] = {a.name: a for a in CLASSES}
NAMES = sorted(ADAPTERS)
DENSE = [name for name in NAMES if name != "torch-sparse-adam"]
LOOPS = [name for name in NAMES if name.endswith("-loop")]


@cache
def adapter(name: str) -> Any:
    return ADAPTERS[name]()


def gradient(name: str, values: Array) -> Any:
    """The whole of it; all rows for SparseAdam."""
    return values if name in DENSE else Rows(np.arange(len(values)), values)


def last(name: str, steps: list[list[float]], theta: Any = (1.0, 1.0), dtype: str = "float64", **hyper: Any) -> State:
    run = adapter(name).start([np.array(theta, dtype)], Hyperparameters(**hyper))
    return [run.step([gradient(name, np.array(g, dtype))]) for g in steps][-1]


# What it is


@pytest.mark.parametrize("name", NAMES)
def test_is_an_implementation_of_the_contract(name: str) -> None:
    assert isinstance(adapter(name), Implementation)
    assert adapter(name).contract_version == 1


@pytest.mark.parametrize("name", NAMES)
def test_observed_operations_are_those_of_this_adapter_and_of_no_other(name: str) -> None:
    identity = adapter(name).identity()

    def recognised(other: Any) -> bool:
        return other.required <= identity.observed and not other.excluded & identity.observed

    assert [other for other in NAMES if recognised(adapter(other))] == [name]
    assert (identity.framework, identity.version) == ("torch", torch.__version__)


@pytest.mark.parametrize(
    ("name", "path"),
    [(a.name, b) for a in CLASSES for b in CLASSES if a.cls == b.cls and a is not b],
    ids=str,
)
def test_another_path_behind_an_adapter_is_seen(name: str, path: Any) -> None:
    identity = type("Wrong", (ADAPTERS[name],), {"arguments": path.arguments})().identity()
    assert identity.required - identity.observed
    assert identity.excluded & identity.observed


@pytest.mark.parametrize(("name", "cls"), [("torch-nadam-loop", "RAdam"), ("torch-adamw-loop", "Adam")])
def test_another_class_behind_an_adapter_is_seen(name: str, cls: str) -> None:
    def spelled(self: Any, h: Hyperparameters) -> dict[str, Any]:
        return {}

    identity = type("Wrong", (ADAPTERS[name],), {"cls": cls, "spelled": spelled, "required": ADAPTERS[name]().required})
    assert identity().identity().required - identity().identity().observed


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
        "momentum_decay": 2.0,
    }
    steps = [[1.0, -0.25], *[[1e-3, 1e-3]] * 6]  # the rectified ones divide from step 6 on
    for hyper in adapter(name).claim.hyperparameters:
        one, other = last(name, steps), last(name, steps, **{hyper: changed[hyper]})
        assert not np.array_equal(one.parameters[0], other.parameters[0]), hyper


# What torch documents and the contract has no word for


@pytest.mark.parametrize("name", NAMES)
def test_maximize_is_the_gradient_with_the_other_sign_bit_for_bit(name: str) -> None:
    up = type("Maximize", (ADAPTERS[name],), {"arguments": {**ADAPTERS[name].arguments, "maximize": True}})()
    h = Hyperparameters(weight_decay=0.1 if "weight_decay" in up.claim.hyperparameters else 0.0)
    theta = np.arange(1.0, 20.0, dtype=np.float32)
    runs = [one.start([theta], h) for one in (adapter(name), up)]
    for k in range(8):
        g = np.sin(theta + k).astype(np.float32)
        down, other = (run.step([gradient(name, sign * g)]) for run, sign in zip(runs, (1, -1), strict=True))
        for a, b in zip((*down.parameters, *down.m, *down.v), (*other.parameters, *other.m, *other.v), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", LOOPS)
def test_differentiable_steps_conform(name: str) -> None:
    """The same formula with scalars that are tensors, of float32 whatever the parameters are: judged as declared."""
    arguments = {**ADAPTERS[name].arguments, "differentiable": True}
    # Adam divides by the learning rate there (adam.py: eps / step_size_neg), so that 0 and epsilon 0 are 0 / 0.
    claim = replace(ADAPTERS[name].claim, nonzero=frozenset({"epsilon"}))

    class Differentiable(ADAPTERS[name]):  # type: ignore[misc]
        def arithmetic(self, dtype: Precision) -> Arithmetic:
            return replace(super().arithmetic(dtype), powers="float32", power_form="rounded", step_size="float32")

        def start(self, parameters: Any, hyperparameters: Hyperparameters) -> Any:
            run = super().start(parameters, hyperparameters)
            step = run.optimizer.step
            run.optimizer.step = lambda: torch.no_grad()(step)()
            for group in run.optimizer.param_groups:
                group["params"] = [p.requires_grad_(False) for p in group["params"]]
            return run

    one = type("Differentiable", (Differentiable,), {"arguments": arguments, "claim": claim})()
    for problem in subjects(one, "general", 20, 0):
        assert not checks.free_running(one, problem).findings  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in DENSE if "fused" not in name])
def test_capturable_does_not_exist_on_the_cpu(name: str) -> None:
    one = type("Capturable", (ADAPTERS[name],), {"arguments": {**ADAPTERS[name].arguments, "capturable": True}})()
    with pytest.raises(AssertionError, match="If capturable=True"):
        one.start([np.ones(2)], Hyperparameters()).step([np.ones(2)])
    assert any(text.startswith("capturable") for text in one.claim.not_claimed)


# RAdam


def test_foreach_radam_divides_by_zero_where_the_loop_divides_by_nothing() -> None:
    """The declared deviation: epsilon 0 and a gradient of 0 before the first rectified step."""
    moved = {name: last(name, [[0.0, 1.0]], epsilon=0.0).parameters[0] for name in NAMES if "radam" in name}
    assert np.isnan(moved["torch-radam-foreach"]).tolist() == [True, False]
    assert moved["torch-radam-loop"].tolist() == [1.0, 0.999]


# NAdam


@pytest.mark.parametrize("name", ["torch-nadam-loop", "torch-nadam-foreach"])
def test_the_product_of_the_momenta_is_kept_in_float32(name: str) -> None:
    run = adapter(name).start([np.ones(1)], Hyperparameters(momentum_decay=2.0))
    product = np.float32(1)
    for t in range(1, 6):
        run.step([np.ones(1)])
        product = product * np.float32(0.9 * (1 - 0.5 * 0.96 ** (t * 2.0)))
        (state,) = run.optimizer.state.values()
        assert (state["mu_product"].dtype, state["mu_product"].item()) == (torch.float32, float(product))


# SparseAdam


def test_sparse_adam_takes_rows_and_nothing_else() -> None:
    run = adapter("torch-sparse-adam").start([np.ones((3, 2))], Hyperparameters())
    with pytest.raises(ContractError, match=r"gradients\[0\] is 'an array'; accepted: Rows or None"):
        run.step([np.ones((3, 2))])
    with pytest.raises(ContractError, match="takes no rows"):
        torch_optim.Loop().start([np.ones((3, 2))], Hyperparameters()).step([Rows(np.array([0]), np.ones((1, 2)))])
    for name in ("learning_rate", "epsilon"):
        with pytest.raises(ValueError, match="Invalid"):
            adapter("torch-sparse-adam").start([np.ones((3, 2))], Hyperparameters(**{name: 0.0}))
    assert adapter("torch-sparse-adam").claim.nonzero == {"learning_rate", "epsilon"}


def test_sparse_adam_sums_duplicates_leaves_other_rows_and_counts_an_empty_gradient() -> None:
    theta = np.arange(6.0).reshape(3, 2)
    rows = Rows(np.array([2, 0, 2]), np.array([[1.0, 1.0], [4.0, 4.0], [2.0, 2.0]]))
    kept = rows.indices.copy(), rows.values.copy()
    run = adapter("torch-sparse-adam").start([theta], Hyperparameters(learning_rate=0.1, epsilon=0.25))
    empty = run.step([Rows(np.array([], np.int64), np.ones((0, 2)))])
    assert empty.t == (1,)
    np.testing.assert_array_equal(empty.parameters[0], theta)
    state = run.step([rows])
    assert state.t == (2,)
    np.testing.assert_array_equal(state.parameters[0][1], theta[1])
    np.testing.assert_allclose(state.m[0][:, 0], [0.4, 0.0, 0.3], rtol=1e-12)
    size = 0.1 * math.sqrt(1 - 0.999**2) / (1 - 0.9**2)
    np.testing.assert_allclose(
        (theta - state.parameters[0])[0], [size * 0.4 / (math.sqrt(0.001 * 16) + 0.25)] * 2, rtol=1e-9
    )
    np.testing.assert_array_equal(rows.indices, kept[0])
    np.testing.assert_array_equal(rows.values, kept[1])


def test_fused_adams_radam_is_recognised_and_its_adam_is_not() -> None:
    right = TorchFaceRadam().identity()
    assert right.required <= right.observed
    wrong = type("Wrong", (TorchFaceRadam,), {"face": "Adam"})().identity()
    assert wrong.required - wrong.observed == {"float32_l2_undivided", "float32_decay_before_undivided"}
