"""Of the first set: what a parameter has of its own in MXNet, multipliers and where its count begins."""

from __future__ import annotations

from typing import Any

from golden.making import STEPS, Made, case_of, rows_of, wave
from reference import Dialect


def multipliers(d: Dialect, topic: str) -> Made:
    """Parameters with multiples of the learning rate and of l2 of their own."""
    if "lr_mult" not in d.hyperparameters:
        return
    theta = wave((3,), 1.0), wave((2,), 0.5), wave((5,), 0.25)
    dense = [tuple(wave((n,), 0.5, k + n) for n in (3, 2, 5)) for k in range(STEPS)]
    h: dict[str, Any] = {"lr_mult": (2.0, 0.0, 0.5)}
    text = "twice the learning rate, none of it, and half of it"
    yield case_of(d, topic, "rate", text, ("multipliers",), theta, dense, h)
    text, h = "l2 as it is, three times, and none", {"l2": 0.125, "wd_mult": (1.0, 3.0, 0.0)}
    yield case_of(d, topic, "decay", text, ("multipliers", "l2"), theta, dense, h)
    absent = [(a if k not in (0, 3) else None, b, c if k != 1 else None) for k, (a, b, c) in enumerate(dense)]
    text, h = "both, and parameters without gradient", {"lr_mult": (2.0, 1.0, 0.5), **h}
    flags: tuple[str, ...] = ("multipliers", "l2", "absent-gradient")
    yield case_of(d, topic, "absent", text, flags, theta, absent, h)
    text, flags = "both, by rows", ("multipliers", "l2", "rows")
    sparse = [(rows_of([k % 4, 3], k) if k % 4 < 3 else rows_of([0, 1], k), wave((2,), 0.5, k)) for k in range(STEPS)]
    h = {"l2": 0.125, "lr_mult": (0.5, 4.0), "wd_mult": (3.0, 0.0)}
    yield case_of(d, topic, "rows", text, flags, (wave((4, 2), 1.0), wave((2,), 0.5)), sparse, h)


def begin(d: Dialect, topic: str) -> Made:
    """A count that begins above 0."""
    if "begin_num_update" not in d.hyperparameters:
        return
    theta = wave((3,), 1.0), wave((2,), 0.5)
    late = [(wave((3,), 0.5, k), wave((2,), 0.25, k) if k not in (0, 1, 4) else None) for k in range(STEPS)]
    text = "the first steps are number 11; one parameter comes late and begins there too"
    flags = ("begin", "step-count", "absent-gradient")
    yield case_of(d, topic, "ten", text, flags, theta, late, {"begin_num_update": 10})
