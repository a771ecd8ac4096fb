"""Rules of the stages that form the learning rate and the weight decay of a step: relative errors of both.

What a schedule gives is off by the running error of its formula (`reference.running`), in the format of the schedule,
and by `C` roundings besides, since who knows in which order an implementation writes it. Every direction here is a
multiple of the learning rate, and so is what weight decay takes, so that a relative error of it is one of the step,
exactly and not to the first order alone: a rate that may be another branch's may be several times as large.
"""

from __future__ import annotations

import math
from typing import Any

from reference.hyperparameters import Hyperparameters
from reference.rounding import C, Rounding
from reference.running import Inexact, Running
from reference.schedules import Schedule, cosine_after, warmed_up
from reference.schedules_mxnet import factors
from reference.stages import Working


def scheduled_rate(before: Working, after: Working, e: Any, h: Hyperparameters, a: Rounding) -> None:
    """Of the learning rate."""
    if h.schedule is not None:
        e.rate = _relative(_scheduled(h.schedule, before.t - 1, before.learning_rate, a))


def scheduled_by_updates(before: Working, after: Working, e: Any, h: Hyperparameters, a: Rounding) -> None:
    """As of a schedule, but for what is multiplied by a factor again and again: one rounding each."""
    if h.lr_scheduler is not None:
        x = Running(a.u_schedule)
        first = Inexact(before.learning_rate, 0.0, x)
        rate = x.number(h.lr_scheduler.at(before.num_update, first, x, h.begin_num_update))
        e.rate = _relative(rate) + x.u * _products(h.lr_scheduler, before.num_update)


def scheduled_weight_decay(before: Working, after: Working, e: Any, h: Hyperparameters, a: Rounding) -> None:
    """Of weight decay."""
    if h.weight_decay_schedule is not None:
        e.weight_decay = _relative(_scheduled(h.weight_decay_schedule, before.t - 1, before.weight_decay, a))


def inverse_time_decay(before: Working, after: Working, e: Any, h: Hyperparameters, a: Rounding) -> None:
    """A product, a sum and a quotient."""
    if h.decay:
        e.rate = e.rate + C * a.u_step * (1 + e.rate)


def warm_up(before: Working, after: Working, e: Any, h: Hyperparameters, a: Rounding) -> None:
    """As a schedule, in the format of the step size."""
    if h.total_steps:
        x = Running(a.u_step)
        rate = Inexact(before.learning_rate, e.rate * before.learning_rate if before.learning_rate else 0.0, x)
        e.rate = _relative(warmed_up(rate, before.t, x, h.total_steps, h.warmup_proportion, h.min_lr))


def _scheduled(schedule: Schedule, k: int, first: Any, a: Rounding) -> Inexact:
    x = Running(max(a.u_schedule, a.u_step))
    value: Inexact = x.number(schedule.after(k, Inexact(first, 0.0, x), x))
    if schedule.name == "cosine_restarts":
        value = _either_side_of_a_restart(value, dict(schedule.numbers), k, first, x)
    return value


def _products(scheduler: Schedule, num_update: int) -> int:
    """Of one factor after the other; as large as the rate is, where stop_factor_lr ends it."""
    for name, value in scheduler.numbers:
        if name in ("step", "steps"):
            return factors(num_update, value)
    return 0


def _either_side_of_a_restart(value: Inexact, n: dict[str, Any], k: int, first: Any, x: Running) -> Inexact:
    """Restarts are counted by a quotient of logarithms, floored: next to a whole number it may be either."""
    if n["t_mul"] == 1:
        return value
    factor = x.number(n["t_mul"])
    periods = x.number(k) / x.number(n["first_decay_steps"])
    passed = x.log(1 - periods * (1 - factor)) / x.log(factor)
    nearest = round(passed.value)
    if nearest < 1 or abs(passed.value - nearest) > passed.error:
        return value
    for i in (nearest - 1, nearest):
        one = cosine_after(i, Inexact(first, 0.0, x), k, x, **n)
        value = Inexact(value.value, max(value.error, abs(one.value - value.value) + one.error), x)
    return value


def _relative(rate: Inexact) -> float:
    """Infinite where a rate of 0 may be none."""
    granted = rate.error + C * rate.of.u * abs(rate.value)
    if granted == 0:
        return 0.0
    return float(granted / abs(rate.value)) if rate.value else math.inf
