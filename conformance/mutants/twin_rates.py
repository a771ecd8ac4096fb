"""How the twins of Keras' dialects change a rate from step to step; steps are counted in whole numbers."""

from __future__ import annotations

import math

from adapters.contract import Schedule
from conformance.mutants.twin import Scalar, Twin, Work

RATES = frozenset({"schedule"})
RECTIFIED_RATES = RATES | {"weight_decay_schedule", "total_steps", "warmup_proportion", "min_lr"}


class Rates(Twin):
    """Keras' schedules (optimizers/schedules/learning_rate_schedule.py)."""

    def rate(self, w: Work) -> Scalar:
        return self.scheduled_rate(w)

    def scheduled_rate(self, w: Work) -> Scalar:
        return self.scheduled(w, self.learning_rate(w), w.h.schedule)

    def scheduled(self, w: Work, first: Scalar, schedule: Schedule | None) -> Scalar:
        """What has become of `first`."""
        return first if schedule is None else getattr(self, schedule.name)(w, first, self.elapsed(w), schedule)

    def elapsed(self, w: Work) -> int:
        """Iterations before this step."""
        return w.t - 1

    def periods(self, w: Work, k: int, schedule: Schedule) -> Scalar:
        """How many times decay_steps are behind."""
        whole, rest = divmod(k, schedule["decay_steps"])
        return w.scalar(whole) if schedule["staircase"] or not rest else w.scalar(k) / w.scalar(schedule["decay_steps"])

    def exponential(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        return first * w.scalar(schedule["decay_rate"]) ** self.periods(w, k, schedule)

    def inverse_time(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        return first / (w.scalar(1) + w.scalar(schedule["decay_rate"]) * self.periods(w, k, schedule))

    def polynomial(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        """Between first and end, by the share of the steps that is left; of a cycle's, which grows with every round."""
        steps, end = self.round(k, schedule), w.scalar(schedule["end_learning_rate"])
        left = w.scalar(max(steps - k, 0)) / w.scalar(steps)
        return end + (first - end) * left ** w.scalar(schedule["power"])

    def round(self, k: int, schedule: Schedule) -> int:
        """decay_steps; if cycle the first multiple of them that k does not exceed."""
        steps = int(schedule["decay_steps"])
        return steps * max(math.ceil(k / steps), 1) if schedule["cycle"] else steps

    def piecewise_constant(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        for boundary, value in reversed([*zip(schedule["boundaries"], schedule["values"], strict=True)]):
            if self.passed(k, boundary):
                return w.scalar(value)
        return first

    def passed(self, k: int, boundary: int) -> bool:
        return k > boundary

    def cosine(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        """Half a wave down, if a target is given after a line up to it."""
        target, up = schedule["warmup_target"], schedule["warmup_steps"]
        if target is not None and k < up:
            begin = self.line_from(w, first)
            return begin + w.scalar(k) / w.scalar(up) * (w.scalar(target) - begin)
        top, k = (first, k) if target is None else (w.scalar(target), k - up)
        share = w.scalar(min(k, schedule["decay_steps"])) / w.scalar(schedule["decay_steps"])
        return top * self.wave(w, share, w.scalar(1), schedule)

    def line_from(self, w: Work, first: Scalar) -> Scalar:
        """Where the line up to a target begins."""
        return first

    def cosine_restarts(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        """Half waves, one after the other, each t_mul times as long and m_mul times as high as the one before."""
        length, rest, height, again = float(schedule["first_decay_steps"]), float(k), w.scalar(1), schedule["t_mul"]
        while self.restarts(rest, length):
            rest, length, height = rest - length, length * again, height * self.height(w, schedule)
        return first * self.wave(w, w.scalar(min(rest / length, 1.0)), height, schedule)

    def restarts(self, rest: float, length: float) -> bool:
        return rest >= length

    def height(self, w: Work, schedule: Schedule) -> Scalar:
        return w.scalar(schedule["m_mul"])

    def wave(self, w: Work, share: Scalar, height: Scalar, schedule: Schedule) -> Scalar:
        """From height down to the least, by half a wave of the cosine."""
        least = self.least(w, schedule)
        down = (w.scalar(1) + w.scalar(math.cos(math.pi * share))) / w.scalar(2)
        return least + (w.scalar(1) - least) * height * down

    def least(self, w: Work, schedule: Schedule) -> Scalar:
        return w.scalar(schedule["alpha"])

    def inverse_root(self, w: Work, first: Scalar, k: int, schedule: Schedule) -> Scalar:
        """A caller's own."""
        return first / w.scalar(math.sqrt(1 + k / schedule["decay_steps"]))


class WarmsUp(Rates):
    """The warm-up of TF-Addons' RectifiedAdam, on top of what decays, and its weight decay."""

    def weight_decay(self, w: Work) -> Scalar:
        return self.scheduled(w, w.scalar(w.h.weight_decay), w.h.weight_decay_schedule)

    def warmed_up(self, w: Work, rate: Scalar) -> Scalar:
        """A line up, a line down, and min_lr from then on."""
        if not w.h.total_steps:
            return rate
        up = w.scalar(w.h.total_steps) * w.scalar(w.h.warmup_proportion)
        step = self.warm_step(w)
        if step <= up:
            return rate * step / up
        down = max(w.scalar(w.h.total_steps) - up, w.scalar(1))
        share = self.share_of_the_way_down((step - up) / down)
        return rate - (rate - self.last_rate(w)) * share

    def warm_step(self, w: Work) -> Scalar:
        return w.scalar(w.t)

    def share_of_the_way_down(self, share: Scalar) -> Scalar:
        return min(share, type(share)(1))

    def last_rate(self, w: Work) -> Scalar:
        return w.scalar(w.h.min_lr)


def decayed(twin: Rates, w: Work) -> Scalar:
    """The scheduled rate / (1 + decay iterations), where the first step has made no iteration."""
    return twin.scheduled_rate(w) / (w.scalar(1) + w.scalar(w.h.decay) * w.scalar(w.t - 1))
