"""Lists of tensors, of several groups and dtypes, under one engine with one driver or another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fused_adam import options as opts
from fused_adam.engine import Engine, Tensor
from fused_adam.triton_kernels import BLOCK

OPTIONS = tuple(
    opts.make(opts.dialect(name), {"learning_rate": 0.01, **given})
    for name, given in (
        ("torch-adam", {}),
        ("torch-adam", {"amsgrad": True, "l2": 0.1, "weight_decay": 0.1}),
        ("mxnet2-adam", {"l2": 0.1, "rescale_grad": 0.5, "clip_gradient": 0.3}),
        ("mxnet1-adam", {"l2": 0.1, "rescale_grad": 2.0, "clip_gradient": 0.2}),
        ("tfa-rectified-adam", {"weight_decay": 0.1, "sma_threshold": 4.5}),
        ("keras-v2-adam", {"amsgrad": True, "learning_rate": 0.02}),
    )
)
"""One formula each, all in one engine."""

T = 3
"""Where t begins: the fourth step of the rectified ones is below the threshold, the fifth above."""


@dataclass(frozen=True)
class Spec:
    """A tensor: elements, dtype, which of `OPTIONS`, and by how many elements each array misses 16 bytes."""

    size: int
    dtype: str = "float32"
    group: int = 0
    offset: int = 0


GUARD = BLOCK
"""Elements behind each array, as far as a program without a mask would reach."""


def guarded(size: int, dtype: str, offset: int = 0) -> Any:
    """Zeros that begin `offset` elements behind a multiple of 16 bytes, and `GUARD` ones behind."""
    item = np.dtype(dtype).itemsize
    room = np.zeros((size + GUARD) * item + 32, dtype=np.uint8)
    first = -room.ctypes.data % 16 + offset * item
    whole = room[first : first + (size + GUARD) * item].view(dtype)
    whole[size:] = 1  # what a step would change
    return whole


def array(size: int, dtype: str, offset: int = 0) -> Any:
    """What is before the guard."""
    return guarded(size, dtype, offset)[:size]


def address(a: Any) -> int:
    return int(a.ctypes.data)


class Model:
    """Tensors with their moments, and an engine over them."""

    def __init__(self, driver: Any, specs: Sequence[Spec], *, seed: int = 0, together: bool = False) -> None:
        random = np.random.default_rng(seed)
        self.specs = specs
        whole = [[guarded(s.size, s.dtype, s.offset) for _ in range(5)] for s in specs]
        self.arrays = [[a[:-GUARD] for a in arrays] for arrays in whole]
        self.guards = [a[-GUARD:] for arrays in whole for a in arrays]
        for p, *_ in self.arrays:
            p[...] = random.normal(size=p.size)
        tensors = [
            Tensor(
                address(p),
                address(m),
                address(v),
                address(x) if OPTIONS[s.group].amsgrad else 0,
                s.size,
                s.dtype,
                s.group,
            )
            for s, (p, _, m, v, x) in zip(specs, self.arrays, strict=True)
        ]
        self.engine = Engine(driver, tensors, [T] * len(specs), together=together)
        self.addresses: list[int] = []

    def step(self, gradients: Sequence[Any]) -> None:
        """Values are written to where the gradients lie; None: no gradient in this step."""
        for (_, g, *_), value in zip(self.arrays, gradients, strict=True):
            if value is not None:
                g[...] = value
        pairs = zip(self.arrays, gradients, strict=True)
        self.engine.step([0 if value is None else address(g) or 1 for (_, g, *_), value in pairs], OPTIONS)

    def keeps_within(self) -> bool:
        """Whether nothing was written behind the arrays."""
        return all((guard == 1).all() for guard in self.guards)

    def state(self) -> list[Any]:
        """p, m, v and v_max of every tensor, and t."""
        return [[a.copy() for k, a in enumerate(arrays) if k != 1] for arrays in self.arrays] + [self.engine.counts]


def gradients(specs: Sequence[Spec], random: Any, absent: Sequence[int] = ()) -> list[Any]:
    return [None if i in absent else random.normal(size=s.size).astype(s.dtype) for i, s in enumerate(specs)]


def same(a: list[Any], b: list[Any]) -> bool:
    """Bit for bit, with NaN equal to NaN."""

    def equal(x: Any, y: Any) -> bool:
        nan = np.isnan(x) & np.isnan(y)
        return x.dtype == y.dtype and x.tobytes() == np.where(nan, x, y).tobytes()

    *arrays_a, t_a = a
    *arrays_b, t_b = b
    return t_a == t_b and all(
        equal(x, y) for one, other in zip(arrays_a, arrays_b, strict=True) for x, y in zip(one, other, strict=True)
    )
