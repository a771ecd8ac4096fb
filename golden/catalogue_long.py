"""Cases of many steps, of counts that a narrow format does not hold, of parameters that come late, of ten decades."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from golden.between import Between
from golden.case import NARROW, Generator
from golden.making import BETAS, STEPS, Made, case_of, wave
from reference import Dialect

_TEN_THOUSAND = frozenset({"keras-v2-adam", "mxnet2-adam-lazy", "torch-adam"})
"""One of the dialects with one t, one of those with a t each, one with paper epsilon; the rest of a step is alike."""
_NARROW = frozenset({"mxnet2-adam", "mxnet2-adam-lazy", "torch-adam", "torch-radam", "torch-nadam"})
"""Dialects of frameworks that take parameters of 16 bits and keep a count beside them."""


def ten_thousand_steps(d: Dialect, topic: str) -> Made:
    """10 000 steps of gradients that a generator makes."""
    if d.name not in _TEN_THOUSAND:
        return
    theta = (wave((2,), 1.0),)
    generator = Generator(seed=19870617, steps=10_000, exponents=(0,))
    h = {"beta_1": 0.875, "beta_2": 1 - 2.0**-13}
    text, at = "10 000 steps, over which 1 - beta_2^t has come to 0.7", (1, 256, 257, 2048, 2049, 10_000)
    gradients = generator.gradients(((2,),))
    yield case_of(d, topic, "dense", text, ("long-run",), theta, gradients, h, at=at, generator=generator)


def narrow_counts(d: Dialect, topic: str) -> Made:
    """Zeros for so long that t is no number of the format, and then two gradients, whose updates t decides.

    Whole numbers are exact up to 2^8 in bfloat16 and up to 2^11 in float16: what counts in them stays there.
    """
    for name, steps, beta_2 in _counts(d):
        text = f"{steps} steps, all but the last two with gradient 0: and {name} cannot count so far"
        yield _counted(d, topic, name, text, ("step-count",), steps, beta_2, ())


def narrow_saved(d: Dialect, topic: str) -> Made:
    """As `narrow_counts`, saved and loaded before the two gradients."""
    for name, steps, beta_2 in _counts(d):
        between = [Between(after=steps - 2, do="save-and-load", hyperparameters={})]
        text = f"saved after {steps - 2} steps with gradient 0 and loaded into a new object, in {name}"
        yield _counted(d, topic, name, text, ("step-count", "saved"), steps, beta_2, between)


def _counts(d: Dialect) -> Iterator[tuple[str, int, float]]:
    if d.name not in _NARROW:
        return
    if not d.name.startswith("mxnet"):  # has none
        yield "bfloat16", 600, 1 - 2.0**-10
    if d.name not in ("torch-radam", "torch-nadam"):  # which count as Adam does there
        yield "float16", 2560, 1 - 2.0**-12  # without a float32 copy only t tells: what float16 loses is as large


def _counted(
    d: Dialect, topic: str, name: str, text: str, flags: tuple[str, ...], steps: int, beta_2: float, between: Any
) -> Any:
    g = wave((2,), 64.0)  # its square is far from the smallest number of float16
    gradients = [(wave((2,), 0.0),)] * (steps - 2) + [(g,), (0.5 * g,)]
    h, at = {**BETAS, "beta_2": beta_2, "epsilon": 2.0**-4}, (steps - 2, steps - 1, steps)
    theta = (wave((2,), 1.0),)
    return case_of(d, topic, name, text, (NARROW, *flags), theta, gradients, h, at=at, between=between)


def masters(d: Dialect, topic: str) -> Made:
    """Parameters of 16 bits of which the optimizer keeps a float32 copy, which is stated: MXNet's multi_precision."""
    if d.name not in ("mxnet2-adam", "mxnet2-adam-lazy"):
        return
    theta = wave((3,), 1.0), wave((5,), 0.25)
    dense = [(wave((3,), 2.0**-9, k), wave((5,), 2.0**-9, 2 * k)) for k in range(STEPS)]
    text = "updates of a last digit of float16 and below, squares that it does not hold; saved after step 4"
    h = {"learning_rate": 2.0**-13, "epsilon": 2.0**-30, "rescale_grad": 0.8125 * 2.0**-4}
    between = [Between(after=4, do="save-and-load", hyperparameters={})]
    flags, at = (NARROW, "master", "saved"), (1, 2, 4, 5, STEPS)
    yield case_of(d, topic, "float16", text, flags, theta, dense, h, at=at, between=between)


def late_parameters(d: Dialect, topic: str) -> Made:
    """Parameters that have no gradient until they come."""
    theta = wave((3,), 1.0), wave((5,), 0.25)
    dense = [(wave((3,), 0.5, k), wave((5,), 2.0**-k, 2 * k)) for k in range(STEPS)]
    late = [(a if k > 3 else None, b) for k, (a, b) in enumerate(dense)]
    flags = ("absent-gradient", "step-count")
    yield case_of(d, topic, "fourth", "the first parameter comes in step 5", flags, theta, late, at=(4, 5, 6, STEPS))
    ends = [(a, b if k < 2 else None) for k, (a, b) in enumerate(dense)]
    yield case_of(d, topic, "gone", "the second parameter is there in steps 1 and 2 alone", flags, theta, ends)


def ten_decades(d: Dialect, topic: str) -> Made:
    """Gradients of all sizes from 2^-17 to 2^18 in one parameter, in an order that changes from step to step."""
    theta = (wave((35,), 1.0),)
    steps = [(wave((35,), 1.0, k) * [2.0 ** ((13 * (j + k)) % 35 - 17) for j in range(35)],) for k in range(STEPS)]
    text, flags = (
        "gradients of 2^-17 to 2^18 in one parameter, another element's in every step",
        ("decades", "epsilon"),
    )
    yield case_of(d, topic, "dense", text, flags, theta, steps, at=(1, STEPS))
    alike = [(wave((35,), 1.0) * [2.0 ** (j - 17) for j in range(35)],)] * STEPS
    text = "gradients of 2^-17 to 2^18 in one parameter, the same in every step; epsilon 2^-3 lies among them"
    yield case_of(d, topic, "constant", text, flags, theta, alike, {"epsilon": 2.0**-3}, at=(1, STEPS))
