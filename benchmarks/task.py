"""The numbers that every arm of a case starts from: parameters, gradients, groups, hyper-parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.architectures import Shape
from benchmarks.workloads import Case

Array = Any

LEARNING_RATE = 2.0**-10
BETA_1 = 1 - 2.0**-3
BETA_2 = 1 - 2.0**-10
EPSILON = 2.0**-24
"""Values that float32 holds exactly: whatever precision an arm receives them in, they are the same."""

_BLOCK = 2**20
_LEAST = 2.0**-10
"""Of |g|, so that no moment comes near the subnormals."""


@dataclass(frozen=True)
class Task:
    """One case in numbers. Arms copy what they take."""

    parameters: tuple[Array, ...]
    """float32."""
    gradients: tuple[Array, ...]
    """float32, of the parameters' shapes; None where the case gives none."""
    groups: tuple[range, ...]
    """Numbers of the parameters of each group."""

    @property
    def present(self) -> tuple[int, ...]:
        """Numbers of the parameters that have a gradient."""
        return tuple(i for i, g in enumerate(self.gradients) if g is not None)

    def learning_rate(self, group: int) -> float:
        """Another one in every group, as people have groups for; exact in float32."""
        return LEARNING_RATE * (1 + group / 128)


def make(case: Case, seed: int = 0) -> Task:
    """The task of `case`."""
    return of_shapes(case.shapes, groups=case.groups, absent=case.condition == "none-10", seed=seed)


def of_shapes(shapes: Sequence[Shape], *, groups: int = 1, absent: bool = False, seed: int = 0) -> Task:
    """Parameters of about 0.05, gradients of about 0.01 and at least 2^-10; a million values, repeated."""
    rng = np.random.default_rng(seed)
    theta = (0.05 * rng.standard_normal(_BLOCK)).astype(np.float32)
    g = (0.01 * rng.standard_normal(_BLOCK)).astype(np.float32)
    g = np.where(np.abs(g) < _LEAST, np.copysign(np.float32(_LEAST), g), g)
    first = 0
    parameters, gradients = [], []
    for i, shape in enumerate(shapes):
        parameters.append(_values(theta, first, shape))
        gradients.append(None if absent and i % 10 == 5 else _values(g, first, shape))
        first += math.prod(shape)
    bounds = [len(shapes) * k // groups for k in range(groups + 1)]
    return Task(tuple(parameters), tuple(gradients), tuple(map(range, bounds, bounds[1:])))


def _values(block: Array, first: int, shape: Shape) -> Array:
    size = math.prod(shape)
    begin = first % _BLOCK
    if begin + size <= _BLOCK:
        return block[begin : begin + size].reshape(shape)
    return np.resize(block, size).reshape(shape)
