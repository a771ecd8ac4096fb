"""A correct Adam as an optax transformation, and bugs of released optimizers planted in it, one factory each.

What another author would bring to ``--optax wrong_optax:factory``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class State(NamedTuple):
    count: Any
    mu: Any
    nu: Any


Direction = Callable[..., Any]


def _paper(m: Any, v: Any, g: Any, t: Any, b1: Any, b2: Any, eps: Any) -> Any:
    return m / (1 - b1**t) / (jnp.sqrt(v / (1 - b2**t)) + eps)


def _transformation(
    learning_rate: Any, b1: Any, b2: Any, eps: Any, weight_decay: Any, direction: Direction, first: int = 1
) -> optax.GradientTransformation:
    def init(params: Any) -> State:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return State(jnp.zeros([], jnp.int32), zeros, zeros)

    def update(updates: Any, state: State, params: Any = None) -> tuple[Any, State]:
        t = state.count + first
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, updates)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.nu, updates)
        moved = jax.tree.map(
            lambda m, v, g, p: -learning_rate * (direction(m, v, g, t, b1, b2, eps) + weight_decay * p),
            mu,
            nu,
            updates,
            params,
        )
        return moved, State(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


def plain(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Adam with decoupled decay."""
    return _transformation(learning_rate, b1, b2, eps, weight_decay, _paper)


def above_zero(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Right, but that it refuses 0; nothing is wrong with that."""
    if not (learning_rate > 0 and eps > 0):
        raise ValueError(f"{learning_rate}, {eps}")
    return plain(learning_rate, b1, b2, eps, weight_decay)


def scaled(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, scale: float = 1.0
) -> optax.GradientTransformation:
    """Looks at `scale` in its update alone."""

    def direction(*moments: Any) -> Any:
        return jnp.multiply(_paper(*moments), scale)

    return _transformation(learning_rate, b1, b2, eps, 0.0, direction)


def root_before_correction(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0
) -> optax.GradientTransformation:
    """eps_root is added to v and corrected for bias with it."""

    def direction(m: Any, v: Any, g: Any, t: Any, b1: Any, b2: Any, eps: Any) -> Any:
        return m / (1 - b1**t) / (jnp.sqrt((v + eps_root) / (1 - b2**t)) + eps)

    return _transformation(learning_rate, b1, b2, eps, 0.0, direction)


def lists_alone(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Of any tree but a list the first leaf alone is updated."""
    whole = plain(learning_rate, b1, b2, eps)

    def update(updates: Any, state: State, params: Any = None) -> tuple[Any, State]:
        moved, new = whole.update(updates, state, params)
        leaves, tree = jax.tree.flatten(moved)
        first = [leaves[0], *map(jnp.zeros_like, leaves[1:])]
        return moved if isinstance(moved, list) else jax.tree.unflatten(tree, first), new

    return optax.GradientTransformation(whole.init, update)


def epsilon_hat(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Epsilon hat where paper epsilon is documented."""

    def direction(m: Any, v: Any, g: Any, t: Any, b1: Any, b2: Any, eps: Any) -> Any:
        return jnp.sqrt(1 - b2**t) / (1 - b1**t) * m / (jnp.sqrt(v) + eps)

    return _transformation(learning_rate, b1, b2, eps, 0.0, direction)


def epsilon_inside(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Epsilon inside the root and nowhere else."""

    def direction(m: Any, v: Any, g: Any, t: Any, b1: Any, b2: Any, eps: Any) -> Any:
        return m / (1 - b1**t) / jnp.sqrt(v / (1 - b2**t) + eps)

    return _transformation(learning_rate, b1, b2, eps, 0.0, direction)


def no_momentum(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """The step uses g, the state keeps the average."""

    def direction(m: Any, v: Any, g: Any, t: Any, b1: Any, b2: Any, eps: Any) -> Any:
        return g / (jnp.sqrt(v / (1 - b2**t)) + eps)

    return _transformation(learning_rate, b1, b2, eps, 0.0, direction)


def step_ahead(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """The bias correction is that of the next step."""
    return _transformation(learning_rate, b1, b2, eps, 0.0, _paper, first=2)


def decay_without_rate(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """The decay is not multiplied by the learning rate (TF-Addons AdamW)."""
    return optax.chain(plain(learning_rate, b1, b2, eps), optax.add_decayed_weights(-weight_decay))


def ignores_nesterov(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, nesterov: bool = False
) -> optax.GradientTransformation:
    """``nesterov`` is accepted and ignored."""
    return optax.adam(learning_rate, b1, b2, eps)


def raw_maximum(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """AMSGrad's maximum is that of the raw moment, and is not corrected."""
    return optax.amsgrad(learning_rate, b1, b2, eps, bias_correction_nu=False)


class Products(NamedTuple):
    count: Any
    mu: Any
    nu: Any
    products: Any


def with_products(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Right, with b1^t and b2^t carried in the state."""
    inner = plain(learning_rate, b1, b2, eps)

    def init(params: Any) -> Products:
        return Products(*inner.init(params), jnp.ones(2))

    def update(updates: Any, state: Products, params: Any = None) -> tuple[Any, Products]:
        moved, new = inner.update(updates, State(*state[:3]), params)
        return moved, Products(*new, state.products * jnp.array([b1, b2]))

    return optax.GradientTransformation(init, update)


WRONG: dict[str, str | None] = {
    "epsilon_hat": None,
    "epsilon_inside": None,
    "no_momentum": None,
    "step_ahead": None,
    "decay_without_rate": None,
    "ignores_nesterov": "optax-nadam",
    "raw_maximum": None,
}
"""And the dialect that each claims."""


# What is refused


def other_state(
    learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Keeps no moments."""
    return optax.sgd(learning_rate)


def no_transformation(learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> float:
    return learning_rate


NUMBER = 3
