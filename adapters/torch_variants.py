"""PyTorch's variants of Adam behind the contract: AdamW, RAdam, NAdam and SparseAdam on the CPU.

``torch/optim/adamw.py`` is ``adam.py`` with decoupled decay; ``radam.py`` and ``nadam.py`` have a loop and a foreach
implementation and no fused one; ``sparse_adam.py`` has one, for row-sparse gradients alone. capturable, which all
but the last document, is refused on the CPU.
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
    Array,
    Claim,
    ContractError,
    Gradient,
    Hyperparameters,
    Identity,
    Precision,
    Rows,
)
from adapters.torch_optim import CLAIM, FOREACH, FUSED, LOOP, procedures
from adapters.torch_run import TorchAdapter, TorchRun, decay_arguments, observe

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
_NADAM = _ADAM | {"l2", "weight_decay", "momentum_decay"}
_LOOP = MappingProxyType({"foreach": False})
_FOREACH = MappingProxyType({"foreach": True})
_NOT_CLAIMED = tuple(text for text in CLAIM.not_claimed if text not in ("capturable", "grad_scale and found_inf"))
_REFUSED = "capturable (torch refuses it on the CPU)"
_WITHOUT_L2 = tuple(text for text in _NOT_CLAIMED if not text.startswith("l2 "))


class _Optimizer(TorchAdapter):
    """One code path of the optimizer class ``torch.optim.<cls>``."""

    contract_version: int = CONTRACT_VERSION
    name: str
    claim: Claim
    cls: str
    arguments: Mapping[str, Any]
    operations: frozenset[str]
    """Of the code path; `required` has the class's step besides."""
    excluded: frozenset[str]
    probes: tuple[Hyperparameters, ...]
    """Steps with which reach every operation."""

    def __init__(self) -> None:
        import torch

        self._torch = torch

    @property
    def required(self) -> frozenset[str]:
        """The operations, and that torch's own hook has seen a step of the class."""
        return self.operations | {f"step of torch.optim:{self.cls}"}

    def identity(self) -> Identity:
        """Eight steps of every probe under ``TorchDispatchMode``, and whose steps torch's own hook has seen."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        theta = np.ones((3, 2), np.float32)
        observed: set[str] = set()
        hook = register_optimizer_step_post_hook(lambda o, *_: observed.add(f"step of torch.optim:{type(o).__name__}"))
        try:
            for hyperparameters in self.probes:
                run = self.start([theta], hyperparameters)
                for _ in range(8):  # a rectified one does not rectify at first
                    observe(partial(run.step, [self._gradient(theta)]), observed)
        finally:
            hook.remove()
        return Identity(
            framework="torch",
            version=self._torch.__version__,
            required=self.required,
            excluded=self.excluded,
            observed=frozenset(observed),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Scalars are formed in double and rounded where they meet the elements; the first moment is ``lerp``."""
        return Arithmetic(storage=dtype, compute=dtype)

    def construct(self, params: list[Any], hyperparameters: Hyperparameters) -> Any:
        """The class; `ContractError` where both l2 and weight_decay are asked for."""
        return getattr(self._torch.optim, self.cls)(params, **self.settings(hyperparameters), **self.arguments)

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """What a group holds."""
        h = hyperparameters
        return {
            "lr": h.learning_rate,
            "betas": (float(h.beta_1), float(h.beta_2)),  # torch refuses the integer 0
            "eps": h.epsilon,
            **self.spelled(h),
        }

    def spelled(self, h: Hyperparameters) -> dict[str, Any]:
        """What the class takes besides."""
        return decay_arguments(h)

    def _gradient(self, theta: Array) -> Gradient:
        return theta


class _AdamW(_Optimizer):
    cls = "AdamW"
    claim = replace(
        CLAIM,
        hyperparameters=CLAIM.hyperparameters - {"l2"},
        not_claimed=("l2", *_WITHOUT_L2, _REFUSED, "float16 and bfloat16 parameters"),
        dtypes=("float32", "float64"),
        layouts=frozenset(),
        procedures=procedures(_ADAM | {"amsgrad", "weight_decay"}),
    )
    probes = (Hyperparameters(), Hyperparameters(amsgrad=True, weight_decay=0.1))

    def spelled(self, h: Hyperparameters) -> dict[str, Any]:
        """No L2 term."""
        return {"amsgrad": h.amsgrad, "weight_decay": h.weight_decay}


class AdamWLoop(_AdamW):
    """``AdamW(foreach=False, fused=False)``."""

    name = "torch-adamw-loop"
    arguments = MappingProxyType({"foreach": False, "fused": False})
    operations = LOOP
    excluded = FOREACH | FUSED


class AdamWForeach(_AdamW):
    """``AdamW(foreach=True)``."""

    name = "torch-adamw-foreach"
    arguments = MappingProxyType({"foreach": True, "fused": False})
    operations = FOREACH
    excluded = LOOP | FUSED


class AdamWFused(_AdamW):
    """``AdamW(fused=True)``: ``torch._fused_adamw_``."""

    name = "torch-adamw-fused"
    # As `torch_optim.Fused`: the elements behind the last full vector are rounded otherwise.
    claim = replace(_AdamW.claim, not_claimed=(*_AdamW.claim.not_claimed, "the same bits at any place in a tensor"))
    arguments = MappingProxyType({"foreach": False, "fused": True})
    operations = frozenset({"aten._fused_adamw_"})
    excluded = LOOP | FOREACH | {"aten._fused_adam_"}


