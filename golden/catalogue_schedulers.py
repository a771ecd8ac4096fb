"""Of the first set: MXNet's lr_scheduler."""

from __future__ import annotations

from typing import Any

from golden.making import STEPS, Made, case_of, wave
from reference import Dialect, Schedule
from reference.stages import gather_rows

_NO_WARM_UP: dict[str, Any] = {"warmup_steps": 0, "warmup_begin_lr": 0.0, "warmup_mode": "linear"}
_LINEAR: dict[str, Any] = {"warmup_steps": 3, "warmup_begin_lr": 2.0**-10, "warmup_mode": "linear"}
_FACTOR: dict[str, Any] = {"step": 2, "factor": 0.25, "stop_factor_lr": 2.0**-12}
_POLY: dict[str, Any] = {"max_update": 6, "pwr": 1.5, "final_lr": 2.0**-10}
_COSINE: dict[str, Any] = {"max_update": 5, "final_lr": 2.0**-10}


def _of(kind: str, numbers: dict[str, Any], warm_up: dict[str, Any] = _NO_WARM_UP) -> dict[str, Any]:
    return {"lr_scheduler": Schedule(f"mxnet_{kind}", (*numbers.items(), *warm_up.items()))}


KINDS: dict[str, dict[str, Any]] = {
    "factor": _of("factor", _FACTOR),
    "multi-factor": _of("multi_factor", {"steps": (1, 4), "factor": 0.5}),
    "poly": _of("poly", _POLY),
    "cosine": _of("cosine", _COSINE),
    "poly-warm-up": _of("poly", _POLY, _LINEAR),
    "cosine-warm-up": _of("cosine", _COSINE, _LINEAR),
    "factor-constant-warm-up": _of("factor", _FACTOR, _LINEAR | {"warmup_mode": "constant"}),
    "behind-the-end": {**_of("poly", _POLY), "begin_num_update": 6},
}
ENDS: dict[str, dict[str, Any]] = {
    "factor-warm-up": _of("factor", _FACTOR, _LINEAR),
    "factor-from-below": _of("factor", _FACTOR | {"stop_factor_lr": 2.0**-5}),
    "multi-factor-warm-up": _of("multi_factor", {"steps": (1, 4), "factor": 0.5}, _LINEAR),
    "poly-constant-warm-up": _of("poly", _POLY, _LINEAR | {"warmup_mode": "constant"}),
    "cosine-constant-warm-up": _of("cosine", _COSINE, _LINEAR | {"warmup_mode": "constant"}),
    "cosine-behind-the-end": {**_of("cosine", _COSINE), "begin_num_update": 5},
    "next-to-the-end": {**_of("poly", _POLY), "begin_num_update": 5},
    "warm-up-beyond-the-end": _of("poly", _POLY, _LINEAR | {"warmup_steps": 7}),
    "multi-factor-constant-warm-up": _of(
        "multi_factor", {"steps": (5,), "factor": 0.5}, _LINEAR | {"warmup_mode": "constant"}
    ),
}
"""Where a warm-up and what comes behind it meet, and where a scheduler ends."""


def lr_schedulers(d: Dialect, topic: str) -> Made:
    """Learning rates of MXNet that change with num_update; of a lazy dialect where the count of another one decides."""
    if "lr_scheduler" not in d.hyperparameters:
        return
    theta, flags = (wave((3,), 1.0),), ("lr-scheduler",)
    dense = [(wave((3,), 0.5, k),) for k in range(STEPS)]
    for name, h in KINDS.items() if gather_rows not in d.stages else ():
        text = f"the learning rate by a scheduler: {name}"
        yield case_of(d, topic, name, text, flags, theta, dense, h, at=range(1, STEPS + 1))
    for name, h in ENDS.items() if gather_rows not in d.stages else ():
        text = f"the learning rate by a scheduler, up to where it changes and behind: {name}"
        yield case_of(d, topic, name, text, flags, theta, dense, h, at=(4, STEPS))
    text = "one parameter is without gradient in steps 2 and 3, and lags behind from then on: it is asked for first"
    late = [(g if k not in (1, 2) else None, wave((2,), 0.25, k) if k != 5 else None) for k, (g,) in enumerate(dense)]
    h = {**_of("poly", _POLY, _LINEAR), "lr_mult": (2.0, 0.5), "begin_num_update": 1}
    beside = (*flags, "multipliers", "begin", "absent-gradient")
    yield case_of(d, topic, "lagging", text, beside, (*theta, wave((2,), 0.5)), late, h, at=range(1, STEPS + 1))
