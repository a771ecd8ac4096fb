"""A number that changes from step to step: schedules, and the warm-up of RectifiedAdam.

A schedule is a function of the value that it begins with and of k, the number of steps that are behind; k = t - 1 in
step t. Those of MXNet (`reference.schedules_mxnet`) count otherwise. Steps are whole numbers, and what is a quotient of
them is floored exactly. All scalars.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from reference import schedules_mxnet as mxnet
from reference.namespace import Namespace

Formula = Callable[..., Any]
"""(first value, steps behind, namespace, numbers of the schedule by name) -> value; MXNet's: see there."""


def exponential(first: Any, k: int, x: Namespace, *, decay_steps: int, decay_rate: Any, staircase: bool) -> Any:
    """first decay_rate^(k / decay_steps), the exponent floored if staircase.

    (Keras, optimizers/schedules/learning_rate_schedule.py: ExponentialDecay)
    """
    return first * x.power(x.number(decay_rate), _periods(k, decay_steps, x, floored=staircase))


def inverse_time(first: Any, k: int, x: Namespace, *, decay_steps: int, decay_rate: Any, staircase: bool) -> Any:
    """first / (1 + decay_rate k / decay_steps), the quotient floored if staircase. (as above: InverseTimeDecay)"""
    return first / (1 + x.number(decay_rate) * _periods(k, decay_steps, x, floored=staircase))


