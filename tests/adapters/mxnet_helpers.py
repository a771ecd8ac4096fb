"""What the tests of the MXNet adapters share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, Precision, Rows, State


def rows(indices: Sequence[int], values: Array) -> Rows:
    return Rows(np.array(indices, np.int64), values)


def same(a: State, b: State) -> bool:
    """Bit for bit, NaN and the sign of zero included."""

    def bits(state: State) -> list[object]:
        arrays = [*state.parameters, *state.m, *state.v]
        return [state.t, state.v_max, *((x.shape, x.dtype, x.tobytes()) for x in arrays)]

    return bits(a) == bits(b)


def draw(random: np.random.Generator, shape: tuple[int, ...], dtype: Precision, *, sparse: bool) -> Any:
    scale = 10.0 ** random.integers(-3, 2)
    if not sparse:
        return (scale * random.normal(size=shape)).astype(dtype)
    indices = np.sort(random.permutation(shape[0])[: random.integers(0, shape[0] + 1)])
    return rows(indices.tolist(), (scale * random.normal(size=(len(indices), *shape[1:]))).astype(dtype))


def parsed(number: float, dtype: type) -> Any:
    """What ``dmlc::stof`` and ``dmlc::stod`` (``dmlc/strtonum.h``, ``ParseFloat``) make of ``str(number)``."""
    mantissa, _, exponent = str(float(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction[:19]
    value = dtype(int(whole)) + dtype(float(int(fraction or "0")) / float(10 ** len(fraction)))
    power = dtype(1)
    for _ in range(abs(int(exponent or "0"))):
        power = dtype(power * dtype(10))
    return dtype(value / power) if exponent.startswith("-") else dtype(value * power)
