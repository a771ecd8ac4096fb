"""Correct implementations that compute otherwise than the frameworks do. Used as FILE.py:NAME; no tests in here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    Hyperparameters,
    Identity,
    Precision,
    State,
)


class Textbook:
    """Algorithm 1 as printed: v / (1 - beta_2^t) is formed, and overflows where no square did."""

    contract_version = CONTRACT_VERSION
    name = "textbook"
    claim = Claim(
        dialect="torch-adam",
        gradients=frozenset({"dense"}),
        hyperparameters=frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"}),
    )
    inside: Precision | None = None
    """Format of the element formula, None for that of the parameters."""

    def identity(self) -> Identity:
        ran = frozenset({"numpy"})
        return Identity(framework="numpy", version=np.__version__, required=ran, observed=ran)

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return Arithmetic(storage=dtype, compute=self.inside or dtype)

    def start(self, parameters: Sequence[Array], h: Hyperparameters) -> TextbookRun:
        return TextbookRun(parameters, h, self.inside)


class DoubleInside(Textbook):
    """Parameters and state in float32, every formula in float64."""

    name = "double-inside"
    inside = "float64"


class TextbookRun:
    def __init__(self, parameters: Sequence[Array], h: Hyperparameters, inside: Precision | None) -> None:
        self.h, self.t, self.inside = h, 0, inside
        self.slots = [(p.copy(), np.zeros_like(p), np.zeros_like(p)) for p in parameters]

    def step(self, gradients: Sequence[Gradient]) -> State:
        h, self.t = self.h, self.t + 1
        for (p, m, v), gradient in zip(self.slots, gradients, strict=True):
            f = np.dtype(self.inside or p.dtype).type
            g = np.asarray(gradient).astype(f)
            with np.errstate(all="ignore"):
                first = f(h.beta_1) * m.astype(f) + f(1 - h.beta_1) * g
                second = f(h.beta_2) * v.astype(f) + f(1 - h.beta_2) * g * g
                corrected = second / f(1 - h.beta_2**self.t)
                update = f(h.learning_rate) * (first / f(1 - h.beta_1**self.t)) / (np.sqrt(corrected) + f(h.epsilon))
                m[...], v[...], p[...] = first, second, p.astype(f) - update
        theta, first_moments, second_moments = (
            tuple(a.copy() for a in arrays) for arrays in zip(*self.slots, strict=True)
        )
        counts = (self.t,) * len(theta)
        return State(parameters=theta, m=first_moments, v=second_moments, v_max=None, t=counts)
