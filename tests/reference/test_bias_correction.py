"""The scalars of a step against the papers' plain formulas at 90 digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_problems import LAW

from reference.bias_correction import one_minus_power, rectification, sma, sma_inf, squared_rectification
from reference.fifty_digits import FiftyDigits
from reference.namespace import FLOAT64

NINETY = mpmath.MPContext()
NINETY.dps = 90
ULPS = 8
SCALARS = ("one_minus_power", "sma_inf", "sma", "rectification")


def papers(beta: float, t: int) -> dict[str, Any]:
    """Every scalar as it is printed, at 90 digits; r_t only where it is real."""
    b = NINETY.mpf(beta)
    power = b**t
    rho_inf = 2 / (1 - b) - 1
    rho_t = rho_inf - 2 * t * power / (1 - power)
    scalars = {"one_minus_power": 1 - power, "sma_inf": rho_inf, "sma": rho_t}
    square = (rho_t - 4) * (rho_t - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho_t)
    if square >= 0:
        scalars["rectification"] = NINETY.sqrt(square)
    return scalars


def ours(beta: Any, t: int, x: Any) -> dict[str, Any]:
    return {
        "one_minus_power": one_minus_power(beta, t, x),
        "sma_inf": sma_inf(beta),
        "sma": sma(beta, t, x),
        "rectification": rectification(beta, t, x),
    }


def ulps(got: Any, exact: Any) -> float:
    """Error in units of the last place of the result."""
    return float(abs(NINETY.mpf(got) - exact) / math.ulp(float(exact)))


def worst(beta: float, t: int, scalars: dict[str, Any]) -> dict[str, float]:
    """Per scalar the error in ulp."""
    exact = papers(beta, t)
    return {name: ulps(scalars[name], exact[name]) for name in scalars.keys() & exact.keys()}


betas = st.one_of(
    st.sampled_from([0.0, 0.5, 0.6, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999]),
    st.floats(0.0, 0.999999),
    st.floats(0.0, 6.0).map(lambda exponent: 1 - 10.0**-exponent),
)
times = st.one_of(st.integers(1, 20), st.integers(1, 100_000))


@settings(LAW, max_examples=1000)
@given(beta=betas, t=times)
@example(beta=0.999999, t=1)
@example(beta=0.999999, t=100_000)
@example(beta=5e-324, t=1)
def test_scalars_are_the_papers_within_8_ulp(beta: float, t: int) -> None:
    for name, error in worst(beta, t, ours(beta, t, FLOAT64)).items():
        assert error <= ULPS, f"{name} is {error:.1f} ulp off at beta {beta!r}, t {t}; accepted: {ULPS}"


def grid() -> Iterator[tuple[float, int]]:
    """Where the formulas change their form (y = 1), the threshold is crossed, or much cancels."""
    for beta in (
        0.0,
        0.1,
        0.13,
        0.14,
        0.36,
        0.37,
        0.61,
        0.65,
        0.68,
        0.7,
        0.75,
        0.8,
        0.9,
        0.99,
        0.999,
        0.9999,
        0.999999,
    ):
        for t in (1, 2, 3, 4, 5, 6, 7, 8, 10, 18, 20, 21, 50, 100, 1000, 2000, 10_000, 100_000):
            yield beta, t


def grid_maximum(scalars: Callable[[float, int], dict[str, Any]]) -> dict[str, float]:
    found = dict.fromkeys(SCALARS, 0.0)
    for beta, t in grid():
        for name, error in worst(beta, t, scalars(beta, t)).items():
            found[name] = max(found[name], error)
    return found


def test_scalars_on_a_grid() -> None:
    found = grid_maximum(lambda beta, t: ours(beta, t, FLOAT64))
    assert max(found.values()) <= ULPS, found


@LAW
@given(beta=betas, t=times)
def test_the_same_lines_have_45_digits_in_mpmath(beta: float, t: int) -> None:
    exact, x = papers(beta, t), FiftyDigits()
    got = ours(x.number(beta), t, x)
    for name in exact:
        assert abs(NINETY.mpf(got[name]) - exact[name]) <= abs(exact[name]) * NINETY.mpf(10) ** -45, name


def test_rectification_is_not_a_number_between_2_and_4() -> None:
    assert 2 < sma(0.999, 3, FLOAT64) < 4
    assert math.isnan(rectification(0.999, 3, FLOAT64))
    assert sma(0.999, 1, FLOAT64) == 1
    assert sma(0.0, 7, FLOAT64) == sma_inf(0.0) == 1


# The same check, seen to fail on planted bugs


def plain(beta: float, t: int) -> dict[str, Any]:
    """The papers' formulas in float64, as they are printed."""
    power = beta**t
    rho_inf = 2 / (1 - beta) - 1
    rho_t = rho_inf - 2 * t * power / (1 - power)
    return {"one_minus_power": 1 - power, "sma": rho_t}


class CarelessFloat64:
    """Float64 whose expm1 cancels."""

    number, sqrt, log = FLOAT64.number, FLOAT64.sqrt, FLOAT64.log

    def expm1(self, value: float) -> float:
        return math.exp(value) - 1 if value < 700 else math.inf


@pytest.mark.parametrize("name", ["one_minus_power", "sma"])
def test_the_plain_formula_would_fail(name: str) -> None:
    assert grid_maximum(plain)[name] > 10_000 * ULPS


def test_r_t_of_a_rounded_rho_t_would_fail() -> None:
    """Next to rho_t = 4, where one ulp of rho_t is a part of all that is left."""
    t, low, beta = 5, 0.7, 0.85
    while (middle := (low + beta) / 2) not in (low, beta):
        low, beta = (low, middle) if papers(middle, t)["sma"] > 4 else (middle, beta)
    assert worst(beta, t, ours(beta, t, FLOAT64))["rectification"] <= 1
    rounded = math.sqrt(max(squared_rectification(sma(beta, t, FLOAT64), sma_inf(beta)), 0.0))
    assert worst(beta, t, {"rectification": rounded})["rectification"] > 1e6


def test_a_careless_expm1_would_fail() -> None:
    assert grid_maximum(lambda beta, t: ours(beta, t, CarelessFloat64()))["one_minus_power"] > 10_000 * ULPS


@pytest.mark.parametrize("name", SCALARS)
def test_an_error_of_one_part_in_10_to_the_14_would_fail(name: str) -> None:
    def planted(beta: float, t: int) -> dict[str, Any]:
        return {key: got * (1 + 1e-14) for key, got in ours(beta, t, FLOAT64).items() if key == name}

    assert grid_maximum(planted)[name] > ULPS
