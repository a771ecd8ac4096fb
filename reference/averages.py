"""Keras' exponential moving average of the parameters, and what it is written over."""

from __future__ import annotations

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.stages import Stage, Working


def average(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """average <- ema_momentum average + (1 - ema_momentum) theta, from the initial theta on.

    (tf_keras, optimizers/optimizer.py: _update_model_variables_moving_average)
    """
    if h.ema_momentum is not None:
        p.average = h.ema_momentum * p.average + (1 - h.ema_momentum) * p.theta


def average_all(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """`average`, also of parameters without gradient; in step 1 average <- theta.

    (Keras 3, optimizers/base_optimizer.py: _update_model_variables_moving_average, whose momentum is 0 there)
    """
    if p.t == 1:
        p.average = None if h.ema_momentum is None else p.theta
    else:
        average(p, h, x)


def overwrite(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """theta <- average, where ema_overwrite_frequency divides t.

    (tf_keras, optimizers/optimizer.py: _distributed_apply_gradients_fn)
    """
    if overwrites(p.t, h):
        p.theta = p.average


def overwrite_all(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """`overwrite`, also of parameters without gradient.

    (Keras 3, optimizers/base_optimizer.py: _backend_apply_gradients)
    """
    overwrite(p, h, x)


def overwrites(t: int, h: Hyperparameters) -> bool:
    """Whether step t writes the average over theta."""
    every = h.ema_overwrite_frequency
    return h.ema_momentum is not None and every is not None and t % every == 0


WITHOUT_GRADIENT: frozenset[Stage] = frozenset({average_all, overwrite_all})
"""Stages of parameters that have no gradient too."""
