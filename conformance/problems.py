"""Problems: structure drawn by Hypothesis, arrays made from an integer seed.

Whole arrays drawn by Hypothesis cost twice as much and would not be better: what matters about a
gradient sequence is its regime (ten decades in one tensor, a spike, alternating signs, zeros first ...),
and regimes are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from adapters.contract import Array, Claim, Gradient, Hyperparameters, Precision, Problem, Rows

Shapes = tuple[tuple[int, ...], ...]

# Few lists and no equal shapes in one of them: Keras' non-fused Adam compiles per list of shapes and
# shares moments between equal shapes, which a check of its own is for.
SHAPES: tuple[Shapes, ...] = (
    ((3,),),
    ((),),
    ((2, 3), (5,)),
    ((17,), (), (4, 2)),
    ((1,), (3, 2, 2)),
    ((4, 3), (0,), (33,)),
)
EQUAL_SHAPES: tuple[Shapes, ...] = (((2,), (2,)), ((3, 2), (5,), (3, 2)))

_VALUES: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 0.1, 0.01, 1 / 3, 3e-4),
    "beta_1": (0.9, 0.5, 0.0, 0.99, 0.8),
    "beta_2": (0.999, 0.99, 0.9, 0.9999, 0.5, 0.99999, 0.0),
    "epsilon": (1e-7, 1e-8, 1e-3, 0.1, 1.0, 1e-5, 1e-2, 0.0),
    "adaptive_epsilon": (False, True),
    "amsgrad": (False, True),
    "l2": (0.0, 1e-4, 0.1, 1.0),
    "weight_decay": (0.0, 1e-4, 0.01, 0.5),
    "rescale_grad": (1.0, 0.5, 1 / 3, 128.0, 1e-3),
    "clip_gradient": (None, 0.5, 10.0, 1e-3),
    "sma_threshold": (5.0, 4.5, 6.0, 20.0),
}
_STEPS = (3, 10, 1, 2, 25, 5)


@dataclass(frozen=True)
class Draft:
    """What Hypothesis draws of a problem; `build` makes the arrays."""

    dtype: Precision
    shapes: Shapes
    steps: int
    hyperparameters: Hyperparameters
    regime: str
    scale: int
    """Decimal exponent of the gradients."""
    rows: str
    """Kind of row-sparse gradients, or "dense"."""
    absent: bool
    """Whether parameters are without gradient in some steps."""
    seed: int


def drafts(claim: Claim, shapes: tuple[Shapes, ...] = SHAPES) -> st.SearchStrategy[Draft]:
    """Drafts inside `claim`."""
    row_kinds = sorted(kind for kind in claim.gradients if kind.endswith("rows"))
    return st.builds(
        Draft,
        dtype=st.sampled_from(claim.dtypes),
        shapes=st.sampled_from(shapes),
        steps=st.sampled_from(_STEPS),
        hyperparameters=_hyperparameters(claim),
        regime=st.sampled_from(tuple(REGIMES)),
        scale=st.sampled_from((0, -2, 2, -4, -6)),
        rows=st.sampled_from(("dense", *row_kinds)),
        absent=st.booleans() if "none" in claim.gradients else st.just(False),
        seed=st.integers(0, 2**32 - 1),
    )


def draw(strategy: st.SearchStrategy[Draft], number: int, seed: int) -> list[Problem]:
    """`number` problems, the same ones for the same seed and version of Hypothesis."""
    drawn: list[Draft] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(draft: Draft) -> None:
        drawn.append(draft)

    collect()
    return [build(draft) for draft in drawn[:number]]


def build(draft: Draft) -> Problem:
    """The problem of a draft: arrays of its dtype, from its seed alone."""
    random = np.random.Generator(np.random.Philox(draft.seed))
    exponents = random.uniform(-2, 1, len(draft.shapes))
    parameters = tuple(
        np.asarray(random.standard_normal(shape) * 10**e).astype(draft.dtype)
        for shape, e in zip(draft.shapes, exponents, strict=True)
    )
    regime = REGIMES[draft.regime]
    series = [regime(random, draft.steps, shape, draft.dtype) * 10.0**draft.scale for shape in draft.shapes]
    present = _present(draft, random)
    gradients = tuple(
        tuple(
            _gradient(draft, random, np.asarray(series[i][k], dtype=draft.dtype)) if present[k, i] else None
            for i in range(len(parameters))
        )
        for k in range(draft.steps)
    )
    return Problem(
        dtype=draft.dtype,
        hyperparameters=draft.hyperparameters,
        parameters=parameters,
        gradients=gradients,
    )


def _hyperparameters(claim: Claim) -> st.SearchStrategy[Hyperparameters]:
    names = [name for name in _VALUES if name in claim.hyperparameters]
    drawn = st.fixed_dictionaries({name: st.sampled_from(_VALUES[name]) for name in names})

    def make(values: dict[str, Any]) -> Hyperparameters:
        if values.get("l2"):  # torch has one number for both decays
            values = values | {"weight_decay": 0.0}
        return Hyperparameters(**values)

    return drawn.map(make)


def _present(draft: Draft, random: np.random.Generator) -> Array:
    """[step, parameter]; every step has at least one gradient, as Keras demands."""
    shape = (draft.steps, len(draft.shapes))
    if not draft.absent:
        return np.ones(shape, dtype=bool)
    present = random.random(shape) < 0.7
    present[np.arange(draft.steps), random.integers(0, shape[1], draft.steps)] = True
    return present


def _gradient(draft: Draft, random: np.random.Generator, dense: Array) -> Gradient:
    if draft.rows == "dense" or dense.ndim == 0 or dense.size == 0:
        return dense
    n = dense.shape[0]
    if draft.rows == "empty rows" and random.random() < 0.5:
        rows = np.zeros(0, dtype=np.int64)
    elif draft.rows == "duplicate rows":
        rows = np.sort(random.integers(0, n, random.integers(1, 2 * n + 1)))
    else:
        rows = np.sort(random.permutation(n)[: random.integers(1, n + 1)])
    if draft.rows == "unsorted rows":
        rows = random.permutation(rows)
    # Duplicates get values of their own.
    values = dense[rows] * (1 + np.arange(len(rows))).reshape(-1, *[1] * (dense.ndim - 1)).astype(dense.dtype)
    return Rows(indices=rows.astype(np.int64), values=values.astype(dense.dtype))


# Regimes: float64 arrays [steps, *shape] of magnitude about 1

Regime = Callable[[np.random.Generator, int, tuple[int, ...], Precision], Array]


def _normal(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    return random.standard_normal((steps, *shape))


def _decades(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Ten decades in one tensor."""
    return _signs(random, (steps, *shape)) * 10 ** random.uniform(-8, 2, (steps, *shape))


