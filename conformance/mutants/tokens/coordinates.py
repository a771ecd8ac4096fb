"""Coordinates of the search's points: hyper-parameters over many decades, and values near one that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from adapters.contract import Schedule
from adapters.hyperparameters import CONSTRAINTS


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of a point: a value at random, and values near one."""

    draw: Callable[[Random], Any]
    near: Callable[[Any, Random], Sequence[Any]]


Point = Mapping[str, Any]

_OFTEN_ABSENT = 0.4


def choice(*values: Any) -> Coordinate:
    """One of these, and every other one near it."""
    return Coordinate(lambda r: r.choice(values), lambda at, _: [v for v in values if v != at])


def decades(low: float, high: float, *special: Any, rarely: float = 0.1) -> Coordinate:
    """10^x for x between `low` and `high`; seldom one of the special values."""

    def draw(r: Random) -> Any:
        return r.choice(special) if special and r.random() < rarely else 10 ** r.uniform(low, high)

    def near(at: Any, r: Random) -> Sequence[Any]:
        if not at:
            return [draw(r), draw(r)]
        steps = (at * 10 ** (sign * r.choice((1.0, 0.3, 0.03))) for sign in (1, -1))
        return [*(min(max(value, 10**low), 10**high) for value in steps), *special[:1]]

    return Coordinate(draw, near)


def below_one(low: float, high: float) -> Coordinate:
    """1 - 10^x, and seldom 0."""
    from_one = decades(low, high, None)

    def back(value: Any) -> float:
        return 0.0 if value is None else 1.0 - float(value)

    return Coordinate(
        lambda r: back(from_one.draw(r)),
        lambda at, r: [back(v) for v in from_one.near((1.0 - at) if at else None, r)],
    )


def drawn(draw: Callable[[Random], Any]) -> Coordinate:
    """Anything; what is near it is anything else."""
    return Coordinate(draw, lambda _, r: [draw(r), draw(r)])


def _multipliers() -> Coordinate:
    one = decades(-3, 2, 0.0, 1.0, rarely=0.3)
    return drawn(lambda r: r.choice(((), (one.draw(r), one.draw(r)))))


def _periods(r: Random) -> int:
    """Around the number of steps that there are."""
    return r.randint(1, 12)


def _schedule(r: Random) -> Schedule | None:
    """One of Keras', or none."""
    steps, rate, share, switch = _periods(r), 10 ** r.uniform(-3, 0.5), r.random(), r.random() < 0.5
    kinds: dict[str, dict[str, Any]] = {
        "exponential": {"decay_steps": steps, "decay_rate": rate, "staircase": switch},
        "inverse_time": {"decay_steps": steps, "decay_rate": rate, "staircase": switch},
        "polynomial": {"decay_steps": steps, "end_learning_rate": share, "power": rate, "cycle": switch},
        "piecewise_constant": {"boundaries": (steps, steps + 2), "values": (rate, share)},
        "cosine": {"decay_steps": steps, "alpha": share},
        "cosine_restarts": {"first_decay_steps": steps, "t_mul": 1 + rate, "m_mul": rate, "alpha": share},
        "inverse_root": {"decay_steps": steps},
    }
    kinds["cosine"] |= {"warmup_target": rate, "warmup_steps": _periods(r)} if switch else {}
    name = r.choice((None, *kinds))
    return None if name is None else Schedule(name, **kinds[name])


def _lr_scheduler(r: Random) -> Schedule | None:
    """One of MXNet's, or none; with warm-up or without, which ends before everything else or behind it."""
    steps, share, up = _periods(r), r.random(), r.choice((0, 0, _periods(r)))
    last = steps + (steps == up)
    kinds: dict[str, dict[str, Any]] = {
        "mxnet_factor": {"step": steps, "factor": share, "stop_factor_lr": 10 ** r.uniform(-8, 0)},
        "mxnet_multi_factor": {"steps": (steps, steps + 2), "factor": share},
        "mxnet_poly": {"max_update": last, "pwr": 10 ** r.uniform(-1, 1), "final_lr": r.choice((0.0, share))},
        "mxnet_cosine": {"max_update": last, "final_lr": r.choice((0.0, share))},
    }
    name = r.choice((None, *kinds))
    first, mode = r.choice((0.0, 10 ** r.uniform(-6, 0))), r.choice(("linear", "constant"))
    warm_up = {"warmup_steps": up, "warmup_begin_lr": first, "warmup_mode": mode}
    return None if name is None else Schedule(name, **kinds[name], **warm_up)


HYPERPARAMETERS: dict[str, Coordinate] = {
    "learning_rate": decades(-6, 1, 0.0, rarely=0.02),
    "beta_1": below_one(-5, -0.02),
    "beta_2": below_one(-6, -0.02),
    "epsilon": decades(-12, 1, 0.0),
    "adaptive_epsilon": choice(False, True),
    "amsgrad": choice(False, True),
    "l2": decades(-6, 1, 0.0, rarely=_OFTEN_ABSENT),
    "weight_decay": decades(-6, 0, 0.0, rarely=_OFTEN_ABSENT),
    "rescale_grad": decades(-4, 4),
    "clip_gradient": decades(-6, 4, None, 0.0, rarely=_OFTEN_ABSENT),
    "sma_threshold": decades(-1, 3),
    "epsilon_root": decades(-12, 1, 0.0, rarely=_OFTEN_ABSENT),
    "momentum_decay": decades(-4, 1, 0.0),
    "sync_period": choice(1, 2, 3, 5),
    "slow_step_size": choice(0.5, 0.0, 0.1, 0.8, 1.0),
    "decay": decades(-6, 2, 0.0, rarely=_OFTEN_ABSENT),
    "clipvalue": decades(-6, 4, None, 0.0, rarely=0.8),
    "clipnorm": decades(-6, 4, None, 0.0, rarely=0.7),
    "global_clipnorm": decades(-6, 4, None, 0.0, rarely=0.5),
    "ema_momentum": decades(-6, 0, None, 0.0, 1.0, rarely=0.5),
    "ema_overwrite_frequency": choice(None, 1, 2, 3),
    "exclude_from_weight_decay": choice((), (), (0,), (1,), (0, 1)),
    "constraint": choice(None, None, None, *CONSTRAINTS),
    "lr_mult": _multipliers(),
    "wd_mult": _multipliers(),
    "begin_num_update": choice(0, 0, 1, 3, 1000),
    "schedule": drawn(_schedule),
    "weight_decay_schedule": drawn(_schedule),
    "lr_scheduler": drawn(_lr_scheduler),
    "total_steps": choice(0, 0, 1, 4, 9, 1000),
    "warmup_proportion": choice(0.1, 0.0, 1 / 3, 0.9, 1.0),
    "min_lr": decades(-6, 1, 0.0),
}
"""How each is drawn; one for as many parameters as there are has one for each that a problem may have."""
