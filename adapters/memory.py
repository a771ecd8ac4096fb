"""Copies of NumPy arrays that lie in memory as the originals do, and what lies between their elements.

A plain copy would be laid out anew, and whoever steps through it would never see a stride.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adapters.contract import Array, Layout

GAP = 3.0
"""What lies between the elements of an array that `laid_out` has made."""
ALLOCATED = 16
"""Bytes of which the address of every array that NumPy allocates is a multiple."""


def copied(array: Array) -> Array:
    """A copy with the strides of `array`, with what lies between its elements, and as far from a multiple of 16 bytes.

    The strides are multiples of the item size; 0 and negative ones are kept. A C-contiguous array that begins where
    allocations do gets a plain copy.
    """
    if array.flags.c_contiguous and (array.flags.owndata or offset(array) == 0):
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


def laid_out(array: Array, layout: Layout) -> Array:
    """The same values in other memory, with `GAP` between them; of "expanded" the first along the first axis.

    An array that the layout says nothing about, as of one axis that is transposed, is returned as it is.
    """
    return _LAY[layout](array)


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


# Layouts


def _transposed(x: Array) -> Array:
    return np.ascontiguousarray(x.T).T if x.ndim else x


def _channels_last(x: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 2 else x


def _strided(x: Array) -> Array:
    """Every second element along the last axis."""
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (2,), GAP, x.dtype)
    view = wide[..., ::2] if x.ndim else wide[:1].reshape(())
    view[...] = x
    return view


def _misaligned(x: Array) -> Array:
    return placed(x, x.itemsize)


def _reversed(x: Array) -> Array:
    backwards = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[backwards])[backwards] if x.ndim else x


def _expanded(g: Array) -> Array:
    """The first along the first axis, for all of them."""
    return np.broadcast_to(g[:1], g.shape) if g.ndim else g


_LAY: dict[Layout, Callable[[Array], Array]] = {
    "transposed": _transposed,
    "channels-last": _channels_last,
    "strided": _strided,
    "misaligned": _misaligned,
    "reversed": _reversed,
    "expanded": _expanded,
}
