"""Parameters of one device bound to an engine: what is known about them while nothing but their values changes.

A step asks every binding first (`moved`, `take`), and runs them only when none has refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd.graph import increment_version

from fused_adam.engine import Driver, Engine, Tensor
from fused_adam.errors import refused
from fused_adam.interrupts import uninterrupted
from fused_adam.options import Options
from fused_adam.torch_addresses import Addresses, objects
from fused_adam.torch_tensors import DTYPES, check_gradient, gradient_of, guard, is_dense, span


class Binding:
    """Some parameters, their moments and their engine.

    Args:
        driver: of the device on which all of them are.
        params: the parameters.
        names: what messages call them.
        groups: the param group of each.
        counts: t of each.
        together: whether the optimizer has one t.
    """

    def __init__(
        self,
        driver: Driver,
        params: list[Any],
        names: Sequence[str],
        groups: Sequence[int],
        counts: Sequence[int],
        *,
        together: bool,
    ) -> None:
        self.params = params
        self.names = names
        self.groups = groups
        self.work = [p if is_dense(p) else torch.empty(p.shape, dtype=p.dtype, device=p.device) for p in params]
        """The parameter, or a dense tensor that stands for it where its elements do not lie densely."""
        self.waiting = list(range(len(params)))
        """Parameters without state yet."""
        self.engine = Engine(
            driver,
            [
                Tensor(w.data_ptr(), 0, 0, 0, w.numel(), DTYPES[w.dtype], k)
                for w, k in zip(self.work, groups, strict=True)
            ],
            counts,
            together=together,
        )
        self.slots: list[Any] = [None] * len(params)
        """The state of each parameter that has one."""
        self._moments: list[Any] = []
        """Keeps alive what the engine has the addresses of."""
        self._moment_objects: Any
        self._moment_addresses: Addresses
        self._staged = [i for i, (p, w) in enumerate(zip(params, self.work, strict=True)) if p is not w]
        self._empty = [i for i, p in enumerate(params) if p.numel() == 0]
        self._objects = objects(params, len(params))
        self._addresses = Addresses(len(params))
        self._addresses.read(self._objects)
        self._bytes = np.array([w.numel() * w.element_size() for w in self.work], dtype=np.int64)
        """Of each gradient that is not copied."""
        self._written: tuple[Any, Any]
        """First addresses of what a step writes, and the ones behind the last; each sorted."""
        self.remember()
        self._same = guard(params)
        self._gradients_same: Any = None
        """Whether gradients lie as the last ones did, none of which had to be copied; None: one had to be."""
        self._absent: list[int] = []
        """Parameters without gradient, as long as the gradients are those of the last step."""
        self._pointers = Addresses(len(params))
        """Of the gradients."""
        self._fresh = True
        """Whether the engine has not seen them yet."""
        self._active: list[Any] = []
        """Parameters with a gradient."""
        self._gradients: Any = None
        """The gradients, during a step."""
        self._copies: list[Any] = []
        """Of gradients that do not lie as their parameters do; they must outlive the run."""

    def moved(self) -> bool:
        """Whether a parameter lies elsewhere now, or otherwise, or a moment elsewhere."""
        return (
            not self._same(self.params)
            or self._addresses.read(self._objects)
            or self._moment_addresses.read(self._moment_objects)
        )

    def take(self) -> None:
        """Look at the gradients. ValueError if one cannot be used."""
        gradients = objects(map(gradient_of, self.params), len(self.params))
        self._gradients = gradients  # whoever drops one meanwhile, it lives as long as the step
        if not self._as_before(gradients):
            self._look_at(gradients)
        elif self._pointers.read(gradients):
            self._fresh = True
            if int((self._pointers.values == 0).sum()) != len(self._absent) or self._in_written(self._pointers.values):
                self._look_at(gradients)

    def _as_before(self, gradients: Any) -> bool:
        """Whether gradients are absent and lie in memory as the last ones, none of which had to be copied."""
        if self._gradients_same is None or self._empty:
            return False
        if not self._absent:
            return bool(self._gradients_same(gradients))
        present = [g for g in gradients if g is not None]
        return all(gradients[i] is None for i in self._absent) and self._gradients_same(present)

    def _look_at(self, gradients: Any) -> None:
        self._gradients_same = None
        self._fresh = True
        self._copies = []
        addresses = [self._gradient(i, g) for i, g in enumerate(gradients)]
        for i in self._in_written(addresses):
            addresses[i] = self._copied(i, gradients[i])
        self._pointers.write(addresses)
        if not self._copies:
            self._absent = [i for i, g in enumerate(gradients) if g is None]
            self._gradients_same = guard([g for g in gradients if g is not None])

    def _gradient(self, i: int, g: Any) -> int:
        """Address of gradient `i`: its own, or that of a copy that lies as the parameter does."""
        if g is None:
            return 0
        work = self.work[i]
        check_gradient(f"gradient of {self.names[i]}", g, self.params[i])
        if g.numel() == 0:
            return 1  # nothing is read there, but the parameter has a gradient
        plain = g.is_contiguous() and work.is_contiguous()
        if (not plain and g.stride() != work.stride()) or g.is_neg():
            return self._copied(i, g)
        address = int(g.data_ptr())
        if not address:
            raise refused(f"gradient of {self.names[i]}: data_ptr()", 0, "a tensor with memory of its own")
        return address

    def _copied(self, i: int, g: Any) -> int:
        """Address of a copy of gradient `i` that lies as the parameter does."""
        with torch.no_grad():
            copy = torch.empty_like(self.work[i]).copy_(g)
        self._copies.append(copy)
        return int(copy.data_ptr())

    def _in_written(self, addresses: Any) -> list[int]:
        """Gradients, by their addresses, in memory that the step writes: what they say would depend on its order."""
        low = np.asarray(addresses, dtype=np.int64)
        lows, highs = self._written
        shared = np.searchsorted(lows, low + self._bytes) > np.searchsorted(highs, low, side="right")
        return [int(i) for i in shared.nonzero()[0]]

    def wanted(self) -> list[int]:
        """Parameters that have a gradient and no state yet."""
        return [i for i in self.waiting if self._pointers.values[i]]

    def place(self, i: int, slots: Any, tensors: list[Any]) -> None:
        """The state of parameter `i`, and in it m, v and v_max, as `work` lies."""
        self.slots[i] = slots
        self._moments += tensors
        self.engine.place(i, *(tensor.data_ptr() for tensor in tensors))
        self.waiting.remove(i)

    def remember(self) -> None:
        """Where the moments lie that have been placed, and all that a step writes."""
        self._moment_objects = objects(self._moments, len(self._moments))
        self._moment_addresses = Addresses(len(self._moments))
        self._moment_addresses.read(self._moment_objects)
        lows = np.concatenate([self._addresses.values, self._moment_addresses.values])
        sizes = np.array([span(t) for t in (*self.params, *self._moments)], dtype=np.int64)
        self._written = np.sort(lows[sizes > 0]), np.sort((lows + sizes)[sizes > 0])

    def prepare(self, options: Sequence[Options]) -> None:
        """All of a step that can fail; nothing is written. Group k under options[k]."""
        if self._fresh:
            active = self._pointers.values != 0
            self._active = self.params if active.all() else [self.params[i] for i in active.nonzero()[0]]
        self.engine.prepare(self._pointers.values if self._fresh else None, options)
        self._fresh = bool(self._copies)

    def run(self) -> None:
        """One step of all parameters that have a gradient, under no_grad."""
        staged = [i for i in self._staged if self._pointers.values[i]]
        if not staged:
            self.engine.run()
        else:
            with uninterrupted():
                for i in staged:
                    self.work[i].copy_(self.params[i])
                self.engine.run()
                for i in staged:
                    self.params[i].copy_(self.work[i])
        self._copies, self._gradients = [], None
        increment_version(self._active)
