"""Problems: structure drawn by Hypothesis, arrays made from an integer seed.

Whole arrays drawn by Hypothesis cost twice as much and would not be better: what matters about a
gradient sequence is its regime (ten decades in one tensor, a spike, alternating signs, zeros first ...),
and regimes are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from adapters.contract import Array, Claim, Gradient, Hyperparameters, Precision, Problem, Rows
from conformance.formats import rounded
from conformance.regimes import EVERY, REGIMES, initial, whole
from reference import DIALECTS
from reference.stages import rectified_hat

if TYPE_CHECKING:  # imported where something is drawn: neither the command nor a child without its framework gets there
    from hypothesis import strategies as st

Shapes = tuple[tuple[int, ...], ...]
Value = TypeVar("Value")

# Few lists and no equal shapes in one of them: Keras' non-fused Adam compiles per list of shapes and
# shares moments between equal shapes, which a check of its own is for. Kernels work on blocks of 8 to 256
# elements and on what remains.
SHAPES: tuple[Shapes, ...] = (
    ((3,),),
    ((),),
    ((2, 3), (5,)),
    ((17,), (), (4, 2)),
    ((1,), (3, 2, 2)),
    ((4, 3), (0,), (257,)),
    ((9, 31), (33,)),
)
# Several parameters, blocks and remainders first: a law that moves elements about says nothing about few of them.
LAW_SHAPES: tuple[Shapes, ...] = (SHAPES[6], SHAPES[3], SHAPES[5], SHAPES[2])
EQUAL_SHAPES: tuple[Shapes, ...] = (((2,), (2,)), ((3, 2), (5,), (3, 2)))


def _of_float32(value: float) -> float:
    """As a checkpoint gives it back: all seventeen digits count."""
    return float(np.float32(value))


_VALUES: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 0.1, 0.01, 1 / 3, 3e-4, 3.0, 1e-5, 0.0),
    "beta_1": (0.9, 0.5, 0.0, 0.99, 0.8, _of_float32(0.999999)),
    "beta_2": (0.999, 0.99, 0.9, 0.9999, 0.5, 0.99999, 0.0, _of_float32(0.999)),
    "epsilon": (1e-7, 1e-8, 1e-3, 0.1, 1.0, 1e-5, 1e-2, 1e-12, 0.0),
    "adaptive_epsilon": (False, True),
    "amsgrad": (False, True),
    "l2": (0.0, 1e-4, 0.1, 1.0),
    "weight_decay": (0.0, 1e-4, 0.01, 0.5),
    "rescale_grad": (1.0, 0.5, 1 / 3, 128.0, 1e-3),
    "clip_gradient": (None, 0.5, 10.0, 1e-3),
    "sma_threshold": (5.0, 4.5, 6.0, 20.0),
    "epsilon_root": (0.0, 1e-8, 1e-3, 1.0),
    "momentum_decay": (0.004, 0.0, 0.1, 1.0),
    "sync_period": (2, 1, 3, 5),
    "slow_step_size": (0.5, 0.8, 1 / 3, 1.0, 0.1, 0.0),
}
_STEPS = (3, 10, 1, 2, 25, 5)
LATE: dict[Precision, int] = {"bfloat16": 2**8 + 5, "float16": 2**11 + 5}
"""Steps, an odd number before the last two of which is none of the format."""
_ROWS = 6
"""Rows named at most, duplicates aside: Keras' non-fused Adam compiles for every number of them."""


@dataclass(frozen=True)
class Draft:
    """What Hypothesis draws of a problem; `build` makes the arrays."""

    dtype: Precision
    shapes: Shapes
    steps: int
    hyperparameters: Hyperparameters
    regime: str
    scale: float
    """Factor of the gradients."""
    rows: str
    """Kind of row-sparse gradients, or "dense"."""
    unsorted: bool
    """Whether rows come in any order."""
    mixed: bool
    """Whether dense gradients come between row-sparse ones."""
    absent: bool
    """Whether parameters are without gradient in some steps."""


def one_of(values: Sequence[Value]) -> st.SearchStrategy[Value]:
    """One of `values`, the first being the simplest.

    Made of booleans, because Hypothesis seeds its integers with the constants of whichever modules are
    loaded: the problems would change with any line of code, and from one environment to the other.
    """
    from hypothesis import strategies as st

    bits = (len(values) - 1).bit_length() + 2
    drawn = st.tuples(*[st.booleans()] * bits)
    return drawn.map(lambda digits: values[sum(digit << k for k, digit in enumerate(digits)) % len(values)])


