"""Problems of MXNet's lr_scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.contract import Claim, Schedule
from conformance.edges import draft, one
from conformance.problems import Draft, wide

_LINEAR: dict[str, Any] = {"warmup_steps": 4, "warmup_begin_lr": 0.02}
_CONSTANT: dict[str, Any] = {"warmup_steps": 3, "warmup_begin_lr": 0.03, "warmup_mode": "constant"}
WITH_BEGIN: tuple[tuple[Schedule, int], ...] = (
    (Schedule("mxnet_factor", step=2, factor=0.7), 0),
    (Schedule("mxnet_factor", step=1, factor=0.5, stop_factor_lr=0.02, **_LINEAR), 1),
    (Schedule("mxnet_factor", step=3, factor=0.7, stop_factor_lr=0.5), 0),
    (Schedule("mxnet_multi_factor", steps=(2, 3, 7), factor=0.3), 2),
    (Schedule("mxnet_multi_factor", steps=(1, 5), factor=0.3, **_LINEAR), 0),
    (Schedule("mxnet_poly", max_update=7, pwr=1.5, final_lr=0.01), 0),
    (Schedule("mxnet_poly", max_update=7, final_lr=0.01, **_CONSTANT), 0),
    (Schedule("mxnet_poly", max_update=2, **_LINEAR), 0),
    (Schedule("mxnet_cosine", max_update=6, final_lr=0.02, **_CONSTANT), 1),
    (Schedule("mxnet_cosine", max_update=6, final_lr=0.02), 5),
    (Schedule("mxnet_cosine", max_update=6, final_lr=0.02), 10),
)
"""Each of them, with warm-up and without, beside begin_num_update: 5 and 10 are just before and behind max_update.

The rate is 0.125: one stop_factor_lr is above it. One warm-up ends behind max_update.
"""


def lr_schedulers(claim: Claim, number: int) -> list[Draft]:
    """Two parameters, without gradient now and then, with multipliers, and more updates than change anything."""
    kinds = [kind for kind in ("dense", "rows") if kind in claim.gradients]
    dtypes, absent = wide(claim), "none" in claim.gradients
    return [
        draft(
            dtypes[k // 2 % len(dtypes)],
            ((4, 2), (5, 3)),
            one(claim, lr_scheduler=scheduler, begin_num_update=begin, lr_mult=((), (0.5, 3.0))[k % 2]),
            9,
            rows=kinds[k // 3 % len(kinds)],
            absent=absent,
        )
        for k, (scheduler, begin) in enumerate(WITH_BEGIN)
    ]


SETS: dict[str, Callable[[Claim, int], list[Draft]]] = {"lr-schedulers": lr_schedulers}
"""As those of `conformance.edges`."""
