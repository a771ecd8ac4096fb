"""Mutants that take one thing for another: groups, rates, parameters, dtypes, places in a list, pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Rows
from conformance.mutants.twin import Slot, Work
from conformance.mutants.twins import KerasV2Twin, TfKerasTwin, TorchTwin


class BucketsByRates(TorchTwin):
    """Groups that differ in the kind of decay alone are one: the first one's kind holds for all.

    A bucket of a multi-tensor kernel, by the numbers of a group and not by its flags. Exposed by two such groups.
    """

    name = "mutant-buckets-by-rates"

    def of_group(self, h: Hyperparameters, groups: Sequence[Hyperparameters]) -> Hyperparameters:
        return next(group for group in groups if _numbers(group) == _numbers(h))


class NearRateKept(KerasV2Twin):
    """A learning rate that is set to less than a millionth beside the one that holds is not taken over.

    An absolute tolerance, so that what is compiled is used again. Exposed by a change of a small rate.
    """

    name = "mutant-near-rate-kept"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        near = abs(new.learning_rate - h.learning_rate) < 1e-6
        return replace(new, learning_rate=h.learning_rate) if near else new


class RateKnownByThreeDigits(TorchTwin):
    """A learning rate is the one that was first seen with its three leading digits.

    A cache of the scalars of a step. Exposed by a change of less than a hundredth.
    """

    name = "mutant-rate-known-by-three-digits"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        same = f"{new.learning_rate:.2e}" == f"{h.learning_rate:.2e}"
        return replace(new, learning_rate=h.learning_rate) if same else new


class EmptyStepCounts(TorchTwin):
    """A step in which nobody has a gradient counts, where t is the parameter's own.

    Exposed by such a step behind another one.
    """

    name = "mutant-empty-step-counts"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        TorchTwin.count(self, slots, gradients)
        if all(gradient is None for gradient in gradients):
            for slot in slots:
                slot.t += slot.t > 0


class LoadedByShape(TorchTwin):
    """A parameter is loaded with the moments of the first one of its shape.

    Names of a checkpoint that are made of shapes. Exposed by two parameters of equal shapes.
    """

    name = "mutant-loaded-by-shape"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        first: dict[tuple[int, ...], Mapping[str, Any]] = {}
        own = [{**first.setdefault(content["m"].shape, content), "theta": content["theta"]} for content in saved]
        TorchTwin.load(self, slots, [{k: np.copy(v) if k in ("m", "v") else v for k, v in one.items()} for one in own])


class LoadedInFirstDtype(TorchTwin):
    """Moments are loaded in the dtype of the first parameter.

    Exposed by a load of two dtypes.
    """

    name = "mutant-loaded-in-first-dtype"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchTwin.load(self, slots, saved)
        for slot in slots:
            slot.m = slot.m.astype(slots[0].m.dtype).astype(slot.m.dtype)


class QuietChunksRest(TfKerasTwin):
    """A chunk of 1024 elements whose gradient is 0 is left out: its moments do not decay, and theta stays.

    A kernel that skips what it takes for padding. Exposed by a large parameter that has a gradient and then half a one.
    """

    name = "mutant-quiet-chunks-rest"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        before = (slot.theta.copy(), slot.m.copy(), slot.v.copy())
        TfKerasTwin.update(self, slot, gradient, h)
        if isinstance(gradient, np.ndarray) and slot.theta.size >= 1024:
            rests = _quiet(gradient)
            for array, old in zip((slot.theta, slot.m, slot.v), before, strict=True):
                np.copyto(array, old, where=rests)


class OnlyFirstBlocksOfDouble(TorchTwin):
    """In float64, theta is stored up to the last multiple of 32768 elements.

    A number of blocks that is rounded down. Exposed by one element more, in the second dtype.
    """

    name = "mutant-only-first-blocks-of-double"

    def store(self, slot: Slot, w: Work) -> None:
        if slot.theta.dtype == np.float64 and slot.theta.size > 32768:
            place = np.arange(slot.theta.size).reshape(slot.theta.shape)
            w.theta = np.where(place < slot.theta.size // 32768 * 32768, w.theta, slot.theta)
        TorchTwin.store(self, slot, w)


class PlaceInOneByte(TorchTwin):
    """The place of a parameter in the list is held in one byte: the 257th and those behind it have learning rate 0.

    A launch table. Exposed by so long a list.
    """

    name = "mutant-place-in-one-byte"

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        return h if i < 256 else replace(h, learning_rate=0.0)


class EmptyFirstEndsAll(TorchTwin):
    """Where the first parameter has no elements, nobody moves.

    A list that is taken for empty by its first entry. Exposed by such a parameter before others.
    """

    name = "mutant-empty-first-ends-all"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        TorchTwin.count(self, slots, gradients)
        self.ends = not slots[0].theta.size

    ends = False

    def move(self, w: Work, direction: Any) -> Any:
        return w.theta if self.ends else TorchTwin.move(self, w, direction)


def _numbers(h: Hyperparameters) -> Hyperparameters:
    """With one amount of decay, of whichever kind."""
    return replace(h, l2=h.l2 or h.weight_decay, weight_decay=0.0)


def _quiet(gradient: Array | Rows) -> Array:
    """Where all 1024 elements of a chunk are 0."""
    flat = np.asarray(gradient).reshape(-1)
    chunks = np.arange(flat.size) // 1024
    busy = np.bincount(chunks, weights=flat != 0) > 0
    return np.asarray(~busy[chunks]).reshape(np.asarray(gradient).shape)
