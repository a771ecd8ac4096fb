"""Copies of NumPy arrays that lie in memory as the originals do, and what lies between their elements.

A plain copy would be laid out anew, and whoever steps through it would never see a stride.
"""

from __future__ import annotations

import numpy as np

from adapters.contract import Array

ALLOCATED = 16
"""Bytes of which the address of every array that NumPy allocates is a multiple."""


def copied(array: Array) -> Array:
    """A copy with the strides of `array`, with what lies between its elements, and as far from a multiple of 16 bytes.

    The strides are multiples of the item size; 0 and negative ones are kept. A C-contiguous array that begins where
    allocations do gets a plain copy.
    """
    if array.flags.c_contiguous and offset(array) == 0:
        return array.copy()
    forward = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)
    ascending = array[forward] if array.ndim else array
    memory = placed(_span(ascending), offset(ascending))
    return _seen(memory, ascending.shape, ascending.strides)[forward] if array.ndim else memory.reshape(())


def placed(values: Array, beside: int) -> Array:
    """A C-contiguous copy that begins `beside` bytes, a multiple of the item size, after a multiple of 16."""
    room = np.empty(values.nbytes + 2 * ALLOCATED, np.uint8)
    first = -_address(room) % ALLOCATED + beside
    copy = room[first : first + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def gaps(array: Array) -> Array:
    """What lies between the first and the last element of `array` in memory and is none of its elements."""
    forward = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)
    ascending = array[forward] if array.ndim else array
    span = _span(ascending)
    own = np.zeros(span.shape, dtype=np.bool_)
    _seen(own, array.shape, tuple(stride // array.itemsize for stride in ascending.strides))[...] = True
    return span[~own]


def offset(array: Array) -> int:
    """Bytes by which `array` begins after a multiple of 16; 0 for an empty one, which begins nowhere."""
    return _address(array) % ALLOCATED if array.size else 0


def _span(ascending: Array) -> Array:
    """The memory from the first to the last element, as an array of one axis; no stride is negative."""
    if not ascending.size:
        return np.empty(0, ascending.dtype)
    length = 1 + sum((n - 1) * stride for n, stride in zip(ascending.shape, ascending.strides, strict=True)) // (
        ascending.itemsize
    )
    return _seen(ascending, (length,), (ascending.itemsize,))


def _seen(memory: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    return np.lib.stride_tricks.as_strided(memory, shape, strides)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
