"""Random problems over every dialect: Hypothesis draws the structure, an integer seed the arrays.

A test that fails prints its problem; `problems` is derandomised, so the same one comes again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st

from reference import DIALECTS, Dialect, Hyperparameters, State, initial_state
from reference import stages as s

Array = npt.NDArray[Any]

LAW = settings(derandomize=True, database=None, deadline=None, max_examples=30)
"""How every law of this folder runs."""

GRADIENTS = ("normal", "decades", "alternating", "zeros first", "spike", "constant", "rare")


def gradient_values(kind: str, rng: np.random.Generator, steps: int, shape: tuple[int, ...]) -> Array:
    """``[steps, *shape]`` gradients that are hard in one stated way; "extremes" leave the range of float32."""
    size = (steps, *shape)
    normal = rng.normal(size=size)
    time = np.arange(steps).reshape(-1, *[1] * len(shape))
    hard = {
        "normal": normal,
        "decades": normal * 10.0 ** rng.uniform(-5, 5, size=size),
        "alternating": (-1.0) ** time * (1 + 1e-3 * normal),
        "zeros first": np.where(time < steps // 2, 0.0, normal),
        "spike": np.where(time == steps // 2, 1e4, 1e-3) * normal,
        "constant": np.broadcast_to(normal[:1], size).copy(),
        "rare": np.where(rng.random(size) < 0.2, normal, 0.0),
        "extremes": normal * 10.0 ** rng.uniform(-45, 20, size=size),
    }
    return hard[kind]


@dataclass(frozen=True)
class Problem:
    """Hyper-parameters, initial parameters and a gradient sequence, for one dialect."""

    dialect: Dialect
    h: Hyperparameters
    theta: tuple[Array, ...]
    gradients: tuple[tuple[Any, ...], ...]
    """For every step one gradient per parameter: dense, (rows, values) or None."""

    @property
    def start(self) -> State:
        return initial_state(self.theta, self.h)


_OPTIONAL: dict[str, list[Any]] = {
    "l2": [0.0, 0.01, 1.0],
    "weight_decay": [0.0, 0.004, 0.5],
    "rescale_grad": [1.0, 0.1, 3.0],
    "clip_gradient": [None, 0.0, 0.5, 2.0],
    "sma_threshold": [5.0, 4.5, 6.0],
    "amsgrad": [False, True],
    "adaptive_epsilon": [False, True],
    "epsilon_root": [0.0, 1e-3, 0.5],
    "momentum_decay": [0.004, 0.0, 0.5],
    "sync_period": [2, 1, 3, None],
    "slow_step_size": [0.5, 0.8, 1.0, 0.0],
    "decay": [0.0, 0.1, 2.0],
    "clipvalue": [None, 1.0, 1e-3, 0.0],
    "clipnorm": [None, None, 1.0, 1e-3, 0.0],
    "global_clipnorm": [None, 1.0, 1e-3, 0.0],
}
_FACTORS = [0.3, 0.0, 1.0, 7.0]
_BETAS = [0.9, 0.999, 0.0, 0.5, 0.8, 0.99, 0.9999, 0.999999]


@st.composite
def hyperparameters(draw: st.DrawFn, d: Dialect) -> Hyperparameters:
    """What dialect `d` has; the betas of the bias correction sometimes rounded on their way, as frameworks do."""
    values: dict[str, Any] = {name: draw(st.sampled_from(_OPTIONAL[name])) for name in _OPTIONAL if name in optional(d)}
    values["learning_rate"] = draw(st.sampled_from([1e-3, 0.1, 1.0]))
    values["beta_1"], values["beta_2"] = draw(st.sampled_from(_BETAS)), draw(st.sampled_from(_BETAS))
    values["epsilon"] = draw(st.sampled_from([1e-7, 1e-8, 1e-3, 0.1, 0.0]))
    if values.get("clipnorm") is not None:  # not both
        values["global_clipnorm"] = None
    if draw(st.booleans()) and values["beta_2"] != _BETAS[-1]:
        values["power_beta_1"] = float(np.float32(values["beta_1"]))
        values["power_beta_2"] = float(np.float32(values["beta_2"]))
    return Hyperparameters(**values)


def optional(d: Dialect) -> frozenset[str]:
    """Hyper-parameters of `d` beyond those that every Adam has."""
    return d.hyperparameters & _OPTIONAL.keys()


def row_sparse(d: Dialect, rng: np.random.Generator, values: Array) -> tuple[Array, Array]:
    """Some rows of dense `values`, in any order; named several times where `d` sums duplicates; perhaps none."""
    count = int(rng.integers(0, len(values) + 1))
    rows = rng.choice(len(values), size=count, replace=s.sum_duplicate_rows in d.stages)
    return rows, rng.permutation(values)[:count]


@st.composite
def problems(draw: st.DrawFn, *, max_steps: int = 30, rows: bool = True, dialects: Any = None) -> Problem:
    """Any dialect, hyper-parameters and gradients; rows: whether gradients may be row-sparse."""
    d = draw(st.sampled_from(list(DIALECTS.values()) if dialects is None else dialects))
    h = draw(hyperparameters(d))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = draw(st.integers(1, max_steps))
    shapes = draw(st.lists(st.sampled_from([(3,), (4, 2), (1,), (2, 1, 2)]), min_size=1, max_size=2))
    if "lr_mult" in d.hyperparameters and draw(st.booleans()):
        factors = {name: tuple(draw(st.sampled_from(_FACTORS)) for _ in shapes) for name in ("lr_mult", "wd_mult")}
        h = replace(h, **factors, begin_num_update=draw(st.sampled_from([0, 7])))
    kinds = [draw(st.sampled_from(GRADIENTS)) for _ in shapes]
    absent = draw(st.sampled_from([0.0, 0.3]))
    sparse = draw(st.sampled_from([0.0, 0.5, 1.0])) if rows and d.takes_rows else 0.0

    def gradient(dense: Array) -> Any:
        if rng.random() < absent:
            return None
        return row_sparse(d, rng, dense) if rng.random() < sparse else dense

    columns = [gradient_values(kind, rng, steps, shape) for kind, shape in zip(kinds, shapes, strict=True)]
    gradients = tuple(tuple(gradient(column[i]) for column in columns) for i in range(steps))
    return Problem(d, h, tuple(rng.normal(size=shape) for shape in shapes), gradients)