class _RAdam(_Optimizer):
    cls = "RAdam"
    claim = Claim(
        dialect="torch-radam",
        hyperparameters=_ADAM | {"l2", "weight_decay"},
        not_claimed=(*_NOT_CLAIMED, _REFUSED),
        procedures=procedures(_ADAM | {"l2", "weight_decay"}),
    )
    probes = (Hyperparameters(), Hyperparameters(l2=0.1), Hyperparameters(weight_decay=0.1))


class RAdamLoop(_RAdam):
    """``_single_tensor_radam``."""

    name = "torch-radam-loop"
    arguments = _LOOP
    operations = frozenset({"aten.lerp_", "aten.addcmul_", "aten.sqrt", "aten.reciprocal"})
    excluded = frozenset({"aten._foreach_lerp_", "aten._foreach_addcmul_", "aten._foreach_reciprocal_"})


class RAdamForeach(_RAdam):
    """``_multi_tensor_radam``, which divides by sqrt(v) + epsilon in every step, and by 0 where it does not rectify."""

    name = "torch-radam-foreach"
    arguments = _FOREACH
    operations = RAdamLoop.excluded
    excluded = RAdamLoop.operations


class _NAdamRun(TorchRun):
    def counted(self, own: Mapping[str, Any], t: int) -> dict[str, Any]:
        """``mu_product`` as well, mu_1 mu_2 ... mu_t, in the order and the dtype in which steps multiply it."""
        (group,) = self.optimizer.param_groups
        beta_1, psi = group["betas"][0], group["momentum_decay"]
        momenta = [beta_1 * (1.0 - 0.5 * 0.96 ** (k * psi)) for k in range(1, t + 1)]
        product = self._torch.tensor(momenta, dtype=own["mu_product"].dtype).cumprod(0)[-1]
        return super().counted(own, t) | {"mu_product": product}


class _NAdam(_Optimizer):
    cls = "NAdam"
    run = _NAdamRun
    claim = Claim(
        dialect="torch-nadam",
        hyperparameters=_NADAM,
        not_claimed=(*_NOT_CLAIMED, _REFUSED),
        # The product of the momenta is carried as state, where the oracle forms it from t.
        procedures=procedures(_NADAM, changed=_NADAM - {"beta_1", "momentum_decay"}),
    )
    probes = _RAdam.probes

    def spelled(self, h: Hyperparameters) -> dict[str, Any]:
        """Both decays, and the schedule."""
        return decay_arguments(h) | {"momentum_decay": h.momentum_decay}

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """As the others, but the product of the momenta is a tensor of torch's default dtype, float32."""
        return Arithmetic(storage=dtype, compute=dtype, momentum_product="float32")


class NAdamLoop(_NAdam):
    """``_single_tensor_nadam``."""

    name = "torch-nadam-loop"
    arguments = _LOOP
    operations = frozenset({"aten.lerp_", "aten.addcmul_", "aten.addcdiv_", "aten.sqrt"})
    excluded = frozenset({"aten._foreach_lerp_", "aten._foreach_addcmul_", "aten._foreach_addcdiv_"})


class NAdamForeach(_NAdam):
    """``_multi_tensor_nadam``."""

    name = "torch-nadam-foreach"
    arguments = _FOREACH
    operations = NAdamLoop.excluded
    excluded = NAdamLoop.operations


class _SparseRun(TorchRun):
    def gradient(self, i: int, gradient: Array | Rows) -> Any:
        """A COO tensor, as ``Embedding(sparse=True)`` makes it: not coalesced."""
        if not isinstance(gradient, Rows):
            raise ContractError(f"gradients[{i}]", "an array", "Rows or None: SparseAdam takes no dense gradient")
        shape = tuple(self.parameters[i].shape)
        rows, values = (self._torch.from_numpy(x.copy()) for x in (gradient.indices[np.newaxis], gradient.values))
        return self._torch.sparse_coo_tensor(rows, values, shape, check_invariants=True)


class SparseAdam(_Optimizer):
    """``torch.optim.SparseAdam``: dense parameters, gradients of COO layout with one sparse dimension."""

    name = "torch-sparse-adam"
    cls = "SparseAdam"
    run = _SparseRun
    claim = Claim(
        dialect="torch-sparse-adam",
        hyperparameters=_ADAM,
        gradients=frozenset({"none", "rows", "duplicate rows", "unsorted rows", "empty rows"}),
        nonzero=frozenset({"learning_rate", "epsilon"}),
        not_claimed=(
            "dense gradients (it refuses them)",
            "learning_rate 0 and epsilon 0 (it refuses them)",
            "gradients with several sparse dimensions",
            *(text for text in _WITHOUT_L2 if text not in ("differentiable", "complex parameters")),
        ),
        procedures=procedures(_ADAM),
    )
    arguments = MappingProxyType({})
    operations = frozenset({"aten._coalesce", "aten.sparse_mask", "aten.sqrt_"})
    excluded = frozenset({"aten.lerp_", "aten.addcmul_", "aten._foreach_lerp_"})
    probes = (Hyperparameters(),)

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Both moments are formed as increments."""
        return Arithmetic(storage=dtype, compute=dtype, first_moment="lerp", second_moment="lerp")

    def spelled(self, h: Hyperparameters) -> dict[str, Any]:
        """Nothing."""
        return {}

    def _gradient(self, theta: Array) -> Gradient:
        return Rows(indices=np.array([2, 0, 2], np.int64), values=np.ones((3, *theta.shape[1:]), theta.dtype))
