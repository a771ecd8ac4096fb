"""Two replicas on two logical CPU devices, which a process has from its start or not at all: prints m as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

(_cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(_cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def stepped(*, by_hand: bool) -> Any:
    """The optimizer after one step; the gradients of the replicas are 1 and 3."""
    with STRATEGY.scope():
        x, optimizer = tf.Variable(1.0), tf.keras.optimizers.legacy.Adam(beta_1=0.5)

    def replica() -> None:
        context = tf.distribute.get_replica_context()
        g = 1.0 + 2.0 * tf.cast(context.replica_id_in_sync_group, tf.float32)
        if by_hand:
            optimizer.apply_gradients([(context.all_reduce("sum", g), x)], experimental_aggregate_gradients=False)
        else:
            optimizer.apply_gradients([(g, x)])

    STRATEGY.run(replica)
    return optimizer


def outside() -> str:
    """What a step in the scope and in no replica raises."""
    with STRATEGY.scope():
        x, optimizer = tf.Variable(1.0), tf.keras.optimizers.legacy.Adam()
        try:
            optimizer.apply_gradients([(tf.constant(1.0), x)])
        except Exception as error:
            return type(error).__name__
    return "nothing"


m = {
    name: float(stepped(by_hand=by_hand).get_weights()[1])
    for name, by_hand in (("summed", False), ("by the caller", True))
}
print(json.dumps({**m, "outside": outside()}))