def _if(possible: bool) -> st.SearchStrategy[bool]:
    from hypothesis import strategies as st

    return st.booleans() if possible else st.just(False)


def drafts(claim: Claim, shapes: tuple[Shapes, ...] = SHAPES) -> st.SearchStrategy[Draft]:
    """Drafts inside `claim`."""
    from hypothesis import strategies as st

    kinds = sorted(kind for kind in claim.gradients if kind.endswith("rows"))
    if "dense" in claim.gradients:
        kinds.insert(0, "dense")
    else:  # every parameter must have rows
        shapes = tuple(row for row in shapes if all(shape and 0 not in shape for shape in row))
    return st.builds(
        Draft,
        dtype=one_of(wide(claim)),
        shapes=one_of(shapes),
        steps=one_of(_STEPS),
        hyperparameters=_hyperparameters(claim),
        regime=one_of(tuple(REGIMES)),
        scale=one_of((1.0, 1e-2, 1e2, 1e-4, 1e-6)),
        rows=one_of(kinds),
        unsorted=_if("unsorted rows" in kinds),
        mixed=_if("dense" in kinds),
        absent=_if("none" in claim.gradients),
    )


def wide(claim: Claim) -> tuple[Precision, ...]:
    """Of the claimed dtypes those in which every hyper-parameter here survives; the claimed ones if there are none.

    The low formats have sets of their own, in `conformance.edges`.
    """
    return tuple(dtype for dtype in claim.dtypes if dtype in ("float32", "float64")) or claim.dtypes


def draw(strategy: st.SearchStrategy[Draft], number: int, seed: int) -> list[Problem]:
    """`number` problems: the same for the same strategy, number, seed and version of Hypothesis."""
    import hypothesis

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
    return [build(draft, seed, k) for k, draft in enumerate(drawn[:number])]


