"""MXNet 2's Adam through its operator ``adam_update``."""

from __future__ import annotations

import os
import warnings
from typing import Any

from benchmarks.task import BETA_1, BETA_2, EPSILON, Array, Task


class Fused:
    """``mxnet.optimizer.Adam(use_fused_step=True)`` on dense weights."""

    def __init__(self, task: Task) -> None:
        os.environ.setdefault("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated NumPy aliases
            import mxnet

        self.mxnet: Any = mxnet
        self.weights = [mxnet.nd.array(theta, dtype=theta.dtype) for theta in task.parameters]
        self.present = list(task.present)
        self.moving = [self.weights[i] for i in self.present]
        self.gradients = [mxnet.nd.array(task.gradients[i], dtype="float32") for i in self.present]
        self.optimizer = mxnet.optimizer.Adam(
            learning_rate=task.learning_rate(0),
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=EPSILON,
            use_fused_step=True,
            lazy_update=False,
        )
        self.states = [self.optimizer.create_state(i, self.weights[i]) for i in self.present]
        self.place = {i: k for k, i in enumerate(self.present)}
        mxnet.nd.waitall()

    def step(self) -> None:
        """``Optimizer.update`` of all weights, waited for."""
        self.optimizer.update(self.present, self.moving, self.gradients, self.states)
        self.mxnet.nd.waitall()

    def renew_gradients(self) -> None:
        """Copies, made while the old ones live."""
        self.gradients = [g.copy() for g in self.gradients]
        self.mxnet.nd.waitall()

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """Copies."""
        if i not in self.place:
            return self.weights[i].asnumpy(), None, None
        m, v = self.states[self.place[i]]
        return self.weights[i].asnumpy(), m.asnumpy(), v.asnumpy()
