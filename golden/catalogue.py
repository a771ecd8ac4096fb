"""The first set: which problems are stored, for every dialect and topic.

Every number here is a short sum of powers of two, because an implementation in float32 must receive the
very problem that one in float64 does. Parameters of a case have different shapes: Keras' non-fused Adam
shares moments between equal ones, which a check of its own is for (adapters/deviations.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

import numpy as np

from golden.case import Generator
from golden.catalogue_beside import averages, constraints, exclusions
from golden.catalogue_between import changed, finalized, rebuilt, saved
from golden.catalogue_indices import begin, multipliers
from golden.catalogue_long import late_parameters, masters, narrow_counts, narrow_saved, ten_decades, ten_thousand_steps
from golden.catalogue_rates import schedules, warm_up
from golden.catalogue_reach import fifty_steps, many_elements, rows_in_any_order, settings
from golden.catalogue_schedulers import lr_schedulers
from golden.catalogue_state_order import state_orders
from golden.layout import File
from golden.making import BETAS, STEPS, Made, case_of, rows_of, wave
from golden.notes import AVERAGE, CONVENTIONS, NOTES, SLOW, XORSHIFT
from reference import Dialect
from reference import stages as s

LONG = (1, 10, 100, 256, 257, 1000)


def files(dialect: Dialect, only: str = "*") -> Iterator[tuple[File, Mapping[str, Sequence[int]]]]:
    """Per topic the file, its cases still without trajectory, and the steps to state by case.

    only: the ``DIALECT/TOPIC`` that this pattern of the shell matches.
    """
    for topic, make in TOPICS.items():
        if not fnmatchcase(f"{dialect.name}/{topic}", only):
            continue
        cases, at_steps = [], {}
        for case, at in make(dialect, topic):
            cases.append(case)
            at_steps[case.id] = at
        if not cases:
            continue
        flags = {flag for case in cases for flag in case.flags}
        yield (
            File(
                dialect=dialect.name,
                topic=topic,
                conventions=(
                    *CONVENTIONS,
                    *(SLOW if dialect.looks_ahead else ()),
                    *(AVERAGE if any(case.hyperparameters.ema_momentum is not None for case in cases) else ()),
                    *(XORSHIFT if any(case.generator for case in cases) else ()),
                ),
                notes={flag: note for flag, note in NOTES.items() if flag in flags},
                cases=tuple(cases),
            ),
            at_steps,
        )


def first_steps(d: Dialect, topic: str) -> Made:
    """Ordinary gradients; absent ones; decay; rows."""
    theta = wave((3,), 1.0), wave((11,), 0.25)
    dense = [(wave((3,), 0.5, k), wave((11,), 2.0**-k, 2 * k)) for k in range(STEPS)]
    yield case_of(d, topic, "plain", "dense gradients of two parameters", ("bias-correction", "tail"), theta, dense)
    flags: tuple[str, ...]
    if "momentum_decay" in d.hyperparameters:
        text, h = "a momentum schedule that changes within a few steps", {"momentum_decay": 2.0}
        yield case_of(d, topic, "momentum-decay", text, ("momentum-schedule", "momentum"), theta, dense, h)

    if d.looks_ahead:
        text, h = "every step synchronises", {"sync_period": 1, "slow_step_size": 0.75}
        yield case_of(d, topic, "every-step", text, ("slow-weights",), theta, dense, h)
        text = "one parameter without gradient in step 3, the other in step 6, which synchronise"
        late = [(a if k != 2 else None, b if k != 5 else None) for k, (a, b) in enumerate(dense)]
        flags = ("slow-weights", "absent-gradient")
        yield case_of(d, topic, "absent-at-sync", text, flags, theta, late, at=(2, 3, 6, STEPS))

    absent = [(a if k not in (0, 3) else None, b if k != 1 else None) for k, (a, b) in enumerate(dense)]
    flags = ("absent-gradient", "step-count")
    yield case_of(d, topic, "absent-gradients", "no gradient in steps 1 and 4, or in step 2", flags, theta, absent)

    if "l2" in d.hyperparameters:
        yield case_of(d, topic, "l2", "coupled decay", ("l2",), theta, dense, {"l2": 0.125})
    if "weight_decay" in d.hyperparameters:
        yield case_of(
            d, topic, "weight-decay", "decoupled decay", ("decoupled-decay",), theta, dense, {"weight_decay": 0.125}
        )
    if "clip_gradient" in d.hyperparameters:
        text, h = "theta 10, g 1, l2 1, clip 0.5", {"l2": 1.0, "clip_gradient": 0.5}
        ten, one = (np.full((2,), 10.0),), [(np.full((2,), 1.0),)] * 3
        yield case_of(d, topic, "clip-and-l2", text, ("clip-order", "l2"), ten, one, h, at=(1, 3))
        h = {"l2": 0.125, "rescale_grad": 0.25, "clip_gradient": 0.0625}
        yield case_of(d, topic, "rescale-clip-l2", "all stages of the gradient", ("clip-order",), theta, dense, h)

    if d.takes_rows:
        yield from _first_rows(d, topic)


def _first_rows(d: Dialect, topic: str) -> Made:
    flags: tuple[str, ...] = ("rows",)
    h: dict[str, Any] = {}
    if "l2" in d.hyperparameters:
        flags, h = ("rows", "l2"), {"l2": 0.125}
    elif "weight_decay" in d.hyperparameters:
        flags, h = ("rows", "decoupled-decay"), {"weight_decay": 0.125}
    theta = (wave((4, 2), 1.0),)

    def gradients(named: Sequence[Sequence[int]]) -> list[tuple[Any]]:
        return [(rows_of(named[k % len(named)], k),) for k in range(STEPS)]

    once = gradients(([0, 2], [1, 2], [0, 3], [2, 3]))
    yield case_of(d, topic, "rows", "row-sparse gradients, every row once", flags, theta, once, h)
    if s.sum_duplicate_rows in d.stages:
        several = gradients(([0, 0, 2], [1, 2, 2], [0, 3, 3], [2, 2, 2]))
        flags = ("rows", "duplicate-rows")
        yield case_of(d, topic, "duplicate-rows", "rows that are named several times", flags, theta, several)


def large_epsilon(d: Dialect, topic: str) -> Made:
    """Gradients from 2^-20 to 2^-4 beside epsilon 2^-3."""
    h: dict[str, Any] = {"epsilon": 0.125}
    scaled, flags = {**h, "adaptive_epsilon": True}, ("epsilon", "adaptive-epsilon")
    scales = np.ldexp(1.0, [-4, -8, -14, -20])
    theta = (wave((4,), 1.0),)
    dense = [(wave((4,), 1.0, k) * scales,) for k in range(STEPS)]
    yield case_of(d, topic, "dense", "gradients from 2^-20 to 2^-4, epsilon 2^-3", ("epsilon",), theta, dense, h)
    if "adaptive_epsilon" in d.hyperparameters:
        yield case_of(d, topic, "adaptive", "epsilon is scaled", flags, theta, dense, scaled)
    if "epsilon_root" in d.hyperparameters:
        text, rooted = "epsilon 2^-3 outside the root and 2^-10 inside", {**h, "epsilon_root": 2.0**-10}
        yield case_of(d, topic, "root", text, ("epsilon", "epsilon-root"), theta, dense, rooted)
    if d.takes_rows:
        theta = (wave((4, 2), 1.0),)
        sparse = [(rows_of([0, 1, 2, 3], k, 2.0**-8),) for k in range(STEPS)]
        text = "gradients of 2^-8 by rows, all of which are named"
        yield case_of(d, topic, "rows", text, ("epsilon", "rows"), theta, sparse, h)
        if "adaptive_epsilon" in d.hyperparameters:
            text = "epsilon is scaled, by rows"
            yield case_of(d, topic, "adaptive-rows", text, (*flags, "rows"), theta, sparse, scaled)


def sign_alternation(d: Dialect, topic: str) -> Made:
    """g, -g, g, ... of constant size."""
    theta, size = (wave((4,), 1.0),), np.array([1.0, -0.5, 2.0**-10, 64.0])
    dense = [(size * (-1.0) ** k,) for k in range(STEPS)]
    flags, h = ("momentum", "bias-correction"), {"beta_1": 0.90625}
    yield case_of(d, topic, "dense", "the sign changes in every step, the size never", flags, theta, dense, h)


def spike(d: Dialect, topic: str) -> Made:
    """Small gradients, one of 1024 in step 2, small ones again."""
    theta = (wave((3,), 1.0),)
    dense = [(wave((3,), 1024.0 if k == 1 else 2.0**-10, k),) for k in range(STEPS)]
    text, h = "gradients of 2^-10, one of 2^10 in step 2", {"beta_2": 0.875}
    yield case_of(d, topic, "dense", text, ("momentum",), theta, dense, h)
    if "amsgrad" in d.hyperparameters:
        flags = ("amsgrad", "momentum")
        yield case_of(d, topic, "amsgrad", f"{text}; with AMSGrad", flags, theta, dense, {**h, "amsgrad": True})


def zeros_from_the_start(d: Dialect, topic: str) -> Made:
    """Three steps of zeros, then gradients in all elements but one, and in no element of another parameter."""
    theta, mask = (wave((3,), 1.0), wave((2,), 1.0)), np.array([True, False, True])
    dense = [(np.where(mask, wave((3,), 0.5, k), 0.0) if k >= 3 else np.zeros(3), np.zeros(2)) for k in range(STEPS)]
    text = "zeros in steps 1 to 3; one element and one parameter are without gradient for ever"
    yield case_of(d, topic, "dense", text, ("zero-gradient", "epsilon"), theta, dense, at=(1, 3, 4, STEPS))


def thousand_steps(d: Dialect, topic: str) -> Made:
    """1000 steps of gradients that a generator makes; of Lookahead none, as what lasts is the optimizer's inside."""
    if d.looks_ahead:
        return
    theta = wave((3,), 1.0), wave((2,), 1.0)
    generator = Generator(seed=20141222, steps=1000, exponents=(0, -12))
    h = dict(BETAS) | ({"sma_threshold": 5.5} if "sma_threshold" in d.hyperparameters else {})
    gradients = generator.gradients(tuple(array.shape for array in theta))
    flags, text = ("long-run", "bias-correction"), "1000 steps, gradients of up to 1 and up to 2^-12"
    yield case_of(d, topic, "dense", text, flags, theta, gradients, h, at=LONG, generator=generator)


