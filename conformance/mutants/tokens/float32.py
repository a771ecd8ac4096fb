"""The reference's own lines as an implementation in float32: what its mutants run as.

Arrays are float32; the scalars of a step are Python's doubles, each rounded to float32 where it meets an
array. NumPy computes so under its old and its new promotion alike, as long as every scalar is Python's own
(`Float32` sees to that) and no array has 0 axes (a 0-d parameter travels as one of shape [1]).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import reference
from adapters.contract import (
    CONTRACT_VERSION,
    HYPERPARAMETERS,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    GradientKind,
    Hyperparameters,
    Identity,
    Precision,
    Rows,
    Schedule,
    State,
)
from reference import stages
from reference.namespace import Float64


class Float32(Float64):
    """Arrays in float32, scalars in double."""

    def number(self, value: Any) -> Any:
        """An array in float32, a scalar as it is."""
        return value.astype(np.float32, copy=False) if isinstance(value, np.ndarray) else float(value)

    def sqrt(self, value: Any) -> Any:
        """Of an array in float32; of a scalar a Python number, because NumPy's would widen an array."""
        if isinstance(value, np.ndarray):
            return np.sqrt(value)
        return math.sqrt(value) if value >= 0 else math.nan


FLOAT32 = Float32()
"""One for all runs, as `reference.FLOAT64` is: what is cached by it is seen by every one of them."""


class InFloat32:
    """A dialect of whichever `reference` this process imports, in float32, behind the contract.

    The claim is that of the reference as it is; only what runs is imported when it is constructed.
    """

    contract_version = CONTRACT_VERSION

    def __init__(self, dialect: str) -> None:
        self.name = f"reference-float32-{dialect}"
        self.claim = claim_of(reference.dialect(dialect))
        self.runs = importlib.import_module("reference")
        self.dialect = self.runs.dialect(dialect)
        self.watch: Any = None
        """Called after every stage, as `reference.step` says."""

    def identity(self) -> Identity:
        """The stages that a dense step calls are this dialect's, in its order."""
        seen: list[str] = []
        run = self.start([np.ones(1, dtype=np.float32)], Hyperparameters())
        run.watch = lambda _i, stage, _before, _after: seen.append(stage.__name__)
        run.step([np.ones(1, dtype=np.float32)])
        required = [stage.__name__ for stage in reference.dialect(self.dialect.name).stages]
        return Identity(
            framework="numpy",
            version=np.__version__,
            required=frozenset({" ".join(required)}),
            observed=frozenset({" ".join(seen)}),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Scalars in double, rounded where they meet an element."""
        return Arithmetic(storage=dtype, compute=dtype, step_size=dtype)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> Float32Run:
        return Float32Run(self, parameters, hyperparameters)


class Float32Run:
    """One optimizer over one list of parameters."""

    def __init__(self, of: InFloat32, parameters: Sequence[Array], h: Hyperparameters) -> None:
        self.of, self.watch, self.x = of, of.watch, FLOAT32
        self.h = self.of.runs.Hyperparameters(**{name: self._given(getattr(h, name)) for name in HYPERPARAMETERS})
        self.shapes = [theta.shape for theta in parameters]
        with np.errstate(all="ignore"):
            self.state = self.of.runs.initial_state([_one_axis(p.copy()) for p in parameters], self.h, self.x)

    def step(self, gradients: Sequence[Gradient]) -> State:
        """One step of the dialect."""
        given = [_passed(g) for g in gradients]
        with np.errstate(all="ignore"):
            self.state = self.of.runs.step(self.of.dialect, self.h, self.state, given, x=self.x, watch=self.watch)
        s = self.state
        return State(
            parameters=self._returned(s.theta),
            m=self._returned(s.m),
            v=self._returned(s.v),
            v_max=None if s.v_max is None else self._returned(s.v_max),
            t=s.t,
            slow=None if s.slow is None else self._returned(s.slow),
            average=None if s.average is None else self._returned(s.average),
        )

    def _given(self, value: Any) -> Any:
        return self.of.runs.Schedule(value.name, value.numbers) if isinstance(value, Schedule) else value

    def _returned(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """Copies; a shape that is wrong stays wrong."""
        pairs = zip(arrays, self.shapes, strict=True)
        return tuple(a.reshape(()).copy() if (a.shape, shape) == ((1,), ()) else a.copy() for a, shape in pairs)


def implementation(dialect: str) -> InFloat32:
    """The dialect called so, as this process imports it."""
    return InFloat32(dialect)


def claim_of(d: reference.Dialect) -> Claim:
    """What the dialect has, in float32."""
    gradients: set[GradientKind] = {"dense", "none"}
    if d.takes_rows:
        gradients |= {"rows", "unsorted rows", "empty rows"}
    if stages.sum_duplicate_rows in d.stages:
        gradients.add("duplicate rows")
    return Claim(
        dialect=d.name,
        hyperparameters=d.hyperparameters & set(HYPERPARAMETERS),
        dtypes=("float32",),
        gradients=frozenset(gradients),
        both_decays={"l2", "weight_decay"} <= d.hyperparameters,
        clips_together="clipvalue" in d.hyperparameters,
    )


def _one_axis(array: Array) -> Array:
    return array.reshape(1) if array.ndim == 0 else array


def _passed(gradient: Gradient) -> Any:
    if isinstance(gradient, Rows):
        return gradient.indices, gradient.values
    return None if gradient is None else _one_axis(gradient)
