"""optax's Adam, jitted as one function with donated buffers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.task import BETA_1, BETA_2, EPSILON, Array, Task


class Optax:
    """``optax.adam``, or ``optax.multi_transform`` of one per group, and ``optax.apply_updates``.

    A parameter without gradient is no part of the tree: optax has no other way to leave it out.
    """

    def __init__(self, task: Task) -> None:
        self.place = {i: k for k, i in enumerate(task.present)}
        self.fixed = task.parameters
        self.parameters = [jnp.array(task.parameters[i]) for i in task.present]
        self.gradients = [jnp.array(task.gradients[i]) for i in task.present]
        self.group_of = {i: k for k, members in enumerate(task.groups) for i in members}
        optimizers = {k: self._adam(task.learning_rate(k)) for k in range(len(task.groups))}
        if len(optimizers) == 1:
            optimizer = optimizers[0]
        else:
            optimizer = optax.multi_transform(optimizers, [self.group_of[i] for i in task.present])
        self.state = optimizer.init(self.parameters)

        def update(parameters: Any, state: Any, gradients: Any) -> Any:
            updates, state = optimizer.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state

        self.update = jax.jit(update, donate_argnums=(0, 1))

    @staticmethod
    def _adam(learning_rate: float) -> Any:
        return optax.adam(learning_rate, b1=BETA_1, b2=BETA_2, eps=EPSILON)

    def step(self) -> None:
        """One call of the jitted function, waited for."""
        self.parameters, self.state = jax.block_until_ready(self.update(self.parameters, self.state, self.gradients))

    def renew_gradients(self) -> None:
        """Copies, made while the old ones live."""
        self.gradients = jax.block_until_ready([jnp.copy(g) for g in self.gradients])

    def read(self, i: int) -> tuple[Array, Array | None, Array | None]:
        """Out of ``ScaleByAdamState``; copies, because a view would keep a buffer from being donated."""
        if i not in self.place:
            return self.fixed[i], None, None
        k = self.place[i]
        state = self.state
        if isinstance(state, optax.MultiTransformState):
            state = state.inner_states[self.group_of[i]].inner_state
        adam = state[0]
        return np.array(self.parameters[k]), np.array(adam.mu[k]), np.array(adam.nu[k])
