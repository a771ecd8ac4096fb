"""Numbers of the format: hexadecimal floats, the generator, and rounding once."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from itertools import islice

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.case import Generator, GoldenError, xorshift32
from golden.fifty_digits import nearest
from golden.floats import from_hex, to_hex

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
@settings(max_examples=300, derandomize=True)
def test_hexadecimal_text_is_exact_and_of_the_shortest_form(value: float) -> None:
    text = to_hex(value)
    back = from_hex(text, "x")
    assert (back, math.copysign(1, back)) == (value, math.copysign(1, value))
    assert float.fromhex(text) == value
    assert "." not in text or not text.partition("p")[0].endswith("0")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "0x1p+0"),
        (-1.5, "-0x1.8p+0"),
        (0.1, "0x1.999999999999ap-4"),
        (0.0, "0x0p+0"),
        (-0.0, "-0x0p+0"),
        (5e-324, "0x0.0000000000001p-1022"),
        (sys.float_info.max, "0x1.fffffffffffffp+1023"),
    ],
)
def test_hexadecimal_text_by_hand(value: float, text: str) -> None:
    assert to_hex(value) == text
    assert from_hex(text, "x") == value


@pytest.mark.parametrize(
    "text",
    [
        "1.5", "0x", "0x1", "0x1.8", "0x1.80p+0", "0X1p+0", "0x1p0", "0x1p+00", "0x2p+0", " 0x1p+0", "0x1p+0\n",
        "0x1.fffffffffffff8p+0", "0x1p+1024", "0x1p+9999", "0x1p-1075", "inf", "nan", "0x1.gp+0", "+0x1p+0", "",
        "0x1." + "0" * 10_000 + "p+0", None, 1, 1.5, True, [], {},
    ],
)  # fmt: skip
def test_other_text_is_refused(text: object) -> None:
    with pytest.raises(GoldenError, match=r"^here is .*; accepted: a finite C99 hexadecimal float") as caught:
        from_hex(text, "here")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_only_finite_numbers_are_written(value: float) -> None:
    with pytest.raises(GoldenError, match="accepted: a finite number"):
        to_hex(value)


def test_the_generator_as_another_language_would_write_it() -> None:
    """With 32-bit unsigned integers that wrap."""
    x, wanted = np.uint32(20141222), []
    for _ in range(1000):
        x = x ^ (x << np.uint32(13))
        x = x ^ (x >> np.uint32(17))
        x = x ^ (x << np.uint32(5))
        wanted.append(int(x))
    assert list(islice(xorshift32(20141222), 1000)) == wanted
    assert list(islice(xorshift32(1), 3)) == [270369, 67634689, 2647435461]  # Marsaglia's triple, by hand


def test_generated_gradients_come_step_by_step_and_are_exact_in_float32() -> None:
    shapes = ((2, 2), (3,))
    gradients = Generator(7, 50, (0, -12)).gradients(shapes)
    numbers = xorshift32(7)
    for step in gradients:
        for array, shape, exponent in zip(step, shapes, (0, -12), strict=True):
            assert array.shape == shape
            wanted = [Fraction((next(numbers) >> 8) - 2**23) * Fraction(2) ** (exponent - 23) for _ in array.ravel()]
            assert [Fraction(float(value)) for value in array.ravel()] == wanted
            assert np.array_equal(array.astype(np.float32).astype(np.float64), array)
            assert np.all(abs(array) <= 2.0**exponent)


@given(FINITE, st.integers(-8, 8))
@settings(max_examples=300, derandomize=True)
def test_fifty_digits_are_rounded_to_the_nearest(value: float, eighths: int) -> None:
    """Between two neighbours the nearer, and of two equally near the even one: as Python divides integers."""
    exact = Fraction(value) + Fraction(math.ulp(value)) * eighths / 8
    context = mpmath.MPContext()
    context.prec = 2200  # exact
    number = context.mpf(exact.numerator) / exact.denominator
    try:
        wanted = exact.numerator / exact.denominator
    except OverflowError:
        with pytest.raises(OverflowError):
            nearest(number)
    else:
        assert nearest(number) == wanted


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_not_finite_is_not_rounded(value: str) -> None:
    with pytest.raises(ValueError, match="accepted: a finite one"):
        nearest(mpmath.mpf(value))
