"""A correct Adam in plain NumPy, cut into small methods: the ground that every mutant is planted in.

Written from the frameworks' formulas, not from `reference`, which it never imports: each of the two is
evidence about the other. `Twin` holds what the dialects have in common, `conformance.mutants.twins` has one
class per dialect, and a mutant overrides exactly one method.

Precision: arrays have the problem's dtype, and so has every number that meets one (`Work.element`). Numbers
of a whole step, such as 1 - beta^t, are formed in `Work.scalar`: double on the host here, the problem's dtype
in the TensorFlow dialects. No Python number ever meets a NumPy one, because NumPy 1 and 2 promote it
differently; `write` refuses an array of another dtype.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    Hyperparameters,
    Identity,
    Precision,
    Rows,
    State,
)
from adapters.hyperparameters import MULTIPLIERS
from adapters.memory import copied
from adapters.procedures import Functions, Group
from conformance.mutants.twin_aggregation import Change, Replicas, TransformedRun, total
from conformance.mutants.twin_beside import NEWER
from conformance.mutants.twin_observed import methods_that_run
from conformance.mutants.twin_run import CallingRun
from conformance.mutants.twin_run import TwinRun as TwinRun

Scalar = Any
"""A NumPy number of type `Work.scalar`."""


@dataclass
class Slot:
    """What the optimizer holds for one parameter; the arrays are written in place."""

    theta: Array
    m: Array
    v: Array
    v_max: Array | None
    t: int = 0
    slow: Array | None = None
    """The slow weights of Lookahead."""
    weight: Array | None = None
    """The parameter itself, where theta is its master copy."""
    average: Array | None = None
    """Keras' moving average of theta."""
    decays: bool = True
    """Whether weight_decay reaches it."""
    num_update: int = 0
    """What a scheduler of MXNet is asked for."""
    seen: Any = None
    """What a mutant keeps of the last gradient."""


@dataclass
class Work:
    """Quantities of one parameter during one step. Arrays are rebound, never written."""

    h: Hyperparameters
    t: int
    element: Any
    """Scalar type of the element formula: that of the arrays, unless they are of a format for storage alone."""
    storage: np.dtype[Any]
    """Of the arrays that the slot holds."""
    scalar: Any
    """Scalar type of what is formed once per step."""
    gradient: Array | Rows
    """As the caller gave it."""
    rows: NDArray[np.int64] | None
    """Rows that a row-sparse gradient names, each once."""
    g: Any
    theta: Any
    m: Any
    v: Any
    v_max: Any
    decays: bool = True
    num_update: int = 0


