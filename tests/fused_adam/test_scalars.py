"""Scalar rows against 60 digits, with Python's own decimal arithmetic."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import Decimal, localcontext

import pytest

from fused_adam import options, scalars

BETAS = (0.0, 0.1, 0.5, 0.6, 0.9, 0.99, 0.999, 0.9999, 0.999999)
STEPS = (1, 2, 3, 5, 6, 7, 10, 33, 100, 1000, 12345, 10**6)


def relative(obtained: float, expected: Decimal) -> float:
    return float(abs(Decimal(obtained) - expected) / abs(expected)) if expected else abs(obtained)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("t", STEPS)
def test_scalars_do_not_cancel(beta: float, t: int) -> None:
    with localcontext(prec=60):
        b = Decimal(beta)
        power = b**t
        assert relative(scalars.one_minus_power(beta, t), 1 - power) < 4 * 2.0**-53
        sma = (1 + b) / (1 - b) - 2 * t * power / (1 - power)
        assert relative(scalars.sma(beta, t), sma) < 8 * 2.0**-53


def test_rectification() -> None:
    with localcontext(prec=60):
        beta, t = 0.999, 7
        b = Decimal(beta)
        rho, limit = scalars.sma(0.999, t), (1 + b) / (1 - b)
        r = Decimal(rho)
        expected = ((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r)).sqrt()
        assert relative(scalars.rectification(rho, 0.999), expected) < 1e-15


@pytest.mark.parametrize("beta_2", [math.nextafter(0.6, 0), 0.6, math.nextafter(0.6, 1)])
def test_rectification_at_its_limit(beta_2: float) -> None:
    """The limit is 4 for beta_2 = 0.6, where the formula is 0 / 0, and on one side of it the root of less than 0."""
    limit = (1 + beta_2) / (1 - beta_2)
    assert [scalars.rectification(rho, beta_2) for rho in (limit, max(limit, 4.0), 4.5)] == [1, 1, 1]
    o = options.make(options.dialect("tfa-rectified-adam"), {"beta_2": beta_2, "sma_threshold": 4})
    for t in range(60, 200):
        divide, row = scalars.row(o, "float64", t)
        assert 0 <= row[3] <= 1e-3 / (1 - 0.9**t)
        assert divide is (scalars.sma(beta_2, t) >= 4)


SHORT = [(0.125, 1.125), (0.0, 0.5), (2.0**-30, 0.0), (0.3, 1.0), (0.5, 2.25), (0.4, 2.0)]
"""beta_2 and sma_threshold."""


@pytest.mark.parametrize(("beta_2", "threshold"), SHORT)
def test_a_low_threshold_is_taken_where_the_memory_is_short(beta_2: float, threshold: float) -> None:
    """r_t is the root of a positive number in every step, up to the limit of the length and beyond."""
    given = {"beta_2": beta_2, "sma_threshold": threshold, "learning_rate": 1.0, "beta_1": 0.0}
    o = options.make(options.dialect("tfa-rectified-adam"), given)
    divided = []
    for t in range(1, 300):
        divide, row = scalars.row(o, "float64", t)
        divided.append(divide)
        if divide and scalars.sma(beta_2, t) < (1 + beta_2) / (1 - beta_2):
            with localcontext(prec=60):
                b = Decimal(beta_2)
                power = b**t
                limit = (1 + b) / (1 - b)
                rho = limit - 2 * t * power / (1 - power)
                r = ((rho - 4) / (limit - 4) * (rho - 2) / (limit - 2) * limit / rho).sqrt()
                assert relative(row[3], r * (1 - power).sqrt()) < 1e-14
    assert divided == sorted(divided)
    assert divided[-1]


@pytest.mark.parametrize(
    ("beta_2", "threshold", "least"),
    [(0.999, 3.9, 4), (0.61, 2.0, 4), (0.6, 3.9, 4), (0.5, 1.9, 2), (0.34, 0.0, 2), (1 - 2.0**-53, 0, 4)],
)
def test_a_threshold_below_which_the_rectification_is_no_number_is_refused(
    beta_2: float, threshold: float, least: int
) -> None:
    message = f"sma_threshold is {threshold}; accepted: a finite number >= {least} with beta_2 {beta_2}; "
    with pytest.raises(ValueError, match=re.escape(message)):
        options.make(options.dialect("tfa-rectified-adam"), {"beta_2": beta_2, "sma_threshold": threshold})


def test_warm_up_is_linear_twice_and_constant_after() -> None:
    o = options.make(
        options.dialect("tfa-rectified-adam"),
        {"learning_rate": 0.1, "total_steps": 10, "warmup_proportion": 0.2, "min_lr": 0.02},
    )
    rates = [scalars.warmed_up(o, t) for t in range(1, 13)]
    assert rates == pytest.approx([0.05, 0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.02])


def test_a_warm_up_that_never_ends_before_the_last_step() -> None:
    given = {"learning_rate": 0.1, "total_steps": 4, "warmup_proportion": 1.0, "min_lr": 0.02}
    o = options.make(options.dialect("tfa-rectified-adam"), given)
    assert [scalars.warmed_up(o, t) for t in range(1, 7)] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.02, 0.02])


def test_the_warmed_up_rate_reaches_step_size_and_decay() -> None:
    d = options.dialect("tfa-rectified-adam")
    warm = options.make(d, {"learning_rate": 0.1, "total_steps": 10, "warmup_proportion": 0.2, "weight_decay": 0.5})
    plain = options.make(d, {"learning_rate": 0.05, "weight_decay": 0.5})
    assert scalars.row(warm, "float32", 1) == scalars.row(plain, "float32", 1)


def test_threshold_is_met_at_equality_by_tfa_and_not_by_torch() -> None:
    rho = scalars.sma(0.999, 7)
    tfa = options.make(options.dialect("tfa-rectified-adam"), {"sma_threshold": rho})
    assert scalars.row(tfa, "float64", 7)[0] is True
    assert scalars.row(options.make(options.dialect("torch-radam"), {}), "float64", 5)[0] is False
    assert scalars.row(options.make(options.dialect("torch-radam"), {}), "float64", 6)[0] is True


@pytest.mark.parametrize(
    ("dtype", "given", "expected"),
    [
        ("float32", 1e-60, 2.0**-126),
        ("float32", 2.0**-125, 2.0**-125),
        ("float64", 5e-324, 2.0**-1022),
        ("float64", 2.0**-1021, 2.0**-1021),
        ("float32", 0.0, 0.0),
        ("float64", 0.0, 0.0),
    ],
)
def test_epsilon_does_not_underflow_to_zero_and_zero_stays(dtype: str, given: float, expected: float) -> None:
    o = options.make(options.dialect("mxnet2-adam"), {"epsilon": given})
    assert scalars.row(o, dtype, 1)[1][4] == expected


DEFAULT_EPSILON = {
    "keras-v2-adam": 1e-7,
    "tf-keras-adam": 1e-7,
    "mxnet2-adam": 1e-8,
    "mxnet1-adam": 1e-8,
    "tfa-rectified-adam": 1e-7,
    "torch-adam": 1e-8,
    "torch-radam": 1e-8,
}


def test_default_epsilon_is_the_frameworks() -> None:
    assert {name: options.make(d, {}).epsilon for name, d in options.DIALECTS.items()} == DEFAULT_EPSILON


def test_the_largest_float32_is_accepted_and_the_next_number_is_not() -> None:
    largest = 2.0**128 - 2.0**104
    d = options.dialect("mxnet2-adam")
    assert scalars.row(options.make(d, {"epsilon": largest}), "float32", 1)[1][4] == largest
    beyond = options.make(d, {"epsilon": math.nextafter(largest, math.inf)})
    with pytest.raises(ValueError, match=r"^epsilon is "):
        scalars.row(beyond, "float32", 1)
    scalars.row(beyond, "float64", 1)


def test_decay_beyond_the_dtype_is_refused() -> None:
    o = options.make(options.dialect("torch-adam"), {"learning_rate": 1e20, "weight_decay": 1e20})
    with pytest.raises(ValueError, match=r"^learning_rate \* weight_decay is "):
        scalars.row(o, "float32", 1)
    scalars.row(o, "float64", 1)


def test_a_scalar_beyond_the_dtype_is_refused() -> None:
    o = options.make(options.dialect("torch-adam"), {"learning_rate": 1e42})
    with pytest.raises(ValueError, match=r"^learning_rate is .*accepted: a number that float32 holds"):
        scalars.row(o, "float32", 1)
    scalars.row(o, "float64", 1)


def test_exactly_at_the_threshold_torch_does_not_rectify() -> None:
    rho = scalars.sma(0.999, 7)
    radam = replace(options.make(options.dialect("torch-radam"), {}), sma_threshold=rho)
    assert scalars.row(radam, "float64", 7)[0] is False


@pytest.mark.parametrize("name", ["l2", "rescale_grad"])
def test_factors_that_float32_does_not_hold_are_refused(name: str) -> None:
    o = options.make(options.dialect("mxnet2-adam"), {name: 1e39})
    with pytest.raises(ValueError, match=rf"{name} is 1e\+39; accepted: a number that float32 holds"):
        scalars.row(o, "float32", 1)
    scalars.row(o, "float64", 1)


def test_who_does_not_clip_has_a_formula_without_clipping() -> None:
    mxnet = options.dialect("mxnet2-adam")
    assert scalars.variant(options.make(mxnet, {}), "float32", True).clip == ""
    assert scalars.variant(options.make(mxnet, {"clip_gradient": 1.0}), "float32", True).clip == "before l2"
