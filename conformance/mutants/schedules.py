"""Schedules and warm-up with one thing wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.contract import Schedule
from conformance.mutants.twin import Scalar, Work
from conformance.mutants.twin_rates import decayed
from conformance.mutants.twins import Keras3Twin, KerasV2Twin, RectifiedTwin, TfKerasTwin


class ScheduleOneStepAhead(KerasV2Twin):
    """A schedule is asked for its value after t steps, not t - 1.

    iterations read after they were counted. Exposed by any schedule, from the first step on.
    """

    name = "mutant-schedule-one-step-ahead"

    def elapsed(self, w: Work) -> int:
        return w.t


class ScheduleFrozen(Keras3Twin):
    """The learning rate stays what the schedule gave for the first step.

    A number that was read when the step was traced. Exposed by any schedule, from the second step on.
    """

    name = "mutant-schedule-frozen"

    def elapsed(self, w: Work) -> int:
        return 0


class StaircaseIgnored(TfKerasTwin):
    """A staircase is a slope.

    Exposed by staircase=True between two stairs.
    """

    name = "mutant-staircase-ignored"

    def periods(self, w: Work, k: int, schedule: Schedule) -> Scalar:
        return w.scalar(k) / w.scalar(schedule["decay_steps"])


class PowerIgnored(KerasV2Twin):
    """Polynomial decay is a line, whatever its power.

    Exposed by a power other than 1.
    """

    name = "mutant-power-ignored"

    def polynomial(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        line = Schedule("polynomial", **{**dict(schedule.numbers), "power": 1.0})
        return KerasV2Twin.polynomial(self, w, first, k, line)


class CycleIgnored(Keras3Twin):
    """Polynomial decay ends after decay_steps, cycle or not.

    Exposed by more steps than decay_steps.
    """

    name = "mutant-cycle-ignored"

    def round(self, k: int, schedule: Schedule) -> int:
        return int(schedule["decay_steps"])


class BoundaryBelongsToTheNext(TfKerasTwin):
    """At a boundary the value of the next piece holds already.

    >= for >. Exposed by the step whose iterations are the boundary.
    """

    name = "mutant-boundary-belongs-to-the-next"

    def passed(self, k: int, boundary: int) -> bool:
        return k >= boundary


class AlphaIgnored(Keras3Twin):
    """Cosine decay goes down to 0.

    Exposed by any alpha above 0.
    """

    name = "mutant-alpha-ignored"

    def least(self, w: Work, schedule: Schedule) -> Scalar:
        return w.scalar(0)


class WarmUpFromZero(TfKerasTwin):
    """The line up to warmup_target begins with 0, not with the initial learning rate.

    What other frameworks do. Exposed by warmup_steps.
    """

    name = "mutant-warm-up-from-zero"

    def line_from(self, w: Work, first: Scalar) -> Scalar:
        return w.scalar(0)


class NeverRestarts(KerasV2Twin):
    """Cosine decay with restarts stays at its end.

    Exposed by more steps than first_decay_steps.
    """

    name = "mutant-never-restarts"

    def restarts(self, rest: float, length: float) -> bool:
        return False


class RestartsAtFullHeight(Keras3Twin):
    """m_mul does nothing.

    Exposed by m_mul below 1 after a restart.
    """

    name = "mutant-restarts-at-full-height"

    def height(self, w: Work, schedule: Schedule) -> Scalar:
        return w.scalar(1)


class DecayBeforeSchedule(KerasV2Twin):
    """decay divides the value that the schedule begins with, not the one that it gives.

    The same for a schedule that is a multiple of it. Exposed by decay beside one that is none.
    """

    name = "mutant-decay-before-schedule"

    def rate(self, w: Work) -> Scalar:
        first = decayed(self, replace(w, h=replace(w.h, schedule=None)))
        return self.scheduled(w, first, w.h.schedule)


class WeightDecayUnscheduled(TfKerasTwin):
    """Weight decay is multiplied by the initial learning rate.

    The schedule reaches the Adam step alone. Exposed by weight decay beside a schedule.
    """

    name = "mutant-weight-decay-unscheduled"

    def decay(self, w: Work) -> Any:
        return TfKerasTwin.decay(self, replace(w, h=replace(w.h, schedule=None)))


class WeightDecayScheduleIgnored(RectifiedTwin):
    """The schedule of weight decay does nothing.

    As in TF-Addons' AdamW. Exposed by any such schedule, from the second step on.
    """

    name = "mutant-weight-decay-schedule-ignored"

    def weight_decay(self, w: Work) -> Scalar:
        return w.scalar(w.h.weight_decay)


class WarmUpCountsFromZero(RectifiedTwin):
    """Warm-up counts the first step as 0.

    iterations for t. Exposed by any warm-up, from the first step on.
    """

    name = "mutant-warm-up-counts-from-zero"

    def warm_step(self, w: Work) -> Scalar:
        return w.scalar(w.t - 1)


class MinLrIgnored(RectifiedTwin):
    """After its warm-up the learning rate goes down to 0.

    Exposed by any min_lr above 0.
    """

    name = "mutant-min-lr-ignored"

    def last_rate(self, w: Work) -> Scalar:
        return w.scalar(0)


class GoesOnBelowMinLr(RectifiedTwin):
    """After total_steps the learning rate goes on falling.

    Exposed by more steps than total_steps.
    """

    name = "mutant-goes-on-below-min-lr"

    def share_of_the_way_down(self, share: Scalar) -> Scalar:
        return share


class DecayAfterWarmUp(RectifiedTwin):
    """decay divides the warmed-up learning rate, min_lr included.

    The other order. Exposed by decay beside warm-up, on the way down.
    """

    name = "mutant-decay-after-warm-up"

    def rate(self, w: Work) -> Scalar:
        divisor = w.scalar(1) + w.scalar(w.h.decay) * w.scalar(w.t - 1)
        return self.warmed_up(w, self.scheduled_rate(w)) / divisor
