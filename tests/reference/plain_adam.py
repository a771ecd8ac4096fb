"""A plain float32 Adam in NumPy, of the kinds that frameworks ship: what the bound is tried on.

Shares nothing with the oracle. Its knobs are the arithmetic that `reference.Rounding` declares, and what
its `Rounding` does not declare must not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from comparing import fractions
from random_problems import Array

from reference import Bound, Dialect, Hyperparameters, Rounding, State, bounded_step, dialect, initial_bound

F = np.float32
SMALLEST_NORMAL = F(2.0**-126)


@dataclass(frozen=True)
class Arithmetic:
    """How the plain Adam computes; the defaults are those of Keras."""

    powers: Literal["pow", "product", "host"] = "pow"
    """beta^t in float32 by a power function or as a running product, or on the host in double."""
    moments: Literal["sum", "lerp"] = "sum"
    """m as beta_1 m + (1 - beta_1) g, or as m + (1 - beta_1)(g - m); v likewise."""
    flush: bool = False
    """Whether subnormal results become zero."""

    @property
    def declared(self) -> Rounding:
        return Rounding(
            compute="float32",
            powers="float64" if self.powers == "host" else "float32",
            step_size="float32",
            power_form="product" if self.powers == "product" else "pow",
            first_moment=self.moments,
            second_moment=self.moments,
        )

    def received(self, h: Hyperparameters) -> Hyperparameters:
        """The hyper-parameters as this arithmetic receives them: rounded, unless the host keeps them in double."""
        if self.powers == "host":
            return h
        names = ("learning_rate", "beta_1", "beta_2", "epsilon")
        rounded: dict[str, Any] = {name: float(F(getattr(h, name))) for name in names}
        return Hyperparameters(sma_threshold=h.sma_threshold, **rounded)


@dataclass(frozen=True)
class Observed:
    """Parameters and state after a step, in float32."""

    theta: Array
    m: Array
    v: Array
    t: int
    rectified: bool = False

    @property
    def state(self) -> State:
        """The same as a float64 state of one parameter."""
        return State((self.theta.astype(float),), (self.m.astype(float),), (self.v.astype(float),), None, (self.t,))


def plain_adam(
    form: str, a: Arithmetic, h: Hyperparameters, theta: Array, gradients: Array, *, t_0: int = 0
) -> Iterator[Observed]:
    """The start and the result of every step.

    form: epsilon "hat", "paper" or "rectified"; wrong ones: "minus" epsilon, or it "inside" the root.
    t_0: how far the step count is ahead.
    """
    host = a.powers == "host"
    scalar: Any = float if host else F
    lr, beta_1, beta_2, epsilon = (scalar(x) for x in (h.learning_rate, h.beta_1, h.beta_2, h.epsilon))
    one, two, four = scalar(1), scalar(2), scalar(4)
    theta, gradients = theta.astype(F), gradients.astype(F)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    power_1, power_2 = beta_1 ** scalar(t_0), beta_2 ** scalar(t_0)
    yield Observed(theta, m, v, 0)

    def f(array: Any) -> Any:
        return np.where(abs(array) < SMALLEST_NORMAL, F(0), array).astype(F) if a.flush else array

    def moment(old: Array, new: Array, beta: Any) -> Any:
        kept, taken = F(beta), F(one - beta)
        return f(f(kept * old) + f(taken * new)) if a.moments == "sum" else f(old + f(taken * f(new - old)))

    for count, g in enumerate(gradients, start=1):
        t = t_0 + count
        if a.powers == "product":
            power_1, power_2 = power_1 * beta_1, power_2 * beta_2
        else:
            power_1, power_2 = beta_1 ** scalar(t), beta_2 ** scalar(t)
        m = moment(m, g, beta_1)
        v = moment(v, f(g * g), beta_2)
        bias_1, bias_2 = one - power_1, one - power_2
        rectified = False
        if form in ("hat", "minus", "inside"):
            step_size = F(lr * scalar(np.sqrt(bias_2)) / bias_1)
            root, eps = np.sqrt(v), F(epsilon)
            denominator = {"hat": root + eps, "minus": root - eps, "inside": np.sqrt(v + eps)}[form]
            update = f(f(step_size * m) / f(denominator))
        elif form == "paper":
            update = f(f(F(lr / bias_1) * m) / f(f(np.sqrt(v) / F(np.sqrt(bias_2))) + F(epsilon)))
        else:
            inf = two / (one - beta_2) - one
            sma = inf - two * scalar(t) * power_2 / bias_2
            rectified = bool(sma >= scalar(h.sma_threshold))
            update = f(m / F(bias_1))
            if rectified:
                square = (sma - four) / (inf - four) * (sma - two) / (inf - two) * inf / sma
                update = f(f(F(np.sqrt(square)) * update) / f(np.sqrt(f(v / F(bias_2))) + F(epsilon)))
            update = f(F(lr) * update)
        theta = f(theta - update)
        yield Observed(theta, m, v, count, rectified)


DIALECT_OF = {"hat": "tf-keras-adam", "paper": "torch-adam", "rectified": "tfa-rectified-adam"}


def judged(
    form: str,
    a: Arithmetic,
    h: Hyperparameters,
    theta: Array,
    gradients: Array,
    wrong: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[tuple[dict[str, float], dict[str, float], Bound]]:
    """Per step: the error of one step and of the free run as fractions of their bounds, and the second bound.

    wrong: changes to what the plain Adam, but not the oracle, is given.
    """
    d, given = dialect(DIALECT_OF[form]), a.received(h)
    with np.errstate(all="ignore"):
        run = list(plain_adam(**{"form": form, "a": a, "h": given, "theta": theta, "gradients": gradients, **wrong}))
    free, bound = run[0].state, initial_bound(run[0].state)
    for before, after, g in zip(run[:-1], run[1:], gradients.astype(F), strict=True):
        from_seen, limit = _branch(d, given, a, before.state, initial_bound(before.state), g, after)
        one_step = fractions((before.state, before.state), (after.state, from_seen), limit)
        old = free
        free, bound = _branch(d, given, a, free, bound, g, after)
        yield one_step, fractions((before.state, old), (after.state, free), bound), bound


def _branch(
    d: Dialect, h: Hyperparameters, a: Arithmetic, state: State, bound: Bound, g: Array, after: Observed
) -> tuple[State, Bound]:
    """The bounded step, by the branch that the plain Adam took where that is ambiguous."""
    result = bounded_step(d, h, a.declared, state, bound, [g])
    if result[1].branch:
        return bounded_step(d, h, a.declared, state, bound, [g], rectify=after.rectified)
    return result
