"""The rounding bound: how far an implementation with stated arithmetic may be from the reference.

A first-order running error analysis, per element, beside the float64 trajectory. Every stage has one
rule, which says how its errors grow; u is the unit roundoff, and `C` roundings are granted to every
quantity that an implementation may form with up to four operations of its own choice (the conversion
of a scalar, two products, a sum). Nothing here knows an implementation, and nothing is tuned.

    clipvalue:  E_g <- E_g, and u c besides where |g| + E_g >= (1 - u) c: a contraction, c rounded on its way in
    norm:       E_S = sum of (2 |g| + E_g) E_g, and n u S + C n eta, of S, the sum of n squares
                E_N = E_S / sqrt(S) + C u sqrt(S)   (sqrt(S + E_S) for S < E_S)
    clipnorm:   s = c / M with M = max(N, c), off by e = max(M / M- - 1, 1 - M / M+) with M+- = max(N +- E_N, c)
                E_g <- c / M- E_g + |g| s (e + C u) + (C + |g| + 1 / M-) eta
    duplicates: E_g <- the sum of E_g, and (n - 1) u times the sum of |g|, over a row's n values
    m:          E_m <- beta_1 E_m + (1 - beta_1) E_g + C u (beta_1 |m| + (1 - beta_1) |g|) + C eta
                with |m| for beta_1 |m| where m is formed as m + (1 - beta_1)(g - m)
    v:          E_v <- beta_2 E_v + (1 - beta_2)(2 |g| + E_g) E_g + C u (beta_2 v + (1 - beta_2) g^2) + C eta
                with v for beta_2 v, and C + 1 for C, where v is formed as v + (1 - beta_2)(g^2 - v)
    beta^t:     relative error (C + t |log beta|) u by a power function, (C + t) u as a running product, or where
                beta is rounded for the power alone
    step size:  rho = C u + e_1 + e_2 / 2, with e_i = u + beta_i^t / (1 - beta_i^t) times the error of beta_i^t
    D:          E_D = E_v / sqrt(v) + C u D + eta   (sqrt(v + E_v) for v < E_v)
    direction:  E = |d| (rho + C u) + (alpha E_m + |d| E_D + C eta) / (D - E_D)
                with a E_m + b E_g + |a m| (e_a + C u) + |b g| (e_b + C u) for alpha E_m where it is a m + b g
    theta:      E_theta <- E_theta + E + 2 u |theta| + u |d| + eta
                with 2^-52 |d| besides where the learning rate has a multiplier, a product of two doubles
                with r (|d| + E) besides, r the relative error of the learning rate, which d is a multiple of: that of
                its schedule (`reference.running`) and C u, C u of inverse time decay, and of warm-up as of a schedule;
                of MXNet's schedulers u besides for every factor that the rate has been multiplied by
    slow:       E_slow <- (1 - a) E_slow + a E_theta + C u (|slow| + a |theta|) + C eta, and E_theta <- E_slow, where
                Lookahead synchronises; a is slow_step_size, and both sides of <- are seen before it

    average:    E_average <- k E_average + (1 - k) E_theta + C u (k |average| + (1 - k) |theta|) + C eta, with k the
                ema_momentum, and E_theta <- E_average where it is written over theta
    non_neg:    E_theta <- E_theta; max(theta, 0) is a contraction
    unit_norm:  E_theta <- (E_theta + |P theta| E_D) / (D - E_D) + C u |P theta| + C eta, with P theta = theta / D
                and D = 1e-7 + N, E_D = E_N + C u D
    max_norm:   f = min(N, 2) / D, E_f = k E_N / (D (D - E_D)) + C u f + eta, with k = 1e-7 where N is certainly
                below 2, as f is 1 - 1e-7 / D there, k = 2 where it is certainly above, and their sum between,
                E_theta <- f E_theta + (|theta| + E_theta) E_f + C u |f theta| + C eta
    min_max_norm: likewise with f = (3/4 min(max(N, 1/2), 2) + 1/4 N) / D, which is 1/4 + (3/4 c - 1e-7 / 4) / D where N
                is certainly beyond a limit c, so that k is at most 3/4 c there
    clip_weights: E_theta <- E_theta, as of non_neg

eta is the smallest normal number, since some frameworks flush subnormals. An element is *ambiguous*
where the format's range or the error of D decides the result: there the bound is infinite and every
result is accepted and counted. The rectified branch is ambiguous where rho_t is nearer to the
threshold than its own error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reference import stages as s
from reference.bound_rules import RULES, Errors, Rule
from reference.bound_scalars import branch_is_ambiguous
from reference.dialects import Dialect
from reference.hyperparameters import Hyperparameters
from reference.rounding import Rounding
from reference.stages import Stage, Working
from reference.step import Branches, Gradient, State, step


@dataclass(frozen=True)
class Bound:
    """Absolute error bounds of a `State`, one entry per parameter, of its shape; infinite where ambiguous."""

    theta: tuple[Any, ...]
    m: tuple[Any, ...]
    v: tuple[Any, ...]
    v_max: tuple[Any, ...] | None
    update: tuple[Any, ...]
    """Bound on the error of theta_t - theta_(t-1)."""
    out_of_range: tuple[Any, ...]
    branch: bool = False
    """Whether the rectified branch is ambiguous in this step, for any parameter."""
    branches: tuple[bool, ...] = ()
    """For each parameter: where each has its own t, one may be at the threshold and another not."""
    slow: tuple[Any, ...] | None = None
    average: tuple[Any, ...] | None = None


def initial_bound(state: State) -> Bound:
    """No error: the state is exact."""
    zeros = tuple(np.zeros(theta.shape) for theta in state.theta)
    mask = tuple(np.zeros(theta.shape, dtype=bool) for theta in state.theta)
    v_max, slow, average = (None if group is None else zeros for group in (state.v_max, state.slow, state.average))
    return Bound(zeros, zeros, zeros, v_max, zeros, mask, slow=slow, average=average)


def bounded_step(
    d: Dialect,
    h: Hyperparameters,
    a: Rounding,
    state: State,
    bound: Bound,
    gradients: Sequence[Gradient],
    *,
    rectify: Branches = None,
    rules: Mapping[Stage, Rule] | None = None,
) -> tuple[State, Bound]:
    """`reference.step` from `state`, and the bound on a step that began within `bound` of it.

    rules: of the stages of `d`, where it has others than the dialects here; None for `RULES`.
    """
    rule_of = RULES if rules is None else rules
    errors = [
        Errors(
            bound.theta[i],
            bound.m[i],
            bound.v[i],
            bound.v_max[i] if bound.v_max else None,
            bound.out_of_range[i],
            slow=bound.slow[i] if bound.slow else None,
            average=bound.average[i] if bound.average else None,
        )
        for i in range(len(state.theta))
    ]
    company = [e for e, g in zip(errors, gradients, strict=False) if g is not None]
    for e in errors:
        e.company = company
    branches = [False] * len(state.theta)

    def watch(i: int, stage: Stage, before: Working, after: Working) -> None:
        rule_of[stage](before, after, errors[i], h, a)
        branches[i] |= stage in s.RECTIFYING and branch_is_ambiguous(after, h, a)

    with np.errstate(all="ignore"):
        new = step(d, h, state, gradients, watch=watch, rectify=rectify)
        for i, e in enumerate(errors):
            _mark_range(e, new.theta[i], new.m[i], new.v[i], a)

    def arrays(name: str) -> tuple[Any, ...]:
        # The mask is of the parameter's shape, which an error of one number takes with it.
        return tuple(np.where(e.out_of_range, np.inf, getattr(e, name)) for e in errors)

    v_max = None if new.v_max is None else arrays("v_max")
    slow = None if new.slow is None else arrays("slow")
    average = None if new.average is None else arrays("average")
    masks = tuple(e.out_of_range for e in errors)
    return new, Bound(
        theta=arrays("theta"),
        m=arrays("m"),
        v=arrays("v"),
        v_max=v_max,
        update=arrays("update"),
        out_of_range=masks,
        branch=any(branches),
        branches=tuple(branches),
        slow=slow,
        average=average,
    )


def _mark_range(e: Errors, theta: Any, m: Any, v: Any, a: Rounding) -> None:
    e.out_of_range = e.out_of_range | ~np.isfinite(theta) | ~np.isfinite(m) | ~np.isfinite(v)
    for value, error in ((theta, e.theta), (m, e.m), (v, e.v)):
        e.out_of_range = e.out_of_range | (abs(value) + error > a.largest) | np.isnan(error)
