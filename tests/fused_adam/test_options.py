"""Hyper-parameters: what is a number, and what is refused by name."""

from __future__ import annotations

import decimal
import warnings
from typing import Any

import numpy as np
import pytest

from fused_adam import options

TORCH = options.dialect("torch-adam")
NAMES = ("learning_rate", "beta_1", "beta_2", "epsilon", "l2", "weight_decay")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", [0, 0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5), np.longdouble(0.5), np.int64(0), np.uint8(0)]
)
def test_numbers(name: str, value: Any) -> None:
    for given in (value, np.array(value)):
        taken = getattr(options.make(TORCH, {name: given}), name)
        assert type(taken) in (int, float)
        assert taken == value


NO_NUMBERS = [
    np.str_("0.1"),
    np.bytes_(b"0.1"),
    np.array("0.1"),
    np.array(b"0.1"),
    np.True_,
    np.False_,
    np.array(True),
    np.complex64(0.1),
    np.array(0.1 + 0j),
    np.array(0.1, dtype=object),
    np.array([0.1]),
    np.datetime64("2020-01-01"),
    np.timedelta64(0, "s"),
    np.dtype("f4"),
    decimal.Decimal("0.1"),
    "0.1",
    True,
    None,
    0j,
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["learning_rate", "beta_1"])
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=f"{name} is .*; accepted: a"):
            options.make(TORCH, {name: value})


@pytest.mark.parametrize("value", [10**400, 10**5000, -(10**5000)], ids=["400", "5000", "negative"])
@pytest.mark.parametrize("name", ["learning_rate", "total_steps"])
def test_numbers_beyond_double_are_refused(name: str, value: int) -> None:
    """Python itself refuses to print the long ones."""
    with pytest.raises(ValueError, match=f"^{name} is (-?10*...|int too long to be shown); accepted: an? ") as caught:
        options.make(options.dialect("tfa-rectified-adam"), {name: value})
    assert len(str(caught.value)) < 250
