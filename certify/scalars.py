"""The scalars of a step in float64 against the papers' formulas as printed, in mpmath at 200 digits.

Of 200 digits more than 50 are left whatever cancels. An error is in units in the last place of the result, as a
function of the float64 arguments: where r_t is ill-conditioned in rho_t, nothing is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import mpmath

from certify.coordinates import Coordinate, Point, betas, decades, moved, steps
from certify.draws import MOST_STEPS, crossing
from reference import bias_correction
from reference.namespace import FLOAT64

PRINTED = mpmath.MPContext()
PRINTED.dps = 200
_FEW_STEPS = 400
"""Of the product of the momentum schedule, which takes as many operations at 200 digits."""


@dataclass(frozen=True)
class Scalar:
    """One scalar: as the oracle computes it, and as its paper prints it."""

    name: str
    computed: Callable[[Point], Any]
    printed: Callable[[Point], Any]
    coordinates: Mapping[str, Coordinate]
    always: tuple[Point, ...] = ()
    """Points that are measured whatever is drawn."""


def ulps(scalar: Scalar, point: Point) -> float:
    """Error at `point` in units in the last place of the result; infinite where only one of the two is a number."""
    got, exact = float(scalar.computed(point)), scalar.printed(point)
    if exact != exact or not math.isfinite(got):
        same = (exact != exact and got != got) or got == exact
        return 0.0 if same else math.inf
    return float(abs(PRINTED.mpf(got) - exact) / math.ulp(float(exact)))


# As printed


def _power(p: Point) -> Any:
    return PRINTED.mpf(p["beta"]) ** p["t"]


def _rho(p: Point) -> tuple[Any, Any]:
    """rho_t and rho_inf. (Liu et al., Algorithm 2)"""
    power, rho_inf = _power(p), 2 / (1 - PRINTED.mpf(p["beta"])) - 1
    return rho_inf - 2 * p["t"] * power / (1 - power), rho_inf


def _r(p: Point) -> Any:
    rho_t, rho_inf = _rho(p)
    square = (rho_t - 4) * (rho_t - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho_t)
    return PRINTED.sqrt(square) if square >= 0 else PRINTED.nan


def _momenta(p: Point) -> tuple[Any, Any]:
    """mu_t and mu_1 ... mu_t. (Dozat, section 2; 0.96 is the float64, as in torch/optim/nadam.py)"""
    once, beta, product = PRINTED.mpf(0.96) ** PRINTED.mpf(p["psi"]), PRINTED.mpf(p["beta"]), PRINTED.mpf(1)
    power, mu = PRINTED.mpf(1), product
    for _ in range(p["t"]):
        power = power * once
        mu = beta * (1 - power / 2)
        product = product * mu
    return mu, product


# Where they are tried


def _power_points() -> dict[str, Coordinate]:
    return {"beta": betas(), "t": steps(MOST_STEPS)}


def _at_crossings() -> Coordinate:
    """(beta_2, t) a few float64 from where rho_t is 2, 4, the threshold 5, or where rho_inf is."""

    def draw(r: Random) -> tuple[float, int]:
        t = r.randint(3, 40) if r.random() < 0.8 else r.randint(41, MOST_STEPS)
        found = crossing(r.choice((2.0, 4.0, 4.0, 5.0, 6.0)), t)
        return (betas().draw(r) if found is None else moved(found, r.randint(-3, 3))), t

    def near(at: tuple[float, int], r: Random) -> list[tuple[float, int]]:
        beta, t = at
        return [
            (moved(beta, r.choice((-3, -1, 1, 3))), t),
            (betas().near(beta, r)[0], max(t + r.choice((-1, 0, 1)), 1)),
        ]

    return Coordinate(draw, near)


def _length_points() -> dict[str, Coordinate]:
    whole, crossings = (betas(), steps(MOST_STEPS)), _at_crossings()

    def draw(r: Random) -> tuple[float, int]:
        return crossings.draw(r) if r.random() < 0.5 else (whole[0].draw(r), whole[1].draw(r))

    return {"beta, t": Coordinate(draw, crossings.near)}


def _apart(function: Callable[[Point], Any]) -> Callable[[Point], Any]:
    """For points whose beta and t are drawn together."""
    return lambda p: function({"beta": p["beta, t"][0], "t": p["beta, t"][1]})


def _schedule_points() -> dict[str, Coordinate]:
    return {"beta": betas(), "psi": decades(-5, 3, 0.0, 0.004), "t": steps(_FEW_STEPS)}


_LONG: tuple[Point, ...] = ({"beta": 0.99999, "psi": 500.0, "t": MOST_STEPS},)
_x = FLOAT64

SCALARS: tuple[Scalar, ...] = (
    Scalar(
        "1 - beta^t",
        lambda p: bias_correction.one_minus_power(p["beta"], p["t"], _x),
        lambda p: 1 - _power(p),
        _power_points(),
        ({"beta": 0.999999, "t": 1}, {"beta": 0.999999, "t": MOST_STEPS}),
    ),
    Scalar(
        "sma_inf",
        lambda p: bias_correction.sma_inf(p["beta"]),
        lambda p: _rho({**p, "t": 1})[1],
        {"beta": betas()},
    ),
    Scalar(
        "sma_t",
        _apart(lambda p: bias_correction.sma(p["beta"], p["t"], _x)),
        _apart(lambda p: _rho(p)[0]),
        _length_points(),
        ({"beta, t": (0.999999, MOST_STEPS)},),
    ),
    Scalar(
        "r_t",
        _apart(lambda p: bias_correction.rectification(p["beta"], p["t"], _x)),
        _apart(_r),
        _length_points(),
        ({"beta, t": (0.6, MOST_STEPS)}, {"beta, t": (0.999, 6)}, {"beta, t": (0.9999, 5)}),
    ),
    Scalar(
        "mu_t",
        lambda p: bias_correction.momentum(p["beta"], p["psi"], p["t"], _x),
        lambda p: _momenta(p)[0],
        _schedule_points(),
    ),
    Scalar(
        "1 - mu_t",
        lambda p: bias_correction.one_minus_momentum(p["beta"], p["psi"], p["t"], _x),
        lambda p: 1 - _momenta(p)[0],
        _schedule_points(),
    ),
    Scalar(
        "1 - mu_1 ... mu_t",
        lambda p: bias_correction.one_minus_momentum_product(p["beta"], p["psi"], p["t"], _x),
        lambda p: 1 - _momenta(p)[1],
        _schedule_points(),
        _LONG,
    ),
)
