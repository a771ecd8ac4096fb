"""The engine: binds a face's tensors to a plan, forms the scalar rows of a step, and calls the driver once.

A face (torch, NumPy) owns arrays and checks them; the engine sees addresses. A driver owns compiled code
and the device; it sees the tables of `layout` and `planner`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fused_adam import planner, scalars
from fused_adam.errors import refused
from fused_adam.layout import ROW_WIDTH, Variant
from fused_adam.options import LAST_STEP, Options

_ROW = struct.Struct("9d")
_ROW_BYTES = 8 * ROW_WIDTH


class Driver(Protocol):
    """What computes. All of it may raise ImportError where a package is missing."""

    name: str
    chunk: int
    """Elements of a full segment."""

    def kernel(self, variant: Variant) -> int:
        """A number by which a row names this variant; compiles it if need be. Nothing is written before."""
        ...

    def load(self, plan: planner.Plan, dtypes: Sequence[str]) -> Any:
        """The driver's own form of the static tables, made once per plan; dtypes of the tensors."""
        ...

    def run(self, loaded: Any, step: planner.Step) -> str:
        """One step, and t advanced in `step.counts`, in one call; what ran, for `Engine.ran`."""
        ...


class Tensor(NamedTuple):
    """One parameter as a driver sees it."""

    p: int
    m: int
    v: int
    v_max: int
    """Address, 0 without AMSGrad."""
    elements: int
    dtype: str
    group: int


class Engine:
    """One list of tensors under one driver."""

    def __init__(self, driver: Driver, tensors: Sequence[Tensor], counts: Sequence[int], *, together: bool) -> None:
        n = len(tensors)
        self._driver = driver
        self._tensors = tuple(tensors)
        self.plan = planner.plan([t.elements for t in tensors], driver.chunk)
        self._loaded = driver.load(self.plan, [t.dtype for t in tensors])
        self._classes: list[tuple[int, str, int]] = []
        """Of every row: group, dtype, and a tensor whose t is that of all of the row's tensors."""
        self._formulas: list[tuple[Options | None, bool]] = []
        pointers = np.zeros((n, 5), dtype=np.int64)
        for i, tensor in enumerate(tensors):
            pointers[i] = (tensor.p, 0, tensor.m, tensor.v, tensor.v_max)
        self._step = planner.Step(
            pointers=pointers,
            row_of=np.zeros(n, dtype=np.int64),
            rows=np.zeros((0, ROW_WIDTH)),
            kernels=np.zeros(0, dtype=np.int64),
            counts=np.array(counts, dtype=np.int64).reshape(n),
            together=int(together),
        )
        self._active: Any = None
        self._bytes = memoryview(b"")
        kinds = {kind: k for k, kind in enumerate(dict.fromkeys((t.group, t.dtype) for t in tensors))}
        self._kind_of = np.array([kinds[t.group, t.dtype] for t in tensors], dtype=np.int64)
        self._variants: list[str] = []
        self.ran: set[str] = set()
        """Drivers and variants that have computed something here."""

    def place(self, i: int, m: int, v: int, v_max: int = 0) -> None:
        """Where the moments of tensor `i` lie, if that was not known from the start."""
        self._step.pointers[i, 2:] = (m, v, v_max)

    @property
    def counts(self) -> list[int]:
        """t of every tensor."""
        return [int(t) for t in self._step.counts]

    def step(self, gradients: Any, options: Sequence[Options]) -> None:
        """One step with gradients at these addresses (0: none), group k under options[k]."""
        self.prepare(gradients, options)
        self.run()

    def prepare(self, gradients: Any, options: Sequence[Options]) -> None:
        """The tables of a step. Everything that can fail does so here, before anything is written.

        gradients None: the addresses are those of the last step.
        """
        step = self._step
        if step.counts.max(initial=0) >= LAST_STEP:
            raise refused("t", int(step.counts.max()), f"a number below {LAST_STEP} before a step")
        if gradients is not None:
            self._take(gradients)
        for r, (group, dtype, member) in enumerate(self._classes):
            o = options[group]
            divide, row = scalars.row(o, dtype, int(step.counts[member]) + 1)
            _ROW.pack_into(self._bytes, r * _ROW_BYTES, *row)
            known, divided = self._formulas[r]
            if known is not o or divided is not divide:
                formula = scalars.variant(o, dtype, divide)
                step.kernels[r] = self._driver.kernel(formula)
                self._variants[r] = formula.key
                self._formulas[r] = (o, divide)

    def run(self) -> None:
        """The step that was prepared."""
        which = self._driver.run(self._loaded, self._step)
        self.ran.add(f"{self._driver.name} {which}")
        self.ran.update(self._variants)

    def _take(self, gradients: Any) -> None:
        pointers = self._step.pointers
        pointers[:, 1] = gradients
        active = pointers[:, 1] != 0
        if self._active is None or not np.array_equal(active, self._active):
            self._classify(active)

    def _classify(self, active: Any) -> None:
        """A row per group, dtype and t among the active tensors. They stay together until the pattern changes."""
        where = np.flatnonzero(active)
        pairs = np.stack([self._kind_of[where], self._step.counts[where]], axis=1)
        unique, first, inverse = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        self._step.row_of[where] = inverse.reshape(-1)
        members = [int(where[k]) for k in first]
        self._classes = [(self._tensors[i].group, self._tensors[i].dtype, i) for i in members]
        rows = len(unique)
        self._step.rows = np.zeros((rows, ROW_WIDTH))
        self._bytes = memoryview(self._step.rows).cast("B") if rows else memoryview(b"")
        self._step.kernels = np.zeros(rows, dtype=np.int64)
        self._formulas = [(None, False)] * rows
        self._variants = [""] * rows
        self._active = active
