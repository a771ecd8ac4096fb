"""Keras' clipping of gradients, each as it comes: rows that are named several times are not summed yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace, quotient
from reference.stages import Working, scatter_rows, sum_duplicate_rows


def clip_values(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- min(max(g, -c), c) with c = clipvalue.

    (Keras, optimizers/legacy/optimizer_v2.py: _transform_gradients; optimizers/utils.py: make_gradient_clipvalue_fn)
    """
    if h.clipvalue is not None:
        p.g = np.minimum(np.maximum(p.g, -h.clipvalue), h.clipvalue)


def clip_norm(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- g c / max(|g|, c) with c = clipnorm and |g| the root of the sum of the squares of all elements of g.

    Where both are 0, 0 / 0. (TensorFlow, python/ops/clip_ops.py: clip_by_norm)
    """
    if h.clipnorm is not None:
        p.norm = _norm([p.g], x)
        _scale(p, h.clipnorm)


def global_norm(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """norm <- the root of the sum of the squares of all elements of all parameters' g; none where there is no g.

    (TensorFlow, python/ops/clip_ops.py: global_norm)
    """
    if h.global_clipnorm is not None:
        p.norm = _norm(p.all_g, x)


def clip_global_norm(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """g <- g c / max(norm, c) with c = global_clipnorm.

    Where both are 0, 0 / 0. (TensorFlow, python/ops/clip_ops.py: clip_by_global_norm)
    """
    if h.global_clipnorm is not None:
        _scale(p, h.global_clipnorm)


def clip_in_one_way(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """Clipped by the first that is above 0 of clipnorm, global_clipnorm and clipvalue.

    (tf_keras, optimizers/optimizer.py and Keras 3, optimizers/base_optimizer.py: _clip_gradients)
    """
    if h.clipnorm:
        clip_norm(p, h, x)
    elif h.global_clipnorm:
        clip_global_norm(p, h, x)
    elif h.clipvalue:
        clip_values(p, h, x)


def dense_by_global_norm(p: Working, h: Hyperparameters, x: Namespace) -> None:
    """With global_clipnorm rows become a dense gradient, and their duplicates one sum, before anything is squared.

    (Keras 3, optimizers/base_optimizer.py: clip_by_global_norm, whose product of IndexedSlices is a dense tensor)
    """
    if h.global_clipnorm:
        sum_duplicate_rows(p, h, x)
        scatter_rows(p, h, x)
        p.rows = None


def _norm(gradients: Iterable[Any], x: Namespace) -> Any:
    return x.sqrt(sum((x.number(np.sum(g * g)) for g in gradients), start=x.number(0)))


def _scale(p: Working, limit: Any) -> None:
    p.g = quotient(limit, max(p.norm, limit)) * p.g
