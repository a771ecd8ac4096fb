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


def averaged(pairs: Any) -> Any:
    """A caller's aggregator, which takes the mean of the replicas."""
    return [(tf.distribute.get_replica_context().all_reduce("mean", g), v) for g, v in pairs]


def largest(pairs: Any) -> Any:
    """One that looks at the gradients of all replicas."""
    context = tf.distribute.get_replica_context()
    return [(tf.reduce_max(context.all_gather(tf.reshape(g, [1]), 0)), v) for g, v in pairs]


def doubled(pairs: Any) -> Any:
    """One that asks no other replica; and a transformer."""
    return [(2.0 * g, v) for g, v in pairs]


def stepped(*, by_hand: bool = False, **given: Any) -> Any:
    """The optimizer after one step; the gradients of the replicas are 1 and 3."""
    with STRATEGY.scope():
        x, optimizer = tf.Variable(1.0), tf.keras.optimizers.legacy.Adam(beta_1=0.5, **given)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
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


WAYS: dict[str, dict[str, Any]] = {
    "summed": {},
    "by the caller": {"by_hand": True},
    "averaged": {"gradient_aggregator": averaged},
    "largest": {"gradient_aggregator": largest},
    "each by itself": {"gradient_aggregator": doubled},
    "averaged, then doubled": {"gradient_aggregator": averaged, "gradient_transformers": [doubled]},
    "aggregator passed over": {"by_hand": True, "gradient_aggregator": doubled},
}


def m(optimizer: Any) -> list[float]:
    """Of every replica."""
    return [float(of) for of in STRATEGY.experimental_local_results(optimizer.weights[1])]


print(json.dumps({name: m(stepped(**given)) for name, given in WAYS.items()} | {"outside": outside()}))
