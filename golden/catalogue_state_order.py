"""Cases of the order in which Keras lists an optimizer's state, which a converter of checkpoints must know.

Read in keras/optimizers/legacy/adam.py and keras/optimizers/adam.py (2.15), tensorflow_addons/optimizers/lookahead.py
(0.23) and keras/src/optimizers/base_optimizer.py (3.15): variables are listed in the order in which they are created.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from golden.making import STEPS, Made, case_of, wave
from reference import Dialect

ORDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "keras-v2-adam": ("t", "m", "v", "v_max"),
        "tf-keras-adam": ("t", "average", "m v", "v_max"),
        "keras3-adam": ("t", "learning_rate", "average", "m v", "v_max"),
        "tfa-rectified-adam": ("t", "m", "v", "v_max"),
        "tfa-lookahead-keras-v2-adam": ("t", "slow", "m", "v", "v_max"),
        "tfa-lookahead-rectified-adam": ("t", "slow", "m", "v", "v_max"),
    }
)
"""By dialect what comes after what: a kind for all parameters, then the next one; "m v" are both of each parameter."""


def state_orders(d: Dialect, topic: str) -> Made:
    """The order, with and without what can be absent."""
    if d.name not in ORDERS:
        return
    theta = wave((3,), 1.0), wave((2, 2), 0.25), wave((5,), 0.5)
    dense = [tuple(wave(x.shape, 0.5, k + x.size) for x in theta) for k in range(STEPS)]
    more: dict[str, Any] = {"ema_momentum": 0.5} if "ema_momentum" in d.hyperparameters else {}
    for name, h, text in (
        ("plain", {}, "the state of three parameters in the order of the framework's list"),
        ("amsgrad", {"amsgrad": True, **more}, "the same with a maximum, and an average where there can be one"),
    ):
        order = order_of(d, len(theta), frozenset(h))
        yield case_of(d, topic, name, text, ("state-order",), theta, dense, h, at=(1, STEPS), state_order=order)


def order_of(d: Dialect, parameters: int, given: frozenset[str]) -> tuple[str, ...]:
    """The names of a case's `state_order`."""
    absent = {kind for kind, of in (("v_max", "amsgrad"), ("average", "ema_momentum")) if of not in given}
    names: list[str] = []
    for kinds in ORDERS[d.name]:
        if kinds in ("t", "learning_rate"):
            names.append(kinds)
        elif kinds not in absent:
            names += [f"{kind}[{i}]" for i in range(parameters) for kind in kinds.split()]
    return tuple(names)