def polynomial(
    first: Any, k: int, x: Namespace, *, decay_steps: int, end_learning_rate: Any, power: Any, cycle: bool
) -> Any:
    """(first - end) (1 - k / n)^power + end with n = decay_steps, at which k stops.

    If cycle, n = decay_steps max(1, ceil(k / decay_steps)). (as above: PolynomialDecay)
    """
    end = x.number(end_learning_rate)
    n = decay_steps * max(1, -(-k // decay_steps)) if cycle else decay_steps
    left = 1 - x.number(min(k, n)) / x.number(n)
    return (first - end) * x.power(left, x.number(power)) + end


def piecewise_constant(first: Any, k: int, x: Namespace, *, boundaries: Any, values: Any) -> Any:
    """first up to and with k = boundaries[0], from there values[0] up to and with boundaries[1], ...

    (as above: PiecewiseConstantDecay, whose values begin with `first`)
    """
    passed = sum(k > boundary for boundary in boundaries)
    return x.number(values[passed - 1]) if passed else first


def cosine(
    first: Any, k: int, x: Namespace, *, decay_steps: int, alpha: Any, warmup_target: Any, warmup_steps: int
) -> Any:
    """first ((1 - alpha) (1 + cos(pi k / n)) / 2 + alpha) with n = decay_steps, at which k stops.

    With a warmup_target, first + (target - first) k / warmup_steps for k < warmup_steps, and from there as above, from
    the target on and with k - warmup_steps. (as above: CosineDecay)
    """
    if warmup_target is not None:
        target = x.number(warmup_target)
        if k < warmup_steps:
            return (target - first) * (x.number(k) / x.number(warmup_steps)) + first
        first, k = target, k - warmup_steps
    return _cosine(first, x.number(min(k, decay_steps)) / x.number(decay_steps), x.number(1), alpha, x)


def cosine_restarts(
    first: Any, k: int, x: Namespace, *, first_decay_steps: int, t_mul: Any, m_mul: Any, alpha: Any
) -> Any:
    """first ((1 - alpha) m_mul^i (1 + cos(pi p)) / 2 + alpha) after i restarts, in the share p of the next period.

    Periods are of first_decay_steps t_mul^i steps. (as above: CosineDecayRestarts)
    """
    return cosine_after(restarts(k, first_decay_steps, t_mul), first, k, x, first_decay_steps, t_mul, m_mul, alpha)


def cosine_after(
    i: int, first: Any, k: int, x: Namespace, first_decay_steps: int, t_mul: Any, m_mul: Any, alpha: Any
) -> Any:
    """As `cosine_restarts`, where i restarts are behind."""
    periods, factor = x.number(k) / x.number(first_decay_steps), x.number(t_mul)
    if t_mul == 1:
        share = periods - i
    else:
        length = x.power(factor, x.number(i))
        share = (periods - (1 - length) / (1 - factor)) / length
    return _cosine(first, share, x.power(x.number(m_mul), x.number(i)), alpha, x)


def restarts(k: int, first_decay_steps: int, t_mul: Any) -> int:
    """The largest i for which 1 + t_mul + ... + t_mul^(i - 1) <= k / first_decay_steps, with 120 decimal digits."""
    if t_mul == 1:
        return k // first_decay_steps
    with localcontext(Context(prec=120)):
        left, length, factor, i = Decimal(k), Decimal(first_decay_steps), Decimal(t_mul), 0
        while left >= length:
            left, length, i = left - length, length * factor, i + 1
    return i


def inverse_root(first: Any, k: int, x: Namespace, *, decay_steps: int) -> Any:
    """first / sqrt(1 + k / decay_steps): a schedule of the caller's own."""
    return first / x.sqrt(1 + x.number(k) / x.number(decay_steps))


def _periods(k: int, decay_steps: int, x: Namespace, *, floored: bool) -> Any:
    return x.number(k // decay_steps) if floored else x.number(k) / x.number(decay_steps)


def _cosine(first: Any, share: Any, factor: Any, alpha: Any, x: Namespace) -> Any:
    least = x.number(alpha)
    return first * ((1 - least) * (factor * (1 + x.cos(x.pi * share)) / 2) + least)


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "exponential": exponential,
        "inverse_time": inverse_time,
        "polynomial": polynomial,
        "piecewise_constant": piecewise_constant,
        "cosine": cosine,
        "cosine_restarts": cosine_restarts,
        "inverse_root": inverse_root,
        "mxnet_factor": mxnet.factor,
        "mxnet_multi_factor": mxnet.multi_factor,
        "mxnet_poly": mxnet.poly,
        "mxnet_cosine": mxnet.cosine,
    }
)
LR_SCHEDULERS = frozenset(name for name, formula in FORMULAS.items() if formula.__module__ == mxnet.__name__)
"""Those that an lr_scheduler is one of; a schedule is one of the others."""


@dataclass(frozen=True)
class Schedule:
    """A name out of `FORMULAS`, and all the numbers that the formula asks for, which are kept in their order by name.

    Raises ValueError, naming argument, value and what is accepted.
    """

    name: str
    numbers: tuple[tuple[str, Any], ...]

    def __post_init__(self) -> None:
        if self.name not in FORMULAS:
            raise ValueError(f"schedule is {self.name!r}; accepted: {', '.join(FORMULAS)}")
        given, wanted = dict(self.numbers), inspect.signature(FORMULAS[self.name]).parameters
        asked = {key for key, parameter in wanted.items() if parameter.kind is parameter.KEYWORD_ONLY}
        if given.keys() != asked:
            raise ValueError(f"numbers of {self.name} are {sorted(given)}; accepted: {', '.join(sorted(asked))}")
        for key, value in given.items():
            accepted, test = _ACCEPTED[key]
            if not test(value):
                raise ValueError(f"{self.name}.{key} is {value!r}; accepted: {accepted}")
        if self.name == "piecewise_constant" and len(given["values"]) != len(given["boundaries"]):
            raise ValueError(f"{self.name}.values is {given['values']!r}; accepted: as many as boundaries")
        if given.get("max_update") == given.get("warmup_steps", 0):
            raise ValueError(f"{self.name}.warmup_steps is {given['warmup_steps']!r}; accepted: other than max_update")
        object.__setattr__(self, "numbers", tuple(sorted(self.numbers)))

    def after(self, k: int, first: Any, x: Namespace) -> Any:
        """What has become of `first` after k steps."""
        return FORMULAS[self.name](first, k, x, **dict(self.numbers))

    def at(self, num_update: int, base_lr: Any, x: Namespace, begin_num_update: int) -> Any:
        """What one of MXNet's gives for a parameter at whose turn the largest count is `num_update`."""
        return FORMULAS[self.name](base_lr, num_update, x, begin_num_update, **dict(self.numbers))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _rise(values: Any, least: int) -> bool:
    each = values if isinstance(values, tuple) else ()
    return bool(each) and all(_whole(n, least) for n in each) and all(a < b for a, b in pairwise(each))


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


_STEPS: tuple[str, Callable[[Any], bool]] = ("a whole number >= 1", lambda n: _whole(n, 1))
_RATE: tuple[str, Callable[[Any], bool]] = ("a finite number >= 0", _real)
_FACTOR: tuple[str, Callable[[Any], bool]] = ("a finite number > 0", lambda x: _real(x) and x > 0)
_SHARE: tuple[str, Callable[[Any], bool]] = ("a number in [0, 1]", lambda x: _real(x) and x <= 1)
_SWITCH: tuple[str, Callable[[Any], bool]] = ("True or False", lambda b: isinstance(b, bool))
_ACCEPTED: Mapping[str, tuple[str, Callable[[Any], bool]]] = MappingProxyType(
    {
        "decay_steps": _STEPS,
        "first_decay_steps": _STEPS,
        "warmup_steps": ("a whole number >= 0", lambda n: _whole(n, 0)),
        "decay_rate": _RATE,
        "end_learning_rate": _RATE,
        "warmup_target": ("None or a finite number >= 0", lambda x: x is None or _real(x)),
        "alpha": _SHARE,
        "power": _FACTOR,
        "m_mul": _FACTOR,
        "t_mul": ("a finite number >= 1", lambda x: _real(x) and x >= 1),
        "staircase": _SWITCH,
        "cycle": _SWITCH,
        "boundaries": ("whole numbers >= 0 that rise", lambda ns: _rise(ns, 0)),
        "values": ("finite numbers >= 0", lambda xs: all(map(_real, xs))),
        "step": _STEPS,
        "steps": ("whole numbers >= 1 that rise", lambda ns: _rise(ns, 1)),
        "factor": _SHARE,
        "stop_factor_lr": _RATE,
        "max_update": _STEPS,
        "pwr": _FACTOR,
        "final_lr": _RATE,
        "warmup_begin_lr": _RATE,
        "warmup_mode": ("linear, constant", lambda mode: mode in ("linear", "constant")),
    }
)


def warmed_up(rate: Any, t: int, x: Namespace, total_steps: int, warmup_proportion: Any, min_lr: Any) -> Any:
    """The learning rate of step t of a warm-up; see `reference.rates.warm_up`."""
    step, one, total = x.number(t), x.number(1), x.number(total_steps)
    w = total * warmup_proportion
    d = x.at_most(total - w, one, lambda: one, lambda: total - w)
    down = x.at_most(step - w, d, lambda: step - w, lambda: d)
    return x.at_most(step, w, lambda: rate * (step / w), lambda: rate + (min_lr - rate) / d * down)
