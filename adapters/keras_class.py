"""Any Keras optimizer class with Adam's spelling behind the contract, on ``OptimizerV2`` or the newer base.

Of TensorFlow's own Keras up to 2.15, and of tf_keras; those of Keras 3 are in `adapters.keras3_class`.

Arguments: ``learning_rate``, ``beta_1``, ``beta_2``, ``epsilon``; where it has them ``amsgrad``, ``weight_decay`` and
``sma_threshold``. State: the slots ``m``, ``v`` and ``vhat`` of an OptimizerV2, the lists ``_momentums``,
``_velocities`` and ``_velocity_hats`` of the newer one. What the constructor's signature does not have is not claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adapters import keras_v2, tf_keras_adam
from adapters.class_path import (
    IN_A_STEP,
    above_zero,
    arguments_of,
    check_arguments,
    class_at,
    declared,
    left_out,
    not_taken,
    package_of,
)
from adapters.contract import (
    CONTRACT_VERSION,
    STATE_STAYS,
    Arithmetic,
    Array,
    Claim,
    ContractError,
    Gradient,
    GradientKind,
    Hyperparameters,
    Identity,
    Precision,
    Rows,
)
from adapters.tensorflow_identity import watch_operations
from adapters.tensorflow_support import (
    AFTER_LOAD,
    CHECKPOINT,
    Bench,
    KerasAdapter,
    OptimizerRun,
    import_tensorflow,
    procedures,
    slot_of_optimizer_v2,
)

OPTION = "keras-optimizer"
_ADAM = ("learning_rate", "beta_1", "beta_2", "epsilon")
_SPOKEN: Mapping[str, frozenset[str]] = {
    "keras-v2-adam": frozenset({"amsgrad"}),
    "tf-keras-adam": frozenset({"amsgrad", "weight_decay"}),
    "tfa-rectified-adam": frozenset({"amsgrad", "weight_decay", "sma_threshold"}),
    "keras3-adam": frozenset({"amsgrad", "weight_decay"}),
}
"""Dialects, and what of the spelling they have besides learning rate, betas and epsilon."""
_SPELLING = {name: name for name in (*_ADAM, "amsgrad", "weight_decay", "sma_threshold")}
_ROWS: tuple[GradientKind, ...] = ("rows", "duplicate rows", "unsorted rows", "empty rows")
_WRITES = ("ResourceApply", "ResourceScatter", "Assign")
"""Beginnings of the operations that write into a variable."""
_WRITTEN = "a variable is written"
_NOT_CLAIMED = (
    "the same bits at any place in a tensor",
    "hyper-parameters as schedule, callable or tensor",
    "get_weights and set_weights",
    "variable constraints",
    "float16 and bfloat16 variables",
)


class KerasClass(KerasAdapter):
    """The optimizer class of Keras 2 that ``package.module:Class`` names.

    kwargs: further arguments of every construction. arithmetic: roles of `Arithmetic` in which it differs from
    that of Keras' own classes on the same base.

    Raises ImportError without TensorFlow and a Keras 2, and `ContractError` for what cannot be tested, before
    anything is.
    """

    contract_version: int = CONTRACT_VERSION
    dialects: tuple[str, ...] = ("keras-v2-adam", "tf-keras-adam", "tfa-rectified-adam")
    """That it can speak."""
    save = CHECKPOINT
    """How it saves, in words."""

    def __init__(
        self,
        path: str,
        *,
        dialect: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        arithmetic: Mapping[str, Any] | None = None,
        decay: str | None = None,
    ) -> None:
        self.tensorflow = import_tensorflow()
        bases = _bases(self.tensorflow)
        if decay is not None:
            raise ContractError("decay", decay, "nothing: a Keras optimizer's weight_decay is its dialect's")
        self.name = path
        self.optimizer: Any = class_at(OPTION, path, bases.all)
        self.is_v2 = issubclass(self.optimizer, bases.legacy)
        self._kwargs = dict(kwargs or {})
        self._changes = dict(arithmetic or {})
        self.takes = arguments_of(self.optimizer)
        self.arithmetic("float32")
        claim = self._claimed(dialect or self.own_dialect())
        self.claim = above_zero(claim, lambda h: self.optimizer(**self.arguments(h)))

    def own_dialect(self) -> str:
        """Of its base, where the caller names none."""
        return "keras-v2-adam" if self.is_v2 else "tf-keras-adam"

    def identity(self) -> Identity:
        """Steps under TensorFlow's dispatch; `start` sees to it that they are of the class."""
        theta = np.ones((3, 2), np.float32)
        gradients: dict[str, Gradient] = {"dense": theta}
        if "rows" in self.claim.gradients:
            gradients["rows"] = Rows(np.array([2, 0], np.int64), theta[:2])
        observed: set[str] = set()
        for kind, gradient in gradients.items():
            run = self.start((theta,), Hyperparameters())
            run.apply((gradient,))  # creates the slots and traces, which is not what is to be seen
            with watch_operations() as seen:
                run.apply((gradient,))
            observed.update(f"{kind}: {operation}" for operation in seen)
            if any(operation.rpartition("/")[2].startswith(_WRITES) for operation in seen):
                observed.add(f"{kind}: {_WRITTEN}")
        framework, version = package_of(self.optimizer.__module__, "keras")
        return Identity(
            framework=framework,
            version=version,
            required=frozenset(f"{kind}: {_WRITTEN}" for kind in gradients),
            observed=frozenset(observed),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """That of Keras' own Adam on the same base class, which is where hyper-parameters are rounded."""
        base = keras_v2.arithmetic if self.is_v2 else tf_keras_adam.arithmetic
        return declared(replace(base(dtype), decay="float32", sma_threshold="float32"), self._changes)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> OptimizerRun:
        """A new optimizer over new variables."""
        optimizer = self.optimizer(**self.arguments(hyperparameters))
        if type(optimizer) is not self.optimizer:
            found = f"{type(optimizer).__module__}:{type(optimizer).__qualname__}"
            raise ContractError(OPTION, self.name, f"a class that constructs itself, not a {found}")
        return self.fresh(optimizer, parameters)

    def reproduction(self, hyperparameters: Hyperparameters) -> str:
        """Python that constructs the class and steps it by TensorFlow alone: start, step and read."""
        module, _, name = self.name.partition(":")
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.arguments(hyperparameters).items())
        first = name.partition(".")[0]
        read = _READ_V2 if self.is_v2 else _READ
        return _REPRODUCTION.format(module=module, first=first, name=name, arguments=arguments, read=read)

    def slot(self, optimizer: Any, position: int, variable: Any, name: str) -> Any:
        """Of the base."""
        base = slot_of_optimizer_v2 if self.is_v2 else tf_keras_adam.slot
        return base(optimizer, position, variable, name)

    def run(self, bench: Bench) -> OptimizerRun:
        """With a v_max where the class has the argument and it is on."""
        amsgrad = "amsgrad" in self.takes and bool(getattr(bench.optimizer, "amsgrad", False))
        return OptimizerRun(self.tensorflow, bench, self.slot, amsgrad=amsgrad, settings=self.settings)

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """What the suite gives, amsgrad aside."""
        given = KerasAdapter.settings(self, hyperparameters)
        return {name: value for name, value in given.items() if name not in self._kwargs}

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Those that the class takes, and the caller's own."""
        h = hyperparameters
        arguments: dict[str, Any] = {name: getattr(h, name) for name in _SPELLING}
        arguments |= {name: float(value) for name, value in arguments.items() if name != "amsgrad"}
        if not h.weight_decay and self.takes.get("weight_decay", 0) is None:
            arguments["weight_decay"] = None  # the newer base's "absent"
        return {name: value for name, value in arguments.items() if name in self.takes} | self._kwargs

    def _claimed(self, dialect: str) -> Claim:
        if dialect not in self.dialects:
            raise ContractError("dialect", dialect, f"what a Keras optimizer can speak: {', '.join(self.dialects)}")
        free = check_arguments(OPTION, self.name, self.takes, _SPELLING, self._kwargs)
        claimed = free & ({*_ADAM} | _SPOKEN[dialect])
        no_rows = self._probe(amsgrad="amsgrad" in claimed)
        rows = () if no_rows else _ROWS
        left = left_out(self.takes, tuple(_SPELLING), self._kwargs)
        missing = tuple(sorted(_SPOKEN[dialect] - claimed))
        known = procedures(frozenset(claimed - {"amsgrad"}), frozenset(claimed & self._variables()), save=self.save)
        return Claim(
            dialect=dialect,
            hyperparameters=frozenset(claimed),
            gradients=frozenset(("dense", "none", *rows)),
            # The base's deferred restoration, which is no doing of the class.
            not_claimed=(*missing, *no_rows, *left, *_NOT_CLAIMED, STATE_STAYS, *((AFTER_LOAD,) if self.is_v2 else ())),
            procedures={name: p for name, p in known.items() if name != "state" or self._holds_moments_alone()},
        )

    def _holds_moments_alone(self) -> bool:
        """Whether a step leaves no variables but m, v and vhat, so that a state can be put."""
        theta = np.ones(2, np.float32)
        optimizer = self.optimizer(**self.arguments(Hyperparameters()))
        before = 0 if self.is_v2 else len(optimizer.variables)
        try:
            self.fresh(optimizer, (theta,)).apply((theta,))
        except Exception:  # a finding, which the checks make
            return False
        names = {*optimizer.get_slot_names()} if self.is_v2 else {"m", "v"}
        made = len(optimizer.variables()) - 1 if self.is_v2 else len(optimizer.variables) - before
        return names <= {"m", "v", "vhat"} and made == len(names)

    def _variables(self) -> frozenset[str]:
        """Hyper-parameters that the class keeps as variables, which a checkpoint holds."""
        if not self.is_v2:
            return frozenset({"learning_rate"})
        return frozenset(self.optimizer(**self.arguments(Hyperparameters()))._hyper)

    def _probe(self, *, amsgrad: bool) -> tuple[str, ...]:
        """Why it takes no rows, if so.

        `ContractError` where it cannot be constructed, refuses `kwargs`, or keeps other slots.
        """
        theta = np.ones((3, 2), np.float32)
        h = Hyperparameters(amsgrad=amsgrad)
        try:
            run = self.start((theta,), h)
        except ContractError:
            raise
        except Exception as error:
            raise not_taken(OPTION, self.name, self.arguments(h), self._kwargs, error) from error
        try:
            run.apply((theta,))
        except Exception as error:
            if not self._kwargs or self._raises_without_kwargs(h):
                return ()  # a finding, which the checks make
            raise not_taken(OPTION, self.name, self.arguments(h), self._kwargs, error, IN_A_STEP) from error
        lacking = run.without("m", "v", *(("vhat",) if amsgrad else ()))
        if lacking:
            names = "slots m, v and vhat" if self.is_v2 else "lists _momentums, _velocities and _velocity_hats"
            accepted = f"a class that keeps the {names}; it has no {', '.join(lacking)}; by --adapter otherwise"
            raise ContractError(OPTION, self.name, accepted)
        try:
            self.start((theta,), h).apply((Rows(np.array([2, 0], np.int64), theta[:2]),))
        except Exception as error:
            return (f"sparse gradients (a step with one raises {type(error).__name__})",)
        return ()

    def _raises_without_kwargs(self, h: Hyperparameters) -> bool:
        """Whether a first step does; False for what cannot be constructed without them."""
        theta = np.ones((3, 2), np.float32)
        arguments = {k: v for k, v in self.arguments(h).items() if k not in self._kwargs}
        try:
            run = self.fresh(self.optimizer(**arguments), (theta,))
        except Exception:
            return False
        try:
            run.apply((theta,))
        except Exception:
            return True
        return False


