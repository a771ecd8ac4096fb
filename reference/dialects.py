"""The dialects: each is a sequence of stages, and what counts its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from reference import averages, clipping, constraints, multipliers, rates
from reference import stages as s

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
_MXNET = _ADAM | {"l2", "rescale_grad", "clip_gradient", "lr_scheduler", "lr_mult", "wd_mult", "begin_num_update"}
_CLIPS = frozenset({"clipvalue", "clipnorm", "global_clipnorm"})
_KERAS_V2 = _ADAM | {"amsgrad", "decay", "schedule", "constraint"} | _CLIPS
_NEWER_KERAS = frozenset(
    {"weight_decay", "exclude_from_weight_decay", "ema_momentum", "ema_overwrite_frequency", "constraint"}
)
_WARM_UP = frozenset({"total_steps", "warmup_proportion", "min_lr"})
_RECTIFIED = _KERAS_V2 | {"weight_decay", "sma_threshold", "weight_decay_schedule"} | _WARM_UP
_LOOKAHEAD = frozenset({"sync_period", "slow_step_size"})
_MOMENTS = (s.first_moment, s.second_moment, s.amsgrad_maximum)
_CLIPPING = (clipping.clip_values, clipping.clip_norm, clipping.global_norm, clipping.clip_global_norm)
_ROWS = (
    clipping.dense_by_global_norm,
    s.square_rows,
    s.sum_duplicate_rows,
    s.scatter_rows,
    s.gather_rows,
    s.restore_rows,
    s.named_rows_move,
)
"""Stages that do nothing to a dense gradient."""
_AVERAGES = (averages.average, averages.overwrite, averages.average_all, averages.overwrite_all)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The declared semantics of one framework's optimizer."""

    name: str
    source: str
    """Where the formula was read: distribution, version, file."""
    stages: tuple[s.Stage, ...]
    step_count: Literal["optimizer", "parameter"]
    """optimizer: one t, which advances for parameters without gradient too. parameter: each its own."""
    hyperparameters: frozenset[str]

    @property
    def takes_rows(self) -> bool:
        """Whether the dialect says what a row-sparse gradient does."""
        return s.scatter_rows in self.stages or s.gather_rows in self.stages

    @property
    def looks_ahead(self) -> bool:
        """Whether there are slow weights beside the parameters, where a sync_period is given."""
        return s.lookahead in self.stages

    @property
    def rectifies(self) -> bool:
        """Whether rho_t decides between two branches."""
        return any(stage in s.RECTIFYING for stage in self.stages)

    def computes_as(self, other: Dialect) -> bool:
        """Whether the two are one formula on dense gradients, averages aside, as a lazy and its standard one."""

        def dense(d: Dialect) -> tuple[s.Stage, ...]:
            return tuple(stage for stage in d.stages if stage not in (*_ROWS, *_AVERAGES))

        return (dense(self), self.step_count) == (dense(other), other.step_count)


