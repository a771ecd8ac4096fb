"""The scalars of a step, in double on the host: one row per parameter group, dtype and t.

All three places of epsilon are one element formula, step_size m / (sqrt(v) + epsilon), because paper
epsilon is epsilon hat after numerator and denominator are multiplied by sqrt(1 - beta_2^t).
"""

from __future__ import annotations

import math

from fused_adam.errors import refused
from fused_adam.layout import Variant
from fused_adam.options import Options

_RANGE = {"float32": (2.0**-126, (2 - 2.0**-23) * 2.0**127), "float64": (2.0**-1022, math.inf)}

Row = tuple[float, float, float, float, float, float, float, float, float]
"""In the order of the columns in `layout`."""


def row(o: Options, dtype: str, t: int) -> tuple[bool, Row]:
    """Whether the update is divided by sqrt(v) + epsilon, and the scalars of step `t`.

    Raises ValueError if one does not fit `dtype`.
    """
    d = o.dialect
    bias_1 = one_minus_power(o.beta_1, t)
    root = math.sqrt(one_minus_power(o.beta_2, t))
    learning_rate = warmed_up(o, t) if o.total_steps else o.learning_rate
    step_size = learning_rate / bias_1
    divide = True
    if d.rectified:
        rho = sma(o.beta_2, t)
        divide = rho >= o.sma_threshold if d.rectified == ">=" else rho > o.sma_threshold
        if divide:
            step_size *= rectification(rho, o.beta_2)
    if divide:
        step_size *= root
    epsilon = o.epsilon or d.zero_epsilon
    if d.epsilon == "paper" or o.adaptive_epsilon:
        epsilon *= root
    tiny, largest = _RANGE[dtype]
    if 0 < epsilon < tiny:  # as 0 it would turn 0 / 0 into NaN
        epsilon = tiny
    decay = learning_rate * o.weight_decay
    for name, value in (
        ("learning_rate", step_size),
        ("epsilon", epsilon),
        ("learning_rate * weight_decay", decay),
        ("l2", o.l2),
        ("rescale_grad", o.rescale_grad),
    ):
        if not value <= largest:
            raise refused(name, value, f"a number that {dtype} holds, at most {largest:.3g}, in step {t}")
    clip = math.inf if o.clip_gradient is None else o.clip_gradient
    return divide, (
        1 - o.beta_1,
        o.beta_2,
        1 - o.beta_2,
        step_size,
        epsilon,
        decay,
        o.l2,
        o.rescale_grad,
        clip,
    )


def variant(o: Options, dtype: str, divide: bool) -> Variant:
    """The element formula for these options."""
    return Variant(
        dtype="float32" if dtype == "float32" else "float64",
        rescale=o.rescale_grad != 1,
        clip=o.dialect.clip if o.clip_gradient is not None else "",
        l2=o.l2 != 0,
        decay=o.dialect.decay if o.weight_decay else "",
        amsgrad=o.amsgrad,
        divide=divide,
    )


def one_minus_power(beta: float, t: int) -> float:
    """1 - beta^t as -expm1(t log beta): the plain difference loses digits where beta^t is near 1."""
    return -math.expm1(t * math.log(beta)) if beta > 0 else 1.0


def sma(beta_2: float, t: int) -> float:
    """Length of the simple moving average, rho_t = rho_inf - 2 t beta_2^t / (1 - beta_2^t), without cancellation.

    It is 1 + 2 E[k] for k in 0 .. t-1 with weights beta_2^k. With a = -log(beta_2) / 2 and
    F(y) = coth(y) - 1/y this is t + F(a) - t F(t a), whose terms are of the size of the result.
    """
    if beta_2 == 0:
        return 1.0
    half = -math.log(beta_2) / 2
    first, _ = _coth_minus_inverse(half)
    _, rest = _coth_minus_inverse(t * half)
    return first + t * rest


def _coth_minus_inverse(y: float) -> tuple[float, float]:
    """F(y) = coth(y) - 1/y and 1 - F(y), each without cancellation."""
    if y < 1:
        tail = 0.0
        for n in range(23, 3, -2):
            tail = y * y / (n + tail)
        f = y / (3 + tail)
        return f, 1 - f
    beyond = 2 / math.expm1(2 * y) if y < 350 else 0.0
    return 1 + beyond - 1 / y, 1 / y - beyond


def rectification(rho: float, beta_2: float) -> float:
    """r_t = sqrt((rho - 4)(rho - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho)) (Liu et al., Algorithm 2)."""
    limit = (1 + beta_2) / (1 - beta_2)
    if rho >= limit:
        # Only rounding brings rho_t to its limit, where r_t is 1 (in TF-Addons, too: its sma_t - sma_inf becomes 0 as
        # beta_2^t does), but 0 / 0 or the root of a negative number where beta_2 is 0.6 and the limit 4.
        return 1.0
    return math.sqrt((rho - 4) / (limit - 4) * ((rho - 2) / (limit - 2)) * (limit / rho))


def warmed_up(o: Options, t: int) -> float:
    """Learning rate of step t: linear from 0 to learning_rate, then linear to min_lr, then constant.

    (TF-Addons, optimizers/rectified_adam.py: total_steps, warmup_proportion, min_lr)
    """
    warm_up = o.total_steps * o.warmup_proportion
    if t <= warm_up:
        return o.learning_rate * (t / warm_up)
    decay_steps = max(o.total_steps - warm_up, 1)
    return o.learning_rate + (o.min_lr - o.learning_rate) / decay_steps * min(t - warm_up, decay_steps)
