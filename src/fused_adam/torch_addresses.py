"""Addresses of many tensors: in one compiled loop, because a thousand calls from Python take longer than a step.

torch has a C function for code that Inductor generates, which takes a Python tensor and returns where its
elements lie. Where a version of torch has none, or it does not agree with ``data_ptr``, Python asks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_data_ptr: Callable[[Any], int] = torch._C.TensorBase.data_ptr


_FEW = 32
"""Tensors up to which the calls from Python are the faster way."""


class Addresses:
    """Where the elements of some tensors lie, kept from step to step.

    Only strided tensors with memory, and None, may be asked for: `torch_tensors.guard` has seen them.
    """

    def __init__(self, number: int) -> None:
        self.values = np.zeros(number, dtype=np.int64)
        """int64 [number]; 0 for None and for tensors without elements."""
        self._at = int(self.values.ctypes.data)
        self._list: list[int] | None = None

    def read(self, objects: Any) -> bool:
        """Take the addresses of tensors and None, made by `objects`; whether one is new."""
        if _collect is not None and len(objects) > _FEW:
            return bool(_collect(_function, id(None), objects.ctypes.data, len(objects), self._at))
        fresh = [0 if t is None else _data_ptr(t) for t in objects]
        if fresh == self._list:
            return False
        self._list = fresh
        self.values[:] = fresh
        return True

    def write(self, values: list[int]) -> None:
        """Take other values than the tensors' own addresses."""
        self._list = None
        self.values[:] = values


def objects(tensors: Any, number: int) -> Any:
    """What the iterable gives: a list of a few, else an array, whose memory is a table of Python objects."""
    return list(tensors) if number <= _FEW else np.fromiter(tensors, dtype=object, count=number)


def _native() -> tuple[Any, int]:
    """The compiled loop, and torch's function; None and 0 where they are not to be had."""
    try:
        function = int(torch._C._dynamo.guards._torchinductor_pyobject_tensor_data_ptr)
        from fused_adam import cpu_kernels
        from fused_adam.compiling import compiled
    except (AttributeError, ImportError, TypeError, ValueError):
        return None, 0
    code = compiled(cpu_kernels.COLLECT_SIGNATURE, cpu_kernels.collect)
    collect: Any = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 5)(code.address)
    collect.code = code  # lives as long as its address is used
    sample = np.fromiter((torch.zeros(3, device="cpu")[1:], None), dtype=object, count=2)
    found = np.zeros(2, dtype=np.int64)
    collect(function, id(None), sample.ctypes.data, 2, found.ctypes.data)
    return (collect, function) if found.tolist() == [_data_ptr(sample[0]), 0] else (None, 0)


_collect, _function = _native()
