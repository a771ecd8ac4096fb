"""Cases of what is done between steps: hyper-parameters changed, state saved and loaded, objects built again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from golden.between import Between
from golden.catalogue_schedulers import KINDS
from golden.making import STEPS, Made, case_of, rows_of, wave
from golden.schedules import named_schedule
from reference import Dialect

_UNUSUAL: Mapping[str, Any] = MappingProxyType(
    {
        "learning_rate": 2.0**-4,
        "beta_1": 0.75,
        "beta_2": 0.9375,
        "epsilon": 2.0**-5,
        "amsgrad": True,
        "weight_decay": 0.125,
        "l2": 0.125,
        "decay": 0.5,
        "clipnorm": 0.5,
        "rescale_grad": 0.5,
        "clip_gradient": 0.5,
        "epsilon_root": 2.0**-4,
        "sma_threshold": 6.0,
        "total_steps": 6,
        "warmup_proportion": 0.5,
        "min_lr": 2.0**-10,
        "momentum_decay": 1.0,
        "ema_momentum": 0.75,
        "ema_overwrite_frequency": 2,
        "sync_period": 2,
        "slow_step_size": 0.75,
    }
)
"""None of them is a default."""


def changed(d: Dialect, topic: str) -> Made:
    """Hyper-parameters that are set between steps hold from the next step on, and no state is lost."""
    theta, dense = _dense()
    at = (3, 4, 6, 7, STEPS)
    for name, text, first, *sets in _changes(d):
        between = [Between(after=after, do="set", hyperparameters=h) for after, h in zip((3, 6), sets, strict=False)]
        yield case_of(d, topic, name, text, ("changed",), theta, dense, first, at=at, between=between)


def _changes(d: Dialect) -> Iterator[tuple[Any, ...]]:
    """Name, description, the first hyper-parameters, and those that are set behind steps 3 and 6."""
    rates = {"learning_rate": 2.0**-5}, {"learning_rate": 2.0**-9}
    yield "rate", "a learning rate that is four times as large from step 4 on, and a quarter from step 7 on", {}, *rates
    if "momentum_decay" not in d.hyperparameters:
        betas = {"beta_1": 0.5, "beta_2": 0.9375}
        yield "betas", "betas of which the current ones have the power t, whatever they were before", {}, betas
    yield (
        "epsilon",
        "an epsilon that is larger from step 4 on, and 2^-20 again from step 7 on",
        {},
        *_twice("epsilon", 0.5, 2.0**-20),
    )
    for name in sorted({"l2", "weight_decay"} & d.hyperparameters):
        text = "a decay that is there from the first step on, is larger from step 4 on and gone from step 7 on"
        yield name.replace("_", "-"), text, {name: 0.125}, *_twice(name, 0.5, 0.0)
    if "clip_gradient" in d.hyperparameters:
        text = "gradients that are scaled and clipped otherwise from step 4 on"
        yield (
            "rescale-clip",
            text,
            {"rescale_grad": 0.5, "clip_gradient": 0.25},
            {"rescale_grad": 2.0, "clip_gradient": 0.125},
        )
    if "slow_step_size" in d.hyperparameters:
        yield "slow-step-size", "slow weights that move further from step 4 on", {}, {"slow_step_size": 0.75}


def _twice(name: str, first: float, second: float) -> tuple[dict[str, float], dict[str, float]]:
    return {name: first}, {name: second}


def saved(d: Dialect, topic: str) -> Made:
    """State that is saved and loaded: the trajectory is as if nothing had been done."""
    theta, dense = _dense()
    absent = [(a if k not in (0, 3) else None, b if k != 1 else None) for k, (a, b) in enumerate(dense)]
    yield _saved(d, topic, "absent", "no gradient in steps 1 and 4, or in step 2", theta, absent)
    late = [(a if k > 4 else None, b) for k, (a, b) in enumerate(dense)]
    yield _saved(d, topic, "late", "saved before the first parameter has a gradient, in step 6", theta, late)
    for h, text in _state_beside(d):
        (name,) = list(h)[:1]
        yield _saved(d, topic, name.replace("_", "-"), text, theta, dense, h)
    if d.takes_rows:
        rows = [(rows_of(([0, 2], [1, 2], [0, 3])[k % 3], k),) for k in range(STEPS)]
        yield _saved(d, topic, "rows", "rows that are not all named before it is saved", (wave((4, 2), 1.0),), rows)


def _state_beside(d: Dialect) -> Iterator[tuple[dict[str, Any], str]]:
    """Hyper-parameters with which there is more state, or a count that has others to decide."""
    for name, value, text in (
        ("amsgrad", True, "a maximum that is older than what is saved"),
        ("weight_decay", 0.125, "decoupled decay"),
        ("l2", 0.125, "coupled decay"),
        ("decay", 0.5, "a rate that decays with the count"),
        ("schedule", named_schedule("exponential"), "a schedule of the count"),
        ("lr_scheduler", KINDS["factor"]["lr_scheduler"], "a scheduler of the count of updates"),
        ("total_steps", 6, "a warm-up of the count"),
        ("begin_num_update", 5, "a count that began at 5"),
        ("lr_mult", (2.0, 0.5), "multipliers of the learning rate"),
        ("wd_mult", (2.0, 0.5), "multipliers of l2"),
        ("ema_momentum", 0.5, "an average, written over the parameters in steps 3 and 6"),
    ):
        if name not in d.hyperparameters:
            continue
        more: dict[str, Any] = {"warmup_proportion": 0.5, "min_lr": 2.0**-10} if name == "total_steps" else {}
        if name == "wd_mult":
            more = {"l2": 0.25}
        if name == "ema_momentum":
            more = {"ema_overwrite_frequency": 3}
        yield {name: value, **more}, text


def _saved(d: Dialect, topic: str, name: str, text: str, theta: Any, gradients: Any, h: Any = None) -> Any:
    text = f"saved after step 4 and loaded into a new object: {text}"
    between = [Between(after=4, do="save-and-load", hyperparameters={})]
    return case_of(d, topic, name, text, ("saved",), theta, gradients, h or {}, at=(4, 5, 6, STEPS), between=between)


def rebuilt(d: Dialect, topic: str) -> Made:
    """An optimizer made from another's configuration has every one of its hyper-parameters.

    But adaptive_epsilon, which that of tf_keras 2.21 has not: a declared deviation, with a check of its own.
    """
    theta, dense = _dense()
    between = [Between(after=0, do="rebuild", hyperparameters={})]
    h = {name: value for name, value in _UNUSUAL.items() if name in d.hyperparameters}
    if "weight_decay" in h:
        h.pop("l2", None)  # torch has one argument for the two
    text = "made from the configuration of another, no hyper-parameter being a usual one"
    yield case_of(d, topic, "everything", text, ("configuration",), theta, dense, h, between=between)


def finalized(d: Dialect, topic: str) -> Made:
    """The parameters become their average when training ends, and go on from there."""
    if "ema_momentum" not in d.hyperparameters:
        return
    theta, dense = _dense()
    between = [Between(after=k, do="finalize", hyperparameters={}) for k in (3, 6)]
    text = "the average is written over the parameters after steps 3 and 6, by finalize_variable_values"
    h = {"ema_momentum": 0.75}
    yield case_of(d, topic, "average", text, ("ema",), theta, dense, h, at=(3, 4, 6, 7, STEPS), between=between)


def _dense() -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Two parameters, and gradients that are smaller from step 5 on, so that a maximum is an older one."""
    theta = wave((3,), 1.0), wave((5,), 0.25)
    scale = [1.0 if k < 4 else 2.0**-4 for k in range(STEPS)]
    return theta, [(wave((3,), 0.5 * scale[k], k), wave((5,), 2.0**-k, 2 * k)) for k in range(STEPS)]
