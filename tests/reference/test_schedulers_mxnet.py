"""MXNet's schedulers, worked by hand and at 50 digits; whom num_update is the largest count of; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reference import DIALECTS, Hyperparameters, Rounding, Schedule, State, dialect, initial_state
from reference import step as one_step
from reference.bound_rates import scheduled_by_updates
from reference.bound_rules import Errors
from reference.fifty_digits import FiftyDigits
from reference.namespace import FLOAT64
from reference.rounding import unit
from reference.schedules import LR_SCHEDULERS
from reference.stages import Working

MXNET = [name for name, d in DIALECTS.items() if "lr_scheduler" in d.hyperparameters]
DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")
UP: dict[str, Any] = {"warmup_steps": 3, "warmup_begin_lr": 1.0, "warmup_mode": "linear"}
NONE: dict[str, Any] = {"warmup_steps": 0, "warmup_begin_lr": 0.0, "warmup_mode": "linear"}


def scheduler(kind: str, warm_up: dict[str, Any] = NONE, /, **numbers: Any) -> Schedule:
    return Schedule(f"mxnet_{kind}", tuple({**numbers, **warm_up}.items()))


BY_HAND: dict[str, tuple[Schedule, int, list[float]]] = {
    "factor": (scheduler("factor", step=2, factor=0.5, stop_factor_lr=0.0), 0, [4, 4, 2, 2, 1, 1, 0.5]),
    "factor-stops": (scheduler("factor", step=1, factor=0.25, stop_factor_lr=0.5), 0, [4, 1, 0.5, 0.5]),
    "factor-stops-above": (scheduler("factor", step=2, factor=0.5, stop_factor_lr=8.0), 0, [4, 4, 8, 8]),
    "factor-late": (scheduler("factor", step=2, factor=0.5, stop_factor_lr=0.0), 4, [1, 1, 0.5]),
    "factor-warm-up": (scheduler("factor", UP, step=1, factor=0.5, stop_factor_lr=0.0), 0, [2, 3, 1, 0.5]),
    "constant": (
        scheduler("factor", UP | {"warmup_mode": "constant"}, step=2, factor=0.5, stop_factor_lr=0.0),
        0,
        [1, 1, 2, 2, 1],
    ),
    "several": (scheduler("multi_factor", steps=(1, 3), factor=0.5), 0, [4, 2, 2, 1, 1]),
    "several-late": (scheduler("multi_factor", steps=(1, 3), factor=0.5), 3, [1, 1]),
    "poly": (scheduler("poly", max_update=4, pwr=2.0, final_lr=0.0), 0, [2.25, 1, 0.25, 0, 0]),
    "poly-warm-up": (scheduler("poly", UP, max_update=5, pwr=1.0, final_lr=2.0), 0, [2, 3, 4, 3, 2, 2]),
    "cosine": (scheduler("cosine", max_update=4, final_lr=2.0), 0, [3 + 0.5**0.5, 3, 3 - 0.5**0.5, 2, 2]),
    "cosine-warm-up": (scheduler("cosine", UP, max_update=5, final_lr=2.0), 0, [2, 3, 4, 3, 2, 2]),
    "at-the-end": (scheduler("poly", max_update=4, pwr=2.0, final_lr=1.0), 3, [1, 1, 1]),
    "behind-the-end": (scheduler("poly", max_update=4, pwr=2.0, final_lr=1.0), 4, [4, 4, 4]),
    "warm-up-behind-the-end": (scheduler("cosine", UP, max_update=1, final_lr=2.0), 0, [2, 3, 4, 4]),
}
"""A scheduler of base_lr 4, begin_num_update, and the rates from the first update on."""


@pytest.mark.parametrize("title", BY_HAND)
def test_by_hand(title: str) -> None:
    found, begin, rates = BY_HAND[title]
    fifty = FiftyDigits()
    for n, wanted in enumerate(rates, begin + 1):
        assert float(found.at(n, 4.0, FLOAT64, begin)) == pytest.approx(wanted, rel=1e-15, abs=1e-15)
        exact = found.at(n, fifty.number(4), fifty, begin)
        assert abs(float(exact) - wanted) < 1e-15 * wanted or abs(float(exact)) < 1e-40


def test_every_scheduler_is_worked_by_hand_and_only_mxnet_has_them() -> None:
    assert {found.name for found, _, _ in BY_HAND.values()} == LR_SCHEDULERS
    assert MXNET == ["mxnet2-adam", "mxnet2-adam-lazy", "mxnet1-adam", "mxnet1-adam-lazy"]


def run(name: str, *steps: list[Any], begin: int = 0, **hyperparameters: Any) -> list[State]:
    """States of parameters that begin at 0 and move by their learning rates: beta is 0, g is 1, epsilon is 0."""
    usual: dict[str, Any] = {"learning_rate": 4.0, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.0}
    h = Hyperparameters(**usual, begin_num_update=begin, **hyperparameters)
    states = [initial_state([np.zeros(1)] * len(steps[0]), h)]
    for gradients in steps:
        given = [np.ones(1) if g else None for g in gradients]
        states.append(one_step(dialect(name), h, states[-1], given))
    return states


@pytest.mark.parametrize("name", MXNET)
def test_a_parameter_has_the_rate_of_the_largest_count_at_its_turn(name: str) -> None:
    """The first lags behind by one: it is asked for when the others have not counted yet, and the last one after it."""
    states = run(name, [0, 1, 1], [1, 1, 1], [1, 0, 1], lr_scheduler=BY_HAND["poly"][0])
    moved = np.diff([np.ravel(state.theta) for state in states], axis=0)
    np.testing.assert_allclose(moved, [[0, -2.25, -2.25], [-2.25, -1, -1], [-1, 0, -0.25]], atol=1e-15)
    assert states[-1].t == (2, 2, 3)


@pytest.mark.parametrize("name", MXNET)
def test_what_multiplies_a_rate_multiplies_the_scheduler_s(name: str) -> None:
    given = {"lr_scheduler": BY_HAND["poly-warm-up"][0], "lr_mult": (0.5, 2.0)}
    states = run(name, [1, 1], begin=1, **given)
    np.testing.assert_allclose(np.ravel(states[-1].theta), [-1.5, -6], rtol=1e-15)


def test_every_product_of_factors_is_granted_a_rounding() -> None:
    """MXNet multiplies 100 times, and the reference raises to a power once."""
    bounds = []
    for n in (2, 101):
        h = Hyperparameters(lr_scheduler=scheduler("factor", step=1, factor=1.0, stop_factor_lr=0.0))
        p, e = Working(None, None, None, None, n, g=None, learning_rate=1.0, num_update=n), Errors(0, 0, 0, None, False)
        scheduled_by_updates(p, p, e, h, DOUBLE)
        bounds.append(e.rate)
    assert bounds[1] - bounds[0] == pytest.approx(99 * unit("float64"), rel=1e-9)


REFUSED: list[tuple[Any, str]] = [
    (lambda: scheduler("poly", UP, max_update=3, pwr=1.0, final_lr=0.0), "warmup_steps is 3; accepted: other than max"),
    (lambda: scheduler("multi_factor", steps=(3, 3), factor=0.5), r"steps is \(3, 3\); accepted: whole numbers >= 1"),
    (lambda: scheduler("multi_factor", steps=3, factor=0.5), r"steps is 3; accepted: whole numbers >= 1 that rise"),
    (lambda: scheduler("factor", step=0, factor=0.5, stop_factor_lr=0.0), "step is 0; accepted: a whole number >= 1"),
    (lambda: scheduler("factor", step=1, factor=1.5, stop_factor_lr=0.0), r"factor is 1.5; accepted: a number in \[0"),
    (
        lambda: scheduler("cosine", NONE | {"warmup_mode": "up"}, max_update=3, final_lr=0.0),
        "'up'; accepted: linear",
    ),
    (lambda: Hyperparameters(schedule=BY_HAND["poly"][0]), "schedule is .*accepted: None or .* of others than MXNet's"),
    (
        lambda: Hyperparameters(lr_scheduler=Schedule("inverse_root", (("decay_steps", 2),))),
        "lr_scheduler is .*accepted: None or a reference.Schedule of MXNet's",
    ),
]


@pytest.mark.parametrize(("made", "says"), REFUSED, ids=[says[:20] for _, says in REFUSED])
def test_what_is_refused(made: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made()
