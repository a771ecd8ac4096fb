"""The GPU driver behind the contract, on the CPU: ``fused_adam.numpy.Adam`` over Triton's interpreter.

The kernel and the driver are those of the GPU; Triton runs each of their operations in NumPy, unfused.
"""

from __future__ import annotations

from typing import Any

from adapters import fused_adam_numpy


class _Interpreted:
    """Put before an adapter of the NumPy face: the same face, claim and arithmetic, the other driver."""

    driver = "triton interpreter cpu"
    large = 2000

    def __init__(self) -> None:
        import torch

        import fused_adam
        import fused_adam.numpy
        from fused_adam import triton_driver

        if not triton_driver.INTERPRETED:
            raise ImportError("Triton's interpreter, which the environment variable TRITON_INTERPRET=1 turns on")

        class Adam(fused_adam.numpy.Adam):
            def _driver(self) -> Any:
                return triton_driver.driver_for(torch.device("cpu"))

        self._version = fused_adam.__version__
        self._adam = Adam


class KerasV2(_Interpreted, fused_adam_numpy.KerasV2):
    """``dialect="keras-v2-adam"``."""

    name = "fused-adam-triton-keras-v2"


class TfKeras(_Interpreted, fused_adam_numpy.TfKeras):
    """``dialect="tf-keras-adam"``."""

    name = "fused-adam-triton-tf-keras"


class Mxnet2(_Interpreted, fused_adam_numpy.Mxnet2):
    """``dialect="mxnet2-adam"``."""

    name = "fused-adam-triton-mxnet2"


class Mxnet1(_Interpreted, fused_adam_numpy.Mxnet1):
    """``dialect="mxnet1-adam"``."""

    name = "fused-adam-triton-mxnet1"


class TfaRectified(_Interpreted, fused_adam_numpy.TfaRectified):
    """``dialect="tfa-rectified-adam"``."""

    name = "fused-adam-triton-tfa-rectified"


class Torch(_Interpreted, fused_adam_numpy.Torch):
    """``dialect="torch-adam"``."""

    name = "fused-adam-triton-torch"


class TorchRadam(_Interpreted, fused_adam_numpy.TorchRadam):
    """``dialect="torch-radam"``."""

    name = "fused-adam-triton-torch-radam"