def build(draft: Draft, seed: int, number: int) -> Problem:
    """The problem of a draft: arrays of its dtype, from the seed and the problem's number alone.

    Hypothesis likes to repeat what it has drawn; the arrays of two equal drafts differ.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
    parameters = tuple(rounded(initial(random, shape), draft.dtype) for shape in draft.shapes)
    regime = EVERY[draft.regime]
    series = [regime(random, draft.steps, shape, draft.dtype) * draft.scale for shape in draft.shapes]
    present = _present(draft, random)
    gradients = tuple(
        tuple(
            _gradient(draft, random, rounded(series[i][k], draft.dtype)) if present[k, i] else None
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
    from hypothesis import strategies as st

    names = [name for name in _VALUES if name in claim.hyperparameters]
    apart = claim.nonzero | ({"epsilon"} if epsilon_zero_apart(claim) else set())
    drawn = st.fixed_dictionaries({n: one_of(tuple(v for v in _VALUES[n] if v or n not in apart)) for n in names})

    def make(values: dict[str, Any]) -> Hyperparameters:
        return Hyperparameters(**with_allowed_decays(claim, values))

    return drawn.map(make)


def with_allowed_decays(claim: Claim, values: dict[str, Any]) -> dict[str, Any]:
    """Hyper-parameters by name, without weight_decay where there is an l2 and the claim takes one of them at a time."""
    return values | {"weight_decay": 0.0} if values.get("l2") and not claim.both_decays else values


def least_threshold(beta_2: float) -> int:
    """The least sma_threshold for which r_t of Liu et al. is a number in every step.

    r_t is the root of (rho_t - 4)(rho_t - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho_t), and rho_t grows from 1 to
    rho_inf: neither 2 nor 4 may lie between the threshold and rho_inf.
    """
    rho_inf = (1 + beta_2) / (1 - beta_2)
    return max((pole for pole in (2, 4) if pole <= rho_inf), default=0)


def _present(draft: Draft, random: np.random.Generator) -> Array:
    """[step, parameter]; every step has at least one gradient, as Keras demands."""
    shape = (draft.steps, len(draft.shapes))
    if not draft.absent:
        return np.ones(shape, dtype=bool)
    present = random.random(shape) < 0.7
    present[np.arange(draft.steps), whole(random, (draft.steps,), shape[1])] = True
    return present


def _gradient(draft: Draft, random: np.random.Generator, dense: Array) -> Gradient:
    if draft.rows == "dense" or dense.ndim == 0 or dense.size == 0:
        return dense
    if draft.mixed and random.random() < 0.3:
        return dense
    n = dense.shape[0]
    few = min(n, _ROWS)
    if draft.rows == "empty rows" and random.random() < 0.5:
        rows = np.zeros(0, dtype=np.int64)
    elif draft.rows == "duplicate rows":
        rows = whole(random, (few,), n)[whole(random, (1 + int(whole(random, (), 2 * few)),), few)]
    else:
        rows = np.argsort(random.random(n), kind="stable")[: 1 + int(whole(random, (), few))]
    if not (draft.unsorted or draft.rows == "unsorted rows"):
        rows = np.sort(rows)
    # Duplicates get values of their own.
    values = dense[rows] * (1 + np.arange(len(rows))).reshape(-1, *[1] * (dense.ndim - 1)).astype(dense.dtype)
    return Rows(indices=rows.astype(np.int64), values=values.astype(dense.dtype))


# Sets of problems


def general(claim: Claim) -> st.SearchStrategy[Draft]:
    """Everything inside the claim."""
    return drafts(claim)


def with_equal_shapes(claim: Claim) -> st.SearchStrategy[Draft]:
    """Several parameters of one shape."""
    return drafts(claim, EQUAL_SHAPES)


def with_clip_gradient_zero(claim: Claim) -> st.SearchStrategy[Draft]:
    """clip_gradient 0."""
    return drafts(claim).map(lambda d: replace(d, hyperparameters=replace(d.hyperparameters, clip_gradient=0.0)))


def with_epsilon_zero(claim: Claim) -> st.SearchStrategy[Draft]:
    """Epsilon 0, and gradients that are zero at first and then so small, for so long, that any epsilon shows."""

    def changed(d: Draft) -> Draft:
        h = replace(d.hyperparameters, epsilon=0.0, l2=0.0)
        return replace(d, regime="late", scale=min(d.scale, 1e-4), steps=max(d.steps, 10), hyperparameters=h)

    return drafts(claim).map(changed)


def takes_epsilon_zero(claim: Claim) -> bool:
    """Whether epsilon 0 is a check of its own: where a step that is not rectified divides by nothing."""
    known = DIALECTS.get(claim.dialect)
    return known is not None and known.rectifies and "epsilon" in claim.hyperparameters - claim.nonzero


def epsilon_zero_apart(claim: Claim) -> bool:
    """Whether it is so nowhere else: where one known deviation would hide the rest."""
    return takes_epsilon_zero(claim) and rectified_hat in DIALECTS[claim.dialect].stages


def for_laws(claim: Claim) -> st.SearchStrategy[Draft]:
    """Everything inside the claim, in several parameters."""
    return drafts(claim, LAW_SHAPES)


def of_dense_gradients(claim: Claim) -> st.SearchStrategy[Draft]:
    """No rows. Of a claim of rows alone: as `for_laws`."""
    dense = claim.gradients & {"dense", "none"}
    return for_laws(replace(claim, gradients=dense) if "dense" in dense else claim)


def of_rows(claim: Claim) -> st.SearchStrategy[Draft]:
    """Nothing but rows, each named once. Of a claim without rows: as `for_laws`."""
    rows = claim.gradients & {"rows", "empty rows", "unsorted rows"}
    return for_laws(replace(claim, gradients=rows) if "rows" in rows else claim)


def of_many_steps(claim: Claim) -> st.SearchStrategy[Draft]:
    """One small parameter, and more steps than the narrowest format claimed can count by ones."""
    steps = LATE["float16" if "float16" in {*claim.dtypes} - claim.masters else "bfloat16"]
    return drafts(claim, (((3,),),)).map(lambda d: replace(d, steps=steps))


SETS: dict[str, tuple[Callable[[Claim], st.SearchStrategy[Draft]], float]] = {
    "general": (general, 1.0),
    "equal-shapes": (with_equal_shapes, 0.1),
    "clip-gradient-zero": (with_clip_gradient_zero, 0.05),
    "epsilon-zero": (with_epsilon_zero, 0.05),
    "laws": (for_laws, 0.04),
    "laws-dense": (of_dense_gradients, 0.04),
    "laws-rows": (of_rows, 0.04),
    "laws-procedures": (for_laws, 0.014),
    "laws-long": (of_many_steps, 0.004),
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
