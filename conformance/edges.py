"""Problems where kernels end: sizes, layouts, betas and dtypes next to an edge, each of them in every run.

Sets of fixed drafts, not drawn ones: a size that is left out by chance would be left out of a gate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from adapters.contract import Claim, Hyperparameters, Precision, Schedule
from conformance.problems import Draft, Shapes, wide, with_allowed_decays

FEW = 100
"""Below so many problems of the general set, a set here is shorter."""

# Vectors are of 2 to 16 elements, and of up to 64 where a compiler unrolls them.
SMALL: Shapes = tuple((n,) for n in (*range(34), 63, 64, 65, 255, 256, 257))  # one without elements first
# Blocks and chunks, and half a chunk besides; 16384 is fused_adam's segment, 32768 what torch gives a thread.
LARGE: Shapes = tuple((n,) for n in (1023, 1024, 1025, 4097, 16383, 16384, 32769, 16385, 24575))
SEVERAL_THREADS: Shapes = ((131071,), (131073,))
SIXTEEN_BITS: Shapes = ((65536,), (65537,))
ALONE: Shapes = ((1025, 1025),)  # more than 2^20 elements
# Axes: matrices that are large, tall, wide, or of one row or column, and kernels of convolutions.
AXES: Shapes = ((130, 257), (2049, 3), (3, 2049), (65, 1), (1, 65), (33, 9, 3, 3), (17, 5, 9))
QUIET: Shapes = ((1031, 2), (4097,))  # half of the gradient is 0 in a step, rows and whole chunks, and is no pause
MANY: Shapes = tuple((n,) for n in range(1, 262))  # a kernel takes up to 110 tensors (torch, apex), a byte counts 256
# In the second dtype, whose vectors are half as long or twice.
FEWER: Shapes = tuple((n,) for n in (*range(1, 10), 15, 16, 17, 31, 33, 65, 1023, 16385, 65537))
ROW_WIDTHS: Shapes = tuple((3, n) for n in (1, 7, 8, 9, 16, 17, 33))

# Axes of length 1 may have any stride; some of nothing and of one element besides.
LAYOUT_SHAPES: Shapes = ((4, 6), (2, 3, 4, 5), (33,), (5, 1, 3), (1, 7), (), (0, 3), (2, 1, 3, 2, 2))

NEXT_TO_ONE = 1 - 2.0**-20
LAST_OF_FLOAT32 = 1 - 2.0**-24
NEXT_TO_ZERO = 2.0**-30
BETAS = (
    (0.875, NEXT_TO_ONE),
    (NEXT_TO_ONE, NEXT_TO_ONE),
    (0.0, 1 - 2.0**-23),
    (0.5, LAST_OF_FLOAT32),
    (NEXT_TO_ZERO, 0.0),
    (NEXT_TO_ONE, NEXT_TO_ZERO),
    (0.0, 0.0),
)
"""beta_1 and beta_2; every format here but the low ones holds them exactly."""
SHORT_MEMORIES = ((0.875, 0.125, 1.125), (0.5, 0.5, 2.25), (0.5, NEXT_TO_ZERO, 0.0), (0.875, 0.0, 0.5))
"""beta_1, beta_2 and an sma_threshold below 4 that is met while r_t is a number (`least_threshold`)."""


def sizes(claim: Claim, number: int) -> list[Draft]:
    """Parameters of sizes around those of vectors, blocks, chunks of what one thread does; along several axes too."""
    dtypes = wide(claim)
    adam, decaying = one(claim, amsgrad=True), _decaying(claim)
    if "dense" not in claim.gradients:
        given = [(dtype, ROW_WIDTHS) for dtype in dtypes] + [(dtypes[0], AXES)]
        return [draft(dtype, shapes, adam, 2, rows="rows") for dtype, shapes in given]
    found = [draft(dtypes[0], SMALL, adam, 2)]
    found += [draft(dtypes[0], shapes, h, 2) for shapes in (LARGE[-2:], AXES) for h in decaying]
    if "rows" in claim.gradients:  # and dense ones between them, which a drawn problem seldom has
        found.append(draft(dtypes[0], ROW_WIDTHS[:2], adam, 6, rows="rows", mixed=True))
    found.append(draft(dtypes[0], QUIET, adam, 3, regime="halves"))
    found += [draft(dtype, ((32769,),), decaying[0], 2) for dtype in dtypes[1:]]
    if claim.layouts:
        found.append(draft(dtypes[0], MANY, decaying[-1], 2))
    if number >= FEW:
        found += [draft(dtype, FEWER, decaying[0], 2) for dtype in dtypes[1:]]
        found += [draft(dtypes[0], shapes, adam, 2) for shapes in (LARGE[:-2], SEVERAL_THREADS)]
        found.append(draft(dtypes[0], SIXTEEN_BITS, adam, 1))
        found.append(draft(dtypes[0], ALONE, decaying[-1], 2))
        if not claim.layouts:  # Keras' non-fused Adam and a jitted optax are compiled for each
            found.append(draft(dtypes[0], MANY[:130], decaying[-1], 2))
        if "rows" in claim.gradients:
            found.append(draft(dtypes[0], ROW_WIDTHS, adam, 2, rows="rows"))
    return found


def rows(claim: Claim, number: int) -> list[Draft]:
    """Rows, each named once, of parameters that can be turned over and cut."""
    settings = (one(claim, amsgrad=True), one(claim, l2=0.1, weight_decay=0.1))
    unsorted = "unsorted rows" in claim.gradients
    return [
        draft(dtype, shapes, h, 4, rows="rows", unsorted=unsorted)
        for dtype in wide(claim)
        for h, shapes in zip(settings, (((9, 31), (33,)), ((17,), (4, 2))), strict=True)
    ]


def layouts(claim: Claim, number: int) -> list[Draft]:
    """Dense gradients of parameters whose axes can be laid out in more than one way."""
    settings = (*_decaying(claim), one(claim, amsgrad=True))
    drafts = [draft(dtype, LAYOUT_SHAPES, h, 6) for h in settings for dtype in wide(claim)]
    return drafts if number >= FEW else drafts[:1]


def betas(claim: Claim, number: int) -> list[Draft]:
    """Betas of 0, next to it, and next to 1; of rectified dialects a short memory and a low threshold besides."""
    short = SHORT_MEMORIES if "sma_threshold" in claim.hyperparameters else ()
    settings = [one(claim, beta_1=b_1, beta_2=b_2, sma_threshold=threshold) for b_1, b_2, threshold in short]
    settings += [one(claim, beta_1=beta_1, beta_2=beta_2) for beta_1, beta_2 in BETAS]
    drafts = [draft(dtype, ((5,), ()), h, 8) for dtype in wide(claim) for h in settings]
    return drafts if number >= FEW else drafts[: len(short) + 2]


def low_precision(claim: Claim, number: int) -> list[Draft]:
    """The low formats: gradients whose squares, and hyper-parameters of which, something is left in them."""
    settings = (
        one(claim, amsgrad=True),
        one(claim, beta_1=0.5, beta_2=0.9375, epsilon=0.125, l2=0.125),
        one(claim, beta_1=0.0, beta_2=0.984375, epsilon=2.0**-7, weight_decay=0.125),
    )
    regimes = ("normal", "alternating", "spike")
    return [
        draft(dtype, ((33,), (257,), (4, 2), ()), h, 8, regime=regime, scale=scale)
        for dtype in _low(claim)
        for h, regime, scale in zip(settings, regimes, (1.0, 2.0, 0.25), strict=True)
    ]


STEPS: dict[str, int] = {"bfloat16": 600, "float16": 2400}
"""Well beyond the first integer that the format does not have: 257, and 2049."""
MEMORIES: dict[str, float] = {"bfloat16": 1 - 2.0**-10, "float16": 1 - 2.0**-12}
"""beta_2 that has not forgotten the first step by then: 1 - beta_2^t still grows."""


def many_steps(claim: Claim, number: int) -> list[Draft]:
    """More steps than the low formats can count."""
    return [
        draft(
            dtype,
            ((3,),),
            one(claim, learning_rate=1.0, beta_1=0.0, beta_2=MEMORIES[dtype]),
            STEPS[dtype],
            regime="alternating",
        )
        for dtype in _low(claim)
        if dtype not in claim.masters
    ]


FADED = 1 - 2.0**-17
"""beta_2 that has forgotten half of the first step after 100 000."""
FADING = 1 - 2.0**-18
"""beta_1 of which 1 - beta_1^t, too, still grows far in a run; another than `FADED`, so that each stands for itself."""
SOON_STEADY = 128.0
"""momentum_decay with which a schedule of momenta reaches beta_1 at once, so that their product stays far from 0."""


def large_count(claim: Claim, number: int) -> list[Draft]:
    """Few steps, for what begins with many behind it. By rows where nothing else is claimed.

    The low formats hold no m that a beta_1 next to 1 would change.
    """
    rows = "dense" if "dense" in claim.gradients else "rows"
    usual = {"learning_rate": 1.0, "beta_2": FADED, "amsgrad": True}
    both = one(claim, beta_1=FADING, momentum_decay=SOON_STEADY, **usual)
    settings = [*((dtype, both) for dtype in wide(claim)), *((dtype, one(claim, **usual)) for dtype in _low(claim))]
    return [draft(dtype, ((5,), (3, 2), (65, 17)), h, 4, regime="alternating", rows=rows) for dtype, h in settings]


LONG = 200
"""Steps: eight times those of the longest problem that is drawn."""


def long_run(claim: Claim, number: int) -> list[Draft]:
    """Many steps of what a short problem shows no end of: decay, AMSGrad's maximum, clipping."""
    slowly = {"learning_rate": 2.0**-10, "beta_2": 1 - 2.0**-13}
    more = {"clip_gradient": 1.0, "epsilon_root": 2.0**-10, "momentum_decay": 0.125}
    settings = (one(claim, amsgrad=True, l2=0.125, **slowly), one(claim, weight_decay=0.125, **more, **slowly))
    rows = "dense" if "dense" in claim.gradients else "rows"
    drafts = [draft(dtype, ((3,), (2, 2)), h, LONG, rows=rows) for dtype in wide(claim) for h in settings]
    return drafts if number >= FEW else drafts[:2]