@dataclass(frozen=True)
class _Bases:
    """Base classes of the optimizers that are installed."""

    newer: tuple[type, ...]
    """Of Keras 2 from 2.11 on."""
    legacy: tuple[type, ...]
    """OptimizerV2."""
    keras3: tuple[type, ...]

    @property
    def all(self) -> tuple[type, ...]:
        return (*self.legacy, *self.newer, *self.keras3)


def _bases(tensorflow: Any) -> _Bases:
    """Of TensorFlow's own Keras, which is Keras 2 or 3, and of tf_keras."""
    own = tensorflow.keras
    is_2 = hasattr(own.optimizers.legacy.Optimizer, "get_slot")  # in Keras 3 it is there and says that it is not
    families = [own.optimizers] if is_2 else []
    with suppress(ImportError):
        import tf_keras

        families.append(tf_keras.optimizers)
    return _Bases(
        newer=tuple(f.Optimizer for f in families),
        legacy=tuple(f.legacy.Optimizer for f in families),
        keras3=() if is_2 else (own.optimizers.Optimizer,),
    )


def of_its_base(path: str, **about: Any) -> KerasClass:
    """The adapter of a class, by the Keras that its base is of; arguments and errors as `KerasClass`."""
    bases = _bases(import_tensorflow())
    if issubclass(class_at(OPTION, path, bases.all), bases.keras3):
        from adapters.keras3_class import Keras3Class

        return Keras3Class(path, **about)
    return KerasClass(path, **about)


_REPRODUCTION = """
import tensorflow as tf
from {module} import {first}


def start(parameters):
    global variables, optimizer
    variables = [tf.Variable(tf.constant(p)) for p in parameters]
    optimizer = {name}({arguments})


def step(gradients):
    optimizer.apply_gradients([(tensor(g, v), v) for g, v in zip(gradients, variables)])


def tensor(g, variable):
    if isinstance(g, tuple):
        shape = tf.constant(variable.shape.as_list(), tf.int64)
        return tf.IndexedSlices(values=tf.constant(g[1]), indices=tf.constant(g[0], tf.int64), dense_shape=shape)
    return None if g is None else tf.constant(g)


def read(quantity, i):
    if quantity == "parameters":
        return variables[i].numpy()
{read}
"""
_READ_V2 = """    name = {"m": "m", "v": "v", "v_max": "vhat"}[quantity]
    if name not in optimizer.get_slot_names():  # nothing before the first gradient
        return np.zeros(variables[i].shape)
    return optimizer.get_slot(variables[i], name).numpy()"""
_READ = """    name = {"m": "_momentums", "v": "_velocities", "v_max": "_velocity_hats"}[quantity]
    return getattr(optimizer, name)[i].numpy()"""
