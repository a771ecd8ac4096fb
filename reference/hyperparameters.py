"""Hyper-parameters of one step, as the formulas receive them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from reference.namespace import Namespace
from reference.schedules import LR_SCHEDULERS, Schedule


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Scalars of the formulas; the defaults of optional ones mean "absent".

    The bias correction has betas of its own, because implementations round beta separately on its
    way there (tf_keras: float32 there, double in the moments; MXNet 2's fused kernel: the reverse).
    None means: the same beta.

    Raises ValueError, naming argument, value and accepted range.
    """

    learning_rate: Any = 1e-3
    beta_1: Any = 0.9
    beta_2: Any = 0.999
    epsilon: Any = 1e-7
    adaptive_epsilon: bool = False
    amsgrad: bool = False
    l2: Any = 0.0
    weight_decay: Any = 0.0
    rescale_grad: Any = 1.0
    clip_gradient: Any = None
    sma_threshold: Any = 5.0
    epsilon_root: Any = 0.0
    momentum_decay: Any = 0.004
    sync_period: Any = None
    slow_step_size: Any = 0.5
    decay: Any = 0.0
    clipvalue: Any = None
    clipnorm: Any = None
    global_clipnorm: Any = None
    ema_momentum: Any = None
    ema_overwrite_frequency: Any = None
    exclude_from_weight_decay: tuple[int, ...] = ()
    constraint: str | None = None
    lr_mult: Any = ()
    wd_mult: Any = ()
    begin_num_update: Any = 0
    schedule: Schedule | None = None
    weight_decay_schedule: Schedule | None = None
    lr_scheduler: Schedule | None = None
    total_steps: int = 0
    warmup_proportion: Any = 0.1
    min_lr: Any = 0.0
    power_beta_1: Any = None
    power_beta_2: Any = None

    def __post_init__(self) -> None:
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if not _within(value, 0, math.inf):
                raise ValueError(f"{name} is {value!r}; accepted: a finite number >= 0")
        for name in ("beta_1", "beta_2", "power_beta_1", "power_beta_2"):
            value = getattr(self, name)
            if value is None and name.startswith("power"):
                object.__setattr__(self, name, getattr(self, name.removeprefix("power_")))
            elif not _within(value, 0, 1):
                raise ValueError(f"{name} is {value!r}; accepted: a number in [0, 1)")
        for name in _CLIPS:
            value = getattr(self, name)
            if value is not None and not _within(value, 0, math.inf):
                raise ValueError(f"{name} is {value!r}; accepted: None or a finite number >= 0")
        if self.clipnorm is not None and self.global_clipnorm is not None:
            raise ValueError(f"global_clipnorm is {self.global_clipnorm!r}; accepted: None where clipnorm is a number")
        for name in _PERIODS:
            period = getattr(self, name)
            if not (period is None or (_whole(period) and period >= 1)):
                raise ValueError(f"{name} is {period!r}; accepted: None or a whole number >= 1")
        for name in MULTIPLIERS:
            factors = getattr(self, name)
            if not (isinstance(factors, tuple) and all(_within(factor, 0, math.inf) for factor in factors)):
                raise ValueError(f"{name} is {factors!r}; accepted: (), or one finite number >= 0 per parameter")
        begin = self.begin_num_update
        if not (isinstance(begin, int) and not isinstance(begin, bool) and begin >= 0):
            raise ValueError(f"begin_num_update is {begin!r}; accepted: a whole number >= 0")
        momentum = self.ema_momentum
        if not (momentum is None or _within(momentum, 0, 1) or momentum == 1):
            raise ValueError(f"ema_momentum is {momentum!r}; accepted: None or a number in [0, 1]")
        excluded = self.exclude_from_weight_decay
        if not (isinstance(excluded, tuple) and all(_whole(i) and i >= 0 for i in excluded)):
            raise ValueError(f"exclude_from_weight_decay is {excluded!r}; accepted: a tuple of numbers of parameters")
        if self.constraint not in (None, *CONSTRAINTS):
            raise ValueError(f"constraint is {self.constraint!r}; accepted: None, {', '.join(CONSTRAINTS)}")
        for name in ("slow_step_size", "warmup_proportion"):
            value = getattr(self, name)
            if not (_within(value, 0, 1) or value == 1):
                raise ValueError(f"{name} is {value!r}; accepted: a number in [0, 1]")
        if not isinstance(self.total_steps, int) or isinstance(self.total_steps, bool) or self.total_steps < 0:
            raise ValueError(f"total_steps is {self.total_steps!r}; accepted: a whole number >= 0")
        for name in ("schedule", "weight_decay_schedule", "lr_scheduler"):
            value = getattr(self, name)
            of_mxnet = name == "lr_scheduler"
            if not (value is None or (isinstance(value, Schedule) and (value.name in LR_SCHEDULERS) == of_mxnet)):
                whose = "of MXNet's" if of_mxnet else "of others than MXNet's"
                raise ValueError(f"{name} is {value!r}; accepted: None or a reference.Schedule {whose}")

    def given(self) -> frozenset[str]:
        """Names whose value is not the default, the two betas of the bias correction aside."""
        return self._given

    def to(self, x: Namespace) -> Hyperparameters:
        """The same hyper-parameters as numbers of another arithmetic."""
        arithmetic: Any = x  # a Protocol does not say that it can be hashed
        if arithmetic not in self._converted:
            numbers: dict[str, Any] = {
                f.name: value
                if value is None or isinstance(value, bool | str | Schedule) or f.name in _AS_THEY_ARE
                else tuple(map(x.number, value))
                if f.name in MULTIPLIERS
                else x.number(value)
                for f in fields(self)
                for value in [getattr(self, f.name)]
            }
            self._converted[arithmetic] = Hyperparameters(**numbers)
        return self._converted[arithmetic]

    # Kept, because every step asks for both.

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(
            f.name for f in fields(self) if not f.name.startswith("power") and getattr(self, f.name) != f.default
        )

    @cached_property
    def _converted(self) -> dict[Any, Hyperparameters]:
        """By arithmetic."""
        return {}


_NOT_NEGATIVE = (
    "learning_rate",
    "epsilon",
    "l2",
    "weight_decay",
    "rescale_grad",
    "sma_threshold",
    "epsilon_root",
    "momentum_decay",
    "decay",
    "min_lr",
)
MULTIPLIERS = ("lr_mult", "wd_mult")
"""One number per parameter; none stand for 1."""
_CLIPS = ("clip_gradient", "clipvalue", "clipnorm", "global_clipnorm")
_PERIODS = ("sync_period", "ema_overwrite_frequency")
_AS_THEY_ARE = (*_PERIODS, "total_steps", "begin_num_update", "exclude_from_weight_decay")
CONSTRAINTS = ("non_neg", "max_norm", "unit_norm", "min_max_norm", "clip_weights")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(value: Any, low: float, high: float) -> bool:
    try:
        return bool(low <= value < high)
    except TypeError:
        return False
