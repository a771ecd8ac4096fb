"""The production optimizer's torch face behind the contract: ``fused_adam.Adam`` and ``RAdam`` in torch's dialects.

What ran is read from the engine, and from PyTorch's dispatcher, which must not see torch's own Adam.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adapters.contract import CONTRACT_VERSION, Arithmetic, Claim, Hyperparameters, Identity, Precision
from adapters.torch_optim import CLAIM, FOREACH, FUSED, LOOP, procedures
from adapters.torch_run import TorchAdapter, TorchRun, observe


class _Run(TorchRun):
    """Step counts of this optimizer stand in its ``state_dict``."""

    def counts(self) -> tuple[int, ...]:
        """From ``state_dict``, as torch would load them."""
        states = self.optimizer.state_dict()["state"]
        return tuple(int(states.get(i, {}).get("step", 0)) for i in range(len(self.parameters)))


class TorchFace(TorchAdapter):
    """``fused_adam.Adam`` on CPU tensors."""

    contract_version: int = CONTRACT_VERSION
    name = "fused-adam-torch-face"
    claim: Claim = replace(
        CLAIM, dtypes=("float32", "float64"), not_claimed=(*CLAIM.not_claimed, "float16 and bfloat16 parameters")
    )
    run = _Run
    face = "Adam"
    probes: tuple[Hyperparameters, ...] = (
        Hyperparameters(),
        Hyperparameters(amsgrad=True, l2=0.1),
        Hyperparameters(weight_decay=0.1),
    )
    """What `variants` are seen with."""
    variants = frozenset({"float32", "float32_l2_amsgrad", "float32_decay_before"})

    def __init__(self) -> None:
        import torch

        import fused_adam
        import fused_adam.cpu_driver  # Numba missing shows here

        self._fused_adam = fused_adam
        self._torch = torch

    def identity(self) -> Identity:
        """Eight steps with every probe, after which RAdam rectifies, under ``TorchDispatchMode``."""
        theta = np.ones(3, np.float32)
        observed: set[str] = set()
        for hyperparameters in self.probes:
            run = self.start([theta], hyperparameters)
            for _ in range(8):
                observe(partial(run.step, [theta]), observed)
            observed |= run.optimizer.ran
        return Identity(
            framework="adam-conformance",
            version=self._fused_adam.__version__,
            required=self.variants | {"cpu-numba serial"},
            excluded=LOOP | FOREACH | FUSED,
            observed=frozenset(observed),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Scalars are formed in double and rounded to the parameters' dtype; m as a lerp, v as a sum."""
        return Arithmetic(storage=dtype, compute=dtype, step_size=dtype, first_moment="lerp")

    def construct(self, params: list[Any], hyperparameters: Hyperparameters) -> Any:
        """The class; `ContractError` where both l2 and weight_decay are asked for."""
        return getattr(self._fused_adam, self.face)(params, **self.settings(hyperparameters))


_RADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "l2", "weight_decay"})


class TorchFaceRadam(TorchFace):
    """``fused_adam.RAdam`` on CPU tensors."""

    name = "fused-adam-torch-face-radam"
    claim = replace(TorchFace.claim, dialect="torch-radam", hyperparameters=_RADAM, procedures=procedures(_RADAM))
    face = "RAdam"
    probes = (Hyperparameters(l2=0.1), Hyperparameters(weight_decay=0.1))
    variants = frozenset(
        {"float32_l2", "float32_l2_undivided", "float32_decay_before", "float32_decay_before_undivided"}
    )