def clipping(d: Dialect, topic: str) -> Made:
    """Gradients that Keras' arguments clip."""
    if "clipvalue" not in d.hyperparameters:
        return
    theta = wave((3,), 1.0), wave((11,), 0.25)
    dense = [(wave((3,), 0.5, k), wave((11,), 2.0**-k, 2 * k)) for k in range(STEPS)]
    text, h = "dense gradients, some of them above 1/4", {"clipvalue": 0.25}
    yield case_of(d, topic, "value", text, ("clipvalue",), theta, dense, h)
    text, h = "clipvalue 0, which is either a bound or none", {"clipvalue": 0.0}
    yield case_of(d, topic, "value-zero", text, ("clipvalue", "zero-gradient"), theta, dense, h, at=(1, 3))
    text, h = "rows that are named several times, each value clipped before they are summed", {"clipvalue": 0.25}
    several = [(rows_of(([0, 0, 2], [1, 2, 2], [0, 3, 3], [2, 2, 2])[k % 4], k),) for k in range(STEPS)]
    four = (wave((4, 2), 1.0),)
    flags: tuple[str, ...] = ("clipvalue", "rows", "duplicate-rows")
    yield case_of(d, topic, "value-rows", text, flags, four, several, h)
    text = "every gradient by its own norm, which is above 1 in some"
    yield case_of(d, topic, "norm", text, ("clipnorm",), theta, dense, {"clipnorm": 1.0})
    absent = [(a if k not in (0, 3) else None, b if k != 1 else None) for k, (a, b) in enumerate(dense)]
    text, flags = "both gradients by the norm of both, or of the one that is there", ("clipnorm", "absent-gradient")
    yield case_of(d, topic, "global-norm", text, flags, theta, absent, {"global_clipnorm": 1.0})
    text, h = "clipvalue 1/4 beside clipnorm 1/2: one after the other, or the norm alone", {"clipvalue": 0.25}
    if s.square_rows not in d.stages:  # Keras 3 takes one of them
        yield case_of(d, topic, "value-and-norm", text, ("clipvalue", "clipnorm"), theta, dense, {**h, "clipnorm": 0.5})
    text = "rows that are named several times, whose norm has each value"
    for name, norm in (("norm-rows", "clipnorm"), ("global-norm-rows", "global_clipnorm")):
        flags = ("clipnorm", "rows", "duplicate-rows")
        yield case_of(d, topic, name, text, flags, four, several, {norm: 0.5})


