"""Cases of what Keras does beside the step: an average of the parameters, exceptions from decay, constraints."""

from __future__ import annotations

from typing import Any

from golden.making import STEPS, Made, case_of, rows_of, wave
from reference import Dialect
from reference.hyperparameters import CONSTRAINTS


def averages(d: Dialect, topic: str) -> Made:
    """A moving average that is written over the parameters, or not."""
    if "ema_momentum" not in d.hyperparameters:
        return
    theta, dense = _dense()
    text, h = "an average that is not written over the parameters", {"ema_momentum": 0.875}
    yield case_of(d, topic, "average", text, ("ema",), theta, dense, h)
    text, h = "the average is written over the parameters in steps 3 and 6", {**h, "ema_overwrite_frequency": 3}
    yield case_of(d, topic, "overwrite", text, ("ema",), theta, dense, h, at=(1, 2, 3, 6, STEPS))
    text = "no gradient in steps 1 and 3, or in step 6; the average is written in steps 3 and 6"
    absent = [(a if k not in (0, 2) else None, b if k != 5 else None) for k, (a, b) in enumerate(dense)]
    yield case_of(d, topic, "absent", text, ("ema", "absent-gradient"), theta, absent, h, at=(1, 2, 3, 6, STEPS))
    text, h = "an average and decay, rows", {"ema_momentum": 0.5, "weight_decay": 0.125}
    sparse = [(rows_of(([0, 2], [1, 2], [0, 3])[k % 3], k),) for k in range(STEPS)]
    flags = ("ema", "decoupled-decay", "rows")
    yield case_of(d, topic, "rows", text, flags, (wave((4, 2), 1.0),), sparse, {**h, "ema_overwrite_frequency": 2})


def exclusions(d: Dialect, topic: str) -> Made:
    """Decay that leaves some parameters alone."""
    if "exclude_from_weight_decay" not in d.hyperparameters:
        return
    theta, dense = _dense()
    for name, excluded in (("second", (1,)), ("both", (0, 1))):
        h = {"weight_decay": 0.125, "exclude_from_weight_decay": excluded}
        text = f"decay, from which the {'second parameter is' if len(excluded) == 1 else 'two parameters are'} excluded"
        yield case_of(d, topic, name, text, ("exclude", "decoupled-decay"), theta, dense, h)


def constraints(d: Dialect, topic: str) -> Made:
    """Each constraint, with parameters inside and outside of it."""
    if "constraint" not in d.hyperparameters:
        return
    theta = wave((4, 2), 1.5), wave((5,), 2.0**-6, 1)
    dense = [(wave((4, 2), 0.5, k), wave((5,), 2.0**-k, 2 * k)) for k in range(STEPS)]
    absent = [(a if k not in (0, 3) else None, b if k != 1 else None) for k, (a, b) in enumerate(dense)]
    for name in CONSTRAINTS:
        text, h = f"{name}; no gradient in steps 1 and 4, or in step 2", {"constraint": name}
        yield case_of(d, topic, name.replace("_", "-"), text, ("constraint", "absent-gradient"), theta, absent, h)
    if "ema_momentum" in d.hyperparameters:
        more: dict[str, Any] = {"ema_momentum": 0.5, "ema_overwrite_frequency": 2, "constraint": "non_neg"}
        text = "the average is of the parameters before the constraint, and is constrained when it is written"
        yield case_of(d, topic, "average", text, ("constraint", "ema"), theta, dense, more)


def _dense() -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    theta = wave((3,), 1.0), wave((11,), 0.25)
    return theta, [(wave((3,), 0.5, k), wave((11,), 2.0**-k, 2 * k)) for k in range(STEPS)]
