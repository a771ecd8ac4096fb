"""Mutants of where elements lie: sizes, tails, strides, gaps, rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from adapters.contract import Array, Hyperparameters, Rows
from conformance.mutants.twin import Scalar, Slot, Work
from conformance.mutants.twins import Mxnet2LazyTwin, TfKerasTwin, TorchTwin

VECTOR = 8
"""Elements."""

# Sizes


class FullVectorsNotStored(TorchTwin):
    """In float16, theta is stored behind the last full vector only.

    torch's fused SGD on CPU in low precision. Exposed by sizes above one vector, in that dtype.
    """

    name = "mutant-full-vectors-not-stored"

    def store(self, slot: Slot, w: Work) -> None:
        if slot.theta.dtype == np.float16:
            w.theta = np.where(_tail(w.theta, VECTOR), w.theta, slot.theta.astype(w.element))
        TorchTwin.store(self, slot, w)


class BufferShorterThanTail(TfKerasTwin):
    """Elements behind full chunks of 16384 are copied back through a buffer of 512.

    DeepSpeed's CPUAdam on large arrays. Exposed by sizes that are no multiple of the chunk, by more than 512.
    """

    name = "mutant-buffer-shorter-than-tail"

    def store(self, slot: Slot, w: Work) -> None:
        place = np.arange(w.theta.size).reshape(w.theta.shape)
        lost = (place >= max(w.theta.size // 16384, 1) * 16384) & (place % 16384 >= 512)
        w.theta = np.where(lost, slot.theta, w.theta)
        TfKerasTwin.store(self, slot, w)


class LargeMatricesFactored(TorchTwin):
    """v of a matrix of at least 128 rows and columns is the product of its means along either.

    Adafactor's memory, in Adam. Exposed by a large matrix.
    """

    name = "mutant-large-matrices-factored"

    def second(self, w: Work) -> Any:
        v = TorchTwin.second(self, w)
        if v.ndim != 2 or min(v.shape) < 128:
            return v
        rows, columns = np.mean(v, 1, keepdims=True), np.mean(v, 0, keepdims=True)
        return rows * columns / np.mean(rows)


class TallMatricesSpared(TfKerasTwin):
    """A matrix of more than 1000 rows does not decay.

    Embeddings, known by their shape. Exposed by a tall matrix with decay.
    """

    name = "mutant-tall-matrices-spared"

    def weight_decay(self, w: Work) -> Scalar:
        tall = w.theta.ndim == 2 and len(w.theta) > 1000
        return w.scalar(0) if tall else TfKerasTwin.weight_decay(self, w)


class ChannelsBehindEight(TorchTwin):
    """Of a tensor of four axes the first eight along the first one are written.

    A kernel of convolutions, with a loop over channels that ends too early. Exposed by one with more of them.
    """

    name = "mutant-channels-behind-eight"

    def move(self, w: Work, direction: Any) -> Any:
        moved = TorchTwin.move(self, w, direction)
        return np.concatenate([moved[:8], w.theta[8:]]) if moved.ndim == 4 else moved


def _tail(array: Array, vector: int) -> Array:
    """Elements behind the last full vector."""
    return np.arange(array.size).reshape(array.shape) >= array.size // vector * vector


# Whose memory


class GradientKnownByItsArray(TorchTwin):
    """A gradient in the array of the last one is taken for it.

    A cache of prepared gradients. Exposed by gradients that are accumulated into the same memory.
    """

    name = "mutant-gradient-known-by-its-array"

    def open(self, slot: Slot, gradient: Array | Rows, h: Hyperparameters) -> Work:
        if slot.seen is None or slot.seen[0] is not gradient:
            slot.seen = gradient, copy.deepcopy(gradient)
        return TorchTwin.open(self, slot, slot.seen[1], h)


# Layouts


class GradientTakenForRowMajor(TorchTwin):
    """A gradient's memory is read from its first element on, in the order of rows, whatever its strides.

    torch's fused Adam on CPU, bitsandbytes, MPS. Exposed by a transposed, channels-last, strided or expanded one.
    """

    name = "mutant-gradient-taken-for-row-major"

    def prepare_gradient(self, w: Work) -> Array:
        w.g = _in_order(w.g)
        return TorchTwin.prepare_gradient(self, w)


class GapsDecay(TorchTwin):
    """What lies between the elements of a parameter is halved by every step.

    A kernel over memory from the first to the last element. Exposed by a strided parameter, in what is not its own.
    """

    name = "mutant-gaps-decay"

    def store(self, slot: Slot, w: Work) -> None:
        theta = slot.theta
        if theta.size and min(theta.strides, default=1) > 0:
            memory = np.lib.stride_tricks.as_strided(theta, (_reach(theta),), (theta.itemsize,))
            memory *= memory.dtype.type(0.5)
        TorchTwin.store(self, slot, w)


class FromAlignedAddress(TorchTwin):
    """theta that begins between two vectors is written from the vector before on: one element too early.

    Aligned stores to memory that is not. Exposed by a parameter whose first address is no multiple of 16.
    """

    name = "mutant-from-aligned-address"

    def store(self, slot: Slot, w: Work) -> None:
        if slot.theta.ndim and slot.theta.__array_interface__["data"][0] % 16:
            w.theta = np.roll(w.theta, -1)
        TorchTwin.store(self, slot, w)


class ForwardsOnly(TorchTwin):
    """The sign of a stride is lost.

    An unsigned type for strides. Exposed by a reversed parameter.
    """

    name = "mutant-forwards-only"

    def store(self, slot: Slot, w: Work) -> None:
        axes = tuple(k for k, stride in enumerate(slot.theta.strides) if stride < 0 and slot.theta.size > 1)
        w.theta = np.flip(w.theta, axes)
        TorchTwin.store(self, slot, w)


def _in_order(g: Array) -> Array:
    """As many elements as it has from its first one on, as if it were C-contiguous; 0 where its memory ends."""
    if not g.size or min(g.strides, default=0) < 0:
        return g
    memory = np.lib.stride_tricks.as_strided(g, (_reach(g),), (g.itemsize,))
    found = np.zeros(g.size, g.dtype)
    found[: len(memory)] = memory[: g.size]
    return found.reshape(g.shape)


def _reach(array: Array) -> int:
    """Elements from the first to the last one in memory."""
    strides = [abs(stride) // array.itemsize for stride in array.strides]
    return int(1 + sum((n - 1) * stride for n, stride in zip(array.shape, strides, strict=True)))


# Rows


class PaddingStays(Mxnet2LazyTwin):
    """Row 0 never moves.

    An embedding's padding, in an optimizer that was not told of one. Exposed by the same row at another place.
    """

    name = "mutant-padding-stays"

    def store(self, slot: Slot, w: Work) -> None:
        padding = None if w.rows is None else slot.theta[:1].copy()
        Mxnet2LazyTwin.store(self, slot, w)
        if padding is not None:
            slot.theta[:1] = padding
