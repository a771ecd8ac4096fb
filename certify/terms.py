"""The terms of every stage: what its rounding error is measured in.

An entry gives, at 50 digits, the sum of the absolute values of the terms of each quantity that the stage computes. It
comes from the formula itself: where a stage adds what it is given, the sum is the stage run on magnitudes. What a
stage writes and its entry does not name is moved and not computed, and not one bit of it may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference import averages, clipping, constraints, multipliers, rates
from reference import stages as s
from reference.hyperparameters import Hyperparameters
from reference.model import FORMATS
from reference.namespace import Namespace
from reference.running import Inexact, Running
from reference.stages import Stage, Working

Terms = Callable[[Working, Hyperparameters, Namespace], Mapping[str, Any]]
"""Of the quantities before the stage: each name that it computes, with the sum of the magnitudes of its terms."""

_SIGNED = ("theta", "m", "g", "direction", "learning_rate", "weight_decay")
"""The last two after a warm-up or a schedule, which round to either side of a last value of 0."""


class CannotCertify(ValueError):
    """A stage has no entry in `TERMS`, a hyper-parameter none in `certify.draws`, or what was named is not there."""


def moved(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    """Nothing is computed: exact."""
    return {}


def on_magnitudes(stage: Stage, *names: str) -> Terms:
    """`stage`, in which nothing is subtracted but the 1 - beta of its coefficients, run on magnitudes."""

    def terms(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
        positive = p.snapshot()
        for name in _SIGNED:
            value = getattr(p, name)
            setattr(positive, name, None if value is None else abs(value))
        stage(positive, h, x)
        return {name: getattr(positive, name) for name in names}

    return terms


def _decay_theta(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    return {"theta": abs(p.theta) + abs(p.learning_rate * p.weight_decay * p.theta)}


def _subtract(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    return {"theta": abs(p.theta) + abs(p.direction)}


def _lookahead(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    if p.slow is None:
        return {}
    size = abs(p.slow) + h.slow_step_size * (abs(p.theta) + abs(p.slow))
    return {"slow": size, "theta": size}


def _clip_norm(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    if h.clipnorm is None:
        return {}
    found = on_magnitudes(clipping.clip_norm, "g", "norm")(p, h, x)
    return {name: _of_sum(p.g.size, x) * size for name, size in found.items()}


def _global_norm(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    found = on_magnitudes(clipping.global_norm, "norm")(p, h, x)
    return found if h.global_clipnorm is None else {"norm": _of_sum(sum(g.size for g in p.all_g), x) * found["norm"]}


def _clip_global_norm(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    return {} if h.global_clipnorm is None else on_magnitudes(clipping.clip_global_norm, "g")(p, h, x)


def _clip_in_one_way(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    return _clip_norm(p, h, x) if h.clipnorm else _clip_global_norm(p, h, x) if h.global_clipnorm else {}


def _dense_by_global_norm(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    return on_magnitudes(clipping.dense_by_global_norm, "g")(p, h, x) if h.global_clipnorm else {}


def _of_sum(terms: int, x: Namespace) -> Any:
    return x.number(max(1.0, terms / 8))


def _average(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    if h.ema_momentum is None:
        return {}
    return {"average": h.ema_momentum * abs(p.average) + (1 - h.ema_momentum) * abs(p.theta)}


def _constrain(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
    exact = h.constraint in (None, "non_neg", "clip_weights")
    return {} if exact else on_magnitudes(constraints.constrain, "theta")(p, h, x)


def _by_running_error(stage: Stage, name: str) -> Terms:
    """What the running error analysis of the stage's own lines gives, in units roundoff: scalars, and functions."""

    def terms(p: Working, h: Hyperparameters, x: Namespace) -> Mapping[str, Any]:
        unit = x.number(2.0 ** -FORMATS["float64"][0])
        running = Running(unit, x)
        beside = p.snapshot()
        setattr(beside, name, Inexact(getattr(p, name), 0, running))
        stage(beside, h, running)
        found = getattr(beside, name)
        return {name: (found.error + unit * abs(found.value)) / unit}

    return terms


_DIRECTION = ("step_size", "denominator", "direction")

TERMS: dict[Stage, Terms] = {
    multipliers.multiply: on_magnitudes(multipliers.multiply, "learning_rate", "l2"),
    s.rescale: on_magnitudes(s.rescale, "g"),
    s.clip: moved,
    clipping.clip_values: moved,
    clipping.clip_norm: _clip_norm,
    clipping.global_norm: _global_norm,
    clipping.clip_global_norm: _clip_global_norm,
    clipping.clip_in_one_way: _clip_in_one_way,
    clipping.dense_by_global_norm: _dense_by_global_norm,
    s.l2: on_magnitudes(s.l2, "g"),
    s.square_rows: on_magnitudes(s.square_rows, "square"),
    s.sum_duplicate_rows: on_magnitudes(s.sum_duplicate_rows, "g", "square"),
    s.scatter_rows: moved,
    s.gather_rows: moved,
    s.restore_rows: moved,
    s.named_rows_move: moved,
    rates.scheduled_by_updates: _by_running_error(rates.scheduled_by_updates, "learning_rate"),
    rates.scheduled_rate: _by_running_error(rates.scheduled_rate, "learning_rate"),
    rates.warm_up: _by_running_error(rates.warm_up, "learning_rate"),
    rates.scheduled_weight_decay: _by_running_error(rates.scheduled_weight_decay, "weight_decay"),
    s.inverse_time_decay: on_magnitudes(s.inverse_time_decay, "learning_rate"),
    s.decay_theta: _decay_theta,
    s.decay_direction: on_magnitudes(s.decay_direction, "direction"),
    s.first_moment: on_magnitudes(s.first_moment, "m"),
    s.second_moment: on_magnitudes(s.second_moment, "v"),
    s.amsgrad_maximum: moved,
    s.corrected_maximum: on_magnitudes(s.corrected_maximum, "v_max"),
    s.zero_epsilon_is_default: moved,
    s.epsilon_as_given: on_magnitudes(s.epsilon_as_given, "epsilon"),
    s.epsilon_hat: on_magnitudes(s.epsilon_hat, *_DIRECTION),
    s.paper_epsilon: on_magnitudes(s.paper_epsilon, *_DIRECTION),
    s.root_epsilon: on_magnitudes(s.root_epsilon, *_DIRECTION),
    s.nesterov: on_magnitudes(s.nesterov, "denominator", "direction"),
    s.nesterov_schedule: on_magnitudes(s.nesterov_schedule, "denominator", "direction"),
    s.rectified: on_magnitudes(s.rectified, "rho_t", *_DIRECTION),
    s.rectified_hat: on_magnitudes(s.rectified_hat, "rho_t", *_DIRECTION),
    s.rectified_root: on_magnitudes(s.rectified_root, "rho_t", *_DIRECTION),
    s.subtract: _subtract,
    s.lookahead: _lookahead,
    averages.average: _average,
    averages.average_all: lambda p, h, x: {} if p.t == 1 else _average(p, h, x),
    averages.overwrite: moved,
    averages.overwrite_all: moved,
    constraints.constrain: _constrain,
}
"""A sum of n terms, rounded n - 1 times, is multiplied by n / 8 in its entry where n can be more than 8."""


def terms_of(stage: Stage) -> Terms:
    """The entry of `stage`; CannotCertify where there is none."""
    if stage not in TERMS:
        name = getattr(stage, "__name__", str(stage))
        raise CannotCertify(f"stage {name} has no terms; accepted: one with an entry in certify/terms.py")
    return TERMS[stage]
