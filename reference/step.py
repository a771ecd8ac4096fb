"""One step of a dialect, over a list of parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from reference.averages import WITHOUT_GRADIENT
from reference.dialects import Dialect
from reference.hyperparameters import MULTIPLIERS, Hyperparameters
from reference.namespace import FLOAT64, Namespace
from reference.stages import Stage, Working, sum_duplicate_rows

Gradient = Any
"""An array of the parameter's shape, a pair (row numbers ``[k]``, values ``[k, ...]``), or None."""

Watch = Callable[[int, Stage, Working, Working], None]
"""Called after every stage of every parameter with its number, the stage, and the quantities before and after."""


Branches = bool | Sequence[bool | None] | None
"""Of a rectified dialect: one for all parameters, or one for each; None where rho_t decides."""


@dataclass(frozen=True)
class State:
    """Parameters and optimizer state, one entry per parameter.

    v_max is None without AMSGrad, slow, Lookahead's slow weights, without a sync_period, and average, Keras' moving
    average of theta, without ema_momentum.
    """

    theta: tuple[Any, ...]
    m: tuple[Any, ...]
    v: tuple[Any, ...]
    v_max: tuple[Any, ...] | None
    t: tuple[int, ...]
    slow: tuple[Any, ...] | None = None
    average: tuple[Any, ...] | None = None


def initial_state(theta: Sequence[Any], h: Hyperparameters, x: Namespace = FLOAT64) -> State:
    """theta as given, m = v = v_max = 0, t = begin_num_update, and theta for the slow weights and for the average."""
    numbers = tuple(x.number(np.array(array)) for array in theta)
    zeros = tuple(x.number(np.zeros(array.shape)) for array in numbers)
    v_max = zeros if h.amsgrad else None
    slow = numbers if h.sync_period is not None else None
    average = numbers if h.ema_momentum is not None else None
    return State(numbers, zeros, zeros, v_max, (h.begin_num_update,) * len(numbers), slow, average)


def step(
    d: Dialect,
    h: Hyperparameters,
    state: State,
    gradients: Sequence[Gradient],
    *,
    x: Namespace = FLOAT64,
    watch: Watch | None = None,
    rectify: Branches = None,
) -> State:
    """The state after one step of dialect `d`. Nothing that is passed in is written to.

    rectify: force the branch of a rectified dialect, for all parameters or for each; None lets rho_t decide.

    Raises ValueError for a hyper-parameter that the dialect does not have, and for gradients that do
    not fit the parameters in number, shape or row range.
    """
    _check(d, h, state, gradients)
    h = h.to(x)
    branches = [rectify] * len(gradients) if rectify is None or isinstance(rectify, bool) else rectify
    after = tuple(_opened(d, h, state, i, g, x, branches[i]) for i, g in enumerate(gradients))
    num_updates = _num_updates(state, gradients)
    for p in after:
        p.num_update = num_updates[p.index]
    for stage in d.stages:  # of all parameters, before the next one: what is clipped together is known as it was
        all_g = tuple(p.g for p in after if p.g is not None)
        for i, p in enumerate(after):
            if p.g is not None or stage in WITHOUT_GRADIENT:
                p.all_g = all_g
                before = p.snapshot()
                stage(p, h, x)
                if watch is not None:
                    watch(i, stage, before, p)

    def arrays(name: str) -> tuple[Any, ...]:
        # NumPy turns 0-d results into scalars; a state holds arrays.
        return tuple(np.asarray(getattr(p, name)) for p in after)

    v_max = None if state.v_max is None else arrays("v_max")
    slow = None if state.slow is None else arrays("slow")
    average = None if state.average is None else arrays("average")
    return State(arrays("theta"), arrays("m"), arrays("v"), v_max, tuple(p.t for p in after), slow, average)


