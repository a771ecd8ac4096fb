"""How a hyper-parameter changes from step to step: data of the contract, which an adapter makes its framework's own of.

A schedule has a name out of `SCHEDULES` or `LR_SCHEDULERS` and the numbers that the name asks for. The hyper-parameter
that it belongs to (`Hyperparameters.learning_rate`, `weight_decay`) is the value that it begins with. Formulas:
`reference.schedules`, `reference.schedules_mxnet`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any


class ContractError(ValueError):
    """Data that the contract does not allow; the message names argument, value and what it accepts."""

    def __init__(self, argument: str, value: object, accepted: str) -> None:
        super().__init__(f"{argument} is {value!r}; accepted: {accepted}")
        self.argument = argument


@dataclass(frozen=True)
class Argument:
    """A number of a schedule: what is accepted, and its default, without which it must be given."""

    accepted: str
    test: Callable[[Any], bool]
    default: Any = ...


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_STEPS = Argument("a whole number >= 1", lambda n: _whole(n, 1))
_RATE = Argument("a finite number >= 0", lambda x: _real(x) and x >= 0)
_NOTHING_LEFT = Argument(_RATE.accepted, _RATE.test, 0.0)
_SHARE = Argument("a number in [0, 1]", lambda x: _real(x) and 0 <= x <= 1, 0.0)
_SWITCH = Argument("True or False", lambda b: isinstance(b, bool), False)


def _rise(values: Any, least: int) -> bool:
    each = values if isinstance(values, tuple) else ()
    return bool(each) and all(_whole(n, least) for n in each) and all(a < b for a, b in pairwise(each))


def _over_0(default: float) -> Argument:
    return Argument("a finite number > 0", lambda x: _real(x) and x > 0, default)


SCHEDULES: Mapping[str, Mapping[str, Argument]] = MappingProxyType(
    {
        "exponential": {"decay_steps": _STEPS, "decay_rate": _RATE, "staircase": _SWITCH},
        "inverse_time": {"decay_steps": _STEPS, "decay_rate": _RATE, "staircase": _SWITCH},
        "polynomial": {
            "decay_steps": _STEPS,
            "end_learning_rate": Argument(_RATE.accepted, _RATE.test, 1e-4),
            "power": _over_0(1.0),
            "cycle": _SWITCH,
        },
        "piecewise_constant": {
            "boundaries": Argument("whole numbers >= 0 that rise", lambda ns: _rise(ns, 0)),
            "values": Argument("finite numbers >= 0, as many as boundaries", lambda xs: all(map(_RATE.test, xs))),
        },
        "cosine": {
            "decay_steps": _STEPS,
            "alpha": _SHARE,
            "warmup_target": Argument("None or a finite number >= 0", lambda x: x is None or _RATE.test(x), None),
            "warmup_steps": Argument("a whole number >= 0", lambda n: _whole(n, 0), 0),
        },
        "cosine_restarts": {
            "first_decay_steps": _STEPS,
            "t_mul": Argument("a finite number >= 1", lambda x: _real(x) and x >= 1, 2.0),
            "m_mul": _over_0(1.0),
            "alpha": _SHARE,
        },
        "inverse_root": {"decay_steps": _STEPS},
    }
)
"""Names, and the numbers of each, as Keras spells them; inverse_root is nobody's own: a caller's schedule."""

_WARM_UP: Mapping[str, Argument] = {
    "warmup_steps": Argument("a whole number >= 0", lambda n: _whole(n, 0), 0),
    "warmup_begin_lr": _NOTHING_LEFT,
    "warmup_mode": Argument("linear, constant", lambda mode: mode in ("linear", "constant"), "linear"),
}
_FACTOR = Argument(_SHARE.accepted, _SHARE.test, 1.0)
LR_SCHEDULERS: Mapping[str, Mapping[str, Argument]] = MappingProxyType(
    {
        "mxnet_factor": {
            "step": _STEPS,
            "factor": _FACTOR,
            "stop_factor_lr": Argument(_RATE.accepted, _RATE.test, 1e-8),
            **_WARM_UP,
        },
        "mxnet_multi_factor": {
            "steps": Argument("whole numbers >= 1 that rise", lambda ns: _rise(ns, 1)),
            "factor": _FACTOR,
            **_WARM_UP,
        },
        "mxnet_poly": {"max_update": _STEPS, "pwr": _over_0(2.0), "final_lr": _NOTHING_LEFT, **_WARM_UP},
        "mxnet_cosine": {"max_update": _STEPS, "final_lr": _NOTHING_LEFT, **_WARM_UP},
    }
)
"""MXNet's, which an lr_scheduler is one of; its names, but for `steps`, which is a list called step there."""


@dataclass(frozen=True, init=False, repr=False)
class Schedule:
    """A named schedule and its numbers; equal, hashable and printed by all of them, defaults included.

        Schedule("exponential", decay_steps=4, decay_rate=0.5, staircase=True)

    Raises `ContractError` for a name that is not there, a number that is missing, unknown or out of range.
    """

    name: str
    numbers: tuple[tuple[str, Any], ...]

    def __init__(self, name: str, **numbers: Any) -> None:
        known = {**SCHEDULES, **LR_SCHEDULERS}
        if name not in known:
            raise ContractError("schedule", name, ", ".join(known))
        arguments = known[name]
        for given in numbers:
            if given not in arguments:
                raise ContractError(f"{name}.{given}", numbers[given], f"nothing; {name} has {', '.join(arguments)}")
        found = []
        for key, argument in arguments.items():
            value = numbers.get(key, argument.default)
            value = tuple(value) if isinstance(value, list) else value
            if value is ... or not argument.test(value):
                raise ContractError(f"{name}.{key}", None if value is ... else value, argument.accepted)
            found.append((key, value))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "numbers", tuple(found))
        if name == "piecewise_constant" and len(self["values"]) != len(self["boundaries"]):
            raise ContractError("piecewise_constant.values", self["values"], arguments["values"].accepted)
        if "max_update" in arguments and self["max_update"] == self["warmup_steps"]:  # MXNet divides by the difference
            raise ContractError(f"{name}.warmup_steps", self["warmup_steps"], "other than max_update")

    def __getitem__(self, key: str) -> Any:
        """One of the numbers, by name."""
        return dict(self.numbers)[key]

    def __repr__(self) -> str:
        """As it can be written in Python."""
        return f"Schedule({', '.join([repr(self.name), *(f'{key}={value!r}' for key, value in self.numbers)])})"

    def as_json(self) -> dict[str, Any]:
        """What JSON can hold; ``Schedule(**content)`` gives it back."""
        numbers = {key: list(value) if isinstance(value, tuple) else value for key, value in self.numbers}
        return {"name": self.name, **numbers}


def schedule_or_none(name: str, value: Any, kinds: Mapping[str, Any] = SCHEDULES) -> Schedule | None:
    """A hyper-parameter that is a schedule of these kinds or None, also as the mapping that JSON makes of one."""
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        value = Schedule(**value)
    if value is not None and not (isinstance(value, Schedule) and value.name in kinds):
        raise ContractError(name, value, f"None or a Schedule: {', '.join(kinds)}")
    return value
