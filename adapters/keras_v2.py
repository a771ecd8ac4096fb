"""Keras OptimizerV2 Adam, fused and non-fused, as Keras 2.15 still ships them.

Source: keras/src/optimizers/legacy/adam.py, classes ``Adam`` and ``NonFusedAdam``; steps go through
``OptimizerV2.apply_gradients`` (legacy/optimizer_v2.py) in eager mode. The fused class then runs TensorFlow's
kernel ``ResourceApplyAdam`` or ``ResourceApplyAdamWithAmsgrad``; the other one a function that XLA compiles.
A sparse gradient is summed over duplicate rows and takes a path of its own in both.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from adapters.contract import (
    CONSTRAINED_ROWS,
    NON_NEG_FLOAT64,
    STATE_STAYS,
    Arithmetic,
    Array,
    Claim,
    Hyperparameters,
    Identity,
    Precision,
)
from adapters.tensorflow_identity import installed, observe
from adapters.tensorflow_support import (
    CLIPS,
    FORMS,
    RATE_CHANGED_KIND,
    REPLICAS,
    TRANSFORMERS,
    UNAGGREGATED,
    Bench,
    KerasAdapter,
    OptimizerRun,
    clips,
    import_tensorflow,
    new_variables,
    procedures,
    slot_of_optimizer_v2,
)

_CLAIM = Claim(
    dialect="keras-v2-adam",
    hyperparameters=frozenset(
        {"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "decay", "schedule", "constraint"}
    )
    | CLIPS,
    dtypes=("float32", "float64"),
    gradients=frozenset({"dense", "none", "rows", "duplicate rows", "unsorted rows", "empty rows"}),
    not_claimed=(
        "lr",
        CONSTRAINED_ROWS,
        NON_NEG_FLOAT64,
        RATE_CHANGED_KIND.format("learning_rate"),
        STATE_STAYS,
        "constraints with other arguments",
        "get_weights and set_weights (tests hold them where every variable has had a gradient from the first step on)",
        "float16 and bfloat16 variables",
    ),
    clips_together=True,
    procedures=procedures(
        frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "schedule"}) | CLIPS,
        # epsilon and what clips are attributes, and no variables; the variable decay is read by nobody.
        saved=frozenset({"learning_rate", "beta_1", "beta_2"}),
    )
    | REPLICAS
    | UNAGGREGATED
    | TRANSFORMERS
    | FORMS,
)

_XLA_DENSE = "XlaMustCompile(_resource_apply_dense_impl)"
_XLA_ROWS = "XlaMustCompile(_resource_apply_sparse_impl)"
_IDLE_LIMIT = 4
"""Optimizers kept per amsgrad flag; more than one serve when runs overlap."""
_SHAPE_LIMIT = 256
"""An optimizer that has seen more shapes is not kept."""

_FUSED_OPERATIONS = ("dense: ResourceApplyAdam", "amsgrad: ResourceApplyAdamWithAmsgrad")


class _Adam(KerasAdapter):
    slot = staticmethod(slot_of_optimizer_v2)
    is_v2 = True

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of both classes."""
        return {**_arguments(hyperparameters), "learning_rate": self.rate(hyperparameters)}


