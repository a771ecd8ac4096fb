"""Hyper-parameters of a case: from JSON, checking everything, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from golden import floats
from golden.case import GoldenError
from golden.kinds import exact_in_float32, get, is_a
from reference import DIALECTS, Hyperparameters, Schedule
from reference.hyperparameters import MULTIPLIERS

_BOOLEANS = ("adaptive_epsilon", "amsgrad")
_COUNTS = ("sync_period", "ema_overwrite_frequency", "begin_num_update", "total_steps")
_WORDS = ("constraint",)
_LISTS = ("exclude_from_weight_decay",)
SCHEDULES = ("schedule", "weight_decay_schedule", "lr_scheduler")
_MAY_BE_NONE = frozenset(
    {"clip_gradient", "clipvalue", "clipnorm", "global_clipnorm"}
    | {"sync_period", "ema_momentum", "ema_overwrite_frequency", "constraint"}
)
_LATER = frozenset(
    {"decay", "clipvalue", "clipnorm", "global_clipnorm"}
    | {"ema_momentum", "ema_overwrite_frequency", "exclude_from_weight_decay", "constraint"}
    | {"begin_num_update", *MULTIPLIERS}
    | {"total_steps", "warmup_proportion", "min_lr", *SCHEDULES}
)
"""Hyper-parameters that dialects were given after their first files: a case that does not use one does not name it."""


def parse(data: Mapping[str, Any], dialect: str, where: str) -> Hyperparameters:
    """All of a case. Raises `GoldenError` naming the one that is wrong."""
    accepted = DIALECTS[dialect].hyperparameters
    if not accepted - _LATER <= set(data) <= accepted:
        odd = ", ".join(floats.shortened(name) for name in sorted(set(data) ^ accepted)[:5] if name not in _LATER)
        raise GoldenError(f"{where} differ from the dialect's in {odd}; accepted: {', '.join(sorted(accepted))}")
    values = {name: value(name, given, f"{where}.{name}") for name, given in data.items()}
    try:
        return Hyperparameters(**values)
    except ValueError as error:
        raise GoldenError(f"{where}: {error}") from error


def value(name: str, given: object, at: str) -> Any:
    """One of them, as the file has it."""
    if name in _BOOLEANS:
        return is_a(given, bool, at)
    if name in _MAY_BE_NONE and given is None:
        return None
    if name in _COUNTS:
        return is_a(given, int, at)
    if name in _WORDS:
        return is_a(given, str, at)
    if name in _LISTS:
        return tuple(is_a(i, int, at) for i in is_a(given, list, at))
    if name in MULTIPLIERS:
        return tuple(_number(each, f"{at}[{i}]") for i, each in enumerate(is_a(given, list, at)))
    if name in SCHEDULES:
        return _schedule(is_a(given, dict, at), at)
    return _number(given, at)


def _number(value: object, at: str) -> float:
    data = is_a(value, dict, at)
    number = floats.from_hex(get(data, "hex", str, at), f"{at}.hex")
    exact_in_float32(np.array(number), at)
    if data.get("decimal") != floats.decimal(number):
        raise GoldenError(f"{at}.decimal is {floats.shortened(data.get('decimal'))}; accepted: that of hex")
    return number


def _schedule(data: Mapping[str, Any], at: str) -> Schedule:
    def value(given: object, where: str) -> Any:
        if isinstance(given, list):
            return tuple(value(one, where) for one in given)
        return given if given is None or isinstance(given, bool | int | str) else _number(given, where)

    numbers = tuple((key, value(given, f"{at}.{key}")) for key, given in data.items() if key != "name")
    try:
        return Schedule(get(data, "name", str, at), numbers)
    except (ValueError, TypeError) as error:
        raise error if isinstance(error, GoldenError) else GoldenError(f"{at}: {error}") from error


def to_json(h: Hyperparameters, dialect: str) -> Iterator[tuple[str, Any]]:
    """All that the dialect had at first, so that a reader needs no defaults, and of the later ones those in use."""
    written = DIALECTS[dialect].hyperparameters - (_LATER - h.given())
    for field in fields(Hyperparameters):
        if field.name in written:
            value = getattr(h, field.name)
            if field.name in _LISTS:
                yield field.name, list(value)
                continue
            exact = value is None or isinstance(value, bool | str | Schedule | tuple) or field.name in _COUNTS
            yield field.name, plain(value if exact else float(value))


def plain(value: Any) -> Any:
    """A hyper-parameter, or a number of a schedule; what may be a fraction is a float here."""
    if isinstance(value, Schedule):
        return {"name": value.name, **{key: plain(number) for key, number in value.numbers}}
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return {"hex": floats.to_hex(value), "decimal": floats.decimal(value)}
    return value