def rate_decay(d: Dialect, topic: str) -> Made:
    """A learning rate that decays with time."""
    if "decay" not in d.hyperparameters:
        return
    theta = (wave((3,), 1.0),)
    dense = [(wave((3,), 0.5, k),) for k in range(STEPS)]
    text, h = "the learning rate is 1, 1/2, 1/3, ... of the first", {"decay": 1.0}
    yield case_of(d, topic, "inverse-time", text, ("rate-decay",), theta, dense, h)
    late = [(g if k != 1 else None, wave((2,), 0.25, k)) for k, (g,) in enumerate(dense)]
    text = "one parameter is without gradient in step 2, which counts all the same"
    flags = ("rate-decay", "absent-gradient")
    yield case_of(d, topic, "absent", text, flags, (*theta, wave((2,), 0.5)), late, {"decay": 0.25})


TOPICS: Mapping[str, Callable[[Dialect, str], Made]] = MappingProxyType(
    {
        "first-steps": first_steps,
        "large-epsilon": large_epsilon,
        "sign-alternation": sign_alternation,
        "spike": spike,
        "zeros-from-the-start": zeros_from_the_start,
        "thousand-steps": thousand_steps,
        "clipping": clipping,
        "rate-decay": rate_decay,
        "ema": averages,
        "exclude": exclusions,
        "constraint": constraints,
        "multipliers": multipliers,
        "begin": begin,
        "schedules": schedules,
        "warm-up": warm_up,
        "lr-scheduler": lr_schedulers,
        "settings": settings,
        "rows-in-any-order": rows_in_any_order,
        "many-elements": many_elements,
        "fifty-steps": fifty_steps,
        "ten-thousand-steps": ten_thousand_steps,
        "narrow-counts": narrow_counts,
        "narrow-counts-saved": narrow_saved,
        "masters": masters,
        "late-parameters": late_parameters,
        "ten-decades": ten_decades,
        "changed-mid-run": changed,
        "save-and-load": saved,
        "configuration": rebuilt,
        "finalize": finalized,
        "state-order": state_orders,
    }
)
