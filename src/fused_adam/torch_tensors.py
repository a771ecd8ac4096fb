"""What the torch face has to know of tensors: which can be trained, how they lie in memory, whether they changed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from fused_adam import openmp
from fused_adam.drivers import DEVICES
from fused_adam.errors import refused

try:  # one call in C++ for all tensors; what torch.compile guards its inputs with
    _Guards: Any = torch._C._dynamo.guards.TensorGuards
except AttributeError:  # slower, no less exact
    _Guards = None

DTYPES = {torch.float32: "float32", torch.float64: "float64"}

gradient_of = operator.attrgetter("grad")


def check_parameter(name: str, p: Any) -> None:
    """TypeError or ValueError unless `p` can be trained."""
    if p.is_nested:
        raise refused(name, "a nested tensor", "a strided tensor with memory of its own", TypeError)
    if p.layout is not torch.strided:
        raise refused(f"{name}: layout", p.layout, "torch.strided", TypeError)
    if p.device.type not in DEVICES:
        accepted = f"{' or '.join(DEVICES)}; other devices are not implemented yet"
        raise refused(f"{name}: device", str(p.device), accepted, TypeError)
    if p.dtype not in DTYPES:
        accepted = "torch.float32 or torch.float64; others are not implemented yet"
        raise refused(f"{name}: dtype", p.dtype, accepted, TypeError)
    if type(p) is not torch.Tensor and hasattr(p, "__tensor_flatten__"):
        raise refused(name, type(p).__name__, "a tensor with memory of its own", TypeError)
    if p.numel() and not p.data_ptr():
        raise refused(f"{name}: data_ptr()", 0, "a tensor with memory of its own")
    if overlaps_itself(p):
        raise refused(f"{name}: stride", p.stride(), "strides under which no two elements share memory")


def check_gradient(name: str, g: Any, p: Any) -> None:
    """ValueError unless `g` can be the gradient of `p`."""
    if g.is_nested:
        raise refused(name, "a nested tensor", f"a strided tensor of shape {tuple(p.shape)}")
    if g.layout is not torch.strided:
        raise refused(f"{name}: layout", g.layout, "torch.strided; row-sparse gradients are not implemented yet")
    if g.dtype != p.dtype:
        raise refused(f"{name}: dtype", g.dtype, str(p.dtype))
    if g.device != p.device:
        raise refused(f"{name}: device", str(g.device), str(p.device))
    if g.shape != p.shape:
        raise refused(f"{name}: shape", tuple(g.shape), str(tuple(p.shape)))


def zeros_like(work: Any) -> Any:
    """Zeros that lie as the dense tensor `work` does."""
    if work.device.type == "cpu" and openmp.forked():  # torch would wait for threads that do not exist
        flat = np.zeros(work.numel(), dtype=DTYPES[work.dtype])
        return torch.from_numpy(flat).as_strided(work.shape, work.stride())
    return torch.zeros_like(work, requires_grad=False)


def guard(tensors: Sequence[Any]) -> Callable[[Sequence[Any]], bool]:
    """A test whether other tensors have the dtypes, devices, shapes and strides of these. It keeps none of them.

    The others may be None, too, which is never the same.
    """
    facts = [_facts(t) for t in tensors]

    def slowly(others: Sequence[Any]) -> bool:
        return len(others) == len(facts) and [_facts(t) for t in others] == facts

    if _Guards is None or not facts:
        return slowly
    check = _Guards(
        *tensors,
        dynamic_dims_sizes=[list(t.shape) for t in tensors],
        dynamic_dims_strides=[list(t.stride()) for t in tensors],
    ).check

    def at_once(others: Sequence[Any]) -> bool:
        # It also asks for the same Python types, requires_grad and the like: its no is a maybe.
        return len(others) == len(facts) and (check(*others) or slowly(others))

    return at_once


def _facts(t: Any) -> tuple[Any, ...]:
    if t is None:
        return ()
    return t.dtype, t.device, t.layout, t.shape, t.stride(), t.is_neg()


def is_dense(p: Any) -> bool:
    """Whether the elements fill their memory without a hole, in whatever order of axes, and are what lies there."""
    if p.is_neg():
        return False
    if p.is_contiguous():
        return True
    expected = 1
    for stride, length in _axes(p):
        if stride != expected:
            return False
        expected *= length
    return True


def overlaps_itself(p: Any) -> bool:
    """Whether two elements share memory, as in an expanded tensor. May say so of exotic strides where none do."""
    if p.numel() < 2 or p.is_contiguous():
        return False
    reach = 0
    for stride, length in _axes(p):
        if stride <= reach:
            return True
        reach += stride * (length - 1)
    return False


def span(p: Any) -> int:
    """Bytes from the first element to the end of the last."""
    if p.numel() == 0:
        return 0
    last = sum(stride * (length - 1) for stride, length in zip(p.stride(), p.shape, strict=True))
    return int((last + 1) * p.element_size())


def _axes(p: Any) -> list[tuple[int, int]]:
    return sorted((s, n) for s, n in zip(p.stride(), p.shape, strict=True) if n != 1)