_TABLE = (
    Dialect(
        name="keras-v2-adam",
        source="keras 2.15.0, optimizers/legacy/adam.py and optimizer_v2.py",
        stages=(
            *_CLIPPING,
            s.sum_duplicate_rows,
            s.scatter_rows,
            *_MOMENTS,
            s.zero_epsilon_is_default,
            rates.scheduled_rate,
            s.inverse_time_decay,
            s.epsilon_hat,
            s.subtract,
            constraints.constrain,
        ),
        step_count="optimizer",
        hyperparameters=_KERAS_V2,
    ),
    Dialect(
        name="tf-keras-adam",
        source="keras 2.15.0 and tf_keras 2.21.0 (adaptive_epsilon), optimizers/adam.py and optimizer.py",
        stages=(
            clipping.global_norm,
            clipping.clip_in_one_way,
            s.sum_duplicate_rows,
            s.scatter_rows,
            rates.scheduled_rate,
            s.decay_theta,
            *_MOMENTS,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
            averages.average,
            averages.overwrite,
            constraints.constrain,
        ),
        step_count="optimizer",
        hyperparameters=_ADAM | {"amsgrad", "schedule", "adaptive_epsilon"} | _CLIPS | _NEWER_KERAS,
    ),
    Dialect(
        name="keras3-adam",
        source="keras 3.15.1, optimizers/adam.py and base_optimizer.py; backend/tensorflow/sparse.py",
        stages=(
            clipping.global_norm,
            clipping.clip_in_one_way,
            clipping.dense_by_global_norm,
            s.square_rows,
            s.sum_duplicate_rows,
            s.scatter_rows,
            rates.scheduled_rate,
            s.decay_theta,
            *_MOMENTS,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
            averages.average_all,
            averages.overwrite_all,
            constraints.constrain,
        ),
        step_count="optimizer",
        hyperparameters=_ADAM | {"amsgrad", "schedule"} | _CLIPS | _NEWER_KERAS,
    ),
    Dialect(
        name="mxnet2-adam",
        source="mxnet 2.0.0b1, optimizer/adam.py; src/operator/optimizer_op-inl.h",
        stages=(
            rates.scheduled_by_updates,
            multipliers.multiply,
            s.rescale,
            s.clip,
            s.scatter_rows,
            s.l2,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
        ),
        step_count="parameter",
        hyperparameters=_MXNET,
    ),
    Dialect(
        name="mxnet2-adam-lazy",
        source="mxnet 2.0.0b1, optimizer/adam.py with lazy_update=True; src/operator/optimizer_op-inl.h",
        stages=(
            rates.scheduled_by_updates,
            multipliers.multiply,
            s.gather_rows,
            s.rescale,
            s.clip,
            s.l2,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
            s.restore_rows,
        ),
        step_count="parameter",
        hyperparameters=_MXNET,
    ),
    Dialect(
        name="mxnet1-adam",
        source="mxnet 1.9.1, optimizer/optimizer.py: Adam with lazy_update=False",
        stages=(
            rates.scheduled_by_updates,
            multipliers.multiply,
            s.rescale,
            s.scatter_rows,
            s.l2,
            s.clip,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
        ),
        step_count="parameter",
        hyperparameters=_MXNET,
    ),
    Dialect(
        name="mxnet1-adam-lazy",
        source="mxnet 1.9.1, optimizer/optimizer.py: Adam, whose lazy_update is True by default",
        stages=(
            rates.scheduled_by_updates,
            multipliers.multiply,
            s.gather_rows,
            s.rescale,
            s.l2,
            s.clip,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
            s.restore_rows,
        ),
        step_count="parameter",
        hyperparameters=_MXNET,
    ),
    Dialect(
        name="tfa-rectified-adam",
        source="tensorflow-addons 0.23.0, optimizers/rectified_adam.py",
        stages=(
            *_CLIPPING,
            s.sum_duplicate_rows,
            s.scatter_rows,
            *_MOMENTS,
            s.zero_epsilon_is_default,
            rates.scheduled_rate,
            s.inverse_time_decay,
            rates.warm_up,
            rates.scheduled_weight_decay,
            s.rectified,
            s.decay_direction,
            s.named_rows_move,
            s.subtract,
            constraints.constrain,
        ),
        step_count="optimizer",
        hyperparameters=_RECTIFIED,
    ),
    Dialect(
        name="tfa-lookahead-keras-v2-adam",
        source="tensorflow-addons 0.23.0, optimizers/lookahead.py, around keras 2.15.0, optimizers/legacy/adam.py",
        stages=(
            *_CLIPPING,
            s.sum_duplicate_rows,
            s.scatter_rows,
            *_MOMENTS,
            s.zero_epsilon_is_default,
            rates.scheduled_rate,
            s.inverse_time_decay,
            s.epsilon_hat,
            s.subtract,
            s.lookahead,
            constraints.constrain,
        ),
        step_count="optimizer",
        hyperparameters=_KERAS_V2 | _LOOKAHEAD,
    ),
    Dialect(
        name="tfa-lookahead-rectified-adam",
        source="tensorflow-addons 0.23.0, optimizers/lookahead.py, around optimizers/rectified_adam.py",
        stages=(
            *_CLIPPING,
            s.sum_duplicate_rows,
            s.scatter_rows,
            *_MOMENTS,
            s.zero_epsilon_is_default,
            rates.scheduled_rate,
            s.inverse_time_decay,
            rates.warm_up,
            rates.scheduled_weight_decay,
            s.rectified,
            s.decay_direction,
            s.named_rows_move,
            s.subtract,
            s.lookahead,
            constraints.constrain,
        ),
        step_count="optimizer",
        hyperparameters=_RECTIFIED | _LOOKAHEAD,
    ),
    Dialect(
        name="torch-adam",
        source="torch 2.13.0, optim/adam.py",
        stages=(
            s.decay_theta,
            s.l2,
            *_MOMENTS,
            s.epsilon_as_given,
            s.paper_epsilon,
            s.subtract,
        ),
        step_count="parameter",
        hyperparameters=_ADAM | {"amsgrad", "l2", "weight_decay"},
    ),
    Dialect(
        name="torch-radam",
        source="torch 2.13.0, optim/radam.py",
        stages=(
            s.decay_theta,
            s.l2,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.rectified_hat,
            s.subtract,
        ),
        step_count="parameter",
        hyperparameters=_ADAM | {"l2", "weight_decay"},
    ),
    Dialect(
        name="torch-nadam",
        source="torch 2.13.0, optim/nadam.py",
        stages=(
            s.decay_theta,
            s.l2,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.nesterov_schedule,
            s.subtract,
        ),
        step_count="parameter",
        hyperparameters=_ADAM | {"l2", "weight_decay", "momentum_decay"},
    ),
    Dialect(
        name="torch-sparse-adam",
        source="torch 2.13.0, optim/sparse_adam.py, _functional.py; a dense gradient, which it refuses, is all rows",
        stages=(
            s.sum_duplicate_rows,
            s.gather_rows,
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.epsilon_hat,
            s.subtract,
            s.restore_rows,
        ),
        step_count="parameter",
        hyperparameters=_ADAM,
    ),
    Dialect(
        name="optax-adam",
        source="optax 0.2.8, _src/alias.py: adam, adamw, amsgrad; _src/transform.py: scale_by_adam, scale_by_amsgrad",
        stages=(
            s.first_moment,
            s.second_moment,
            s.corrected_maximum,
            s.epsilon_as_given,
            s.root_epsilon,
            s.decay_direction,
            s.subtract,
        ),
        step_count="optimizer",
        hyperparameters=_ADAM | {"amsgrad", "epsilon_root", "weight_decay"},
    ),
    Dialect(
        name="optax-radam",
        source="optax 0.2.8, _src/transform.py: scale_by_radam",
        stages=(
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.rectified_root,
            s.subtract,
        ),
        step_count="optimizer",
        hyperparameters=_ADAM | {"epsilon_root", "sma_threshold"},
    ),
    Dialect(
        name="optax-nadam",
        source="optax 0.2.8, _src/alias.py: nadam, nadamw; _src/transform.py: scale_by_adam with nesterov",
        stages=(
            s.first_moment,
            s.second_moment,
            s.epsilon_as_given,
            s.nesterov,
            s.decay_direction,
            s.subtract,
        ),
        step_count="optimizer",
        hyperparameters=_ADAM | {"epsilon_root", "weight_decay"},
    ),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({d.name: d for d in _TABLE})


def dialect(name: str) -> Dialect:
    """The dialect called `name`; ValueError naming the known ones otherwise."""
    if name not in DIALECTS:
        raise ValueError(f"dialect is {name!r}; accepted: {', '.join(DIALECTS)}")
    return DIALECTS[name]
