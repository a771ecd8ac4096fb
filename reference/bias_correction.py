"""Scalars of one step: 1 - beta^t, the rectification of Liu et al., the momentum schedule of Dozat.

Written so that nothing cancels: as the papers print them, 1 - beta^t loses 52 000 ulp at
beta = 0.999999, and sma_t nearly all digits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from reference.namespace import Namespace, quotient


def one_minus_power(beta: Any, t: int, x: Namespace) -> Any:
    """1 - beta^t (Kingma & Ba, Algorithm 1), as -expm1(t log beta)."""
    return -x.expm1(t * x.log(beta))


def sma_inf(beta_2: Any) -> Any:
    """rho_inf = 2 / (1 - beta_2) - 1 (Liu et al., Algorithm 2)."""
    return (1 + beta_2) / (1 - beta_2)


def sma(beta_2: Any, t: int, x: Namespace) -> Any:
    """rho_t = rho_inf - 2 t beta_2^t / (1 - beta_2^t) (Liu et al., Algorithm 2).

    With beta_2 = exp(-l) this is coth(l/2) - t coth(t l/2) + t. Written with Langevin's function
    L(y) = coth(y) - 1/y, the two large terms are gone: rho_t = L(l/2) + t (1 - L(t l/2)).
    """
    half = -x.log(beta_2) / 2
    return _langevin(half, x) + t * _one_minus_langevin(t * half, x)


def rectification(rho_t: Any, rho_inf: Any, x: Namespace) -> Any:
    """r_t = sqrt((rho_t - 4)(rho_t - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho_t)).

    NaN where 2 or 4 lies between rho_t and rho_inf.
    """
    return x.sqrt(quotient(rho_t - 4, rho_inf - 4) * quotient(rho_t - 2, rho_inf - 2) * (rho_inf / rho_t))


def _langevin(y: Any, x: Namespace) -> Any:
    if y >= 1:
        return 1 + 2 / x.expm1(2 * y) - 1 / y
    # Continued fraction y / (3 + y^2 / (5 + y^2 / (7 + ...))); this depth is exact to 50 digits for y < 1.
    denominator = x.number(41)
    for odd in range(39, 1, -2):
        denominator = odd + y * y / denominator
    return y / denominator


def _one_minus_langevin(y: Any, x: Namespace) -> Any:
    if y >= 1:
        return 1 / y - 2 / x.expm1(2 * y)
    return 1 - _langevin(y, x)


def momentum(beta_1: Any, momentum_decay: Any, t: int, x: Namespace) -> Any:
    """mu_t = beta_1 (1 - 0.96^(t psi) / 2) with psi = momentum_decay (Dozat, section 2; torch/optim/nadam.py).

    Written as beta_1 (1 - (0.96^(t psi) - 1)) / 2.
    """
    return beta_1 * (1 - x.expm1(t * momentum_decay * x.log(x.number(0.96)))) / 2


def momentum_product(beta_1: Any, momentum_decay: Any, t: int, x: Any) -> Any:
    """P_t = mu_1 mu_2 ... mu_t (torch/optim/nadam.py: mu_product); 1 for t = 0."""
    arithmetic: Any = x  # a Protocol does not say that it can be hashed
    products = _momentum_products(beta_1, momentum_decay, arithmetic)
    while len(products) <= t:
        products.append(products[-1] * momentum(beta_1, momentum_decay, len(products), x))
    return products[t]


@lru_cache(maxsize=64)
def _momentum_products(beta_1: Any, momentum_decay: Any, x: Any) -> list[Any]:
    """P_0, P_1, ... as far as they have been asked for."""
    return [x.number(1)]
