"""What computes as it declares is inside the bound; what is wrong by little is outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from comparing import worst_of
from hypothesis import given, settings, target
from hypothesis import strategies as st
from plain_adam import Arithmetic, judged
from random_problems import GRADIENTS, LAW, Array, gradient_values

from reference import Hyperparameters

ARITHMETICS = st.builds(
    Arithmetic,
    powers=st.sampled_from(["pow", "product", "host"]),
    moments=st.sampled_from(["sum", "lerp"]),
    flush=st.booleans(),
)
HYPERPARAMETERS = st.builds(
    Hyperparameters,
    learning_rate=st.sampled_from([1e-3, 0.1, 1.0, 10.0]),
    beta_1=st.sampled_from([0.9, 0.0, 0.5, 0.8, 0.99, 0.999]),
    beta_2=st.sampled_from([0.999, 0.3, 0.7, 0.9, 0.99, 0.9999, 0.99999]),
    epsilon=st.sampled_from([1e-7, 1e-8, 1e-3, 0.1]),
)


# A plain float32 Adam


@pytest.mark.parametrize("form", ["hat", "paper", "rectified"])
@settings(LAW, max_examples=150)
@given(
    a=ARITHMETICS,
    h=HYPERPARAMETERS,
    kind=st.sampled_from([*GRADIENTS, "extremes"]),
    steps=st.sampled_from([1, 5, 20, 60]),
    scale=st.sampled_from([1.0, 0.0, 1e-6, 1e3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_plain_float32_adam_is_inside(
    form: str, a: Arithmetic, h: Hyperparameters, kind: str, steps: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    theta, gradients = rng.normal(size=8) * scale, gradient_values(kind, rng, steps, (8,))
    run = [(one_step, free) for one_step, free, _ in judged(form, a, h, theta, gradients)]
    worst = worst_of(found for both in run for found in both)
    target(max(worst.values()))
    assert max(worst.values()) <= 1, worst


@pytest.mark.parametrize(("beta_2", "threshold"), [(0.125, 1.125), (0.5, 2.25), (2.0**-30, 0.0), (0.0, 0.5)])
@pytest.mark.parametrize("powers", ["pow", "product", "host"])
def test_a_rectification_below_4_is_inside_and_is_bounded(powers: Any, beta_2: float, threshold: float) -> None:
    """Where the length's limit is below 4, or below 2, the rectification is a number there too."""
    h = Hyperparameters(learning_rate=0.1, beta_2=beta_2, sma_threshold=threshold)
    gradients = gradient_values("normal", np.random.default_rng(0), 20, (8,))
    a = Arithmetic(powers=powers)
    for one_step, free, bound in judged("rectified", a, h, np.ones(8), gradients):
        assert max(*one_step.values(), *free.values()) <= 1
        assert (bound.update[0] < 1e-4).all()


def acting_gradients(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return gradient_values(GRADIENTS[seed % 2], rng, 25, (16,))


@pytest.mark.parametrize("powers", ["pow", "product", "host"])
@pytest.mark.parametrize("form", ["hat", "paper", "rectified"])
def test_the_bound_informs(form: str, powers: Any) -> None:
    """Below 1 % of the movement for nearly every element: it would see an error of that size."""
    gradients = acting_gradients(0)
    *_, (_, free, bound) = judged(form, Arithmetic(powers=powers), Hyperparameters(), np.zeros(16), gradients)
    assert max(free.values()) <= 1
    assert (bound.theta[0] < 0.01 * 25 * 1e-3).mean() > 0.9


H = Hyperparameters(learning_rate=0.01, beta_1=0.9, beta_2=0.99, epsilon=1e-6)
WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "learning rate off by one part in 10^4": ("hat", {"h": replace(H, learning_rate=0.01 * (1 + 1e-4))}),
    "learning rate off by one part in 10^4, paper": ("paper", {"h": replace(H, learning_rate=0.01 * (1 + 1e-4))}),
    "beta_1 0.8": ("hat", {"h": replace(H, beta_1=0.8)}),
    "beta_2 0.98": ("hat", {"h": replace(H, beta_2=0.98)}),
    "no momentum": ("hat", {"h": replace(H, beta_1=0.0)}),
    "no epsilon": ("hat", {"h": replace(H, epsilon=0.0)}),
    "epsilon ten times": ("paper", {"h": replace(H, epsilon=1e-5)}),
    "paper epsilon": ("hat", {"form": "paper"}),
    "epsilon hat": ("paper", {"form": "hat"}),
    "minus epsilon, as NonFusedAdam up to Keras 2.12": ("hat", {"form": "minus"}),
    "epsilon inside the root": ("hat", {"form": "inside"}),
    "step count ahead by one": ("hat", {"t_0": 1}),
    "no bias correction": ("hat", {"t_0": 10**6}),
    "not rectified": ("rectified", {"form": "paper"}),
    "threshold 6": ("rectified", {"h": replace(H, sma_threshold=6.0)}),
}


@pytest.mark.parametrize("powers", ["pow", "product", "host"])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_outside(name: str, powers: Any) -> None:
    """Within two problems, in one step and in the free run."""
    form, wrong = WRONG[name]
    assert_outside(form, Arithmetic(powers=powers), wrong)


@pytest.mark.parametrize("change", [np.sign, np.negative, lambda g: np.clip(g, -1, 1)])
def test_a_wrong_gradient_is_outside(change: Callable[[Array], Array]) -> None:
    wrong = [{"gradients": change(acting_gradients(seed))} for seed in (0, 1)]
    assert_outside("hat", Arithmetic(), *wrong)


def assert_outside(form: str, a: Arithmetic, *wrong: dict[str, Any]) -> None:
    """wrong: for both problems, or one for each."""
    right = worst_fractions(form, a, {})
    assert max(right) <= 1
    one_step, free = worst_fractions(form, a, *wrong)
    assert one_step > 1
    assert free > 1


def worst_fractions(form: str, a: Arithmetic, *wrong: dict[str, Any]) -> tuple[float, float]:
    """The worst of two problems, in one step and in the free run."""
    found = [
        both
        for seed in (0, 1)
        for both in judged(form, a, H, np.ones(16), acting_gradients(seed), wrong[seed % len(wrong)])
    ]
    return max(max(one.values()) for one, _, _ in found), max(max(free.values()) for _, free, _ in found)
