"""The GPU driver behind the contract, on a GPU: ``fused_adam.Adam`` and ``RAdam`` over CUDA tensors.

What ran is read from the engine, which has it from the kernel that Triton launched, and from PyTorch's dispatcher,
which must not see torch's own Adam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adapters import fused_adam_numpy
from adapters.contract import Hyperparameters, Identity
from adapters.torch_optim import FOREACH, FUSED, LAYOUTS, LOOP, procedures
from adapters.torch_run import TorchAdapter, TorchRun, observe, settings

_OTHERS = frozenset({"adaptive_epsilon", "rescale_grad", "clip_gradient", "sma_threshold"})
"""Hyper-parameters that the torch face calls what the contract calls them."""


class _Run(TorchRun):
    def counts(self) -> tuple[int, ...]:
        """From the optimizer itself: ``state_dict`` has no t of a parameter that never had a gradient."""
        counts = self.optimizer._counts()
        return tuple(counts[p] for p in self.parameters)

    def counted(self, own: Mapping[str, Any], t: int) -> dict[str, Any]:
        """Of dialects that torch does not have, t stands beside a "step" that no torch class can read."""
        return {"t": t} if "t" in own else super().counted(own, t)


class _Cuda(TorchAdapter):
    """Put before an adapter of the NumPy face: the same claim and arithmetic, the torch face on a GPU."""

    claim: Any
    probe: Hyperparameters
    variant: str
    device = "cuda"
    face = "Adam"
    run = _Run

    def __init_subclass__(cls) -> None:
        """The claim is the NumPy face's but for the procedures and the decays, which are torch's, and the layouts.

        No stride is negative, and an address on the device is not the array's.
        """
        own = procedures(cls.claim.hyperparameters)
        cls.claim = replace(cls.claim, procedures=own, layouts=LAYOUTS - {"misaligned"}, both_decays=False)

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise ImportError("an NVIDIA GPU and torch for CUDA: torch.cuda.is_available() is False")
        import fused_adam
        from fused_adam import triton_driver

        if triton_driver.INTERPRETED:
            raise ImportError("Triton's compiler, which the environment variable TRITON_INTERPRET=1 turns off")
        major, minor = torch.cuda.get_device_capability()
        self._have(torch, getattr(fused_adam, self.face), f"triton cuda sm_{major}{minor}")

    def _have(self, torch: Any, optimizer: Any, driver: str) -> None:
        import fused_adam

        self._torch = torch
        self._optimizer = optimizer
        self._version = fused_adam.__version__
        self.driver = driver

    def identity(self) -> Identity:
        """Steps on a small and on a large parameter, in both dtypes, under ``TorchDispatchMode``."""
        observed: set[str] = set()
        for dtype, size in (("float32", 3), ("float32", 5000), ("float64", 3)):
            theta = np.ones(size, dtype)
            run = self.start([theta], self.probe)
            observe(partial(run.step, [theta]), observed)
            observed |= run.optimizer.ran
        variants = {f"{dtype}{self.variant}" for dtype in ("float32", "float64")}
        return Identity(
            framework="adam-conformance",
            version=self._version,
            required=frozenset({self.driver, *variants}),
            excluded=LOOP | FOREACH | FUSED,
            observed=frozenset(observed),
        )

    def construct(self, params: list[Any], hyperparameters: Hyperparameters) -> Any:
        """The class of the face, in the claim's dialect."""
        return self._optimizer(params, dialect=self.claim.dialect, **self.settings(hyperparameters))

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """As torch's, and what else the dialect has."""
        others = {name: getattr(hyperparameters, name) for name in self.claim.hyperparameters & _OTHERS}
        return {**settings(hyperparameters), **others}


class Torch(_Cuda, fused_adam_numpy.Torch):
    """``dialect="torch-adam"``."""

    name = "fused-adam-cuda"


class KerasV2(_Cuda, fused_adam_numpy.KerasV2):
    """``dialect="keras-v2-adam"``."""

    name = "fused-adam-cuda-keras-v2"


class TfKeras(_Cuda, fused_adam_numpy.TfKeras):
    """``dialect="tf-keras-adam"``."""

    name = "fused-adam-cuda-tf-keras"


class Mxnet2(_Cuda, fused_adam_numpy.Mxnet2):
    """``dialect="mxnet2-adam"``."""

    name = "fused-adam-cuda-mxnet2"


class Mxnet1(_Cuda, fused_adam_numpy.Mxnet1):
    """``dialect="mxnet1-adam"``."""

    name = "fused-adam-cuda-mxnet1"


class TfaRectified(_Cuda, fused_adam_numpy.TfaRectified):
    """``dialect="tfa-rectified-adam"``."""

    name = "fused-adam-cuda-tfa-rectified"
    face = "RAdam"


class TorchRadam(_Cuda, fused_adam_numpy.TorchRadam):
    """``dialect="torch-radam"``."""

    name = "fused-adam-cuda-torch-radam"
    face = "RAdam"
    probe = Hyperparameters(l2=0.1)  # torch's face takes one decay at a time
    variant = "_l2_undivided"
