"""MXNet's learning-rate schedulers: functions of base_lr and of num_update, the largest count of any parameter so far.

(mxnet/lr_scheduler.py, the same in 1.9.1 and 2.0.0b1.) A scheduler there has a state: Factor and MultiFactor multiply
base_lr on the way, Poly and Cosine keep in it what they gave last. It is asked once per parameter and step, and
num_update, n here, grows by 1 at a time from begin_num_update + 1 on, so that the state is a function of n and of
begin_num_update. All scalars; n and all steps are whole numbers.
"""

from __future__ import annotations

from typing import Any

from reference.namespace import Namespace


def factor(
    base: Any,
    n: int,
    x: Namespace,
    begin: int,
    *,
    step: int,
    factor: Any,
    stop_factor_lr: Any,
    warmup_steps: int,
    warmup_begin_lr: Any,
    warmup_mode: str,
) -> Any:
    """base factor^i with i = floor((n - 1) / step); where i > 0, at least stop_factor_lr. (FactorScheduler)"""
    if n < warmup_steps:
        return _warm_up(base, n, x, warmup_steps, warmup_begin_lr, warmup_mode)
    i, least = factors(n, step), x.number(stop_factor_lr)
    if i == 0:
        return base
    rate = base * x.power(x.number(factor), x.number(i))
    return x.at_most(least, rate, lambda: rate, lambda: least)


def multi_factor(
    base: Any,
    n: int,
    x: Namespace,
    begin: int,
    *,
    steps: tuple[int, ...],
    factor: Any,
    warmup_steps: int,
    warmup_begin_lr: Any,
    warmup_mode: str,
) -> Any:
    """base factor^i, where i of the steps are less than n. (MultiFactorScheduler)"""
    if n < warmup_steps:
        return _warm_up(base, n, x, warmup_steps, warmup_begin_lr, warmup_mode)
    return base * x.power(x.number(factor), x.number(factors(n, steps)))


def poly(
    base: Any,
    n: int,
    x: Namespace,
    begin: int,
    *,
    max_update: int,
    pwr: Any,
    final_lr: Any,
    warmup_steps: int,
    warmup_begin_lr: Any,
    warmup_mode: str,
) -> Any:
    """final_lr + (base - final_lr) (1 - s)^pwr with s as `_share` says; base where there is none. (PolyScheduler)"""
    if n < warmup_steps:
        return _warm_up(base, n, x, warmup_steps, warmup_begin_lr, warmup_mode)
    share, final = _share(n, x, begin, max_update, warmup_steps), x.number(final_lr)
    return base if share is None else final + (base - final) * x.power(1 - share, x.number(pwr))


def cosine(
    base: Any,
    n: int,
    x: Namespace,
    begin: int,
    *,
    max_update: int,
    final_lr: Any,
    warmup_steps: int,
    warmup_begin_lr: Any,
    warmup_mode: str,
) -> Any:
    """final_lr + (base - final_lr) (1 + cos(pi s)) / 2 with s as `_share` says; base where there is none.

    (CosineScheduler)
    """
    if n < warmup_steps:
        return _warm_up(base, n, x, warmup_steps, warmup_begin_lr, warmup_mode)
    share, final = _share(n, x, begin, max_update, warmup_steps), x.number(final_lr)
    return base if share is None else final + (base - final) * (1 + x.cos(x.pi * share)) / 2


def factors(n: int, step: int | tuple[int, ...]) -> int:
    """How often base_lr has been multiplied: it is where n exceeds step, 2 step, ..., or one of several."""
    return (n - 1) // step if isinstance(step, int) else sum(n > passed for passed in step)


def _warm_up(base: Any, n: int, x: Namespace, warmup_steps: int, warmup_begin_lr: Any, warmup_mode: str) -> Any:
    """begin + (base - begin) n / warmup_steps if linear, begin if constant. (LRScheduler.get_warmup_lr)"""
    first = x.number(warmup_begin_lr)
    return first if warmup_mode == "constant" else first + (base - first) * (x.number(n) / x.number(warmup_steps))


def _share(n: int, x: Namespace, begin: int, max_update: int, warmup_steps: int) -> Any:
    """(n - w) / (max_update - w) with w = warmup_steps, for n up to max_update; what comes then keeps the last rate.

    That is the rate of max_update, or base_lr, for which this is None, where the first question behind warm-up comes
    later than max_update.
    """
    if max(begin + 1, warmup_steps) > max_update:
        return None
    return x.number(min(n, max_update) - warmup_steps) / x.number(max_update - warmup_steps)