class Twin:
    """One `adapters.contract.Implementation`; a subclass gives `name`, `claim`, `required` and the formula."""

    contract_version: int = CONTRACT_VERSION
    name: str
    claim: Claim
    required: frozenset[str] = frozenset(
        {"prepare_gradient", "first_moment", "second_moment", "direction", "move", "store"}
    )
    """Methods that a step of this dialect calls, whoever overrides them."""
    excluded: frozenset[str] = frozenset()

    # Contract

    def identity(self) -> Identity:
        """Which of its own methods a real step calls."""
        stages = self.required | self.excluded
        return Identity(
            framework="numpy",
            version=np.__version__,
            required=self.required,
            excluded=self.excluded,
            observed=methods_that_run(self, stages),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Scalars in double on the host; each is rounded to `dtype` where it meets an array."""
        return Arithmetic(storage=dtype, compute=dtype, step_size=dtype)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> TwinRun:
        return self.start_groups([(parameters, hyperparameters)])

    # Procedures

    def start_groups(self, groups: Sequence[Group]) -> TwinRun:
        run = TwinRun(self)
        for parameters, h in groups:
            run.add_group(parameters, h)
        return run

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> TwinRun:
        return self.resume_groups([(parameters, hyperparameters)], saved)

    def resume_groups(self, groups: Sequence[Group], saved: bytes) -> TwinRun:
        run = self.start_groups(groups)
        run.load(saved)
        return run

    def start_replicas(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, count: int) -> Replicas:
        return Replicas(self, [self.start(parameters, hyperparameters) for _ in range(count)])

    def start_transformed(
        self,
        parameters: Sequence[Array],
        hyperparameters: Hyperparameters,
        aggregator: Change,
        transformers: Sequence[Change],
    ) -> TransformedRun:
        return TransformedRun(self, self.start(parameters, hyperparameters), aggregator, transformers)

    def start_tensors(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> TwinRun:
        return self.start(parameters, self.of_tensors(hyperparameters))

    def of_tensors(self, h: Hyperparameters) -> Hyperparameters:
        """What arrives of hyper-parameters that are given as tensors."""
        return h

    def start_callables(
        self, parameters: Sequence[Array], hyperparameters: Hyperparameters, functions: Functions
    ) -> CallingRun:
        run = CallingRun(self, functions)
        run.add_group(parameters, hyperparameters)
        return run

    def called(self, h: Hyperparameters, functions: Functions, steps: int) -> Hyperparameters:
        """What holds in a step that so many are behind."""
        called: dict[str, Any] = {name: function() for name, function in functions.items()}
        return replace(h, **called)

    def aggregated(self, gradients: Sequence[Gradient]) -> Gradient:
        """What the replicas' gradients of one parameter become."""
        return total(gradients)

    def aggregates(self, asked: bool) -> bool:
        """Whether it does, where the caller asks for it or does not."""
        return asked

    def transforms(self, aggregator: Change, transformers: Sequence[Change]) -> Sequence[Change]:
        """In their order."""
        return (aggregator, *transformers)

    def saved(self, slot: Slot) -> dict[str, Any]:
        """What is written of a parameter: not whether weight_decay reaches it, which is the new object's."""
        return {name: value for name, value in vars(slot).items() if name not in ("decays", "seen")}

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        """What was written of every parameter, in their order."""
        for slot, content in zip(slots, saved, strict=True):
            for name, value in content.items():
                setattr(slot, name, value)

    def loaded(self, h: Hyperparameters, saved: Hyperparameters) -> Hyperparameters:
        """What holds after a load into an object that was built with `h`, whose average and exclusions stay."""
        return replace(saved, **{name: getattr(h, name) for name in NEWER})

    def loaded_groups(
        self, built: Sequence[Hyperparameters], saved: Sequence[Hyperparameters]
    ) -> list[Hyperparameters]:
        """As `loaded`, of every group."""
        return [self.loaded(h, kept) for h, kept in zip(built, saved, strict=True)]

    def configured(self, parameters: Sequence[Array], configuration: bytes) -> TwinRun:
        given = json.loads(configuration)
        lists = {name: tuple(given[name]) for name in ("exclude_from_weight_decay", *MULTIPLIERS) if name in given}
        return self.start(parameters, Hyperparameters(**given | lists))

    def configuration(self, h: Hyperparameters, first: Hyperparameters) -> dict[str, Any]:
        """first: the hyper-parameters that the optimizer was built with."""
        return dict(vars(h))

    def after_change(self, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        """What holds of `h` after a change to `new`."""
        return new

    def after_group_change(self, group: int, h: Hyperparameters, new: Hyperparameters) -> Hyperparameters:
        """As `after_change`, where it is the group of this number alone that changes."""
        return self.after_change(h, new)

    def late(self, slot: Slot, present: Sequence[Slot]) -> None:
        """A parameter that comes late begins at the optimizer's t."""
        slot.t = max((other.t for other in present), default=0)

    def clipped(self, gradients: Sequence[Gradient], h: Hyperparameters) -> Sequence[Gradient]:
        """The gradients of one group, as every parameter then sees its own."""
        return gradients

    def of_group(self, h: Hyperparameters, groups: Sequence[Hyperparameters]) -> Hyperparameters:
        """What holds for a parameter whose group has `h`."""
        return h

    def of_parameter(self, h: Hyperparameters, i: int) -> Hyperparameters:
        """What of `h` holds for the parameter at place i."""
        return h

    # State

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        """m = v = v_max = 0 and t = 0, beside a copy of each parameter; slow weights and average are others."""
        return [
            Slot(
                theta=copied(theta),
                m=np.zeros_like(theta),
                v=np.zeros_like(theta),
                v_max=np.zeros_like(theta) if h.amsgrad else None,
                slow=np.array(theta) if h.sync_period is not None else None,
                average=np.array(theta) if h.ema_momentum is not None else None,
                decays=i not in h.exclude_from_weight_decay,
            )
            for i, theta in enumerate(parameters)
        ]

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        """One t for the whole optimizer."""
        for slot in slots:
            slot.t += 1

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        """Copies: what is returned never changes again. h: with AMSGrad where any group has it."""
        return State(
            parameters=tuple(copied(slot.theta) for slot in slots),
            m=tuple(np.array(slot.m) for slot in slots),
            v=tuple(np.array(slot.v) for slot in slots),
            v_max=tuple(np.zeros_like(s.v) if s.v_max is None else np.array(s.v_max) for s in slots)
            if h.amsgrad
            else None,
            t=tuple(slot.t for slot in slots),
            slow=tuple(np.array(slot.slow) for slot in slots) if h.sync_period is not None else None,
            weights=tuple(copied(slot.weight) for slot in slots if slot.weight is not None) or None,
            average=tuple(np.array(slot.average) for slot in slots) if h.ema_momentum is not None else None,
        )

    def listed(self, slots: Sequence[Slot], h: Hyperparameters) -> tuple[Array, ...]:
        """The list of weights, of twins that claim to have one."""
        raise NotImplementedError

    def rounded_master(self, slot: Slot) -> Array:
        """What a parameter is where theta is its master copy."""
        assert slot.weight is not None
        return slot.theta.astype(slot.weight.dtype)

    def store(self, slot: Slot, w: Work) -> None:
        write(slot.theta, self.stored(w, w.theta))
        write(slot.m, self.stored(w, w.m))
        write(slot.v, self.stored(w, w.v))
        if slot.v_max is not None:
            write(slot.v_max, self.stored(w, w.v_max))

    # One step of one parameter

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if gradient is None:
            return
        w = self.open(slot, gradient, h)
        w.g = self.prepare_gradient(w)
        w.m = self.first_moment(w)
        w.v = self.second_moment(w)
        if w.v_max is not None:
            w.v_max = self.amsgrad_maximum(w)
        w.theta = self.move(w, self.direction(w))
        self.store(slot, w)
        if slot.weight is not None:
            write(slot.weight, self.rounded_master(slot))

    def behind(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        """What happens to a parameter at the end of a step, with a gradient or without."""

    def finalize(self, slot: Slot) -> None:
        """What happens to it after the last step."""

    def open(self, slot: Slot, gradient: Array | Rows, h: Hyperparameters) -> Work:
        w = Work(
            h=h,
            t=slot.t,
            element=self.element_type(slot.theta.dtype),
            storage=slot.theta.dtype,
            scalar=self.scalar_type(slot.theta.dtype),
            gradient=gradient,
            rows=None,
            g=gradient,
            theta=slot.theta,
            m=slot.m,
            v=slot.v,
            v_max=slot.v_max,
            decays=slot.decays,
            num_update=slot.num_update,
        )
        if isinstance(gradient, Rows):
            w.rows, w.g = self.sum_duplicates(gradient.indices, gradient.values)
            self.place_rows(w)
        return w

    def scalar_type(self, dtype: np.dtype[Any]) -> Any:
        return np.float64

    def element_type(self, dtype: np.dtype[Any]) -> Any:
        return dtype.type

    def stored(self, w: Work, value: Any) -> Any:
        """A result as it is stored."""
        return value

    # Gradient

    def sum_duplicates(self, rows: NDArray[np.int64], values: Array) -> tuple[NDArray[np.int64], Array]:
        """A row that is named several times has the sum of its values as gradient."""
        named = sorted(set(rows.tolist()))
        total = np.zeros((len(named), *values.shape[1:]), dtype=values.dtype)
        for row, value in zip(rows.tolist(), values, strict=True):
            total[named.index(row)] += value
        return np.array(named, dtype=np.int64), total

    def place_rows(self, w: Work) -> None:
        """Rows that are not named have gradient 0."""
        dense = np.zeros_like(w.theta)
        dense[w.rows] = w.g
        w.g = dense

    def prepare_gradient(self, w: Work) -> Array:
        return np.asarray(w.g)

    # Hyper-parameters as the formula sees them

    def learning_rate(self, w: Work) -> Scalar:
        return w.scalar(w.h.learning_rate)

    def rate(self, w: Work) -> Scalar:
        """The learning rate of this step."""
        return self.learning_rate(w)

    def beta_1(self, w: Work) -> Scalar:
        return w.scalar(w.h.beta_1)

    def beta_2(self, w: Work) -> Scalar:
        return w.scalar(w.h.beta_2)

    def epsilon(self, w: Work) -> Scalar:
        return w.scalar(w.h.epsilon)

    # Moments

    def first_moment(self, w: Work) -> Any:
        """beta_1 m + (1 - beta_1) g."""
        beta = self.beta_1(w)
        return w.element(beta) * w.m + w.element(w.scalar(1) - beta) * w.g

    def second_moment(self, w: Work) -> Any:
        """beta_2 v + (1 - beta_2) g^2."""
        beta = self.beta_2(w)
        return w.element(beta) * w.v + w.element(w.scalar(1) - beta) * self.square(w)

    def square(self, w: Work) -> Any:
        return w.g * w.g

    def amsgrad_maximum(self, w: Work) -> Any:
        return np.maximum(w.v_max, w.v)

    # Step

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        """1 - beta^t."""
        return w.scalar(1) - beta ** w.scalar(w.t)

    def step_size(self, w: Work) -> Scalar:
        """learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)."""
        bias_1 = self.bias_correction(w, self.beta_1(w))
        bias_2 = self.bias_correction(w, self.beta_2(w))
        return self.rate(w) * np.sqrt(bias_2) / bias_1

    def numerator(self, w: Work) -> Any:
        return w.m

    def second(self, w: Work) -> Any:
        """What the root is taken of: v itself makes the epsilon that is added to it epsilon hat."""
        return w.v if w.v_max is None else w.v_max

    def denominator(self, w: Work) -> Any:
        return np.sqrt(self.second(w)) + w.element(self.epsilon(w))

    def direction(self, w: Work) -> Any:
        """What is subtracted from theta."""
        return w.element(self.step_size(w)) * self.numerator(w) / self.denominator(w)

    def decay(self, w: Work) -> Any:
        """What decoupled decay takes from theta."""
        return w.element(self.rate(w) * self.weight_decay(w)) * w.theta

    def weight_decay(self, w: Work) -> Scalar:
        return w.scalar(w.h.weight_decay)

    def move(self, w: Work, direction: Any) -> Any:
        return w.theta - direction


def write(buffer: Array, value: Any, rows: Any = ...) -> None:
    """buffer[rows] = value; TypeError for a value of another dtype, which the assignment would cast."""
    if value.dtype != buffer.dtype:
        raise TypeError(f"value has dtype {value.dtype}; accepted: {buffer.dtype}, the buffer's")
    buffer[rows] = value
