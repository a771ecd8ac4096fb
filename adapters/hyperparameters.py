"""What the caller of an Adam asks for; part of the contract, and imported from there."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from adapters.schedules import ContractError as ContractError
from adapters.schedules import Schedule as Schedule
from adapters.schedules import schedule_or_none


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
    schedule: Schedule | None = None
    """What becomes of the learning rate: in step t its value after t - 1 steps; decay and warm-up act on that."""
    weight_decay_schedule: Schedule | None = None
    """Likewise of weight_decay (TF-Addons)."""
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
        period = self.sync_period
        if period is not None and not (isinstance(period, int) and not isinstance(period, bool) and period >= 1):
            raise ContractError("sync_period", period, "None or a whole number >= 1")
        _number("slow_step_size", self.slow_step_size, "a number in [0, 1]", lambda x: 0 <= x <= 1)
        for name in ("schedule", "weight_decay_schedule"):
            object.__setattr__(self, name, schedule_or_none(name, getattr(self, name)))
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
HYPERPARAMETERS: tuple[str, ...] = tuple(f.name for f in fields(Hyperparameters))


def _number(name: str, value: object, accepted: str, test: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not test(value):
        raise ContractError(name, value, accepted)