class Fused(_Adam):
    """``tf.keras.optimizers.legacy.Adam``."""

    contract_version = 1
    name = "keras-v2-fused"
    claim = _CLAIM

    def __init__(self) -> None:
        self.tensorflow = import_tensorflow()
        from keras.src.optimizers.legacy import adam

        self.optimizer: Any = adam.Adam

    def identity(self) -> Identity:
        """Dense, AMSGrad and sparse steps under TensorFlow's dispatch."""
        return observe(
            self,
            installed("keras"),
            required=(*_FUSED_OPERATIONS, "rows: ResourceScatterAdd"),
            excluded=(
                "amsgrad: ResourceApplyAdam",
                f"dense: {_XLA_DENSE}",
                f"rows: {_XLA_ROWS}",
                "dense: AssignSubVariableOp",
                "rows: GatherV2",
            ),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """The kernel's element formula is a lerp in both moments."""
        return arithmetic(dtype)


class NonFused(_Adam):
    """``NonFusedAdam``, which XLA compiles anew for every optimizer, variable shape and number of rows.

    A compilation costs as much as thirty steps, and its result is never freed. So an optimizer whose run has
    ended serves again where nobody can tell it from a new one. Its compiled functions hold the slots of the
    first variable of each shape, and whether it is AMSGrad; everything else reaches them as an argument.
    Hence one optimizer per amsgrad flag that grows by one variable per shape and dtype, and a new one, not
    kept, where two parameters share both.
    """

    contract_version = 1
    name = "keras-v2-nonfused"
    claim = replace(
        _CLAIM,
        not_claimed=(*_CLAIM.not_claimed, "the order of get_weights (an optimizer serves many runs here)"),
        procedures={name: each for name, each in _CLAIM.procedures.items() if name != "weights"},
    )

    def __init__(self) -> None:
        self.tensorflow = import_tensorflow()
        from keras.src.optimizers.legacy import adam

        self.optimizer: Any = adam.NonFusedAdam
        self.idle: dict[bool, list[Reusable]] = {False: [], True: []}
        # Compiled functions that outlive TensorFlow's modules complain on the way out.
        weakref.finalize(self, _forget, self.idle)

    def identity(self) -> Identity:
        """Dense, AMSGrad and sparse steps under TensorFlow's dispatch."""
        return observe(
            self,
            installed("keras"),
            required=(
                f"dense: {_XLA_DENSE}",
                f"dense: {_XLA_DENSE}/AssignSubVariableOp",
                f"amsgrad: {_XLA_DENSE}/Maximum",
                f"rows: {_XLA_ROWS}/ResourceScatterAdd",
            ),
            excluded=(*_FUSED_OPERATIONS, "dense: AssignSubVariableOp", "rows: ResourceScatterAdd"),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """XLA contracts multiply and add: m is fma(g - m, 1 - beta_1, m), which is still a lerp."""
        return arithmetic(dtype)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> OptimizerRun:
        """A new optimizer, or a used one that nobody can tell from it."""
        h = hyperparameters
        new = self.optimizer(**self.arguments(h))
        kinds = [(theta.shape, theta.dtype.name) for theta in parameters]
        apart = h.constraint is not None or h.schedule is not None
        if len(set(kinds)) < len(kinds) or apart or not _fit_float32(h):
            return self.fresh(new, parameters, h)

        idle = self.idle[h.amsgrad]
        reusable = idle.pop() if idle else Reusable(new)
        reusable.reset(new, h)
        held = tuple(reusable.variable(self.tensorflow, theta) for theta in parameters)
        bench = Bench(reusable.optimizer, held)
        run = self.run(bench)
        # The contract has no end of a run; its collection is one.
        weakref.finalize(run, _give_back, idle, reusable, bench).atexit = False
        return run


@dataclass
class Reusable:
    """A NonFusedAdam and the variables that it has moved, one of each shape and dtype."""

    optimizer: Any
    variables: dict[Hashable, Any] = field(default_factory=dict)

    def reset(self, new: Any, h: Hyperparameters) -> None:
        """Give it the hyper-parameters of `new`, just constructed from `h`, and t = 0."""
        for name in ("learning_rate", "beta_1", "beta_2"):
            setattr(self.optimizer, name, getattr(h, name))
        self.optimizer.epsilon = new.epsilon  # what the constructor made of it: 0 becomes 1e-7
        self.optimizer.decay = self.optimizer._initial_decay = h.decay  # get_config has the one, a step the other
        for name, value in clips(h).items():
            setattr(self.optimizer, name, value)
        self.optimizer.iterations.assign(0)

    def variable(self, tensorflow: Any, theta: Array) -> Any:
        """The variable of this shape and dtype, holding `theta`, its slots zero."""
        key = (theta.shape, theta.dtype.name)
        if key not in self.variables:
            (self.variables[key],) = new_variables(tensorflow, (theta,))
            return self.variables[key]
        variable = self.variables[key]
        variable.assign(tensorflow.constant(theta))
        for name in ("m", "v", "vhat"):
            slot = slot_of_optimizer_v2(self.optimizer, 0, variable, name)
            if slot is not None:
                slot.assign(tensorflow.zeros(slot.shape, slot.dtype))
        return variable


def _give_back(idle: list[Reusable], reusable: Reusable, bench: Bench) -> None:
    # A learning rate that was a schedule when the first step made variables is none, which a checkpoint would show.
    optimizer = reusable.optimizer
    made = getattr(optimizer, "_hypers_created", False)
    variable = hasattr(optimizer._hyper["learning_rate"], "assign") if made else True
    if bench.sound and variable and len(idle) < _IDLE_LIMIT and len(reusable.variables) <= _SHAPE_LIMIT:
        idle.append(reusable)


def _forget(idle: dict[bool, list[Reusable]]) -> None:
    for kept in idle.values():
        kept.clear()
    gc.collect()  # an optimizer and its functions refer to each other


def _fit_float32(h: Hyperparameters) -> bool:
    """Beyond float32, a new optimizer refuses in its first step and a used one takes infinity."""
    return h.learning_rate <= float(np.finfo(np.float32).max)


def _arguments(h: Hyperparameters) -> dict[str, Any]:
    return {
        "learning_rate": h.learning_rate,
        "beta_1": h.beta_1,
        "beta_2": h.beta_2,
        "epsilon": h.epsilon,
        "amsgrad": h.amsgrad,
        "decay": h.decay,
        **clips(h),
    }


def arithmetic(dtype: Precision) -> Arithmetic:
    """OptimizerV2._create_hypers makes a float32 variable of every hyper-parameter, whatever the model's
    dtype; Adam._prepare_local casts them to that dtype and computes the rest in it. epsilon is none of
    them and arrives in the model's dtype, and so do clipvalue and its like; tf.cast makes float32 of decay first.

    Dense gradients: m + (g - m) (1 - beta_1); sparse ones: beta_1 m, then the rows add (1 - beta_1) g.
    """
    return Arithmetic(
        storage=dtype,
        compute=dtype,
        learning_rate="float32",
        moment_betas="float32",
        power_betas="float32",
        powers=dtype,
        power_form="pow",
        step_size=dtype,
        epsilon=dtype,
        schedule="float32",
        rate_decay="float32",
        clips=dtype,
        first_moment="lerp",
        second_moment="lerp",
    )