def _opened(
    d: Dialect, h: Hyperparameters, state: State, i: int, gradient: Gradient, x: Namespace, rectify: bool | None
) -> Working:
    """The quantities of parameter i as its step begins."""
    theta, m, v = (x.number(np.asarray(group[i])) for group in (state.theta, state.m, state.v))
    v_max = None if state.v_max is None else x.number(np.asarray(state.v_max[i]))
    slow = None if state.slow is None else x.number(np.asarray(state.slow[i]))
    average = None if state.average is None else x.number(np.asarray(state.average[i]))
    p = Working(theta, m, v, v_max, state.t[i], g=None, rectified=rectify, slow=slow, average=average, index=i)
    p.learning_rate, p.l2, p.weight_decay = h.learning_rate, h.l2, h.weight_decay
    p.decays = i not in h.exclude_from_weight_decay
    if gradient is not None or d.step_count == "optimizer":
        p.t += 1
    if gradient is None:
        return p
    p.rows, values = _split(gradient)
    p.g = x.number(np.asarray(values))
    return p


def _num_updates(state: State, gradients: Sequence[Gradient]) -> list[int]:
    """Of every parameter the largest count at its turn: those before it and itself have counted this step."""
    counts = [t + (g is not None) for t, g in zip(state.t, gradients, strict=True)]
    return [*accumulate(counts, max, initial=max(state.t, default=0))][1:]


def _check(d: Dialect, h: Hyperparameters, state: State, gradients: Sequence[Gradient]) -> None:
    for name in sorted(h.given() - d.hyperparameters):
        raise ValueError(f"{name} is {getattr(h, name)!r}; accepted: nothing, {d.name} does not have it")
    if h.amsgrad != (state.v_max is not None):
        raise ValueError(f"amsgrad is {h.amsgrad!r}; accepted: True exactly when the state holds v_max")
    if (h.sync_period is None) != (state.slow is None):
        raise ValueError(
            f"sync_period is {h.sync_period!r}; accepted: None exactly when the state holds no slow weights"
        )
    if (h.ema_momentum is None) != (state.average is None):
        raise ValueError(f"ema_momentum is {h.ema_momentum!r}; accepted: None exactly when the state holds no average")
    if len(gradients) != len(state.theta):
        raise ValueError(f"len(gradients) is {len(gradients)}; accepted: {len(state.theta)}, one per parameter")
    for name in MULTIPLIERS:
        if len(getattr(h, name)) not in (0, len(gradients)):
            raise ValueError(f"len({name}) is {len(getattr(h, name))}; accepted: 0, or {len(gradients)} parameters")
    for i, (theta, gradient) in enumerate(zip(state.theta, gradients, strict=True)):
        if gradient is None:
            continue
        rows, values = _split(gradient)
        if rows is not None:
            _check_rows(d, f"gradients[{i}]", rows, np.shape(theta))
        shape = np.shape(theta) if rows is None else (len(rows), *np.shape(theta)[1:])
        if np.shape(values) != shape:
            raise ValueError(f"gradients[{i}] has shape {np.shape(values)}; accepted: {shape}")


def _split(gradient: Gradient) -> tuple[Any, Any]:
    """Row numbers, None for a dense gradient, and values."""
    if not isinstance(gradient, tuple):
        return None, gradient
    rows = np.asarray(gradient[0])
    return (rows if rows.size else rows.astype(np.int64)), gradient[1]


def _check_rows(d: Dialect, name: str, rows: Any, shape: tuple[int, ...]) -> None:
    if not d.takes_rows:
        raise ValueError(f"{name} is row-sparse; accepted: a dense one, {d.name} has no sparse form")
    if not shape:
        raise ValueError(f"{name} is row-sparse; accepted: a dense one, a 0-d parameter has no rows")
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(f"{name} names rows {rows.tolist()}; accepted: a list of integers")
    if rows.size and not (rows.min() >= 0 and rows.max() < shape[0]):
        raise ValueError(f"{name} names rows {rows.tolist()}; accepted: 0 to {shape[0] - 1}")
    if sum_duplicate_rows not in d.stages and len(np.unique(rows)) < len(rows):
        raise ValueError(f"{name} names rows {rows.tolist()}; accepted: every row once, {d.name} does not sum them")
