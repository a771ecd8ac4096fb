"""The optimizers of TensorFlow 2.15's Keras and of TF-Addons, as ``model.fit`` runs them: inside a ``tf.function``."""

from __future__ import annotations

from typing import Any

from adapters.tensorflow_support import import_tensorflow, import_tensorflow_addons, read
from benchmarks.task import BETA_1, BETA_2, EPSILON, Array, Task


class KerasV2Fused:
    """``tf.keras.optimizers.legacy.Adam``: TensorFlow's kernel ``ResourceApplyAdam``."""

    operation = "ResourceApplyAdam"
    """What the traced function must hold, so that this is the code path that it says it is."""

    def __init__(self, task: Task) -> None:
        tf = self.tf = import_tensorflow()
        self.variables = [tf.Variable(tf.constant(theta)) for theta in task.parameters]
        self.gradients = [tf.constant(task.gradients[i]) for i in task.present]
        self.optimizer = self.make(task.learning_rate(0))
        moving = [self.variables[i] for i in task.present]
        self.place = {i: k for k, i in enumerate(task.present)}
        if hasattr(self.optimizer, "build"):
            self.optimizer.build(moving)

        def apply(gradients: Any) -> None:
            self.optimizer.apply_gradients(zip(gradients, moving, strict=True))

        self.apply = tf.function(apply)
        traced = {node.type for node in self.apply.get_concrete_function(self.gradients).graph.get_operations()}
        if self.operation not in traced:
            raise RuntimeError(f"{self.operation} is not in what {type(self).__name__} traced: {sorted(traced)}")

    def make(self, learning_rate: float) -> Any:
        """The optimizer."""
        adam = self.tf.keras.optimizers.legacy.Adam
        return adam(learning_rate=learning_rate, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)

    def step(self) -> None:
        """``apply_gradients``; on the CPU a function returns when it is done."""
        self.apply(self.gradients)

    def renew_gradients(self) -> None:
        """Copies, made while the old ones live; ``tf.identity`` would be the same memory."""
        self.gradients = [self.tf.raw_ops.DeepCopy(x=g) for g in self.gradients]

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """Out of the optimizer's slots."""
        if i not in self.place:
            return read(self.variables[i]), None, None
        m, v = self.slots(i)
        return read(self.variables[i]), read(m), read(v)

    def slots(self, i: int) -> tuple[Any, Any]:
        """m and v of variable `i`, which exist from the tracing on."""
        return self.optimizer.get_slot(self.variables[i], "m"), self.optimizer.get_slot(self.variables[i], "v")


class TfKeras(KerasV2Fused):
    """``tf.keras.optimizers.Adam``: one operation after the other."""

    operation = "AssignSubVariableOp"

    def make(self, learning_rate: float) -> Any:
        """The optimizer."""
        adam = self.tf.keras.optimizers.Adam
        return adam(learning_rate=learning_rate, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)

    def slots(self, i: int) -> tuple[Any, Any]:
        """Of ``Adam.build``, in the order of the variables."""
        return self.optimizer._momentums[self.place[i]], self.optimizer._velocities[self.place[i]]


class TfaRectified(KerasV2Fused):
    """``tfa.optimizers.RectifiedAdam``: one operation after the other."""

    operation = "GreaterEqual"

    def make(self, learning_rate: float) -> Any:
        """The optimizer."""
        rectified = import_tensorflow_addons().optimizers.RectifiedAdam
        return rectified(learning_rate=learning_rate, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
