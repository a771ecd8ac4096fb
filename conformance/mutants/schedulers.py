"""MXNet's lr_scheduler with one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.contract import Gradient, Hyperparameters, Schedule
from conformance.mutants.twin import Scalar, Slot, Work
from conformance.mutants.twins import Mxnet1LazyTwin, Mxnet1Twin, Mxnet2LazyTwin, Mxnet2Twin


class AskedForOwnCount(Mxnet2Twin):
    """A scheduler is asked for the parameter's own count, not for the largest one.

    t for num_update. Exposed by a parameter that has had fewer gradients than another.
    """

    name = "mutant-asked-for-own-count"

    def asked(self, w: Work) -> int:
        return w.t


class AskedOnceForAll(Mxnet1Twin):
    """A scheduler is asked once in a step, when all parameters have counted.

    Exposed by a parameter that lags behind and stands before the others.
    """

    name = "mutant-asked-once-for-all"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        Mxnet1Twin.count(self, slots, gradients)
        for slot in slots:
            slot.num_update = max(each.t for each in slots)


class AskedOneUpdateLate(Mxnet2LazyTwin):
    """A scheduler is asked for the update before this one.

    As Keras' schedules are, which count from 0. Exposed by any scheduler.
    """

    name = "mutant-asked-one-update-late"

    def asked(self, w: Work) -> int:
        return w.num_update - 1


class FactorAtItsBoundary(Mxnet1Twin):
    """The factor acts in the update that is the boundary, not behind it.

    >= for >. Exposed by that update.
    """

    name = "mutant-factor-at-its-boundary"

    def passed(self, n: int, boundary: int) -> bool:
        return n >= boundary


class StopFactorIgnored(Mxnet1Twin):
    """The factor acts for ever, below stop_factor_lr too.

    Exposed by enough updates.
    """

    name = "mutant-stop-factor-ignored"

    def least(self, w: Work, scheduler: Schedule) -> Scalar:
        return w.scalar(0)


class FinalLrIgnored(Mxnet2LazyTwin):
    """Poly and Cosine go down to 0.

    Exposed by any final_lr above 0.
    """

    name = "mutant-final-lr-ignored"

    def final(self, w: Work, scheduler: Schedule) -> Scalar:
        return w.scalar(0)


class GoesOnBehindMaxUpdate(Mxnet1LazyTwin):
    """Poly and Cosine go on behind max_update.

    A cosine comes up again. Exposed by more updates than max_update.
    """

    name = "mutant-goes-on-behind-max-update"

    def until(self, n: int, scheduler: Schedule) -> int:
        return n


class EndsBeforeItBegins(Mxnet2Twin):
    """Poly and Cosine give their last rate behind max_update, whether they have been asked before or not.

    What one expects, and not what MXNet does. Exposed by a begin_num_update behind max_update.
    """

    name = "mutant-ends-before-it-begins"

    def began_in_time(self, w: Work, scheduler: Schedule) -> bool:
        return True


class DecayCountsWarmUp(Mxnet2Twin):
    """Poly and Cosine count from the first update on, those of warm-up included.

    Exposed by any warmup_steps.
    """

    name = "mutant-decay-counts-warm-up"

    def begin_of_decay(self, scheduler: Schedule) -> int:
        return 0


class WarmUpIsALine(Mxnet1Twin):
    """Warm-up is linear, whatever warmup_mode says.

    Exposed by a constant one.
    """

    name = "mutant-warm-up-is-a-line"

    def warmed(self, w: Work, base: Scalar, n: int, scheduler: Schedule) -> Scalar:
        line = Schedule(scheduler.name, **{**dict(scheduler.numbers), "warmup_mode": "linear"})
        return Mxnet1Twin.warmed(self, w, base, n, line)


class MultipliesBaseLr(Mxnet2LazyTwin):
    """lr_mult multiplies base_lr, not what the scheduler gives.

    The same for Factor. Exposed by a final_lr or a warm-up beside a multiplier.
    """

    name = "mutant-multiplies-base-lr"

    def rate(self, w: Work) -> Scalar:
        multiple = w.scalar(w.h.lr_mult[0]) if w.h.lr_mult else w.scalar(1)
        return self.scheduled(w, self.learning_rate(w) * multiple)


class SchedulerLostOnLoad(Mxnet2Twin):
    """A load brings back no scheduler.

    The learning rate alone is written. Exposed by a load into an object without one.
    """

    name = "mutant-scheduler-lost-on-load"

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        return replace(saved, lr_scheduler=h.lr_scheduler)
