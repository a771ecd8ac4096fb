"""What the first topics do not reach: settings at their ends, rows in any order, many elements, fifty steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from golden.case import Generator
from golden.making import STEPS, Made, case_of, rows_of, wave
from reference import Dialect
from reference import stages as s


def settings(d: Dialect, topic: str) -> Made:
    """Learning rates 0 and 3, epsilon 0, betas of all 24 bits, both decays, another threshold of the rectification."""
    theta = (wave((3,), 1.0),)
    dense = [(wave((3,), 0.5, k),) for k in range(STEPS)]
    flags = ("settings",)
    text = "learning rate 0, which is no default: m and v move, and the parameters do not"
    yield case_of(d, topic, "rate-zero", text, flags, theta, dense, {"learning_rate": 0.0}, at=(1, 3))
    text = "learning rate 3, which is above 1"
    yield case_of(d, topic, "rate-three", text, flags, theta, dense, {"learning_rate": 3.0}, at=(1, 3))
    text = "epsilon 0, which is none, or stands for the default 1e-7; gradients of 2^-22 and less"
    small = [(wave((3,), 2.0**-22, k),) for k in range(STEPS)]
    yield case_of(d, topic, "epsilon-zero", text, (*flags, "epsilon"), theta, small, {"epsilon": 0.0}, at=(1, STEPS))
    if {"l2", "weight_decay"} <= d.hyperparameters:
        text, both = "coupled decay of what decoupled decay has left", {"l2": 0.5, "weight_decay": 8.0}
        yield case_of(d, topic, "both-decays", text, ("l2", "decoupled-decay"), theta, dense, both, at=(1, STEPS))
    beta_2 = 0.9 if d.rectifies else 0.999  # with 0.999 a float32 formula cannot tell rho_5 from 5
    text = f"the float32 numbers next to 0.9 and {beta_2}, of 24 bits each"
    betas = {"beta_1": float(np.float32(0.9)), "beta_2": float(np.float32(beta_2))}
    yield case_of(d, topic, "betas-of-24-bits", text, ("settings", "bias-correction"), theta, dense, betas)
    if "sma_threshold" in d.hyperparameters:
        text, h = "rho_t is above 5 from step 6 on, and above the threshold 6.25 in step 8", {"sma_threshold": 6.25}
        yield case_of(d, topic, "threshold", text, flags, theta, dense, h, at=(5, 6, 7, STEPS))


def rows_in_any_order(d: Dialect, topic: str) -> Made:
    """Rows that are not in their order, none at all, and a dense gradient after them."""
    if not d.takes_rows:
        return
    theta = (wave((4, 2), 1.0),)

    def gradients(named: Sequence[Sequence[int]]) -> list[tuple[Any]]:
        return [(rows_of(named[k % len(named)], k),) for k in range(STEPS)]

    if s.sum_duplicate_rows in d.stages:  # the others want them in their order
        text = "rows in falling and in no order"
        yield case_of(d, topic, "unsorted", text, ("rows",), theta, gradients(([3, 0], [2, 1], [1, 3, 0], [3, 2])))
        text, flags = "rows that are named again when others have been in between", ("rows", "duplicate-rows")
        yield case_of(d, topic, "apart", text, flags, theta, gradients(([3, 0, 3], [2, 1, 2, 1], [0, 3, 1, 0], [2, 3])))
    text, flags = "no row in steps 2 and 6: a gradient that is there, and is counted", ("rows", "step-count")
    yield case_of(d, topic, "none", text, flags, theta, gradients(([0, 2], [], [1, 3], [2])))
    text = "a dense gradient in every second step, which moves all rows"
    mixed = [(wave((4, 2), 0.5, k) if k % 2 else rows_of([0, 2], k),) for k in range(STEPS)]
    yield case_of(d, topic, "dense-between", text, ("rows",), theta, mixed)


def many_elements(d: Dialect, topic: str) -> Made:
    """More elements than a block of 256 has, none of them like another."""
    theta = (wave((260,), 1.0),)
    generator = Generator(seed=19460301, steps=1, exponents=(0,))
    text = "260 elements: vectors, unrolled pairs of vectors, a block, and a tail"
    gradients = generator.gradients((theta[0].shape,))
    yield case_of(d, topic, "dense", text, ("tail",), theta, gradients, at=(1,), generator=generator)


def fifty_steps(d: Dialect, topic: str) -> Made:
    """Decay that goes on."""
    name = next((name for name in ("weight_decay", "l2") if name in d.hyperparameters), None)
    if name is None:
        return
    theta = (wave((3,), 1.0),)
    generator = Generator(seed=19790521, steps=60, exponents=(-6,))
    flag = "decoupled-decay" if name == "weight_decay" else "l2"
    text = "60 steps with decay"
    gradients = generator.gradients((theta[0].shape,))
    at = (1, 50, 51, 60)
    yield case_of(
        d, topic, "decay", text, (flag, "long-run"), theta, gradients, {name: 0.5}, at=at, generator=generator
    )
