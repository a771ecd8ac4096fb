"""What is done between two steps of a case, and what becomes of the state then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from golden import settings
from golden.case import GoldenError
from golden.floats import shortened
from golden.kinds import get, is_a
from reference import DIALECTS, Bound, Hyperparameters, State

Doing = Literal["set", "save-and-load", "rebuild", "finalize"]
DOINGS: tuple[Doing, ...] = ("set", "save-and-load", "rebuild", "finalize")
MAX_BETWEEN = 16
"""In a case."""
NOT_SET = frozenset(
    {"amsgrad", "sync_period", "momentum_decay", "begin_num_update", "total_steps", "constraint"}
    | {"ema_momentum", "ema_overwrite_frequency", "exclude_from_weight_decay", *settings.SCHEDULES}
)
"""Hyper-parameters that a state goes with, or that are no number: what becomes of it then differs by framework."""


@dataclass(frozen=True, kw_only=True)
class Between:
    """Something that is done after `after` steps, and before the next one.

    set: hyper-parameters hold from the next step on.
    save-and-load: by the implementation's own full procedure, into a new object; nothing has changed then.
    rebuild: a new object from the configuration of the first; before the first step alone. Nothing has changed then.
    finalize: theta <- average, what Keras calls finalize_variable_values.
    """

    after: int
    do: Doing
    hyperparameters: Mapping[str, Any]
    """Of "set"; of the others none."""


_POWERS_OF_THE_CURRENT_BETAS: dict[str, Any] = {"power_beta_1": None, "power_beta_2": None}


def hyperparameters_by_step(h: Hyperparameters, between: tuple[Between, ...], steps: int) -> Iterator[Hyperparameters]:
    """Those of every step, the first step first."""
    for k in range(steps):
        for event in between:
            if event.after == k and event.do == "set":
                h = replace(h, **event.hyperparameters, **_POWERS_OF_THE_CURRENT_BETAS)
        yield h


Carried = TypeVar("Carried", State, Bound)


def carried(of: Carried, between: tuple[Between, ...], step: int) -> Carried:
    """A state, or its bound, as it goes into the step after `step`."""
    if any(event.after == step and event.do == "finalize" for event in between):
        assert of.average is not None
        return replace(of, theta=of.average)
    return of


# JSON


def parse(data: list[Any], dialect: str, h: Hyperparameters, steps: int, where: str) -> tuple[Between, ...]:
    """In rising order. Raises `GoldenError` naming what is wrong."""
    found = [_event(is_a(each, dict, f"{where}[{k}]"), dialect, f"{where}[{k}]") for k, each in enumerate(data)]
    after = [event.after for event in found]
    if not 1 <= len(found) <= MAX_BETWEEN or after != sorted(after) or not 0 <= after[0] <= after[-1] < steps:
        accepted = f"1 to {MAX_BETWEEN}, rising, from 0 to {steps - 1}"
        raise GoldenError(f"{where} is after steps {str(after)[:60]}; accepted: {accepted}")
    for event in found:
        if event.do == "rebuild" and event.after:
            raise GoldenError(f"{where}: rebuild is after {event.after} steps; accepted: after 0, it has no state")
        if event.do == "finalize" and h.ema_momentum is None:
            raise GoldenError(f"{where}: finalize is there; accepted: where there is an ema_momentum")
    try:
        list(hyperparameters_by_step(h, tuple(found), steps))
    except ValueError as error:
        raise GoldenError(f"{where}: {error}") from error
    return tuple(found)


def _event(data: Mapping[str, Any], dialect: str, where: str) -> Between:
    do = get(data, "do", str, where)
    if do not in DOINGS:
        raise GoldenError(f"{where}.do is {shortened(do)}; accepted: {', '.join(DOINGS)}")
    given = get(data, "hyperparameters", dict, where) if do == "set" else {}
    if do != "set" and "hyperparameters" in data:
        raise GoldenError(f"{where}.hyperparameters is there; accepted: where do is set")
    accepted = DIALECTS[dialect].hyperparameters - NOT_SET
    for name in given:
        if name not in accepted:
            raise GoldenError(f"{where} sets {shortened(name)}; accepted: {', '.join(sorted(accepted))}")
    if do == "set" and not given:
        raise GoldenError(f"{where} sets nothing; accepted: {', '.join(sorted(accepted))}")
    values = {name: settings.value(name, value, f"{where}.{name}") for name, value in given.items()}
    return Between(after=get(data, "after", int, where), do=do, hyperparameters=values)


def to_json(between: tuple[Between, ...]) -> list[dict[str, Any]]:
    """As `parse` reads it."""
    return [
        {"after": event.after, "do": event.do}
        | (
            {"hyperparameters": {n: settings.plain(v) for n, v in event.hyperparameters.items()}}
            if event.hyperparameters
            else {}
        )
        for event in between
    ]
