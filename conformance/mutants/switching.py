"""Mutants that a load or a change leaves with other schedules, warm-up or decay than they claim."""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import Hyperparameters
from conformance.mutants.twins import KerasV2Twin, RectifiedTwin, TfKerasTwin


class RateComesBackBesideSchedule(KerasV2Twin):
    """A load brings the first learning rate of a schedule back, and not the schedule.

    Two halves of one setting. Exposed by an object that is built with another schedule.
    """

    name = "mutant-rate-comes-back-beside-schedule"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        return replace(KerasV2Twin.loaded(self, h, saved), learning_rate=saved.learning_rate)


class WarmUpLostOnLoad(RectifiedTwin):
    """After a load the warm-up is the new object's, where it claims to be the saved one's.

    Numbers that are no variables. Exposed by an object that is built with another warm-up.
    """

    name = "mutant-warm-up-lost-on-load"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        own = {name: getattr(h, name) for name in ("total_steps", "warmup_proportion", "min_lr")}
        return replace(RectifiedTwin.loaded(self, h, saved), **own)


class WarmUpStaysOff(RectifiedTwin):
    """Whether there is a warm-up is decided at construction.

    TF-Addons' RectifiedAdam. Exposed by a warm-up that is switched on later.
    """

    name = "mutant-warm-up-stays-off"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return new if h.total_steps else replace(new, total_steps=0)


class DecayStaysOn(TfKerasTwin):
    """Weight decay that is set to 0 goes on as it was.

    ``value or self.value``. Exposed by decay that is switched off.
    """

    name = "mutant-decay-stays-on"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return new if new.weight_decay else replace(new, weight_decay=h.weight_decay)


class FirstScheduleStays(KerasV2Twin):
    """A schedule that is assigned in the place of another one is not asked.

    A value that a traced function has captured. Exposed by two schedules.
    """

    name = "mutant-first-schedule-stays"

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        return replace(new, schedule=h.schedule) if h.schedule and new.schedule else new
