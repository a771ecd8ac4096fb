"""What an implementation may do beside steps: the optional part of the contract, one Protocol per procedure.

An implementation has what the procedures of its claim (`adapters.contract.Procedure`) ask for, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from adapters.contract import Array, Gradient, Hyperparameters, Implementation, Run, State


@runtime_checkable
class SavingRun(Run, Protocol):
    """A run of an implementation that claims "save"."""

    def save(self) -> bytes:
        """Parameters, state and what else the framework's own full procedure keeps. The run can go on."""
        ...


@runtime_checkable
class Resuming(Implementation, Protocol):
    """An implementation that claims "save"."""

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> Run:
        """A new optimizer as `start` makes it, and `saved` loaded into it, parameters included.

        Whoever claims bfloat16 takes ``dtype="bfloat16"`` as `start` does.
        """
        ...


@runtime_checkable
class RewindingRun(SavingRun, Protocol):
    """A run of an implementation that claims "rewind"."""

    def load(self, saved: bytes) -> None:
        """`saved`, by this run or another over such parameters, into this one, whatever it has stepped since."""
        ...


@runtime_checkable
class ConfigurableRun(Run, Protocol):
    """A run of an implementation that claims "configuration"."""

    def configuration(self) -> bytes:
        """Every hyper-parameter as it is now, changes included, as the framework serialises it; no state."""
        ...


@runtime_checkable
class Configurable(Implementation, Protocol):
    """An implementation that claims "configuration"."""

    def configured(self, parameters: Sequence[Array], configuration: bytes) -> Run:
        """A new optimizer, made from the configuration alone, over copies of `parameters`, t = 0."""
        ...


@runtime_checkable
class ChangingRun(Run, Protocol):
    """A run of an implementation that claims "change"."""

    def change(self, hyperparameters: Hyperparameters) -> None:
        """From the next step on these hold; only those that the procedure names differ from what holds now."""
        ...


@runtime_checkable
class FinalizingRun(Run, Protocol):
    """A run of an implementation that claims "finalize"."""

    def finalize(self) -> State:
        """What the framework does after the last step: the parameters become their average, if they have one."""
        ...


@runtime_checkable
class ListingRun(Run, Protocol):
    """A run of an implementation that claims "weights"."""

    def weights(self) -> tuple[Array, ...]:
        """Copies of all that the framework lists of the optimizer, in its order: state, t, perhaps a learning rate."""
        ...


@runtime_checkable
class ReplicatedRun(Protocol):
    """What `Replicating` starts."""

    def step_replicas(self, gradients: Sequence[Sequence[Gradient]], aggregate: bool) -> tuple[State, ...]:
        """One step from the gradients of every replica, and the state of each; parameters begin equal.

        aggregate: whether the optimizer aggregates gradients over replicas; False for "unaggregated replicas" alone.
        """
        ...


@runtime_checkable
class Replicating(Implementation, Protocol):
    """An implementation that claims "replicas"."""

    def start_replicas(
        self, parameters: Sequence[Array], hyperparameters: Hyperparameters, count: int
    ) -> ReplicatedRun:
        """As `start`, on `count` replicas, which is 2."""
        ...


Change = Callable[[Array], Array]
"""A caller's function of the numbers of a gradient."""


@runtime_checkable
class TransformedRun(Run, Protocol):
    """What `Transforming` starts."""

    def step_unaggregated(self, gradients: Sequence[Gradient]) -> State:
        """As `step`, where the caller says that gradients are aggregated already."""
        ...


@runtime_checkable
class Transforming(Implementation, Protocol):
    """An implementation that claims "transformers"."""

    def start_transformed(
        self,
        parameters: Sequence[Array],
        hyperparameters: Hyperparameters,
        aggregator: Change,
        transformers: Sequence[Change],
    ) -> TransformedRun:
        """As `start`, with the caller's functions of gradients. With transformers nothing is clipped."""
        ...


Functions = Mapping[str, Callable[[], float]]
"""A caller's functions, by the name of the hyper-parameter that they return."""


@runtime_checkable
class TakingTensors(Implementation, Protocol):
    """An implementation that claims "tensors"."""

    def start_tensors(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> Run:
        """As `start`, with the procedure's hyper-parameters as the framework's tensors of float32."""
        ...


@runtime_checkable
class TakingCallables(Implementation, Protocol):
    """An implementation that claims "callables"."""

    def start_callables(
        self,
        parameters: Sequence[Array],
        hyperparameters: Hyperparameters,
        functions: Functions,
    ) -> Run:
        """As `start`, with a function for each of the procedure's hyper-parameters, which every step calls."""
        ...


Group = tuple[Sequence[Array], Hyperparameters]
"""Parameters, possibly none, and what holds for them."""


@runtime_checkable
class Grouping(Implementation, Protocol):
    """An implementation that claims "groups". States and gradients list the parameters of all groups, in order."""

    def start_groups(self, groups: Sequence[Group]) -> Run:
        """As `start`, of several groups; amsgrad is the same in all unless the procedure names it."""
        ...


@runtime_checkable
class GrowingRun(Run, Protocol):
    """A run of an implementation that claims "late groups"."""

    def add_group(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> None:
        """One group more, behind the others, from the next step on."""
        ...


@runtime_checkable
class ResumingGroups(Grouping, Protocol):
    """An implementation that claims "saved groups": "save" and "groups" at once."""

    def resume_groups(self, groups: Sequence[Group], saved: bytes) -> Run:
        """As `start_groups`, and as `Resuming.resume`, of a run of as many groups of these sizes."""
        ...


@runtime_checkable
class ChangingGroupsRun(ChangingRun, Protocol):
    """A run of an implementation that claims "changed groups": "change" and "groups" at once."""

    def change_group(self, group: int, hyperparameters: Hyperparameters) -> None:
        """As `change`, of the group of this number, from 0 on, alone; `change` is of all groups."""
        ...


@runtime_checkable
class PlacingRun(Run, Protocol):
    """A run of an implementation that claims "state"."""

    def put(self, state: State) -> None:
        """Parameters, moments and step counts are these from now on, by the framework's own means.

        As if they had come out of training, of as many steps. Every parameter has had a gradient before; where the
        optimizer has one count, those of `state` are equal.
        """
        ...
