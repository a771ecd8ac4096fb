"""``fused_adam.numpy.Adam`` in the dialects of the peers."""

from __future__ import annotations

import numpy as np

from benchmarks.task import BETA_1, BETA_2, EPSILON, Array, Task


class Torch:
    """Dialect "torch-adam"."""

    dialect = "torch-adam"

    def __init__(self, task: Task) -> None:
        from fused_adam.numpy import Adam  # here, so that a first step pays for it

        self.optimizer = Adam(
            [np.array(theta) for theta in task.parameters],
            dialect=self.dialect,
            learning_rate=task.learning_rate(0),
            beta_1=BETA_1,
            beta_2=BETA_2,
            epsilon=EPSILON,
        )
        self.gradients = [None if g is None else np.array(g) for g in task.gradients]

    def step(self) -> None:
        """``Adam.step``."""
        self.optimizer.step(self.gradients)

    def renew_gradients(self) -> None:
        """Copies, made while the old ones live."""
        self.gradients = [None if g is None else g.copy() for g in self.gradients]

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """The live arrays."""
        return self.optimizer.parameters[i], self.optimizer.m[i], self.optimizer.v[i]


class KerasV2(Torch):
    """Dialect "keras-v2-adam"."""

    dialect = "keras-v2-adam"


class TfKeras(Torch):
    """Dialect "tf-keras-adam"."""

    dialect = "tf-keras-adam"


class TfaRectified(Torch):
    """Dialect "tfa-rectified-adam"."""

    dialect = "tfa-rectified-adam"


class Mxnet2(Torch):
    """Dialect "mxnet2-adam"."""

    dialect = "mxnet2-adam"


class Empty(Torch):
    """`Torch` over a driver that computes nothing: what our face and engine cost."""

    def __init__(self, task: Task) -> None:
        from benchmarks.empty_driver import empty_driver

        super().__init__(task)
        with empty_driver():
            self.step()  # binds the driver
