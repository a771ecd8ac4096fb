"""What the caller of an Adam asks for; part of the contract, and imported from there."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from adapters.schedules import LR_SCHEDULERS, schedule_or_none
from adapters.schedules import ContractError as ContractError
from adapters.schedules import Schedule as Schedule


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What the caller asked for, in Keras spelling, as Python numbers (float64).

    An adapter translates to its framework's spelling and must take exactly the hyper-parameters that
    its claim names; the others always have their defaults, which mean "absent".

    Raises `ContractError` (a ValueError) for a value outside the accepted range.
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    adaptive_epsilon: bool = False
    """Epsilon is scaled by sqrt(1 - beta_2^t) (newer tf_keras)."""
    amsgrad: bool = False
    l2: float = 0.0
    """Coupled decay: g + l2 * theta enters the moments (MXNet ``wd``, torch ``weight_decay``)."""
    weight_decay: float = 0.0
    """Decoupled decay: theta shrinks beside the Adam step (tf_keras, TF-Addons, AdamW)."""
    rescale_grad: float = 1.0
    clip_gradient: float | None = None
    """Bound on abs(g) after rescaling (MXNet); None is off, 0 clips everything to zero."""
    sma_threshold: float = 5.0
    """Rectification acts from this length of the simple moving average on (TF-Addons, optax)."""
    epsilon_root: float = 0.0
    """Epsilon inside the root, beside the one outside (optax ``eps_root``)."""
    momentum_decay: float = 0.004
    """psi of NAdam's momentum schedule beta_1 (1 - 0.96^(t psi) / 2) (torch)."""
    sync_period: int | None = None
    """Lookahead synchronises in every step whose t it divides (TF-Addons); None is no Lookahead."""
    slow_step_size: float = 0.5
    """Share of the way to theta that the slow weights of Lookahead go then."""
    decay: float = 0.0
    """The learning rate is divided by 1 + decay (t - 1) (Keras' inverse time decay)."""
    clipvalue: float | None = None
    """Bound on abs(g), before anything else (Keras); None is off, 0 what the dialect says."""
    clipnorm: float | None = None
    """Bound on the norm of each parameter's gradient (Keras); as clipvalue, and not with global_clipnorm."""
    global_clipnorm: float | None = None
    """Bound on the norm of all parameters' gradients together (Keras); as clipvalue, and not with clipnorm."""
    lr_mult: tuple[float, ...] = ()
    """Factors of the learning rate, one per parameter (MXNet ``set_lr_mult``); () stands for 1 everywhere."""
    wd_mult: tuple[float, ...] = ()
    """Factors of l2, as lr_mult (MXNet ``set_wd_mult``)."""
    begin_num_update: int = 0
    """t of every parameter begins there (MXNet): its first step is number begin_num_update + 1."""
    ema_momentum: float | None = None
    """A moving average of the parameters keeps this share of itself in a step (Keras, use_ema); None is no average."""
    ema_overwrite_frequency: int | None = None
    """The average is written over the parameters in every step whose t it divides; None is never."""
    exclude_from_weight_decay: tuple[int, ...] = ()
    """Numbers of the parameters that weight_decay leaves alone (Keras)."""
    constraint: str | None = None
    """Of every parameter, at the end of a step (Keras): one of `CONSTRAINTS`.

    non_neg, unit_norm and max_norm with their defaults, min_max_norm with 1/2, 2 and a rate of 3/4; clip_weights, which
    keeps weights between -1/2 and 1/2, is a caller's own function.
    """
    schedule: Schedule | None = None
    """What becomes of the learning rate: in step t its value after t - 1 steps; decay and warm-up act on that."""
    weight_decay_schedule: Schedule | None = None
    """Likewise of weight_decay (TF-Addons)."""
    lr_scheduler: Schedule | None = None
    """What becomes of the learning rate, its base_lr, at the largest count of any parameter so far (MXNet)."""
    total_steps: int = 0
    """Of the warm-up of RectifiedAdam (TF-Addons); 0 is none."""
    warmup_proportion: float = 0.1
    """Share of total_steps in which the learning rate grows from 0."""
    min_lr: float = 0.0
    """What the learning rate has come down to after total_steps."""

    def __post_init__(self) -> None:
        for name in _NOT_NEGATIVE:
            _number(name, getattr(self, name), "a finite number >= 0", lambda x: x >= 0)
        for name in ("beta_1", "beta_2"):
            _number(name, getattr(self, name), "a number in [0, 1)", lambda x: 0 <= x < 1)
        for name in _CLIPS:
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), "None or a finite number >= 0", lambda x: x >= 0)
        if self.clipnorm is not None and self.global_clipnorm is not None:
            raise ContractError("global_clipnorm", self.global_clipnorm, "None where clipnorm is a number")
        for name in _PERIODS:
            if not (getattr(self, name) is None or _counts(getattr(self, name), 1)):
                raise ContractError(name, getattr(self, name), "None or a whole number >= 1")
        if self.ema_momentum is not None:
            _number("ema_momentum", self.ema_momentum, "None or a number in [0, 1]", lambda x: 0 <= x <= 1)
        excluded = self.exclude_from_weight_decay
        if not (isinstance(excluded, tuple) and all(_counts(i, 0) for i in excluded)):
            raise ContractError("exclude_from_weight_decay", excluded, "a tuple of numbers of parameters")
        if self.constraint not in (None, *CONSTRAINTS):
            raise ContractError("constraint", self.constraint, f"None, {', '.join(CONSTRAINTS)}")
        begin = self.begin_num_update
        if not isinstance(begin, int) or isinstance(begin, bool) or begin < 0:
            raise ContractError("begin_num_update", begin, "a whole number >= 0")
        for name in MULTIPLIERS:
            factors = getattr(self, name)
            if not isinstance(factors, tuple):
                raise ContractError(name, factors, "a tuple of finite numbers >= 0, one per parameter or none")
            for i, factor in enumerate(factors):
                _number(f"{name}[{i}]", factor, "a finite number >= 0", lambda x: x >= 0)
        _number("slow_step_size", self.slow_step_size, "a number in [0, 1]", lambda x: 0 <= x <= 1)
        for name in ("schedule", "weight_decay_schedule"):
            object.__setattr__(self, name, schedule_or_none(name, getattr(self, name)))
        object.__setattr__(self, "lr_scheduler", schedule_or_none("lr_scheduler", self.lr_scheduler, LR_SCHEDULERS))
        if self.lr_scheduler is not None and self.lr_scheduler["warmup_begin_lr"] > self.learning_rate:
            raise ContractError("lr_scheduler", self.lr_scheduler, "a warmup_begin_lr of at most learning_rate")
        if not isinstance(self.total_steps, int) or isinstance(self.total_steps, bool) or self.total_steps < 0:
            raise ContractError("total_steps", self.total_steps, "a whole number >= 0")
        _number("warmup_proportion", self.warmup_proportion, "a number in [0, 1]", lambda x: 0 <= x <= 1)
        for name in ("adaptive_epsilon", "amsgrad"):
            if not isinstance(getattr(self, name), bool):
                raise ContractError(name, getattr(self, name), "True or False")


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
_CLIPS = ("clip_gradient", "clipvalue", "clipnorm", "global_clipnorm")
_PERIODS = ("sync_period", "ema_overwrite_frequency")
CONSTRAINTS = ("non_neg", "max_norm", "unit_norm", "min_max_norm", "clip_weights")
MULTIPLIERS: tuple[str, ...] = ("lr_mult", "wd_mult")
"""Hyper-parameters that are one number per parameter."""
HYPERPARAMETERS: tuple[str, ...] = tuple(f.name for f in fields(Hyperparameters))


def _counts(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(name: str, value: object, accepted: str, test: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not test(value):
        raise ContractError(name, value, accepted)
