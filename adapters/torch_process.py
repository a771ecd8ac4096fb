"""What belongs to the whole process, and no optimizer's step may leave otherwise."""

from __future__ import annotations

import random
from typing import Any

import numpy as np


class Process:
    """Of one import of torch; the number of threads is what it was when this was made."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._threads = torch.get_num_threads()

    def as_new(self) -> None:
        """What every other part of the suite counts on; generators go on, so that one that is seeded shows."""
        torch = self._torch
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        torch.set_flush_denormal(False)
        torch.set_num_threads(self._threads)
        torch.rand(1)
        random.random()
        np.random.random_sample()  # noqa: NPY002, the generator that is everybody's

    def now(self) -> dict[str, Any]:
        """By name."""
        torch = self._torch
        return {
            "grad mode": torch.is_grad_enabled(),
            "default dtype": torch.get_default_dtype(),
            "random generator": torch.get_rng_state().numpy().tobytes(),
            "NumPy generator": repr(np.random.get_state(legacy=False)),  # noqa: NPY002
            "Python generator": random.getstate(),
            "number of threads": torch.get_num_threads(),
            "subnormal numbers": bool(torch.full((), 2.0**-140).mul(0.5)),
        }
