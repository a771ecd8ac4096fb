"""Random problems that stress cancellation: a state at step t with moments over decades, and gradients for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from certify.coordinates import Coordinate, Point, betas, choice, decades, moved, multipliers, seeds, steps
from certify.terms import CannotCertify
from reference import Dialect, Hyperparameters, Schedule, State, initial_state
from reference import stages as s
from reference.bias_correction import sma
from reference.hyperparameters import CONSTRAINTS
from reference.namespace import FLOAT64

Array = npt.NDArray[np.float64]

MOST_STEPS = 100_000
STEPS = 2
"""Of one problem: the first from the state that is drawn, the second from what the first has left."""
_SHAPES = ((3,), (4, 2))
_SMALLEST, _LARGEST = -30, 15
"""Decades of gradients."""


def _counts(r: Random) -> int:
    """Of steps: none, few or many."""
    return r.choice((0, 0, r.randint(1, 12), round(10 ** r.uniform(0, 5))))


def schedules() -> Coordinate:
    """Any schedule, or none, of periods from one step to more than there are."""

    def draw(r: Random) -> Schedule | None:
        steps, share = max(1, _counts(r)), r.choice((0.0, 0.1, r.random()))
        rate = 10 ** r.uniform(-3, 0.5)
        numbers: dict[str, dict[str, Any]] = {
            "exponential": {"decay_steps": steps, "decay_rate": min(rate, 1.0), "staircase": r.random() < 0.5},
            "inverse_time": {"decay_steps": steps, "decay_rate": rate, "staircase": r.random() < 0.5},
            "polynomial": {
                "decay_steps": steps,
                "end_learning_rate": share,
                "power": r.choice((0.5, 1.0, 2.0, rate)),
                "cycle": r.random() < 0.5,
            },
            "piecewise_constant": {"boundaries": (steps, 2 * steps), "values": (rate, share)},
            "cosine": {
                "decay_steps": steps,
                "alpha": share,
                "warmup_target": r.choice((None, rate)),
                "warmup_steps": _counts(r),
            },
            "cosine_restarts": {
                "first_decay_steps": steps,
                "t_mul": r.choice((1.0, 1.5, 2.0, 1 + rate)),
                "m_mul": r.choice((0.5, 1.0, 0.9)),
                "alpha": share,
            },
            "inverse_root": {"decay_steps": steps},
        }
        name = r.choice((*numbers, None))
        return None if name is None else Schedule(name, tuple(numbers[name].items()))

    return Coordinate(draw, lambda _, r: [draw(r)])


def lr_schedulers() -> Coordinate:
    """Any scheduler of MXNet, or none; with warm-up that ends early, late or after everything else."""

    def draw(r: Random) -> Schedule | None:
        steps, share, up = max(1, _counts(r)), r.choice((0.0, 0.1, r.random())), _counts(r)
        last = steps + 1 if steps == up else steps
        numbers: dict[str, dict[str, Any]] = {
            "mxnet_factor": {"step": steps, "factor": r.choice((0.0, 0.5, 0.9, 1.0)), "stop_factor_lr": share},
            "mxnet_multi_factor": {"steps": (steps, 2 * steps), "factor": r.choice((0.0, 0.5, 0.9, 1.0))},
            "mxnet_poly": {"max_update": last, "pwr": r.choice((0.5, 1.0, 2.0, 3.7)), "final_lr": share},
            "mxnet_cosine": {"max_update": last, "final_lr": share},
        }
        mode = r.choice(("linear", "constant"))
        warm_up = {"warmup_steps": up, "warmup_begin_lr": r.choice((0.0, 1e-3)), "warmup_mode": mode}
        name = r.choice((*numbers, None))
        return None if name is None else Schedule(name, (*numbers[name].items(), *warm_up.items()))

    return Coordinate(draw, lambda _, r: [draw(r)])


HYPERPARAMETERS: Mapping[str, Coordinate] = {
    "learning_rate": decades(-6, 1),
    "beta_1": betas(),
    "beta_2": betas(),
    "epsilon": decades(-12, 1, 0.0),
    "adaptive_epsilon": choice(False, True),
    "amsgrad": choice(False, True),
    "l2": decades(-6, 1, 0.0),
    "weight_decay": decades(-6, 0, 0.0),
    "rescale_grad": decades(-4, 4),
    "clip_gradient": decades(-8, 8, None, 0.0),
    "sma_threshold": decades(0, 3, 5.0, 5.0, 4.0, 0.0, often=0.7),
    "epsilon_root": decades(-12, 1, 0.0),
    "momentum_decay": decades(-5, 3, 0.0, 0.004),
    "sync_period": choice(1, 2, 3, None),
    "slow_step_size": decades(-6, 0, 0.0, 0.5, 1.0),
    "decay": decades(-6, 2, 0.0),
    "clipvalue": decades(-8, 8, None, 0.0, often=0.5),
    "clipnorm": decades(-8, 8, None, None, 0.0, often=0.6),
    "global_clipnorm": decades(-8, 8, None, 0.0, often=0.5),
    "ema_momentum": decades(-6, 0, None, 0.0, 0.99, 0.5, 1.0, often=0.7),
    "ema_overwrite_frequency": choice(None, 1, 2, 3),
    "exclude_from_weight_decay": choice((), (), (0,), (1,), (0, 1)),
    "constraint": choice(None, None, *CONSTRAINTS),
    "lr_mult": multipliers(len(_SHAPES)),
    "wd_mult": multipliers(len(_SHAPES)),
    "begin_num_update": choice(0, 1, 1000),
    "schedule": schedules(),
    "weight_decay_schedule": schedules(),
    "lr_scheduler": lr_schedulers(),
    "total_steps": Coordinate(_counts, lambda _, r: [_counts(r)]),
    "warmup_proportion": choice(0.0, 0.1, 1 / 3, 0.9, 1.0),
    "min_lr": decades(-6, 1, 0.0),
}
"""How each is drawn; a dialect with another one cannot be certified."""


def coordinates(d: Dialect) -> Mapping[str, Coordinate]:
    """Of a problem of dialect `d`."""
    for name in sorted(d.hyperparameters - HYPERPARAMETERS.keys()):
        raise CannotCertify(f"{d.name} has {name}, which is not drawn; accepted: what certify/draws.py names")
    own = {name: coordinate for name, coordinate in HYPERPARAMETERS.items() if name in d.hyperparameters}
    # Half of what is rectified stands a few float64 from where rho_t reaches a threshold of its formula.
    at = choice(None, None, None, 4.0, 5.0, "sma_threshold") if d.rectifies else choice(None)
    return own | {
        "rounded": choice(False, False, True),
        "at": at,
        "ulps": choice(*range(-4, 5)),
        "t": steps(MOST_STEPS),
        "values": choice("decades", "cancelling", "usual", "start"),
        "rows": choice("dense", "rows", "mixed") if d.takes_rows else choice("dense"),
        "absent": choice(False, False, True),
        "arrays": seeds(),
    }


@dataclass(frozen=True)
class Problem:
    """A state at some step, and the gradients of the next ones."""

    dialect: Dialect
    h: Hyperparameters
    state: State
    gradients: tuple[tuple[Any, ...], ...]


def problem(d: Dialect, point: Point) -> Problem:
    """The problem at `point`."""
    h = _hyperparameters(d, point)
    rng = np.random.default_rng(point["arrays"])
    groups = [_values(point["values"], rng, shape, h) for shape in _SHAPES]
    state = initial_state([group["theta"] for group in groups], h)
    v = tuple(group["v"] for group in groups)
    state = replace(
        state,
        m=tuple(group["m"] for group in groups),
        v=v,
        v_max=None if state.v_max is None else tuple(a * 10.0 ** rng.uniform(-0.5, 1, size=a.shape) for a in v),
        t=(point["t"] - 1,) * len(groups),
        slow=None if state.slow is None else tuple(a * (1 + rng.normal(size=a.shape)) for a in state.theta),
        average=None if state.average is None else tuple(a * (1 + rng.normal(size=a.shape)) for a in state.theta),
    )
    gradients = tuple(
        tuple(_gradient(d, point, rng, group["g"] * rng.choice([1.0, -1.0, 0.5])) for group in groups)
        for _ in range(STEPS)
    )
    return Problem(d, h, state, gradients)


def _hyperparameters(d: Dialect, point: Point) -> Hyperparameters:
    given = {name: point[name] for name in d.hyperparameters}
    level = given["sma_threshold"] if point["at"] == "sma_threshold" and "sma_threshold" in given else point["at"]
    if isinstance(level, float) and (found := crossing(level, point["t"])) is not None:
        given["beta_2"] = moved(found, point["ulps"])
    if given.get("clipnorm") is not None:  # not both
        given["global_clipnorm"] = None
    if point["rounded"]:  # as some frameworks do on the way to the powers alone
        given |= {f"power_{name}": float(np.float32(given[name])) for name in ("beta_1", "beta_2")}
        given = {name: value for name, value in given.items() if not (name.startswith("power") and value >= 1)}
    return Hyperparameters(**given)


def crossing(level: float, t: int) -> float | None:
    """The largest beta_2 with rho_t <= `level`, which grows with beta_2 from 1 to t; None where it never gets there."""
    if not 1 < level < t:
        return None
    low, high = 0.0, math.nextafter(1, 0)
    if sma(high, t, FLOAT64) <= level:
        return None
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if sma(middle, t, FLOAT64) <= level else (low, middle)
    return low


def _values(kind: str, rng: np.random.Generator, shape: tuple[int, ...], h: Hyperparameters) -> dict[str, Array]:
    """theta, g, m and v of one parameter: unlike, alike, such that what is added cancels, or no moments yet."""

    def signed(low: float, high: float) -> Array:
        return np.asarray(rng.choice([-1.0, 1.0], size=shape) * 10.0 ** rng.uniform(low, high, size=shape))

    if kind == "decades":
        g, m, root, theta = (signed(_SMALLEST, _LARGEST) for _ in range(4))
    else:
        g = signed(*sorted(rng.uniform(_SMALLEST, _LARGEST, size=2)))
        m, root, theta = (g * signed(-1, 1), g * signed(-1, 1), signed(-3, 3))
    if kind == "cancelling":
        near = 1 + signed(-16, -1)
        m = -g * near * ((1 - h.beta_1) / h.beta_1 if h.beta_1 > 1e-9 else 1.0)
        theta = near * signed(-6, 1)  # of the size of a step
    if kind == "start":
        m, root = np.zeros(shape), np.zeros(shape)
    return {"g": np.where(rng.random(shape) < 0.1, 0.0, g), "m": m, "v": root * root, "theta": theta}


def _gradient(d: Dialect, point: Point, rng: np.random.Generator, g: Array) -> Any:
    if point["absent"] and rng.random() < 0.3:
        return None
    if point["rows"] == "dense" or (point["rows"] == "mixed" and rng.random() < 0.5):
        return g
    summed = s.sum_duplicate_rows in d.stages
    count = int(rng.integers(0, 2 * len(g) if summed else len(g) + 1))
    rows = rng.choice(len(g), size=count, replace=summed)
    signs = rng.choice([1.0, -1.0], size=(count, *[1] * (g.ndim - 1)))
    return rows, signs * g[rng.integers(0, len(g), size=count)]
