"""Problems of MXNet's lr_scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.contract import Claim, Schedule
from conformance.edges import draft, one
from conformance.problems import Draft, wide

_LINEAR: dict[str, Any] = {"warmup_steps": 4, "warmup_begin_lr": 0.02}
_CONSTANT: dict[str, Any] = {"warmup_steps": 3, "warmup_begin_lr": 0.03, "warmup_mode": "constant"}
LR_SCHEDULERS: tuple[Schedule, ...] = (
    Schedule("mxnet_factor", step=2, factor=0.7),
    Schedule("mxnet_factor", step=1, factor=0.5, stop_factor_lr=0.02, **_LINEAR),
    Schedule("mxnet_multi_factor", steps=(2, 3, 7), factor=0.3),
    Schedule("mxnet_multi_factor", steps=(1, 5), factor=0.3, **_CONSTANT),
    Schedule("mxnet_poly", max_update=7, pwr=1.5, final_lr=0.01),
    Schedule("mxnet_poly", max_update=7, final_lr=0.01, **_LINEAR),
    Schedule("mxnet_cosine", max_update=6, final_lr=0.02),
    Schedule("mxnet_cosine", max_update=6, final_lr=0.02, **_CONSTANT),
    Schedule("mxnet_poly", max_update=2, **_LINEAR),
)
"""Each of them, with warm-up and without; the last one's ends behind max_update."""
BEGINS = (0, 1, 0, 2, 0, 0, 10, 1, 0)
"""begin_num_update of each: 10 is behind max_update."""


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
        for k, (scheduler, begin) in enumerate(zip(LR_SCHEDULERS, BEGINS, strict=True))
    ]


SETS: dict[str, Callable[[Claim, int], list[Draft]]] = {"lr-schedulers": lr_schedulers}
"""As those of `conformance.edges`."""
