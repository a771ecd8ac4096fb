"""Problems of what Keras does beside the step: an average of the parameters, exceptions from decay, constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.contract import CONSTRAINED_ROWS, NON_NEG_FLOAT64, Claim, Precision
from adapters.hyperparameters import CONSTRAINTS
from conformance.edges import draft, one
from conformance.problems import Draft, wide

_SHAPES = ((9, 31), (33,))
MOMENTA: tuple[tuple[float, int | None], ...] = ((0.875, None), (0.5, 2), (0.99, 3), (0.0, 2), (1.0, 3), (0.25, 1))
"""ema_momentum and ema_overwrite_frequency; 0.99 is no number of either format, and 1 - 0.99 another one's."""


def averages(claim: Claim, number: int) -> list[Draft]:
    """An average that is never written over the parameters, and one that is; gradients that are absent; rows."""
    dtypes, kinds = wide(claim), _kinds(claim)
    return [
        draft(
            dtypes[k % len(dtypes)],
            _SHAPES,
            one(claim, ema_momentum=momentum, ema_overwrite_frequency=every, weight_decay=0.125),
            5,
            rows=kinds[k // 2 % len(kinds)],
            absent="none" in claim.gradients and k != 1,
        )
        for k, (momentum, every) in enumerate(MOMENTA)
    ]


def exclusions(claim: Claim, number: int) -> list[Draft]:
    """Decay of the first parameter, of the second, of none."""
    dtypes, kinds = wide(claim), _kinds(claim)
    return [
        draft(
            dtypes[k % len(dtypes)],
            _SHAPES,
            one(claim, weight_decay=0.125, exclude_from_weight_decay=excluded),
            3,
            rows=kinds[k % len(kinds)],
        )
        for k, excluded in enumerate(((1,), (0,), (0, 1)))
    ]


def constraints(claim: Claim, number: int) -> list[Draft]:
    """Each constraint; beside an average that is written over the parameters, where there is one; rows."""
    dtypes = wide(claim)
    kinds = ("dense",) if CONSTRAINED_ROWS in claim.not_claimed else _kinds(claim)
    beside: tuple[dict[str, Any], ...] = ({}, {"ema_momentum": 0.5, "ema_overwrite_frequency": 2})
    both = beside if "ema_momentum" in claim.hyperparameters else beside[:1]
    given = [(name, dtype) for name in CONSTRAINTS for dtype in dtypes if takes_constraint(claim, name, dtype)]
    return [
        draft(
            dtype,
            _SHAPES,
            one(claim, constraint=name, weight_decay=0.125, **more),
            4,
            rows=kinds[k % len(kinds)],
            absent="none" in claim.gradients,
        )
        for k, (name, dtype, more) in enumerate((n, d, m) for n, d in given for m in both)
    ]


def takes_constraint(claim: Claim, constraint: str | None, dtype: Precision) -> bool:
    """Whether parameters of the dtype may have it."""
    return not (constraint == "non_neg" and dtype == "float64" and NON_NEG_FLOAT64 in claim.not_claimed)


def _kinds(claim: Claim) -> tuple[str, ...]:
    return tuple(kind for kind in ("dense", "duplicate rows") if kind in claim.gradients) or ("rows",)


def replicas(claim: Claim, number: int) -> list[Draft]:
    """Gradients for replicas, and for a caller's functions: of the order of 1, dense and by rows."""
    kinds = [kind for kind in ("dense", "duplicate rows") if kind in claim.gradients]
    return [draft("float32", _SHAPES, one(claim, amsgrad=k == 1), 3, rows=kind) for k, kind in enumerate(kinds)]


def forms(claim: Claim, number: int) -> list[Draft]:
    """One small parameter of each dtype: every form is a new optimizer, which Keras' non-fused Adam compiles anew."""
    warm_up = {"total_steps": 7, "warmup_proportion": 0.3, "min_lr": 0.03}
    h = one(claim, learning_rate=1 / 3, beta_1=0.9, beta_2=0.99, weight_decay=0.1, **warm_up)
    return [draft(dtype, ((3, 2),), h, 6) for dtype in wide(claim)]


SETS: dict[str, Callable[[Claim, int], list[Draft]]] = {
    "averages": averages,
    "exclusions": exclusions,
    "constraints": constraints,
    "replicas": replicas,
    "forms": forms,
}
"""As those of `conformance.edges`."""
