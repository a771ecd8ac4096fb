"""Mutants of what MXNet has by index: multipliers of rate and decay, and the count from which t begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapters.contract import Array, Gradient, Hyperparameters
from conformance.mutants.twin import Slot
from conformance.mutants.twins import Mxnet1LazyTwin, Mxnet1Twin, Mxnet2LazyTwin, Mxnet2Twin


class LrMultIgnored(Mxnet2Twin):
    """Every parameter moves by the learning rate as it is.

    Exposed by any multiplier but 1.
    """

    name = "mutant-lr-mult-ignored"

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        return Mxnet2Twin.of_parameter(self, replace(h, lr_mult=()), i)


class WdMultIgnored(Mxnet1Twin):
    """Every parameter decays by l2 as it is.

    Biases and norms too. Exposed by any multiplier but 1 beside an l2.
    """

    name = "mutant-wd-mult-ignored"

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        return Mxnet1Twin.of_parameter(self, replace(h, wd_mult=()), i)


class MultipliersExchanged(Mxnet2LazyTwin):
    """lr_mult multiplies l2, and wd_mult the learning rate.

    Exposed by two that are unlike.
    """

    name = "mutant-multipliers-exchanged"

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        return Mxnet2LazyTwin.of_parameter(self, replace(h, lr_mult=h.wd_mult, wd_mult=h.lr_mult), i)


class MultipliersOfPresent(Mxnet1LazyTwin):
    """Multipliers are handed out in turn to the parameters that have a gradient.

    A list without its gaps. Exposed by a parameter without gradient before another.
    """

    name = "mutant-multipliers-of-present"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        self.present = [i for i, gradient in enumerate(gradients) if gradient is not None]
        Mxnet1LazyTwin.count(self, slots, gradients)

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        place = self.present.index(i) if i in self.present else i
        return Mxnet1LazyTwin.of_parameter(self, h, place)


class LrMultTwice(Mxnet1Twin):
    """The learning rate is multiplied twice.

    Once by the caller, once by the kernel. Exposed by any multiplier but 0 and 1.
    """

    name = "mutant-lr-mult-twice"

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        return Mxnet1Twin.of_parameter(self, replace(h, lr_mult=tuple(f * f for f in h.lr_mult)), i)


class MultipliersLostOnLoad(Mxnet2Twin):
    """A load brings back no multipliers.

    As of MXNet's param_dict, which is not pickled. Exposed by a load into an object without them.
    """

    name = "mutant-multipliers-lost-on-load"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        return replace(saved, lr_mult=h.lr_mult, wd_mult=h.wd_mult)


class BeginIgnored(Mxnet2Twin):
    """t begins at 0, whatever begin_num_update says.

    Exposed by the first step.
    """

    name = "mutant-begin-ignored"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        return Mxnet2Twin.slots(self, parameters, replace(h, begin_num_update=0))


class BeginIsTheFirstStep(Mxnet1Twin):
    """The first step is number begin_num_update, not the one after it.

    Off by one. Exposed by the first step; begin_num_update 0 is right.
    """

    name = "mutant-begin-is-the-first-step"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        return Mxnet1Twin.slots(self, parameters, replace(h, begin_num_update=max(0, h.begin_num_update - 1)))


class BeginLostOnLoad(Mxnet2LazyTwin):
    """A parameter that is saved before its first gradient begins at 0 when it is loaded.

    What has no count yet is not written. Exposed by a load and a parameter that comes late.
    """

    name = "mutant-begin-lost-on-load"

    def saved(self, slot: Slot) -> dict[str, Any]:
        return Mxnet2LazyTwin.saved(self, slot) | ({} if slot.m.any() else {"t": 0})
