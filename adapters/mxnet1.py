"""MXNet 1.9 behind the contract: the code paths of ``mxnet.optimizer.Adam``.

``mxnet/optimizer/optimizer.py`` has one path, which calls the operator ``adam_update`` for one weight at a time; the
kernel follows from ``lazy_update`` and the storage types, as in MXNet 2 (`adapters.mxnet2`;
``src/operator/optimizer_op-inl.h``). Other than there, ``lazy_update`` is True by default, and the gradient is clipped
after wd has been added.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from adapters import mxnet2
from adapters.contract import Array, Gradient, Hyperparameters, State


class _Run(mxnet2.AdamRun):
    """``Optimizer.update`` of one weight at a time."""

    def step(self, gradients: Sequence[Gradient]) -> State:
        """As in MXNet 2."""
        with _shapes(self._mxnet, self._weights):
            return super().step(gradients)

    def save(self) -> bytes:
        """As in MXNet 2."""
        with _shapes(self._mxnet, self._weights):
            return super().save()

    def load(self, saved: bytes) -> None:
        """As in MXNet 2."""
        with _shapes(self._mxnet, self._weights):
            super().load(saved)

    def put(self, state: State) -> None:
        """As in MXNet 2."""
        with _shapes(self._mxnet, self._weights):
            super().put(state)

    def _update(self, present: list[int], gradients: list[Any]) -> None:
        for i, gradient in zip(present, gradients, strict=True):
            self._optimizer.update_multi_precision(i, self._weights[i], gradient, self._states[i])


class _Adam(mxnet2.Adam):
    major = "1"
    module = "optimizer"
    run = _Run

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> mxnet2.AdamRun:
        """A new optimizer over new weights."""
        with _shapes(self._mxnet, parameters):
            return super().start(parameters, hyperparameters)


class Standard(_Adam):
    """``lazy_update=False``: ``AdamUpdateKernel``, and ``AdamStdDnsRspDnsKernel`` for rows."""

    name = "mxnet1-standard"
    claim = replace(mxnet2.Fused.claim, dialect="mxnet1-adam")
    arguments = MappingProxyType({"lazy_update": False})
    required = mxnet2.Fused.required
    excluded = mxnet2.Fused.excluded


class Lazy(_Adam):
    """``lazy_update=True`` on dense weights: ``AdamDnsRspDnsKernel`` for rows, else ``AdamUpdateKernel``."""

    name = "mxnet1-lazy"
    claim = replace(mxnet2.Lazy.claim, dialect="mxnet1-adam-lazy")
    arguments = MappingProxyType({"lazy_update": True})
    required = mxnet2.Lazy.required
    excluded = mxnet2.Lazy.excluded


class LazyRowSparse(_Adam):
    """``lazy_update=True`` on row_sparse weights and states; see `mxnet2.LazyRowSparse`."""

    name = "mxnet1-lazy-row-sparse"
    claim = replace(
        mxnet2.LazyRowSparse.claim,
        dialect="mxnet1-adam-lazy",
        not_claimed=tuple(text for text in mxnet2.LazyRowSparse.claim.not_claimed if "MXNet 2" not in text),
        procedures=Lazy.claim.procedures,
    )
    arguments = Lazy.arguments
    weight_storage = "row_sparse"
    required = mxnet2.LazyRowSparse.required
    excluded = mxnet2.LazyRowSparse.excluded


def _shapes(mxnet: Any, arrays: Sequence[Any]) -> AbstractContextManager[Any]:
    """NumPy's shapes where a weight has no dimension or no element, which there is not without them.

    () and 0 mean "unknown" in MXNet 1.9 otherwise, and no array can be made.
    """
    unknown = any(0 in array.shape or not array.shape for array in arrays)
    return mxnet.util.np_shape(True) if unknown else nullcontext()
