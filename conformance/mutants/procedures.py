"""Mutants that step rightly and are wrong when they are saved, configured, changed or given groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Gradient, Hyperparameters
from adapters.procedures import Group
from conformance.mutants.twin import Scalar, Slot, Twin, TwinRun, Work
from conformance.mutants.twins import KerasV2Twin, Mxnet2Twin, RectifiedTwin, TfKerasTwin, TorchTwin
from conformance.mutants.twins_torch import TorchNadamTwin

# Save and load


class CountNotSaved(KerasV2Twin):
    """t begins again at 0 after a load.

    MXNet's ``get_states()`` without ``dump_optimizer=True``. Exposed by the bias correction after a load.
    """

    name = "mutant-count-not-saved"

    def saved(self, slot: Slot) -> dict[str, Any]:
        return {**KerasV2Twin.saved(self, slot), "t": 0}


class MaximumNotSaved(TorchTwin):
    """AMSGrad's maximum is not written.

    Exposed by gradients that are smaller after the load than before.
    """

    name = "mutant-maximum-not-saved"

    def saved(self, slot: Slot) -> dict[str, Any]:
        v_max = None if slot.v_max is None else np.zeros_like(slot.v_max)
        return {**TorchTwin.saved(self, slot), "v_max": v_max}


class CountCastOnLoad(TorchTwin):
    """t is cast to bfloat16 when it is loaded.

    torch's load_state_dict, which cast step to the parameter's dtype. Exposed by a save after more than 256 steps.
    """

    name = "mutant-count-cast-on-load"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchTwin.load(self, slots, saved)
        for slot in slots:
            bits = np.float32(slot.t).view(np.uint32) & np.uint32(0xFFFF0000)
            slot.t = int(bits.view(np.float32))


class PowersLostOnLoad(KerasV2Twin):
    """beta^t is a product that is carried from step to step, and a power function's after a load.

    DeepSpeed's CPUAdam. Either is right to the last digit but one. Exposed by comparing bits.
    """

    name = "mutant-powers-lost-on-load"
    since = 0

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        self.since = vars(slot).get("since", 0)
        KerasV2Twin.update(self, slot, gradient, h)

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        factors = np.full(max(w.t - self.since, 0) + 1, beta, type(beta))
        factors[0] = beta ** w.scalar(self.since)
        return w.scalar(1) - np.multiply.accumulate(factors)[-1]

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        KerasV2Twin.load(self, slots, saved)
        for slot in slots:
            vars(slot)["since"] = slot.t


class ProductBeginsAnew(TorchTwin):
    """beta^t is a product that is carried from step to step, and begins at 1 again after a load.

    Accumulators that are no part of what is saved. Exposed by the bias correction after a load.
    """

    name = "mutant-product-begins-anew"
    since = 0

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        self.since = vars(slot).get("since", 0)
        TorchTwin.update(self, slot, gradient, h)

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        return w.scalar(1) - beta ** w.scalar(w.t - self.since)

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchTwin.load(self, slots, saved)
        for slot in slots:
            vars(slot)["since"] = slot.t


class CountSavedInSixteenBits(Mxnet2Twin):
    """t is written as uint16, which counts 65 536 steps.

    A format of files that is older than the training that it holds. Exposed by 100 000 steps.
    """

    name = "mutant-count-saved-in-sixteen-bits"

    def saved(self, slot: Slot) -> dict[str, Any]:
        return {**Mxnet2Twin.saved(self, slot), "t": slot.t % 2**16}


class CountSeenInSixteenBits(TfKerasTwin):
    """Bias correction sees t in uint16; the state says t.

    A kernel's argument. Exposed by 100 000 steps, in the parameters.
    """

    name = "mutant-count-seen-in-sixteen-bits"

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        return w.scalar(1) - beta ** w.scalar(w.t % 2**16)


class StatesWithoutGaps(TorchTwin):
    """The counts of those parameters that have had a gradient are written, and read by the first ones.

    A list that leaves out who has no state. Exposed by a first parameter that has none.
    """

    name = "mutant-states-without-gaps"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchTwin.load(self, slots, saved)
        counts = [slot.t for slot in slots if slot.t]
        for slot, t in zip(slots, [*counts, *[0] * len(slots)], strict=False):
            slot.t = t


class LoadedRateComesBack(KerasV2Twin):
    """A learning rate that is changed after a load is the loaded one in the next step.

    Keras' OptimizerV2, which restores it when that step creates its variable. Exposed by a change between a load and
    the next step.
    """

    name = "mutant-loaded-rate-comes-back"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        return _Restored(**vars(KerasV2Twin.loaded(self, h, saved)))

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return replace(new, learning_rate=h.learning_rate) if isinstance(h, _Restored) else new


class _Restored(Hyperparameters):
    """What a load has brought back."""


class MomentaCastOnLoad(TorchNadamTwin):
    """The product of momenta is cast to float16 when it is loaded.

    torch's NAdam, whose load_state_dict casts it to the parameter's dtype. Exposed by comparing bits.
    """

    name = "mutant-momenta-cast-on-load"
    since = 0

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        self.since = vars(slot).get("since", 0)
        TorchNadamTwin.update(self, slot, gradient, h)

    def momentum_product(self, w: Work, t: int) -> float:
        loaded = float(np.float16(math.prod(self.momentum(w, k) for k in range(1, self.since + 1))))
        return loaded * math.prod(self.momentum(w, k) for k in range(self.since + 1, t + 1))

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchNadamTwin.load(self, slots, saved)
        for slot in slots:
            vars(slot)["since"] = slot.t


class LoadedInReverse(Mxnet2Twin):
    """The first moments are written one after the other, and read beginning with the last parameter's.

    Lists that two programs order differently. Exposed by several parameters.
    """

    name = "mutant-loaded-in-reverse"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        Mxnet2Twin.load(self, slots, saved)
        flat = np.concatenate([slot.m.ravel() for slot in slots])
        for slot in reversed(slots):
            slot.m, flat = flat[: slot.m.size].reshape(slot.m.shape).copy(), flat[slot.m.size :]


class NewLearningRateKept(TorchTwin):
    """The learning rate is the new object's, where a load claims to bring it back.

    A scheduler that writes into the new object before the state is loaded, or after. Exposed by an object that is
    built with another one.
    """

    name = "mutant-new-learning-rate-kept"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        return replace(saved, learning_rate=h.learning_rate)


class SavedEpsilonKept(KerasV2Twin):
    """Epsilon is the saved one's, where it claims to be the new object's.

    Exposed by an object that is built with another one.
    """

    name = "mutant-saved-epsilon-kept"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        return saved


# Configuration


class ConfigurationDropsEpsilon(TfKerasTwin):
    """Epsilon is not in the configuration.

    Exposed by an epsilon that is not the default.
    """

    name = "mutant-configuration-drops-epsilon"

    def configuration(self, h: Hyperparameters, first: Hyperparameters) -> dict[str, Any]:
        return {name: value for name, value in vars(h).items() if name != "epsilon"}


class ConfigurationIsInitial(RectifiedTwin):
    """The configuration is that of the construction, whatever has changed since.

    Exposed by a learning rate that was changed before.
    """

    name = "mutant-configuration-is-initial"

    def configuration(self, h: Hyperparameters, first: Hyperparameters) -> dict[str, Any]:
        return RectifiedTwin.configuration(self, first, first)


# Changes


class ChangedRateIgnored(TfKerasTwin):
    """The learning rate is read once.

    A value that a traced function has captured. Exposed by a change between steps.
    """

    name = "mutant-changed-rate-ignored"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return replace(new, learning_rate=h.learning_rate)


class DecayKeepsFirstRate(TfKerasTwin):
    """Decoupled decay goes on with the learning rate of the construction.

    AdamW under a schedule, with lr * weight_decay computed once. Exposed by a changed rate where there is decay.
    """

    name = "mutant-decay-keeps-first-rate"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        share = h.learning_rate / new.learning_rate if new.learning_rate else 1.0
        return replace(new, weight_decay=new.weight_decay * share)


class DecayStaysOff(RectifiedTwin):
    """Whether there is weight decay is decided at construction.

    TF-Addons' RectifiedAdam. Exposed by decay that is switched on later.
    """

    name = "mutant-decay-stays-off"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return new if h.weight_decay else replace(new, weight_decay=0.0)


class RoundedInPlace(Mxnet2Twin):
    """The caller's learning rate is rounded to float32 where the caller keeps it.

    Exposed by looking at what was given.
    """

    name = "mutant-rounded-in-place"

    def start_groups(self, groups: Sequence[Group]) -> TwinRun:
        run = Mxnet2Twin.start_groups(self, [(theta, replace(h)) for theta, h in groups])
        for _, h in groups:
            object.__setattr__(h, "learning_rate", float(np.float32(h.learning_rate)))
        return run


# Groups


class GroupRateIgnored(TorchTwin):
    """Every group has the first one's learning rate.

    Exposed by two groups.
    """

    name = "mutant-group-rate-ignored"

    def of_group(self, h: Hyperparameters, groups: Sequence[Hyperparameters]) -> Hyperparameters:
        return replace(h, learning_rate=groups[0].learning_rate)


class RatesRenewedByTheFirst(TorchTwin):
    """The learning rate of a group behind the first one stays, where that group changes alone.

    Rates that are gathered once, and again when the first group's is another. Exposed by a change of the second alone.
    """

    name = "mutant-rates-renewed-by-the-first"

    def after_group_change(self, group: int, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return replace(new, learning_rate=h.learning_rate) if group else new


class LateGroupSharesCount(TorchTwin):
    """A group that comes late begins at the t of the others, where t is the parameter's own.

    Exposed by its first step.
    """

    name = "mutant-late-group-shares-count"

    def late(self, slot: Slot, present: Sequence[Slot]) -> None:
        Twin.late(self, slot, present)


class GroupsLoadedInReverse(TorchTwin):
    """The hyper-parameters of the last group are loaded into the first one.

    Two lists of groups in different orders. Exposed by two groups that differ.
    """

    name = "mutant-groups-loaded-in-reverse"

    def loaded_groups(
        self, built: Sequence[Hyperparameters], saved: Sequence[Hyperparameters]
    ) -> list[Hyperparameters]:
        return TorchTwin.loaded_groups(self, built, saved[::-1])


class FirstCountLoaded(TorchTwin):
    """Every parameter is loaded with the first one's t.

    A count that is kept once per optimizer, where every parameter has its own. Exposed by a group that came late.
    """

    name = "mutant-first-count-loaded"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchTwin.load(self, slots, saved)
        for slot in slots:
            slot.t = slots[0].t
