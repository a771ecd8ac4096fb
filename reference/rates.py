"""Stages that form the learning rate and the weight decay of a step, before anything is multiplied by them."""

from __future__ import annotations

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.schedules import warmed_up
from reference.stages import Working


def scheduled_rate(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """learning_rate <- schedule(t - 1), which begins with learning_rate.

    (Keras, optimizers/legacy/optimizer_v2.py: _decayed_lr; tf_keras, optimizers/optimizer.py and Keras 3,
    optimizers/base_optimizer.py: learning_rate; of iterations as they were before the step)
    """
    if h.schedule is not None:
        p.learning_rate = h.schedule.after(p.t - 1, p.learning_rate, x)


def scheduled_weight_decay(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """weight_decay <- weight_decay_schedule(t - 1), which begins with weight_decay.

    (TF-Addons, optimizers/rectified_adam.py: _decayed_wd)
    """
    if h.weight_decay_schedule is not None:
        p.weight_decay = h.weight_decay_schedule.after(p.t - 1, p.weight_decay, x)


def scheduled_by_updates(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """learning_rate <- lr_scheduler(num_update), of base_lr = learning_rate.

    Parameters count one after the other, each when its turn comes, and num_update is the largest count of any by then:
    one that lags behind and stands before the others is asked for at their last step. What multiplies a parameter's
    learning rate multiplies the result. (MXNet, optimizer/optimizer.py: _update_count, _get_lrs)
    """
    if h.lr_scheduler is not None:
        p.learning_rate = h.lr_scheduler.at(p.num_update, p.learning_rate, x, h.begin_num_update)


def warm_up(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """learning_rate <- learning_rate t / w where t <= w, else rate + (min_lr - rate) min(t - w, d) / d, rate as it was.

    w = total_steps warmup_proportion, d = max(total_steps - w, 1); nothing where total_steps is 0.
    (TF-Addons, optimizers/rectified_adam.py: _prepare_local)
    """
    if h.total_steps:
        p.learning_rate = warmed_up(p.learning_rate, p.t, x, h.total_steps, h.warmup_proportion, h.min_lr)
