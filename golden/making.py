"""How a case of the catalogue is made: its usual hyper-parameters, and unlike numbers of few bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from golden.between import Between
from golden.case import Case, Generator
from reference import Dialect, Hyperparameters

BETAS = {"beta_1": 0.875, "beta_2": 1 - 2.0**-10}
SHORT_BETAS = {"beta_1": 0.875, "beta_2": 0.875}
"""Rectified dialects: the branch changes in step 6, and no float32 formula may miss it."""
STEPS = 8
AT = (1, 2, 3, STEPS)
Made = Iterator[tuple[Case, Sequence[int]]]
"""Cases, still without trajectory, and the steps to state."""


def case_of(
    d: Dialect,
    topic: str,
    name: str,
    description: str,
    flags: tuple[str, ...],
    parameters: Sequence[Any],
    gradients: Sequence[Sequence[Any]],
    hyperparameters: Mapping[str, Any] = MappingProxyType({}),
    *,
    at: Sequence[int] = AT,
    generator: Generator | None = None,
    between: Sequence[Between] = (),
    state_order: Sequence[str] = (),
) -> tuple[Case, Sequence[int]]:
    """A case, and the steps to state."""
    rectified = d.rectifies
    betas = SHORT_BETAS if rectified else BETAS
    own: dict[str, Any] = {"momentum_decay": 2.0**-8} if "momentum_decay" in d.hyperparameters else {}
    if d.looks_ahead:
        own, flags = {"sync_period": 3, "slow_step_size": 0.375}, tuple(dict.fromkeys((*flags, "slow-weights")))
    h = {"learning_rate": 2.0**-7, "epsilon": 2.0**-20, **betas, **own, **hyperparameters}
    case = Case(
        id=f"{d.name}/{topic}/{name}",
        dialect=d.name,
        description=description,
        source=d.source,
        flags=(*flags, "rectification") if rectified else flags,
        hyperparameters=Hyperparameters(**h),
        parameters=tuple(parameters),
        gradients=tuple(tuple(step) for step in gradients),
        generator=generator,
        between=tuple(between),
        state_order=tuple(state_order),
    )
    return case, at


def wave(shape: tuple[int, ...], scale: float, shift: int = 0) -> Any:
    """Unlike numbers of both signs: scale x (1, -2, 0.5, 1.25, -0.75, ...), beginning anywhere."""
    numbers = (1.0, -2.0, 0.5, 1.25, -0.75, 0.375, -1.5)
    size = int(np.prod(shape))
    return scale * np.array([numbers[(k + shift) % len(numbers)] for k in range(size)]).reshape(shape)


def rows_of(rows: Sequence[int], shift: int, scale: float = 0.5) -> tuple[Any, Any]:
    """A row-sparse gradient of a parameter with rows of two."""
    return np.array(rows, dtype=np.int64), wave((len(rows), 2), scale, shift)
