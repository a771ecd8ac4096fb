"""Schedules and warm-up: worked by hand, at 50 digits, and with what their running error says."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from reference import Hyperparameters, Rounding, Schedule, bounded_step, dialect, initial_bound, initial_state, step
from reference.bound_rates import scheduled_rate
from reference.bound_rules import Errors
from reference.fifty_digits import FiftyDigits
from reference.namespace import FLOAT64
from reference.rounding import unit
from reference.running import Running
from reference.schedules import FORMULAS, LR_SCHEDULERS, restarts, warmed_up
from reference.stages import Working

SINGLE = Rounding(compute="float32", powers="float32", step_size="float32", schedule="float32")
U = unit("float32")
BY_HAND: dict[str, tuple[Schedule, list[float]]] = {}


def schedule(name: str, /, **numbers: Any) -> Schedule:
    return Schedule(name, tuple(numbers.items()))


def by_hand(title: str, name: str, worked: list[float], /, **numbers: Any) -> None:
    BY_HAND[title] = schedule(name, **numbers), worked


ROOT = math.sqrt(0.5)
by_hand("exponential", "exponential", [1, ROOT, 0.5, 0.5 * ROOT], decay_steps=2, decay_rate=0.5, staircase=False)
by_hand("staircase", "exponential", [1, 1, 0.5, 0.5, 0.25], decay_steps=2, decay_rate=0.5, staircase=True)
by_hand("inverse", "inverse_time", [1, 2 / 3, 0.5, 0.4], decay_steps=2, decay_rate=1.0, staircase=False)
by_hand("inverse-stairs", "inverse_time", [1, 1, 0.5, 0.5, 1 / 3], decay_steps=2, decay_rate=1.0, staircase=True)
by_hand(
    "polynomial",
    "polynomial",
    [1, 0.625, 0.5, 0.5],
    decay_steps=2,
    end_learning_rate=0.5,
    power=2.0,
    cycle=False,
)
by_hand(
    "cycle",
    "polynomial",
    [1, 0.75, 0.5, 0.625, 0.5, 7 / 12, 0.5],
    decay_steps=2,
    end_learning_rate=0.5,
    power=1.0,
    cycle=True,
)
by_hand("pieces", "piecewise_constant", [1, 1, 0.5, 0.5, 2, 2], boundaries=(1, 3), values=(0.5, 2.0))
by_hand("cosine", "cosine", [1, 0.75, 0.5, 0.5], decay_steps=2, alpha=0.5, warmup_target=None, warmup_steps=0)
by_hand("target", "cosine", [1, 2, 3, 1.5, 0, 0], decay_steps=2, alpha=0.0, warmup_target=3.0, warmup_steps=2)
by_hand(
    "restarts",
    "cosine_restarts",
    [1, 0.5, 0.5, 0.25, 0.25],
    first_decay_steps=2,
    t_mul=1.0,
    m_mul=0.5,
    alpha=0.0,
)
by_hand(
    "longer",
    "cosine_restarts",
    [1, 0.5, 1, 0.5 + ROOT / 2, 0.5, 0.5 - ROOT / 2, 1],
    first_decay_steps=2,
    t_mul=2.0,
    m_mul=1.0,
    alpha=0.0,
)
by_hand("root", "inverse_root", [1, math.sqrt(2 / 3), ROOT], decay_steps=2)


@pytest.mark.parametrize("title", BY_HAND)
def test_by_hand(title: str) -> None:
    found, values = BY_HAND[title]
    fifty = FiftyDigits()
    for k, wanted in enumerate(values):
        assert float(found.after(k, 1.0, FLOAT64)) == pytest.approx(wanted, rel=1e-15, abs=1e-15)
        exact = found.after(k, fifty.number(1), fifty)
        assert abs(float(exact - fifty.number(float(found.after(k, 1.0, FLOAT64))))) < 1e-15


def test_every_formula_is_worked_by_hand() -> None:
    assert {found.name for found, _ in BY_HAND.values()} == set(FORMULAS) - LR_SCHEDULERS


@pytest.mark.parametrize("title", BY_HAND)
def test_float32_is_within_the_running_error_and_not_far_below(title: str) -> None:
    """As Keras forms them: each line in float32. The bound is derived, so that half of it must come near somewhere."""
    found, values = BY_HAND[title]
    x = Running(U)
    for k in range(len(values)):
        value = x.number(found.after(k, x.number(1), x))
        with np.errstate(all="raise"):
            formed = float(found.after(k, np.float32(1), _Single()))
        assert abs(formed - value.value) <= value.error
        assert value.error <= 40 * U * max(1.0, abs(value.value))


class _Single:
    """Every operation in float32."""

    pi = np.float32(math.pi)

    def number(self, value: Any) -> Any:
        return np.float32(value)

    def sqrt(self, value: Any) -> Any:
        return np.sqrt(value)

    def cos(self, value: Any) -> Any:
        return np.float32(np.cos(value))

    def power(self, base: Any, exponent: Any) -> Any:
        return np.float32(base**exponent)


def test_what_is_whole_is_exact_and_what_is_not_is_off() -> None:
    x = Running(U)
    assert (x.number(6) / x.number(3)).error == 0
    assert (1 - x.number(4) / x.number(4)).error == 0
    assert (x.number(1) / x.number(3)).error == U / 3
    assert x.number(0.1).error == U * 0.1
    assert x.power(x.number(0), x.number(0.5)).error == 0


def test_a_difference_that_the_error_decides_is_both_branches() -> None:
    x = Running(U)
    third = x.number(1) / x.number(3)
    taken = x.at_most(third, third, lambda: x.number(1), lambda: x.number(5))
    assert (taken.value, taken.error) == (1, 4)
    certain = x.at_most(x.number(1), x.number(2), lambda: x.number(1), lambda: x.number(5))
    assert (certain.value, certain.error) == (1, 0)


@pytest.mark.parametrize("t_mul", [1.0, 1.5, 2.0, 1.7, 1.001])
def test_restarts_are_counted_exactly(t_mul: float) -> None:
    for k in range(60):
        i = restarts(k, 3, t_mul)
        sums = [sum((3 * Fraction(t_mul) ** j for j in range(n)), start=Fraction(0)) for n in (i, i + 1)]
        assert sums[0] <= k < sums[1]


def test_next_to_a_restart_either_side_of_it_is_within_the_bound() -> None:
    """floor(log(1 + k / n) / log 2) in float32 may be either where it is whole; elsewhere it is not."""
    numbers = {"first_decay_steps": 2, "t_mul": 2.0, "m_mul": 0.5, "alpha": 0.0}
    h = Hyperparameters(learning_rate=1.0, schedule=schedule("cosine_restarts", **numbers))
    for k, near in ((5, False), (6, True), (7, False)):
        p = Working(None, None, None, None, t=k + 1, g=None, learning_rate=1.0)
        e = Errors(0, 0, 0, None, False)
        scheduled_rate(p, p, e, h, SINGLE)
        assert (e.rate > 0.5) == near


# Warm-up


def test_warm_up_by_hand() -> None:
    rates = [float(warmed_up(1.0, t, FLOAT64, 6, 0.5, 0.25)) for t in range(1, 9)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25, 0.25, 0.25])
    assert [float(warmed_up(1.0, t, FLOAT64, 2, 1.0, 0.25)) for t in (1, 2, 3, 4)] == [0.5, 1, 0.25, 0.25]


# In a dialect


@pytest.mark.parametrize("name", ["keras-v2-adam", "tf-keras-adam", "keras3-adam", "tfa-rectified-adam"])
def test_step_t_has_the_rate_after_t_minus_1_steps(name: str) -> None:
    h = Hyperparameters(learning_rate=0.5, schedule=BY_HAND["polynomial"][0])
    state = given = initial_state([np.array([1.0])], h)
    for k in range(4):
        rate = float(BY_HAND["polynomial"][0].after(k, 0.5, FLOAT64))
        state = step(dialect(name), h, given, [np.array([2.0])])
        same = step(dialect(name), Hyperparameters(learning_rate=rate), given, [np.array([2.0])])
        np.testing.assert_array_equal(state.theta[0], same.theta[0])
        given = state


def test_schedule_then_decay_then_warm_up() -> None:
    stairs = BY_HAND["staircase"][0]
    warm = {"total_steps": 6, "warmup_proportion": 0.5, "min_lr": 0.25}
    h = Hyperparameters(learning_rate=1.0, schedule=stairs, decay=0.5, **warm)
    given = replace(initial_state([np.array([1.0])], h), t=(3,))
    rate = float(warmed_up(0.5 / (1 + 0.5 * 3), 4, FLOAT64, 6, 0.5, 0.25))
    d = dialect("tfa-rectified-adam")
    one, same = (step(d, of, given, [np.array([2.0])]) for of in (h, Hyperparameters(learning_rate=rate)))
    np.testing.assert_array_equal(one.theta[0], same.theta[0])


def test_weight_decay_by_a_schedule() -> None:
    d, stairs = dialect("tfa-rectified-adam"), BY_HAND["staircase"][0]
    h = Hyperparameters(weight_decay=0.5, weight_decay_schedule=stairs)
    given = replace(initial_state([np.array([1.0])], h), t=(4,))
    one, same = (step(d, of, given, [np.array([2.0])]) for of in (h, Hyperparameters(weight_decay=0.125)))
    np.testing.assert_array_equal(one.theta[0], same.theta[0])


def test_a_rate_that_may_be_nothing_is_ambiguous() -> None:
    """1 + cos(pi) is 0, and may be anything up to its own rounding elsewhere: no relative error bounds that."""
    numbers = {"decay_steps": 2, "alpha": 0.0, "warmup_target": None, "warmup_steps": 0}
    h = Hyperparameters(schedule=schedule("cosine", **numbers))
    given = replace(initial_state([np.array([1.0])], h), t=(5,))
    _, bound = bounded_step(dialect("keras-v2-adam"), h, SINGLE, given, initial_bound(given), [np.array([2.0])])
    assert np.isinf(bound.theta[0]).all()
    ends = replace(h, schedule=schedule("cosine", **numbers | {"alpha": 0.125}))
    _, bound = bounded_step(dialect("keras-v2-adam"), ends, SINGLE, given, initial_bound(given), [np.array([2.0])])
    assert np.isfinite(bound.theta[0]).all()


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("cubic", {}, "schedule is 'cubic'; accepted: exponential"),
        ("inverse_root", {}, "numbers of inverse_root are"),
        ("inverse_root", {"decay_steps": 0}, r"inverse_root.decay_steps is 0; accepted: a whole number >= 1"),
        ("piecewise_constant", {"boundaries": (2, 1), "values": (1.0, 2.0)}, "boundaries is"),
        ("piecewise_constant", {"boundaries": (1, 2), "values": (1.0,)}, "values is"),
    ],
)
def test_bad_schedules(name: str, numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedule(name, **numbers)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "cosine"}, "schedule is 'cosine'; accepted: None or a reference.Schedule"),
        ({"total_steps": -1}, "total_steps is -1; accepted: a whole number >= 0"),
        ({"warmup_proportion": 1.5}, r"warmup_proportion is 1.5; accepted: a number in \[0, 1\]"),
        ({"min_lr": -1.0}, "min_lr is -1.0; accepted: a finite number >= 0"),
    ],
)
def test_bad_hyperparameters(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Hyperparameters(**given)
