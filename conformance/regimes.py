"""Random arrays, and the regimes of gradient sequences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adapters.contract import Array, Precision

# Random arrays out of uniform numbers by + - * and powers of two, so that they are the same on every
# machine and under every NumPy, whose pow, log and normal variates are not.


def initial(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A parameter; one element in ten is 0."""
    return bell(random, shape) * powers_of_two(random, (), -9, 2) * (random.random(shape) < 0.9)


def bell(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Bell-shaped, within +-3.5, of variance about 1."""
    return np.asarray(1.75 * (random.random((4, *shape)).sum(axis=0) - 2.0))


def whole(random: np.random.Generator, shape: tuple[int, ...], n: int) -> Array:
    """Whole numbers from 0 to n - 1."""
    return np.asarray(np.floor(n * random.random(shape)), dtype=np.int64)


def powers_of_two(random: np.random.Generator, shape: tuple[int, ...], low: int, high: int) -> Array:
    """Between 2^low and 2^high, as many in every octave."""
    return np.asarray(np.ldexp(1.0 + random.random(shape), low + whole(random, shape, high - low)))


def signs(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """-1 or 1."""
    return np.where(random.random(shape) < 0.5, -1.0, 1.0)


# Regimes: float64 arrays [steps, *shape] of magnitude about 1

Regime = Callable[[np.random.Generator, int, tuple[int, ...], Precision], Array]


def _normal(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    return bell(random, (steps, *shape))


def _decades(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Ten decades in one tensor."""
    return signs(random, (steps, *shape)) * powers_of_two(random, (steps, *shape), -27, 7)


def _alternating(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    size = np.abs(bell(random, shape)) + 0.1
    sign = (-1.0) ** np.arange(steps).reshape(-1, *[1] * len(shape))
    return sign * size


def _constant(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    return np.broadcast_to(bell(random, shape), (steps, *shape))


def _seldom(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Zero most of the time."""
    return bell(random, (steps, *shape)) * (random.random((steps, *shape)) < 0.2)


def _spike(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """One spike, then small gradients: where AMSGrad differs."""
    g = 1e-3 * bell(random, (steps, *shape))
    g[whole(random, (), steps)] *= 1e5
    return g


def _late(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Zeros from the start."""
    g = bell(random, (steps, *shape))
    g[: steps // 2] = 0
    return g


def _range(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """From squares that underflow to squares that, seldom, overflow: such an element is frozen from then on."""
    info = np.finfo(dtype)
    low, high = int(0.8 * info.minexp), int(0.49 * info.maxexp)
    return signs(random, (steps, *shape)) * powers_of_two(random, (steps, *shape), low, high)


def _halves(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Zero in one half of the first axis from step 2 on, in the other half in the next step, and so in turn."""
    g = bell(random, (steps, *shape))
    half = shape[0] // 2
    g[1::2, :half], g[2::2, half:] = 0, 0
    return g


REGIMES: dict[str, Regime] = {
    "normal": _normal,
    "decades": _decades,
    "alternating": _alternating,
    "constant": _constant,
    "seldom": _seldom,
    "spike": _spike,
    "late": _late,
    "range": _range,
}
"""Those that are drawn."""
EVERY: dict[str, Regime] = REGIMES | {"halves": _halves}