def _alternating(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    size = np.abs(random.standard_normal(shape)) + 0.1
    sign = (-1.0) ** np.arange(steps).reshape(-1, *[1] * len(shape))
    return sign * size


def _constant(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    return np.broadcast_to(random.standard_normal(shape), (steps, *shape))


def _seldom(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Zero most of the time."""
    return _normal(random, steps, shape, dtype) * (random.random((steps, *shape)) < 0.2)


def _spike(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """One spike, then small gradients: where AMSGrad differs."""
    g = 1e-3 * _normal(random, steps, shape, dtype)
    g[random.integers(0, steps)] *= 1e5
    return g


def _late(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """Zeros from the start."""
    g = _normal(random, steps, shape, dtype)
    g[: steps // 2] = 0
    return g


def _range(random: np.random.Generator, steps: int, shape: tuple[int, ...], dtype: Precision) -> Array:
    """From squares that underflow to squares that, seldom, overflow: such an element is frozen from then on."""
    info = np.finfo(dtype)
    low, high = math.log10(info.tiny) * 0.8, math.log10(info.max) * 0.49
    return _signs(random, (steps, *shape)) * 10 ** random.uniform(low, high, (steps, *shape))


def _signs(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.where(random.random(shape) < 0.5, -1.0, 1.0)


REGIMES: dict[str, Regime] = {
    "normal": _normal,
    "decades": _decades,
    "alternating": _alternating,
    "constant": _constant,
    "seldom": _seldom,
    "spike": _spike,
    "late": _late,
    "range": _range,
}


# Sets of problems


def general(claim: Claim) -> st.SearchStrategy[Draft]:
    """Everything inside the claim."""
    return drafts(claim)


def with_equal_shapes(claim: Claim) -> st.SearchStrategy[Draft]:
    """Several parameters of one shape, each with a gradient in every step."""
    dense = replace(claim, gradients=frozenset({"dense"}))
    return drafts(dense, EQUAL_SHAPES)


def with_clip_gradient_zero(claim: Claim) -> st.SearchStrategy[Draft]:
    """clip_gradient 0."""
    return drafts(claim).map(lambda d: replace(d, hyperparameters=replace(d.hyperparameters, clip_gradient=0.0)))


SETS: dict[str, tuple[Callable[[Claim], st.SearchStrategy[Draft]], float]] = {
    "general": (general, 1.0),
    "equal-shapes": (with_equal_shapes, 0.05),
    "clip-gradient-zero": (with_clip_gradient_zero, 0.05),
}
"""Name of a set: its strategy, and its size as a share of the profile's number of problems."""


@dataclass(frozen=True)
class Profile:
    """How much is run."""

    problems: int
    """In the general set."""


PROFILES: dict[str, Profile] = {
    "smoke": Profile(40),
    "quick": Profile(300),
    "full": Profile(3000),
}
"""The gate runs quick."""
