"""The stages of docs/golden-format.md, each the formula of its row, written from that page alone.

p is a parameter in a step, h the hyper-parameters, every the gradients of all parameters that have one. Plain floats in
lists: nothing of the oracle is here.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, prod, sqrt
from types import SimpleNamespace
from typing import Any

Floats = list[float]
Stage = Callable[[Any, Any, list[Floats]], None]


def each(formula: Callable[..., float], *arrays: Floats) -> Floats:
    return [formula(*numbers) for numbers in zip(*arrays, strict=True)]


def clamped(g: Floats, c: float) -> Floats:
    return each(lambda x: min(max(x, -c), c), g)


def norm(*arrays: Floats) -> float:
    return sqrt(sum(x * x for array in arrays for x in array))


def places(p: Any, rows: list[int]) -> list[int]:
    """Numbers of the elements of these rows."""
    return [row * p.width + k for row in rows for k in range(p.width)]


def placed(p: Any, whole: Floats, part: Floats) -> Floats:
    whole = list(whole)
    for j, x in zip(places(p, p.rows), part, strict=True):
        whole[j] = x
    return whole


def multiply(p: Any, h: Any, every: list[Floats]) -> None:
    p.alpha *= h.lr_mult[p.index] if h.lr_mult else 1
    p.l2 *= h.wd_mult[p.index] if h.wd_mult else 1


def rescale(p: Any, h: Any, every: list[Floats]) -> None:
    p.g = each(lambda g: h.rescale_grad * g, p.g)


def clip(p: Any, h: Any, every: list[Floats]) -> None:
    if h.clip_gradient is not None:
        p.g = clamped(p.g, h.clip_gradient)


def clip_values(p: Any, h: Any, every: list[Floats]) -> None:
    if h.clipvalue is not None:
        p.g = clamped(p.g, h.clipvalue)


def clip_norm(p: Any, h: Any, every: list[Floats]) -> None:
    if h.clipnorm is not None:
        p.g = scaled(p.g, norm(p.g), h.clipnorm)


def global_norm(p: Any, h: Any, every: list[Floats]) -> None:
    p.norm = norm(*every)


def clip_global_norm(p: Any, h: Any, every: list[Floats]) -> None:
    if h.global_clipnorm is not None:
        p.g = scaled(p.g, p.norm, h.global_clipnorm)


def scaled(g: Floats, n: float, c: float) -> Floats:
    return each(lambda x: x * c / max(n, c), g)


def clip_in_one_way(p: Any, h: Any, every: list[Floats]) -> None:
    ways: tuple[tuple[float | None, Stage], ...] = (
        (h.clipnorm, clip_norm),
        (h.global_clipnorm, clip_global_norm),
        (h.clipvalue, clip_values),
    )
    for limit, way in ways:
        if limit:
            way(p, h, every)
            return


def l2(p: Any, h: Any, every: list[Floats]) -> None:
    p.g = each(lambda g, theta: g + p.l2 * theta, p.g, p.parameters)


def square_rows(p: Any, h: Any, every: list[Floats]) -> None:
    p.s = p.rows and each(lambda g: g * g, p.g)


def sum_duplicate_rows(p: Any, h: Any, every: list[Floats]) -> None:
    if p.rows is not None:
        unique = sorted(set(p.rows))

        def total(values: Floats) -> Floats:
            sums = dict.fromkeys(places(p, unique), 0.0)
            for j, x in zip(places(p, p.rows), values, strict=True):
                sums[j] += x
            return list(sums.values())

        p.g, p.s, p.rows = total(p.g), p.s and total(p.s), unique


def scatter_rows(p: Any, h: Any, every: list[Floats]) -> None:
    if p.rows is not None:
        zeros = [0.0] * len(p.parameters)
        p.g, p.s = placed(p, zeros, p.g), p.s and placed(p, zeros, p.s)


def dense_by_global_norm(p: Any, h: Any, every: list[Floats]) -> None:
    if h.global_clipnorm and p.rows is not None:
        sum_duplicate_rows(p, h, every)
        scatter_rows(p, h, every)
        p.rows = None


def gather_rows(p: Any, h: Any, every: list[Floats]) -> None:
    if p.rows is not None:
        p.whole = p.parameters, p.m, p.v
        p.parameters, p.m, p.v = ([array[j] for j in places(p, p.rows)] for array in p.whole)


def restore_rows(p: Any, h: Any, every: list[Floats]) -> None:
    if p.rows is not None:
        parts = zip(p.whole, (p.parameters, p.m, p.v), strict=True)
        p.parameters, p.m, p.v = (placed(p, whole, part) for whole, part in parts)


def named_rows_move(p: Any, h: Any, every: list[Floats]) -> None:
    if p.rows is not None:
        p.d = placed(p, [0.0] * len(p.d), [p.d[j] for j in places(p, p.rows)])


def scheduled_rate(p: Any, h: Any, every: list[Floats]) -> None:
    p.alpha = scheduled(h.schedule, p.alpha, p.t - 1)


def scheduled_weight_decay(p: Any, h: Any, every: list[Floats]) -> None:
    p.weight_decay = scheduled(h.weight_decay_schedule, p.weight_decay, p.t - 1)


def scheduled_by_updates(p: Any, h: Any, every: list[Floats]) -> None:
    if h.lr_scheduler is None:
        return
    s, first, n = SimpleNamespace(**h.lr_scheduler), p.alpha, p.updates
    if n < s.warmup_steps:
        rise = n / s.warmup_steps if s.warmup_mode == "linear" else 0
        p.alpha = s.warmup_begin_lr + (first - s.warmup_begin_lr) * rise
    elif s.name == "mxnet_factor":
        i = (n - 1) // s.step
        p.alpha = max(first * s.factor**i, s.stop_factor_lr) if i else first
    elif s.name == "mxnet_multi_factor":
        p.alpha = first * s.factor ** sum(step < n for step in s.steps)
    elif not (n > s.max_update and max(h.begin_num_update + 1, s.warmup_steps) > s.max_update):
        share = (min(n, s.max_update) - s.warmup_steps) / (s.max_update - s.warmup_steps)
        left = (1 - share) ** s.pwr if s.name == "mxnet_poly" else (1 + cos(pi * share)) / 2
        p.alpha = s.final_lr + (first - s.final_lr) * left


def inverse_time_decay(p: Any, h: Any, every: list[Floats]) -> None:
    p.alpha /= 1 + h.decay * (p.t - 1)


def warm_up(p: Any, h: Any, every: list[Floats]) -> None:
    if h.total_steps:
        w = h.total_steps * h.warmup_proportion
        down = max(h.total_steps - w, 1)
        if p.t <= w:
            p.alpha *= p.t / w
        else:
            p.alpha += (h.min_lr - p.alpha) * min(p.t - w, down) / down


def decay_theta(p: Any, h: Any, every: list[Floats]) -> None:
    if p.index not in h.exclude_from_weight_decay:
        p.parameters = each(lambda theta: theta - p.alpha * p.weight_decay * theta, p.parameters)


def decay_direction(p: Any, h: Any, every: list[Floats]) -> None:
    p.d = each(lambda d, theta: d + p.alpha * p.weight_decay * theta, p.d, p.parameters)


def first_moment(p: Any, h: Any, every: list[Floats]) -> None:
    p.m = each(lambda m, g: h.beta_1 * m + (1 - h.beta_1) * g, p.m, p.g)


def second_moment(p: Any, h: Any, every: list[Floats]) -> None:
    p.v = each(lambda v, s: h.beta_2 * v + (1 - h.beta_2) * s, p.v, p.s or each(lambda g: g * g, p.g))


def amsgrad_maximum(p: Any, h: Any, every: list[Floats]) -> None:
    if h.amsgrad:
        p.v_max = each(max, p.v_max, p.v)


def corrected_maximum(p: Any, h: Any, every: list[Floats]) -> None:
    if h.amsgrad:
        p.v_max = each(lambda a, v: max(a, v / p.b_2), p.v_max, p.v)


def zero_epsilon_is_default(p: Any, h: Any, every: list[Floats]) -> None:
    p.epsilon = h.epsilon or 1e-7


def epsilon_as_given(p: Any, h: Any, every: list[Floats]) -> None:
    p.epsilon = h.epsilon * (sqrt(p.b_2) if h.adaptive_epsilon else 1)


def epsilon_hat(p: Any, h: Any, every: list[Floats]) -> None:
    size = p.alpha * sqrt(p.b_2) / p.b_1
    p.d = each(lambda m, v: size * m / (sqrt(v) + p.epsilon), p.m, p.v_max or p.v)


def paper_epsilon(p: Any, h: Any, every: list[Floats]) -> None:
    p.d = each(lambda m, v: p.alpha / p.b_1 * m / (sqrt(v / p.b_2) + p.epsilon), p.m, p.v_max or p.v)


def root_epsilon(p: Any, h: Any, every: list[Floats]) -> None:
    corrected = p.v_max or each(lambda v: v / p.b_2, p.v)
    p.d = each(lambda m, u: p.alpha / p.b_1 * m / (sqrt(u + h.epsilon_root) + p.epsilon), p.m, corrected)


def nesterov(p: Any, h: Any, every: list[Floats]) -> None:
    of_m, of_g = h.beta_1 / (1 - h.beta_1 ** (p.t + 1)), (1 - h.beta_1) / p.b_1
    two_terms(p, of_m, of_g, h.epsilon_root)


def nesterov_schedule(p: Any, h: Any, every: list[Floats]) -> None:
    mu = [h.beta_1 * (1 - 0.96 ** (k * h.momentum_decay) / 2) for k in range(1, p.t + 2)]
    two_terms(p, mu[-1] / (1 - prod(mu)), (1 - mu[-2]) / (1 - prod(mu[:-1])), 0)


def two_terms(p: Any, of_m: float, of_g: float, root: float) -> None:
    def direction(m: float, g: float, v: float) -> float:
        return p.alpha * (of_m * m + of_g * g) / (sqrt(v / p.b_2 + root) + p.epsilon)

    p.d = each(direction, p.m, p.g, p.v)


def rectifying(adaptive: Stage, *, inclusive: bool = True) -> Stage:
    def stage(p: Any, h: Any, every: list[Floats]) -> None:
        inf = 2 / (1 - h.beta_2) - 1
        rho = inf - 2 * p.t * h.beta_2**p.t / p.b_2
        if rho > h.sma_threshold or (inclusive and rho == h.sma_threshold):
            adaptive(p, h, every)
            r = sqrt((rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho))
            p.d = each(lambda d: r * d, p.d)
        else:
            p.d = each(lambda m: p.alpha * m / p.b_1, p.m)

    return stage


rectified = rectifying(paper_epsilon)
rectified_hat = rectifying(epsilon_hat, inclusive=False)
rectified_root = rectifying(root_epsilon)


def subtract(p: Any, h: Any, every: list[Floats]) -> None:
    p.parameters = each(lambda theta, d: theta - d, p.parameters, p.d)


def lookahead(p: Any, h: Any, every: list[Floats]) -> None:
    if h.sync_period is not None and p.t % h.sync_period == 0:
        p.slow = each(lambda slow, theta: slow + h.slow_step_size * (theta - slow), p.slow, p.parameters)
        p.parameters = p.slow


def average(p: Any, h: Any, every: list[Floats]) -> None:
    k = h.ema_momentum
    if k is not None:
        p.average = each(lambda a, theta: k * a + (1 - k) * theta, p.average, p.parameters)


def average_all(p: Any, h: Any, every: list[Floats]) -> None:
    if p.t == 1:
        p.average = p.parameters
    else:
        average(p, h, every)


def overwrite(p: Any, h: Any, every: list[Floats]) -> None:
    if h.ema_momentum is not None and h.ema_overwrite_frequency and p.t % h.ema_overwrite_frequency == 0:
        p.parameters = p.average


overwrite_all = overwrite


def constrain(p: Any, h: Any, every: list[Floats]) -> None:
    if h.constraint == "non_neg":
        p.parameters = each(lambda theta: theta if theta >= 0 else 0.0, p.parameters)
    elif h.constraint == "clip_weights":
        p.parameters = each(lambda theta: min(max(theta, -0.5), 0.5), p.parameters)
    elif h.constraint is not None:
        norms = [norm(p.parameters[k :: p.width]) for k in range(p.width)] * (len(p.parameters) // p.width)
        kept = {
            "unit_norm": lambda n: 1,
            "max_norm": lambda n: min(n, 2),
            "min_max_norm": lambda n: 0.75 * min(max(n, 0.5), 2) + 0.25 * n,
        }[h.constraint]
        p.parameters = each(lambda theta, n: theta * kept(n) / (1e-7 + n), p.parameters, norms)


def scheduled(schedule: dict[str, Any] | None, first: float, k: int) -> float:
    """What has become of `first` after k steps."""
    if schedule is None:
        return first
    s = SimpleNamespace(**schedule)
    if s.name in ("exponential", "inverse_time"):
        periods = k // s.decay_steps if s.staircase else k / s.decay_steps
        return first * s.decay_rate**periods if s.name == "exponential" else first / (1 + s.decay_rate * periods)
    if s.name == "polynomial":
        n = s.decay_steps * max(1, -(-k // s.decay_steps)) if s.cycle else s.decay_steps
        return (first - s.end_learning_rate) * (1 - min(k, n) / n) ** s.power + s.end_learning_rate
    if s.name == "piecewise_constant":
        return [first, *s.values][sum(k > boundary for boundary in s.boundaries)]
    if s.name == "inverse_root":
        return first / sqrt(1 + k / s.decay_steps)
    factor = 1.0
    if s.name == "cosine":
        if s.warmup_target is not None:
            if k < s.warmup_steps:
                return first + (s.warmup_target - first) * k / s.warmup_steps
            first, k = s.warmup_target, k - s.warmup_steps
        share = min(k, s.decay_steps) / s.decay_steps
    else:
        length = s.first_decay_steps
        while k >= length:
            k, length, factor = k - length, length * s.t_mul, factor * s.m_mul
        share = k / length
    return first * ((1 - s.alpha) * factor * (1 + cos(pi * share)) / 2 + s.alpha)