def nonfinite(claim: Claim, number: int) -> list[Draft]:
    """Parameters of several chunks, for what one element's NaN may take along."""
    rows = "dense" if "dense" in claim.gradients else "rows"
    return [draft(wide(claim)[0], ((4097,), (3,)), one(claim, amsgrad=True), 2, rows=rows)]


def saved_equal_shapes(claim: Claim, number: int) -> list[Draft]:
    """Pairs of parameters that their shapes do not tell apart, nor their counts."""
    rows = "dense" if "dense" in claim.gradients else "rows"
    return [draft(wide(claim)[0], ((3, 2), (5,), (3, 2), (5,)), one(claim, amsgrad=True), 6, rows=rows)]


def momenta(claim: Claim, number: int) -> list[Draft]:
    """A momentum schedule whose product is still far from 0 after some steps."""
    settings = one(claim, beta_1=1 - 2.0**-7, momentum_decay=0.125)
    return [draft(dtype, ((5,), (3, 2)), settings, 8) for dtype in wide(claim)]


def clips(claim: Claim, number: int) -> list[Draft]:
    """Keras' clipping, each way of it that is claimed, of gradients that it reaches and that it does not; decay."""
    ways: list[dict[str, float]] = [{"clipvalue": 1 / 3}, {"clipnorm": 20 / 3}, {"global_clipnorm": 20 / 3}]
    zero = [{name: 0.0} for way in ways for name in way]
    if claim.clips_together:
        ways += [{"clipvalue": 2 / 3, "clipnorm": 4.1}, {"clipvalue": 2 / 3, "global_clipnorm": 20 / 3}]
    beside = {"decay": 0.3, "weight_decay": 0.125}
    usual = [one(claim, **way, **beside) for way in ways if claim.hyperparameters.issuperset(way)]
    kinds = [kind for kind in ("dense", "duplicate rows") if kind in claim.gradients]
    each = [*itertools.product(usual or [one(claim, **beside)], kinds)]
    each += [(one(claim, **way), kinds[0]) for way in zero if claim.hyperparameters.issuperset(way)]
    varied = {"unsorted": "unsorted rows" in claim.gradients, "absent": "none" in claim.gradients}
    dtypes = wide(claim)
    return [
        draft(dtypes[(k + k // 2) % len(dtypes)], ((9, 31), (33,)), h, 4, rows=kind, **varied)
        for k, (h, kind) in enumerate(each)
    ]


MAGNITUDES: tuple[tuple[dict[str, float], float], ...] = (
    ({"learning_rate": 2.0**20, "weight_decay": 2.0**-21}, 1.0),
    ({"weight_decay": 12.0}, 1.0),
    ({"l2": 48.0}, 1.0),
    ({"epsilon": 1024.0}, 2.0**60),
    ({"epsilon": 2.0**-50}, 2.0**-48),
    ({"l2": 2.0**-20}, 2.0**-20),
    ({"learning_rate": 2.0**-20, "weight_decay": 2.0**19}, 2.0**-20),
)
"""Hyper-parameters, and what gradients of the order of 1 are multiplied by."""
UP_TO_FIVE_AXES: Shapes = ((3, 2, 2, 1, 2), (2, 3, 4), (4, 2), (5,))


def magnitudes(claim: Claim, number: int) -> list[Draft]:
    """Rates, decay, epsilon and gradients far from 1, in the first dtype claimed and the second in turn."""
    rows = "dense" if "dense" in claim.gradients else "rows"
    settings = [(one(claim, **given), scale) for given, scale in MAGNITUDES if claim.hyperparameters & {*given}]
    dtypes = wide(claim)
    return [
        draft(dtypes[k % len(dtypes)], UP_TO_FIVE_AXES, h, 3, scale=scale, rows=rows)
        for k, (h, scale) in enumerate(settings)
    ]


def multipliers(claim: Claim, number: int) -> list[Draft]:
    """Of each of three parameters another multiplier, 0 among them; products of decay that float32 does not hold."""
    own = {"lr_mult": (0.5, 3.0, 0.0), "wd_mult": (1.5, 0.0, 0.7)}
    kinds = [kind for kind in ("dense", "rows") if kind in claim.gradients]
    absent = "none" in claim.gradients
    return [
        draft(dtype, ((9, 31), (33,), (5, 2)), one(claim, l2=0.1, **own), 6, rows=kind, absent=absent)
        for dtype in wide(claim)
        for kind in kinds
    ]


def begin(claim: Claim, number: int) -> list[Draft]:
    """A count that begins at 10, where the bias corrections are still far from 1, and from 0 apart."""
    rows = "dense" if "dense" in claim.gradients else "rows"
    absent = "none" in claim.gradients
    h = one(claim, begin_num_update=10)
    return [draft(dtype, ((9, 31), (33,), (5, 2)), h, 6, rows=rows, absent=absent) for dtype in wide(claim)]


SCHEDULES: tuple[Schedule, ...] = (
    Schedule("exponential", decay_steps=3, decay_rate=1 / 3),
    Schedule("exponential", decay_steps=3, decay_rate=0.5, staircase=True),
    Schedule("piecewise_constant", boundaries=(1, 4), values=(1 / 3, 0.01)),
    Schedule("polynomial", decay_steps=5, end_learning_rate=0.01, power=1.5),
    Schedule("polynomial", decay_steps=3, end_learning_rate=0.3, power=0.5, cycle=True),
    Schedule("inverse_time", decay_steps=3, decay_rate=0.7),
    Schedule("inverse_time", decay_steps=3, decay_rate=0.7, staircase=True),
    Schedule("cosine", decay_steps=5, alpha=0.1),
    Schedule("cosine", decay_steps=4, alpha=0.1, warmup_target=0.7, warmup_steps=2),
    Schedule("cosine_restarts", first_decay_steps=3, t_mul=1.0, m_mul=0.7, alpha=0.1),
    Schedule("cosine_restarts", first_decay_steps=3, t_mul=1.7, m_mul=0.7, alpha=0.1),
    Schedule("cosine_restarts", first_decay_steps=1, t_mul=2.0, m_mul=0.7, alpha=0.1),
    Schedule("inverse_root", decay_steps=3),
)
"""Each of them, and each side of what it turns on; steps beyond the last that changes anything are among those made."""
WARM_UPS: tuple[dict[str, Any], ...] = (
    {"total_steps": 6, "warmup_proportion": 0.5, "min_lr": 0.01},
    {"total_steps": 7, "warmup_proportion": 0.3, "min_lr": 0.3},
    {"total_steps": 5, "warmup_proportion": 0.0, "min_lr": 0.01},
    {"total_steps": 4, "warmup_proportion": 1.0},
)


def schedules(claim: Claim, number: int) -> list[Draft]:
    """Learning rates and weight decay that change from step to step, with decay and warm-up on top of them."""
    beside = {"weight_decay": 0.125}
    decays: tuple[dict[str, float], ...] = ({}, {"decay": 0.3})
    wanted = [{"schedule": schedule, **beside, **decays[k % 2]} for k, schedule in enumerate(SCHEDULES)]
    decaying = {"weight_decay": 0.5, "weight_decay_schedule": SCHEDULES[0]}
    wanted += [{**decaying, "weight_decay_schedule": SCHEDULES[k], "schedule": SCHEDULES[5]} for k in (3, 8)]
    wanted += [{**way, **beside, **decays[k % 2]} for k, way in enumerate(WARM_UPS)]
    wanted += [WARM_UPS[0] | {"schedule": SCHEDULES[5]}, WARM_UPS[1] | decaying]
    wanted += [{**decaying, "weight_decay_schedule": SCHEDULES[k]} for k in (2, 5, 10, 12)]
    each = [one(claim, **given) for given in wanted if claim.hyperparameters.issuperset(given.keys() - _BESIDE)]
    kinds = [kind for kind in ("dense", "duplicate rows") if kind in claim.gradients]
    dtypes = wide(claim)
    return [
        draft(dtypes[(k // 2) % len(dtypes)], shapes, h, 9, rows=kinds[k % len(kinds)], absent=len(shapes) > 1)
        for k, h in enumerate(each)
        for shapes in [((3, 2), (5,)) if k % 3 == 2 else ((3, 2),)]
    ]


_BESIDE = {"weight_decay", "decay"}
"""Of what is set together, what need not be claimed."""


def masters(claim: Claim, number: int) -> list[Draft]:
    """Gradients of few digits, all that is done to them, and rows, of parameters with a master copy.

    The last one has everything else by which their rates differ: a scheduler, multipliers, a count that begins later.
    """
    kinds = [kind for kind in ("dense", "rows") if kind in claim.gradients]
    h = one(claim, rescale_grad=0.3, clip_gradient=0.5, l2=0.1)
    absent = "none" in claim.gradients
    rates = one(
        claim,
        rescale_grad=0.3,
        clip_gradient=0.1,
        l2=0.1,
        lr_scheduler=Schedule("mxnet_factor", step=2, factor=0.5),
        begin_num_update=3,
        lr_mult=(0.5, 3.0),
        wd_mult=(1.5, 0.0),
    )
    return [
        draft(dtype, ((9, 31), (33,)), given, 6, scale=scale, rows=kind, absent=absent)
        for dtype in sorted(claim.masters)
        for given, kind, scale in (*zip((h, h), kinds, (1.0, 2.0**-8), strict=False), (rates, kinds[-1], 1.0))
    ]


def _low(claim: Claim) -> tuple[Precision, ...]:
    return tuple(dtype for dtype in claim.dtypes if dtype in STEPS)


def one(claim: Claim, **wanted: Any) -> Hyperparameters:
    """Hyper-parameters that float32 holds exactly; of those wanted, the ones that are claimed."""
    usual = {"learning_rate": 0.125, "beta_1": 0.875, "beta_2": 1 - 2.0**-10, "epsilon": 2.0**-10, "sync_period": 2}
    values: dict[str, Any] = usual | wanted
    values |= dict.fromkeys(claim.nonzero & {"amsgrad"}, True)
    values = {name: value for name, value in values.items() if name in claim.hyperparameters}
    return Hyperparameters(**with_allowed_decays(claim, values))


def _decaying(claim: Claim) -> tuple[Hyperparameters, ...]:
    """With each decay that the claim takes, or with both where it takes them together, and AMSGrad."""
    both = {"l2": 0.1, "weight_decay": 0.1}
    decays = (both,) if claim.both_decays else ({"l2": 0.1}, {"weight_decay": 0.1})
    found = tuple(one(claim, amsgrad=True, **decay) for decay in decays if claim.hyperparameters.issuperset(decay))
    return found or (one(claim, amsgrad=True),)


def draft(dtype: Precision, shapes: Shapes, h: Hyperparameters, steps: int, **given: Any) -> Draft:
    """A draft, of dense gradients unless it is said otherwise."""
    usual: dict[str, Any] = {"regime": "normal", "scale": 1.0, "rows": "dense"}
    usual |= {"unsorted": False, "mixed": False, "absent": False}
    return Draft(dtype=dtype, shapes=shapes, steps=steps, hyperparameters=h, **(usual | given))


SETS: dict[str, Callable[[Claim, int], list[Draft]]] = {
    "sizes": sizes,
    "rows": rows,
    "layouts": layouts,
    "betas": betas,
    "low-precision": low_precision,
    "many-steps": many_steps,
    "large-count": large_count,
    "momenta": momenta,
    "saved-equal-shapes": saved_equal_shapes,
    "nonfinite": nonfinite,
    "long-run": long_run,
    "clips": clips,
    "magnitudes": magnitudes,
    "multipliers": multipliers,
    "begin": begin,
    "schedules": schedules,
    "masters": masters,
}
"""Name of a set: its drafts for a claim and a number of problems in the general set."""
