"""What a parameter has of its own: factors of the learning rate and of the L2 term."""

from __future__ import annotations

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.stages import Working


def multiply(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """learning_rate <- lr_mult learning_rate and l2 <- wd_mult l2, each with this parameter's own multiplier.

    (MXNet, optimizer/optimizer.py: _get_lrs, _get_wds)
    """
    if h.lr_mult:
        p.learning_rate = p.learning_rate * h.lr_mult[p.index]
    if h.wd_mult:
        p.l2 = p.l2 * h.wd_mult[p.index]
