"""Problems of saving and changing while that is on which no drawn problem has: schedules, warm-up, clips, averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.contract import Claim, Schedule
from conformance.edges import draft, one
from conformance.problems import Draft, wide

_RATE = Schedule("exponential", decay_steps=3, decay_rate=1 / 3)
_VALUE, _NORM = {"clipvalue": 0.01}, {"clipnorm": 0.015}
"""Which reach the gradients behind a load, too: the laws have them 2^-6 times as large there."""


def settings(claim: Claim, number: int) -> list[Draft]:
    """One of them after the other, whose first is claimed; what is not claimed of the others is left out."""
    clips = {**_VALUE, **(_NORM if claim.clips_together else {})}
    average = {"ema_momentum": 0.25, "ema_overwrite_frequency": 3, "exclude_from_weight_decay": (0,)}
    wanted: tuple[dict[str, Any], ...] = (
        {"schedule": _RATE, "weight_decay": 0.125, "decay": 0.3, **clips},
        {"weight_decay_schedule": _RATE, "weight_decay": 0.5, "schedule": _RATE},
        {"total_steps": 5, "warmup_proportion": 0.6, "min_lr": 0.03, "decay": 0.3, **_NORM},
        {**average, "weight_decay": 0.5, **_NORM},
        {"global_clipnorm": 0.02, "decay": 0.3},
        {"lr_scheduler": Schedule("mxnet_factor", step=2, factor=0.7, warmup_steps=3, warmup_begin_lr=0.03)},
        {"lr_scheduler": Schedule("mxnet_poly", max_update=5, final_lr=0.01), "clip_gradient": 0.01},
    )
    dtypes, rows = wide(claim), "dense" if "dense" in claim.gradients else "rows"
    return [
        draft(dtypes[k % len(dtypes)], ((3, 2), (5, 3)), one(claim, **given), 6, rows=rows)
        for k, given in enumerate(g for g in wanted if next(iter(g)) in claim.hyperparameters)
    ]


def switches(claim: Claim, number: int) -> list[Draft]:
    """Nothing of it on: what switches is the law's."""
    rows = "dense" if "dense" in claim.gradients else "rows"
    return [draft(dtype, ((3, 2), (5, 3)), one(claim), 4, rows=rows) for dtype in wide(claim)[:1]]


SETS: dict[str, Callable[[Claim, int], list[Draft]]] = {"settings": settings, "switches": switches}
"""As those of `conformance.edges`."""
