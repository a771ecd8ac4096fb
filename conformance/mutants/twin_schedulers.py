"""How the twins of MXNet's dialects form a scheduler's learning rate: anew for every update, boundary by boundary."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adapters.contract import Gradient, Schedule
from conformance.mutants.twin import Scalar, Slot, Twin, Work


class Schedulers(Twin):
    """mxnet/lr_scheduler.py; all of it in double, on the host."""

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        """Every parameter has its own t, and each is asked for at the largest one that there is by its turn."""
        largest = max((slot.t for slot in slots), default=0)
        for slot, gradient in zip(slots, gradients, strict=True):
            slot.t += gradient is not None
            largest = max(largest, slot.t)
            slot.num_update = largest

    def rate(self, w: Work) -> Scalar:
        """The parameter's own multiple of what the scheduler gives."""
        rate = self.scheduled(w, self.learning_rate(w))
        return rate * w.scalar(w.h.lr_mult[0]) if w.h.lr_mult else rate

    def scheduled(self, w: Work, base: Scalar) -> Scalar:
        scheduler, n = w.h.lr_scheduler, self.asked(w)
        if scheduler is None:
            return base
        if n < scheduler["warmup_steps"]:
            return self.warmed(w, base, n, scheduler)
        if scheduler.name in ("mxnet_poly", "mxnet_cosine"):
            return self.between(w, base, n, scheduler)
        return self.multiplied(w, base, n, scheduler)

    def asked(self, w: Work) -> int:
        """For which update."""
        return w.num_update

    def warmed(self, w: Work, base: Scalar, n: int, scheduler: Schedule) -> Scalar:
        """Constant, or on the line up to base."""
        begin = w.scalar(scheduler["warmup_begin_lr"])
        if scheduler["warmup_mode"] == "constant":
            return begin
        return begin + w.scalar(n) * (base - begin) / w.scalar(scheduler["warmup_steps"])

    def multiplied(self, w: Work, rate: Scalar, n: int, scheduler: Schedule) -> Scalar:
        """By the factor, at every boundary that is behind."""
        of_several = scheduler.name == "mxnet_multi_factor"
        for boundary in scheduler["steps"] if of_several else range(scheduler["step"], n + 1, scheduler["step"]):
            if self.passed(n, boundary):
                rate = max(rate * w.scalar(scheduler["factor"]), self.least(w, scheduler))
        return rate

    def passed(self, n: int, boundary: int) -> bool:
        return n > boundary

    def least(self, w: Work, scheduler: Schedule) -> Scalar:
        return w.scalar(scheduler["stop_factor_lr"] if scheduler.name == "mxnet_factor" else 0.0)

    def between(self, w: Work, base: Scalar, n: int, scheduler: Schedule) -> Scalar:
        """From base to final_lr, by the share of the updates behind warm-up; what has ended stays."""
        if n > scheduler["max_update"] and not self.began_in_time(w, scheduler):
            return base
        begin = self.begin_of_decay(scheduler)
        share = w.scalar(self.until(n, scheduler) - begin) / w.scalar(scheduler["max_update"] - begin)
        final = self.final(w, scheduler)
        return final + self.left(w, share, scheduler) * (base - final)

    def began_in_time(self, w: Work, scheduler: Schedule) -> bool:
        """Whether the scheduler has been asked behind warm-up and up to max_update."""
        return bool(max(w.h.begin_num_update + 1, scheduler["warmup_steps"]) <= scheduler["max_update"])

    def begin_of_decay(self, scheduler: Schedule) -> int:
        return int(scheduler["warmup_steps"])

    def until(self, n: int, scheduler: Schedule) -> int:
        return int(min(n, scheduler["max_update"]))

    def final(self, w: Work, scheduler: Schedule) -> Scalar:
        return w.scalar(scheduler["final_lr"])

    def left(self, w: Work, share: Scalar, scheduler: Schedule) -> Scalar:
        """Of the way from final_lr to base."""
        if scheduler.name == "mxnet_cosine":
            return w.scalar((1 + math.cos(math.pi * share)) / 2)
        return (w.scalar(1) - share) ** w.scalar(scheduler["pwr"])
