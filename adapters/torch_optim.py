"""PyTorch behind the contract: the three implementations of ``torch.optim.Adam`` on the CPU.

``torch/optim/adam.py`` holds them: ``_single_tensor_adam``, ``_multi_tensor_adam`` and ``_fused_adam``. The last
one calls ``aten/src/ATen/native/cpu/FusedAdamKernel.cpp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Claim,
    Hyperparameters,
    Identity,
    Layout,
    Precision,
    Procedure,
)
from adapters.torch_run import TorchAdapter, observe, settings
from adapters.torch_script import script

_SETTINGS = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "l2", "weight_decay"})
_SAVE = "state_dict, torch.save, torch.load, load_state_dict; the parameters likewise"


def procedures(
    settings: frozenset[str], *, changed: frozenset[str] | None = None, of_groups: frozenset[str] | None = None
) -> dict[str, Procedure]:
    """What ``torch.optim.Optimizer`` can do, with the hyper-parameters that stand in a parameter group.

    changed: those that may change between steps, if not all; amsgrad never may. of_groups: those that a group may have
    of its own, if not all.
    """
    free = settings - {"amsgrad"}
    return {
        "save": Procedure(how=_SAVE, hyperparameters=free),
        "rewind": Procedure(how="load_state_dict of an optimizer that has stepped; the parameters likewise"),
        "change": Procedure(how="assignment into param_groups", hyperparameters=free if changed is None else changed),
        "groups": Procedure(
            how="the constructor's list of dicts", hyperparameters=settings if of_groups is None else of_groups
        ),
        "late groups": Procedure(how="add_param_group"),
        "saved groups": Procedure(how=f"{_SAVE}, of all groups"),
        "changed groups": Procedure(how="assignment into one of param_groups"),
        "state": Procedure(how="state_dict with other numbers in it, load_state_dict"),
        "mixed dtypes": Procedure(how="tensors of several dtypes in one list"),
        "empty steps": Procedure(how="step() where every grad is None"),
    }


LAYOUTS: frozenset[Layout] = frozenset({"transposed", "channels-last", "strided", "misaligned", "expanded"})
"""Those of torch's tensors, whose strides are not negative."""
CLAIM = Claim(
    dialect="torch-adam",
    hyperparameters=frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "l2", "weight_decay"}),
    not_claimed=(
        "l2 and weight_decay at once (one argument, weight_decay, stands for both)",
        "lr and betas as tensors",
        "maximize",
        "capturable",
        "differentiable",
        "grad_scale and found_inf",
        "closure",
        "complex parameters",
        "other devices than the CPU",
    ),
    dtypes=("float32", "float64", "bfloat16", "float16"),
    layouts=LAYOUTS,
    procedures=procedures(_SETTINGS),
)

LOOP = frozenset({"aten.lerp_", "aten.addcmul_", "aten.addcdiv_", "aten.maximum"})
FOREACH = frozenset(
    {"aten._foreach_lerp_", "aten._foreach_addcmul_", "aten._foreach_addcdiv_", "aten._foreach_maximum_"}
)
FUSED = frozenset({"aten._fused_adam_", "aten._fused_adamw_"})
"""The second one is decoupled decay."""

_IDENTITY_PROBLEMS = (
    Hyperparameters(),
    Hyperparameters(amsgrad=True, l2=0.1),
    Hyperparameters(weight_decay=0.1),
)


class _Adam(TorchAdapter):
    contract_version: int = CONTRACT_VERSION
    name: str
    claim: Claim = CLAIM
    arguments: Mapping[str, bool]
    required: frozenset[str]
    excluded: frozenset[str]

    def __init__(self) -> None:
        import torch

        self._torch = torch

    def identity(self) -> Identity:
        """One step each of Adam, AMSGrad with an L2 term, and decoupled decay under ``TorchDispatchMode``."""
        theta = np.ones(3, np.float32)
        observed: set[str] = set()
        for hyperparameters in _IDENTITY_PROBLEMS:
            run = self.start([theta], hyperparameters)
            observe(partial(run.step, [theta]), observed)
        return Identity(
            framework="torch",
            version=self._torch.__version__,
            required=self.required,
            excluded=self.excluded,
            observed=frozenset(observed),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Scalars are formed in double, in Python or in the kernel, and rounded where they meet the elements.

        The first moment is ``lerp``, which switches sides at 1 - beta_1 = 1/2. Of bfloat16 and float16 every operator
        computes in float32 and rounds what it stores, the denominator too.
        """
        return Arithmetic(storage=dtype, compute=dtype)

    def construct(self, params: list[Any], hyperparameters: Hyperparameters) -> Any:
        """``torch.optim.Adam``; `ContractError` where both l2 and weight_decay are asked for."""
        return self._torch.optim.Adam(params, **settings(hyperparameters), **self.arguments)

    def reproduction(self, hyperparameters: Hyperparameters) -> str:
        """The same without an adapter."""
        return reproduction("torch.optim", "Adam", settings(hyperparameters) | dict(self.arguments))

    def script(self) -> str:
        """All that a run can do, without an adapter."""
        return script("torch.optim", "Adam", self.arguments)

    def script_settings(self, hyperparameters: Hyperparameters, *, new: bool) -> dict[str, Any]:
        """What it is constructed with beside the path's arguments, and what a group holds."""
        return settings(hyperparameters)


class Loop(_Adam):
    """``_single_tensor_adam``: one operator after the other, parameter by parameter."""

    name = "torch-loop"
    arguments = MappingProxyType({"foreach": False, "fused": False})
    required = LOOP
    excluded = FOREACH | FUSED


class Foreach(_Adam):
    """``_multi_tensor_adam``: ``torch._foreach_*`` over all parameters."""

    name = "torch-foreach"
    arguments = MappingProxyType({"foreach": True, "fused": False})
    required = FOREACH
    excluded = LOOP | FUSED


class Fused(_Adam):
    """``_fused_adam``: one kernel per step, ``torch._fused_adam_`` or ``torch._fused_adamw_``."""

    name = "torch-fused"
    # Where vectors are fused (AVX2, AVX512), v of the elements behind the last full vector is rounded otherwise.
    claim = replace(CLAIM, not_claimed=(*CLAIM.not_claimed, "the same bits at any place in a tensor"))
    arguments = MappingProxyType({"foreach": False, "fused": True})
    required = FUSED
    excluded = LOOP | FOREACH

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """As the others', but nothing between loads and stores is rounded to bfloat16 or float16."""
        low = dtype in ("bfloat16", "float16")
        return replace(super().arithmetic(dtype), compute="float32" if low else dtype)


def reproduction(module: str, name: str, arguments: Mapping[str, Any]) -> str:
    """Python that constructs the optimizer class and steps it by torch alone: start, step and read."""
    first = name.partition(".")[0]
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return _REPRODUCTION.format(module=module, first=first, name=name, given=given)


_REPRODUCTION = """
import torch
from {module} import {first}

NAMES = {{"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"}}


def start(parameters):
    global leaves, optimizer
    leaves = [torch.nn.Parameter(torch.from_numpy(p.copy())) for p in parameters]
    optimizer = {name}(leaves, {given})


def step(gradients):
    for leaf, g in zip(leaves, gradients):
        leaf.grad = None if g is None else torch.from_numpy(g.copy())
    optimizer.step()


def read(quantity, i):
    if quantity == "parameters":
        return leaves[i].detach().numpy()
    state = optimizer.state.get(leaves[i], {{}})  # nothing before the first gradient
    return state[NAMES[quantity]].numpy() if state else np.zeros(leaves[i].shape)
"""
