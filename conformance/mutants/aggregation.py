"""Mutants of what becomes of gradients before a step: replicas, and a caller's functions."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.contract import Gradient
from conformance.mutants.twin_aggregation import Change, total
from conformance.mutants.twin_clipping import on_values
from conformance.mutants.twins import KerasV2Twin, RectifiedTwin, TfKerasTwin


class ReplicasAveraged(KerasV2Twin):
    """Replicas move by the mean of their gradients.

    What other frameworks do. Exposed by more than one replica.
    """

    name = "mutant-replicas-averaged"

    def aggregated(self, gradients: Sequence[Gradient]) -> Gradient:
        return on_values(total(gradients), lambda values: values / values.dtype.type(len(gradients)))


class FirstReplicaForAll(TfKerasTwin):
    """Replicas move by the gradient of the first.

    Exposed by replicas whose gradients differ.
    """

    name = "mutant-first-replica-for-all"

    def aggregated(self, gradients: Sequence[Gradient]) -> Gradient:
        return gradients[0]


class AggregatesAlthoughOff(RectifiedTwin):
    """Gradients are aggregated although the caller has done so.

    Exposed by experimental_aggregate_gradients=False.
    """

    name = "mutant-aggregates-although-off"

    def aggregates(self, asked: bool) -> bool:
        return True


class TransformersBeforeAggregator(KerasV2Twin):
    """The caller's transformers act before the aggregator.

    Exposed by functions that do not commute.
    """

    name = "mutant-transformers-before-aggregator"

    def transforms(self, aggregator: Change, transformers: Sequence[Change]) -> Sequence[Change]:
        return (*transformers, aggregator)


class LastTransformerFirst(RectifiedTwin):
    """The caller's transformers act in the reverse order.

    Exposed by two that do not commute.
    """

    name = "mutant-last-transformer-first"

    def transforms(self, aggregator: Change, transformers: Sequence[Change]) -> Sequence[Change]:
        return (aggregator, *transformers[::-1])
