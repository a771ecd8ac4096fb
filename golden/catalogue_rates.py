"""Of the first set: learning rates and weight decays that change from step to step."""

from __future__ import annotations

from typing import Any

from golden.making import STEPS, Made, case_of, wave
from golden.schedules import AGAIN, SCHEDULES, named_schedule
from reference import Dialect


def schedules(d: Dialect, topic: str) -> Made:
    """Learning rates, and weight decays, that change from step to step."""
    if "schedule" not in d.hyperparameters:
        return
    theta = (wave((3,), 1.0),)
    dense = [(wave((3,), 0.5, k),) for k in range(STEPS)]
    beside: dict[str, Any] = {"weight_decay": 0.125} if "weight_decay" in d.hyperparameters else {}
    flags: tuple[str, ...] = ("schedule", "decoupled-decay") if beside else ("schedule",)
    every = tuple(range(1, STEPS + 1))
    named = {name: {"schedule": named_schedule(name)} for name in SCHEDULES}
    for name, h in named.items():
        if d.looks_ahead and name not in ("staircase", "polynomial"):  # which passes on what the optimizer inside has
            continue
        text = f"the learning rate by a schedule: {name}"
        yield case_of(
            d, topic, name, text, flags, theta, dense, {**h, **beside}, at=(4, STEPS) if name in AGAIN else every
        )
    late = [(g if k != 1 else None, wave((2,), 0.25, k)) for k, (g,) in enumerate(dense)]
    two, text = (*theta, wave((2,), 0.5)), "one parameter is without gradient in step 2, which counts all the same"
    yield case_of(d, topic, "absent", text, ("schedule", "absent-gradient"), two, late, named["cycle"])
    if "decay" in d.hyperparameters:
        text, both = "decay divides what the schedule has given", {**named["cycle"], "decay": 0.5}
        yield case_of(d, topic, "and-decay", text, ("schedule", "rate-decay"), theta, dense, both)
    if "weight_decay_schedule" in d.hyperparameters:
        text = "weight decay by one schedule, the learning rate by another"
        both = {"weight_decay": 0.5, "weight_decay_schedule": named_schedule("staircase"), **named["polynomial"]}
        yield case_of(d, topic, "weight-decay", text, flags, theta, dense, both, at=every)


def warm_up(d: Dialect, topic: str) -> Made:
    """The warm-up of RectifiedAdam."""
    if "total_steps" not in d.hyperparameters:
        return
    theta = (wave((3,), 1.0),)
    dense = [(wave((3,), 0.5, k),) for k in range(STEPS)]
    flags, every = ("warm-up", "decoupled-decay"), tuple(range(1, STEPS + 1))
    beside: dict[str, Any] = {"weight_decay": 0.125, "min_lr": 2.0**-9}
    for name, total, share in (("usual", 5, 0.5), ("all-up", 3, 1.0), ("all-down", 4, 0.0), ("late", 40, 0.125)):
        text = f"warm-up of {total} steps, {share} of them upwards"
        h = {**beside, "total_steps": total, "warmup_proportion": share}
        yield case_of(d, topic, name, text, flags, theta, dense, h, at=every)
    h = {**beside, "total_steps": 5, "warmup_proportion": 0.5, "decay": 0.5}
    h["schedule"] = named_schedule("staircase")
    text, flags = "warm-up of what a schedule and decay have given", ("warm-up", "rate-decay")
    yield case_of(d, topic, "after-the-rest", text, flags, theta, dense, h, at=every)
