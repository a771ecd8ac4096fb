"""Keras' clipping of gradients, each as it comes: rows that are named several times are not summed yet."""

from __future__ import annotations

import numpy as np

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.stages import Working


def clip_values(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- min(max(g, -c), c) with c = clipvalue.

    (Keras, optimizers/legacy/optimizer_v2.py: _transform_gradients; optimizers/utils.py: make_gradient_clipvalue_fn)
    """
    if h.clipvalue is not None:
        p.g = np.minimum(np.maximum(p.g, -h.clipvalue), h.clipvalue)


def clip_in_one_way(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """As `clip_values`, where clipvalue is above 0. (tf_keras, optimizers/optimizer.py: _clip_gradients)"""
    if h.clipvalue:
        clip_values(p, h, x)
