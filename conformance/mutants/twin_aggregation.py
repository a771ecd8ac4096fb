"""Replicas of a twin, and a caller's functions of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adapters.contract import Array, Gradient, Rows, State
from conformance.mutants.twin_clipping import on_values

if TYPE_CHECKING:
    from conformance.mutants.twin import Twin
    from conformance.mutants.twin_run import TwinRun

Change = Callable[[Array], Array]


@dataclass
class Replicas:
    """An optimizer for each replica."""

    twin: Twin
    runs: Sequence[TwinRun]

    def step_replicas(self, gradients: Sequence[Sequence[Gradient]], aggregate: bool) -> tuple[State, ...]:
        if self.twin.aggregates(aggregate):
            whole = [self.twin.aggregated(of_one) for of_one in zip(*gradients, strict=True)]
            gradients = [whole] * len(self.runs)
        return tuple(run.step(own) for run, own in zip(self.runs, gradients, strict=True))


@dataclass
class TransformedRun:
    """One optimizer whose gradients go through functions."""

    twin: Twin
    run: TwinRun
    aggregator: Change
    transformers: Sequence[Change]

    def step(self, gradients: Sequence[Gradient]) -> State:
        return self._stepped(gradients, self.twin.transforms(self.aggregator, self.transformers))

    def step_unaggregated(self, gradients: Sequence[Gradient]) -> State:
        if self.twin.aggregates(False):
            return self.step(gradients)
        return self._stepped(gradients, self.transformers)

    def _stepped(self, gradients: Sequence[Gradient], changes: Sequence[Change]) -> State:
        for change in changes:
            gradients = [on_values(g, change) for g in gradients]
        return self.run.step(gradients)


def total(gradients: Sequence[Gradient]) -> Gradient:
    """The sum of arrays; of rows all of them, one after the other."""
    rows = [g for g in gradients if isinstance(g, Rows)]
    if rows:
        indices = np.concatenate([g.indices for g in rows])
        return Rows(indices=indices, values=np.concatenate([g.values for g in rows]))
    there: list[Any] = [g for g in gradients if g is not None]
    return np.asarray(sum(there[1:], start=there[0])) if there else None
