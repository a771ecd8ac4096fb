"""Replicas of a Keras optimizer: ``MirroredStrategy`` on two logical CPU devices."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from adapters.contract import Array, Gradient, State

DEVICES = ("CPU:0", "CPU:1")


def offer_devices(tensorflow: Any) -> None:
    """Two logical devices of the CPU, which a process has before TensorFlow's first operation or not at all."""
    config = tensorflow.config
    with suppress(RuntimeError):  # TensorFlow has begun already
        (cpu,) = config.list_physical_devices("CPU")
        config.set_logical_device_configuration(cpu, [config.LogicalDeviceConfiguration()] * len(DEVICES))


@cache
def strategy(tensorflow: Any) -> Any:
    """One for the process: the collective operations of a second one would collide with those of the first."""
    return tensorflow.distribute.MirroredStrategy(DEVICES)


class ReplicatedRun:
    """Steps of all replicas together; `run` is of what was made in the scope of the strategy."""

    def __init__(self, tensorflow: Any, strategy: Any, run: Any) -> None:
        self._tensorflow, self._strategy, self._run = tensorflow, strategy, run

    def step_replicas(self, gradients: Sequence[Sequence[Gradient]], aggregate: bool) -> tuple[State, ...]:
        """One step from the gradients of every replica, and the state of each."""
        tf = self._tensorflow

        @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
        def replica() -> None:
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            own = gradients[int(tf.get_static_value(number))]
            self._run.apply(own, **({} if aggregate else {"experimental_aggregate_gradients": False}))

        self._strategy.run(replica)
        return tuple(self._run.state(partial(self._local, k)) for k in range(len(DEVICES)))

    def _local(self, replica: int, variable: Any) -> Array:
        """A copy of what the replica holds of a mirrored variable."""
        from adapters.tensorflow_support import read

        value = variable if hasattr(variable, "values") or callable(variable.value) else variable.value
        return read(self._strategy.experimental_local_results(value)[replica])
