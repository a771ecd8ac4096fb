"""Scalars of one step: 1 - beta^t, the rectification of Liu et al., the momentum schedule of Dozat.

In float64, as the papers print them, 1 - beta^t loses 52 000 ulp at beta = 0.999999, sma_t nearly all digits, r_t
all of them next to rho_t = 4, and a product of t factors one ulp per factor. 1 - beta^t is therefore written with
expm1. The others are formed as printed with 120 decimal digits, of which fewer than 60 cancel, and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Any

from reference.namespace import Namespace, quotient

_DIGITS = Context(prec=120)


def one_minus_power(beta: Any, t: int, x: Namespace) -> Any:
    """1 - beta^t (Kingma & Ba, Algorithm 1), as -expm1(t log beta)."""
    return -x.expm1(t * x.log(beta))


# Rectification


def sma_inf(beta_2: Any) -> Any:
    """rho_inf = 2 / (1 - beta_2) - 1 (Liu et al., Algorithm 2)."""
    return (1 + beta_2) / (1 - beta_2)


def sma(beta_2: Any, t: int, x: Namespace) -> Any:
    """rho_t = rho_inf - 2 t beta_2^t / (1 - beta_2^t) (Liu et al., Algorithm 2)."""
    return _evaluated(_sma, x, beta_2, t)


def rectification(beta_2: Any, t: int, x: Namespace) -> Any:
    """r_t of rho_t and rho_inf (Liu et al., Algorithm 2); NaN where 2 or 4 lies between them."""
    return x.sqrt(_evaluated(_square, x, beta_2, t))


def squared_rectification(rho_t: Any, rho_inf: Any) -> Any:
    """r_t^2 = (rho_t - 4)(rho_t - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho_t) (Liu et al., Algorithm 2)."""
    return quotient(rho_t - 4, rho_inf - 4) * quotient(rho_t - 2, rho_inf - 2) * (rho_inf / rho_t)


def _square(beta_2: Any, t: int) -> Any:
    return squared_rectification(_sma(beta_2, t), sma_inf(beta_2))


def _sma(beta_2: Any, t: int) -> Any:
    power = beta_2**t
    return sma_inf(beta_2) - 2 * t * power / (1 - power)


# Nesterov's momentum with a schedule


def momentum(beta_1: Any, momentum_decay: Any, t: int, x: Namespace) -> Any:
    """mu_t = beta_1 (1 - 0.96^(t psi) / 2) with psi = momentum_decay (Dozat, section 2; torch/optim/nadam.py)."""
    return _evaluated(_mu, x, beta_1, momentum_decay, t)


def one_minus_momentum(beta_1: Any, momentum_decay: Any, t: int, x: Namespace) -> Any:
    """1 - mu_t."""
    return _evaluated(_rest_of_mu, x, beta_1, momentum_decay, t)


def one_minus_momentum_product(beta_1: Any, momentum_decay: Any, t: int, x: Namespace) -> Any:
    """1 - mu_1 mu_2 ... mu_t (torch/optim/nadam.py: mu_product)."""
    return _evaluated(_rest_of_product, x, beta_1, momentum_decay, t)


def _mu(beta_1: Any, momentum_decay: Any, t: int) -> Any:
    return _schedule(beta_1, momentum_decay, t).mu


def _rest_of_mu(beta_1: Any, momentum_decay: Any, t: int) -> Any:
    return 1 - _schedule(beta_1, momentum_decay, t).mu


def _rest_of_product(beta_1: Any, momentum_decay: Any, t: int) -> Any:
    return 1 - _schedule(beta_1, momentum_decay, t).product


@dataclass(frozen=True, slots=True)
class _Scheduled:
    """Of one step: 0.96^(t psi), mu_t, and mu_1 ... mu_t."""

    decay: Any
    mu: Any
    product: Any


def _schedule(beta_1: Any, momentum_decay: Any, t: int) -> _Scheduled:
    once, steps = _schedules(beta_1, momentum_decay)
    while len(steps) <= t:
        steps.append(_next(steps[-1], beta_1, once))
    return steps[t]


def _next(last: _Scheduled, beta_1: Any, once: Any) -> _Scheduled:
    decay = last.decay * once
    mu = beta_1 * (1 - decay / 2)
    return _Scheduled(decay, mu, last.product * mu)


@lru_cache(maxsize=2)
def _schedules(beta_1: Any, momentum_decay: Any) -> tuple[Any, list[_Scheduled]]:
    """0.96^psi, and the steps as far as they have been asked for; before the first nothing is multiplied."""
    one = Decimal(1)
    return (_exact(0.96).ln() * momentum_decay).exp(), [_Scheduled(one, one, one)]


# Digits


@lru_cache(maxsize=4096)  # one step asks several times: for each parameter, and for the bound
def _evaluated(formula: Callable[..., Any], x: Namespace, *numbers: Any) -> Any:
    """`formula` of these numbers with many digits, rounded once to the arithmetic of `x`: each of them reads text."""
    with localcontext(_DIGITS):
        return x.number(str(formula(*(n if isinstance(n, int) else _exact(n) for n in numbers))))


def _exact(number: Any) -> Decimal:
    """A number of any arithmetic, with as many digits as the context has."""
    if hasattr(number, "as_integer_ratio"):
        numerator, denominator = number.as_integer_ratio()
    else:  # mpmath's
        numerator, denominator = int(number * 2**1100), 2**1100
    return Decimal(numerator) / Decimal(denominator)
