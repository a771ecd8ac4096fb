"""What the NumPy face has to know of arrays: which can be trained, and how they lie in memory."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.ma import MaskedArray  # NumPy imports it late: in a forked child perhaps under a lock that nobody releases

from fused_adam.errors import refused

_DTYPES = ("float32", "float64")


def is_array(a: Any) -> bool:
    """A masked array is none here: the step would read and write what lies under the mask."""
    return isinstance(a, np.ndarray) and not isinstance(a, MaskedArray)


def check_parameter(name: str, theta: Any) -> None:
    """TypeError or ValueError unless `theta` can be trained."""

    def no(what: str, value: object, accepted: str) -> NoReturn:
        raise refused(f"{name}{what}", value, accepted, TypeError if what in ("", ".dtype") else ValueError)

    if not is_array(theta):
        no("", type(theta).__name__, "a NumPy array, not masked")
    if theta.dtype.name not in _DTYPES or not theta.dtype.isnative:
        no(".dtype", str(theta.dtype), f"{' or '.join(_DTYPES)} in native byte order; others are not implemented yet")
    if not theta.flags.writeable:
        no(".flags.writeable", False, "True, it is updated in place")
    if not theta.flags.aligned:
        no(".flags.aligned", False, "True")
    if _overlaps_itself(theta):
        no(".strides", theta.strides, "strides under which no two elements share memory")


def relaid(state: Any, like: Any) -> Any:
    """`state` in the memory layout of `like`, and where a step may write."""
    if state.strides == like.strides and state.flags.writeable and state.flags.aligned:
        return state
    laid = np.empty_like(like)
    laid[...] = state
    return laid


def zeros(like: Any) -> Any:
    """A plain array of zeros in the memory layout of `like`."""
    return np.zeros_like(like, subok=False)


def address(a: Any) -> int:
    """Of the first element."""
    return int(a.__array_interface__["data"][0])


def byte_bounds(a: Any) -> tuple[int, int]:
    """First address of an array's elements, and the one behind the last; (0, 0) for an empty one."""
    if not a.size:
        return 0, 0
    low = high = address(a)
    if a.flags.c_contiguous:
        return low, high + a.nbytes
    spans = [(n - 1) * stride for n, stride in zip(a.shape, a.strides, strict=True)]
    return low + sum(s for s in spans if s < 0), high + sum(s for s in spans if s > 0) + a.itemsize


def signature(a: Any) -> tuple[Any, ...]:
    """What must stay as it is while an engine knows the address of `a`."""
    return a.__array_interface__["data"], a.shape, a.strides, a.dtype


def words(a: Any) -> str:
    """`a` in a message."""
    return f"{a.dtype} {a.shape} at {address(a):#x}"


def is_dense(a: Any) -> bool:
    """Whether the elements fill their memory without a hole, in whatever order of axes."""
    if a.flags.c_contiguous or a.flags.f_contiguous:
        return True
    expected = a.itemsize
    for stride, length in sorted((s, n) for s, n in zip(a.strides, a.shape, strict=True) if n != 1):
        if stride != expected:
            return False
        expected *= length
    return True


def _overlaps_itself(a: Any) -> bool:
    if a.size < 2:
        return False
    axes = sorted((abs(s), n) for s, n in zip(a.strides, a.shape, strict=True) if n != 1)
    reach = 0
    for stride, length in axes:
        if stride <= reach:
            return True
        reach += stride * (length - 1)
    return bool(axes[0][0] < a.itemsize)
