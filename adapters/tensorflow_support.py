"""What the adapters of the TensorFlow environments share: a quiet import, arrays in and out, and the run.

Nothing here imports TensorFlow before an adapter is constructed.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from adapters.contract import (
    Array,
    Claim,
    ContractError,
    Gradient,
    Hyperparameters,
    Procedure,
    Rows,
    State,
    check_count,
)
from adapters.keras_constraints import constraint_of
from adapters.keras_schedules import callers_own, scheduled
from adapters.procedures import Functions
from adapters.replicas import DEVICES, ReplicatedRun, offer_devices, strategy

# Said at every step, or for every new optimizer, about what the contract does on purpose.
_EAGER_STRATEGY = "Using MirroredStrategy eagerly has significant overhead"
_EXPECTED_MESSAGES = ("Gradients do not exist for variables", "triggered tf.function retracing", _EAGER_STRATEGY)
_TFA_END_OF_LIFE = r"\s*TensorFlow Addons \(TFA\) has ended development"

SlotReader = Callable[[Any, int, Any, str], Any]
"""(optimizer, position, variable, "m" | "v" | "vhat") -> the slot variable, or None before it exists."""


Reader = Callable[[Any], Array]
"""(a variable) -> a copy of its value."""
Change = Callable[[Array], Array]

_DEFAULTS = Hyperparameters()
Settings = Callable[[Hyperparameters], Mapping[str, Any]]
"""Attributes of an optimizer that hold hyper-parameters, and their values."""


def import_tensorflow() -> Any:
    """The ``tensorflow`` module; raises ImportError where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when the library is loaded
    import tensorflow

    offer_devices(tensorflow)
    for name in ("absl", "tensorflow"):
        logger = logging.getLogger(name)
        if _unexpected not in logger.filters:
            logger.addFilter(_unexpected)
    return tensorflow


def import_tensorflow_addons() -> Any:
    """The ``tensorflow_addons`` module without its end-of-life notice."""
    import_tensorflow()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_TFA_END_OF_LIFE, category=UserWarning)
        import tensorflow_addons
    return tensorflow_addons


@dataclass
class Bench:
    """A real optimizer and the variables that it moves."""

    optimizer: Any
    variables: tuple[Any, ...]
    sound: bool = True
    """False while a step is under way, and for good once one has failed."""


class OptimizerRun:
    """Steps through ``apply_gradients`` on ``tf.Variable``s in eager mode."""

    def __init__(
        self, tensorflow: Any, bench: Bench, slot: SlotReader, *, amsgrad: bool, settings: Settings | None = None
    ) -> None:
        """settings: the optimizer's attributes, amsgrad aside, that hold hyper-parameters."""
        self._tensorflow = tensorflow
        self._bench = bench
        self._slot = slot
        self._amsgrad = amsgrad
        self._settings = settings or (lambda _: {})

    def step(self, gradients: Sequence[Gradient]) -> State:
        """One step and the state after it. ValueError, TensorFlow's own, if no parameter has a gradient."""
        self.apply(gradients)
        return self.state()

    def step_unaggregated(self, gradients: Sequence[Gradient]) -> State:
        """As `step`, with ``experimental_aggregate_gradients=False``."""
        self.apply(gradients, experimental_aggregate_gradients=False)
        return self.state()

    def apply(self, gradients: Sequence[Gradient], **more: Any) -> None:
        """One step, nothing read; more: of ``apply_gradients``."""
        check_count(self._bench.variables, gradients)
        self._bench.sound = False
        # A parameter without gradient is passed with None, as GradientTape.gradient returns it.
        pairs = [(self._gradient(g, v), v) for g, v in zip(gradients, self._bench.variables, strict=True)]
        self._bench.optimizer.apply_gradients(pairs, **more)
        self._bench.sound = True

    def state(self, read: Reader | None = None) -> State:
        """Copies of everything, as `read` makes them."""
        read = read or copy_of
        optimizer, variables = self._bench.optimizer, self._bench.variables
        t = int(read(optimizer.iterations))
        averages = optimizer._model_variables_moving_average if getattr(optimizer, "use_ema", False) else None
        return State(
            parameters=tuple(read(v) for v in variables),
            m=self._slots("m", read),
            v=self._slots("v", read),
            v_max=self._slots("vhat", read) if self._amsgrad else None,
            t=(t,) * len(variables),
            # In the order of the variables of the first step, as the newer Keras keeps all of its slots.
            average=None if averages is None else tuple(read(average) for average in averages),
        )

    def finalize(self) -> State:
        """``finalize_variable_values``, as ``Model.fit`` calls it at its end."""
        self._bench.optimizer.finalize_variable_values([*self._bench.variables])
        return self.state()

    def weights(self) -> tuple[Array, ...]:
        """``get_weights``, or ``variables`` where there is no such method."""
        optimizer = self._bench.optimizer
        if hasattr(optimizer, "get_weights"):
            return tuple(np.array(array) for array in optimizer.get_weights())
        return tuple(copy_of(variable) for variable in optimizer.variables)

    def save(self) -> bytes:
        """The files that ``tf.train.Checkpoint.write`` makes of the optimizer and the variables."""
        with tempfile.TemporaryDirectory() as folder:
            self._checkpoint().write(str(Path(folder, "checkpoint")))
            return pickle.dumps({file.name: file.read_bytes() for file in Path(folder).iterdir()})

    def load(self, saved: bytes) -> None:
        """``tf.train.Checkpoint.read``. What does not exist yet is read when the first step creates it."""
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        for name, content in pickle.loads(saved).items():
            Path(folder, name).write_bytes(content)
        self._checkpoint().read(str(Path(folder, "checkpoint")))

    def put(self, state: State) -> None:
        """By assignment to the optimizer's variables."""
        optimizer, variables = self._bench.optimizer, self._bench.variables
        optimizer.iterations.assign(state.t[0])
        slots = {"m": state.m, "v": state.v} | ({} if state.v_max is None else {"vhat": state.v_max})
        for i, variable in enumerate(variables):
            variable.assign(state.parameters[i])
            for name, arrays in slots.items():
                self._slot(optimizer, i, variable, name).assign(arrays[i])
            if state.average is not None:
                optimizer._model_variables_moving_average[i].assign(state.average[i])

    def configuration(self) -> bytes:
        """``get_config`` as JSON."""
        return json.dumps(self._bench.optimizer.get_config(), default=lambda number: number.item()).encode()

    def change(self, hyperparameters: Hyperparameters) -> None:
        """By assignment to the optimizer's attributes."""
        for name, value in self._settings(hyperparameters).items():
            setattr(self._bench.optimizer, name, value)

    def _checkpoint(self) -> Any:
        return self._tensorflow.train.Checkpoint(optimizer=self._bench.optimizer, variables=[*self._bench.variables])

    def without(self, *names: str) -> list[str]:
        """Those of the slots that the first parameter does not have."""
        optimizer, first = self._bench.optimizer, self._bench.variables[0]
        return [name for name in names if self._slot(optimizer, 0, first, name) is None]

    def _slots(self, name: str, read: Reader) -> tuple[Array, ...]:
        values = []
        for position, variable in enumerate(self._bench.variables):
            slot = self._slot(self._bench.optimizer, position, variable, name)
            values.append(np.zeros_like(read(variable)) if slot is None else read(slot))
        return tuple(values)

    def _gradient(self, gradient: Gradient, variable: Any) -> Any:
        tf = self._tensorflow
        if gradient is None:
            return None
        if isinstance(gradient, Rows):
            # dense_shape is there in the gradient of tf.gather, so it is here.
            return tf.IndexedSlices(
                values=tf.constant(gradient.values),
                indices=tf.constant(gradient.indices),
                dense_shape=tf.constant(list(variable.shape), tf.int64),
            )
        return tf.constant(gradient)


class KerasAdapter:
    """What starts runs of one Keras optimizer class."""

    claim: Claim
    tensorflow: Any
    optimizer: Any
    """The class."""
    slot: SlotReader
    is_v2 = False
    """Whether the class is an OptimizerV2."""

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of the constructor."""
        raise NotImplementedError

    @property
    def keras(self) -> Any:
        """The module that schedules and constraints are in."""
        return self.tensorflow.keras

    def rate(self, h: Hyperparameters) -> Any:
        """The learning rate as the constructor takes it."""
        return scheduled(self.keras, self.tensorflow, float(h.learning_rate), h.schedule)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> OptimizerRun:
        """A new optimizer over new variables."""
        return self.fresh(self.optimizer(**self.arguments(hyperparameters)), parameters, hyperparameters)

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> OptimizerRun:
        """A new optimizer over new variables, and what `OptimizerRun.save` made."""
        run = self.fresh(self.optimizer(**self.arguments(hyperparameters)), parameters, hyperparameters)
        run.load(saved)
        return run

    def configured(self, parameters: Sequence[Array], configuration: bytes) -> OptimizerRun:
        """``from_config``, over new variables, where a caller's own schedule is known by its class, as Keras asks."""
        own = callers_own(self.keras, self.tensorflow)
        with self.keras.utils.custom_object_scope({own.__name__: own}):
            optimizer = self.optimizer.from_config(json.loads(configuration))
        return self.fresh(optimizer, parameters)

    def fresh(self, optimizer: Any, parameters: Sequence[Array], h: Hyperparameters = _DEFAULTS) -> OptimizerRun:
        """A run of a new optimizer over new variables; h: what is said of variables and not to the constructor."""
        variables = self.variables(parameters, constraint_of(h.constraint, self.keras, self.tensorflow))
        if h.exclude_from_weight_decay and not self.is_v2:
            optimizer.exclude_from_weight_decay(var_list=[variables[i] for i in h.exclude_from_weight_decay])
        return self.run(Bench(optimizer, variables))

    def start_replicas(
        self, parameters: Sequence[Array], hyperparameters: Hyperparameters, count: int
    ) -> ReplicatedRun:
        """A new optimizer over new variables, in the scope of a strategy with so many devices."""
        if count != len(DEVICES):
            raise ContractError("count", count, str(len(DEVICES)))
        mirrored = strategy(self.tensorflow)
        with mirrored.scope():
            run = KerasAdapter.start(self, parameters, hyperparameters)
        return ReplicatedRun(self.tensorflow, mirrored, run)

    def start_transformed(
        self,
        parameters: Sequence[Array],
        hyperparameters: Hyperparameters,
        aggregator: Change,
        transformers: Sequence[Change],
    ) -> OptimizerRun:
        """``gradient_aggregator`` and ``gradient_transformers`` of an OptimizerV2."""
        functions: dict[str, Any] = {"gradient_aggregator": partial(self._changed, aggregator)}
        if transformers:
            functions["gradient_transformers"] = [partial(self._changed, change) for change in transformers]
        optimizer = self.optimizer(**self.arguments(hyperparameters), **functions)
        return self.fresh(optimizer, parameters, hyperparameters)

    def start_tensors(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> OptimizerRun:
        """A new optimizer with tensors in the place of numbers."""
        tf, names = self.tensorflow, self.claim.procedures["tensors"].hyperparameters
        tensors = {name: tf.constant(getattr(hyperparameters, name), tf.float32) for name in names}
        return self.fresh(self.made(hyperparameters, tensors), parameters, hyperparameters)

    def start_callables(
        self,
        parameters: Sequence[Array],
        hyperparameters: Hyperparameters,
        functions: Functions,
    ) -> OptimizerRun:
        """A new optimizer with functions in the place of numbers."""
        return self.fresh(self.made(hyperparameters, functions), parameters, hyperparameters)

    def made(self, hyperparameters: Hyperparameters, forms: Mapping[str, Any]) -> Any:
        """A new optimizer with other forms in the place of some numbers."""
        return self.optimizer(**self.arguments(hyperparameters) | dict(forms))

    def _changed(self, change: Change, pairs: Any) -> list[Any]:
        """Pairs of gradients, changed, and variables."""
        tf = self.tensorflow

        def of(g: Any) -> Any:
            if isinstance(g, tf.IndexedSlices):
                return tf.IndexedSlices(tf.constant(change(g.values.numpy())), g.indices, g.dense_shape)
            return tf.constant(change(np.asarray(g.numpy())))

        return [(of(g), variable) for g, variable in pairs]

    def variables(self, parameters: Sequence[Array], constraint: Any) -> tuple[Any, ...]:
        """New variables that hold copies of `parameters`."""
        return new_variables(self.tensorflow, parameters, constraint)

    def run(self, bench: Bench) -> OptimizerRun:
        """A run of what is there."""
        amsgrad = bool(getattr(bench.optimizer, "amsgrad", False))
        return OptimizerRun(self.tensorflow, bench, self.slot, amsgrad=amsgrad, settings=self.settings)

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """What can be assigned between steps: not amsgrad, which decides what slots there are, nor decay.

        Assigned to an OptimizerV2, decay is taken without a word, and the one of the constructor goes on; and an
        epsilon of 0 is 0, where the constructor takes it for the backend's.
        """
        fixed = ("amsgrad", "decay")
        given = {name: value for name, value in self.arguments(hyperparameters).items() if name not in fixed}
        if self.is_v2 and given.get("epsilon") == 0:
            given["epsilon"] = self.tensorflow.keras.backend.epsilon()
        return given


CLIPS = frozenset({"clipvalue", "clipnorm", "global_clipnorm"})
"""Hyper-parameters by which Keras clips gradients; None is off in every class."""


def clips(h: Hyperparameters) -> dict[str, float | None]:
    """The arguments of these names. float(): RectifiedAdam's own are refused as a Python int."""
    given = {name: getattr(h, name) for name in sorted(CLIPS)}
    return {name: None if value is None else float(value) for name, value in given.items()}


RATE_CHANGED_KIND = "a load of what was saved after {} was changed between a number and a schedule"
"""In `Claim.not_claimed`: the number that was there first is still saved, or none is as there was none."""
AFTER_LOAD = "hyper-parameters changed between a load and the next step"
CHECKPOINT = "tf.train.Checkpoint of optimizer and variables"


_SCHEDULED = {"learning_rate": "schedule", "weight_decay": "weight_decay_schedule"}


def procedures(changed: frozenset[str], saved: frozenset[str], *, save: str = CHECKPOINT) -> dict[str, Procedure]:
    """What Keras can do; saved: the hyper-parameters that are variables, and so in what is saved.

    A schedule is none, and beside it there is no variable of what it gives.
    """
    unless = {name: schedule for name, schedule in _SCHEDULED.items() if name in saved and schedule in changed}
    return {
        "save": Procedure(how=save, hyperparameters=saved, unless=unless),
        "rewind": Procedure(how=f"{save}, of an optimizer that has stepped"),
        "configuration": Procedure(how="get_config and from_config"),
        "change": Procedure(how="assignment to the optimizer's attributes, in eager mode", hyperparameters=changed),
        "state": Procedure(how="assignment to the optimizer's variables"),
        "weights": Procedure(how="get_weights of an OptimizerV2, variables of the newer Keras"),
    }


REPLICAS = {"replicas": Procedure(how="tf.distribute.MirroredStrategy on two logical devices of the CPU")}
UNAGGREGATED = {"unaggregated replicas": Procedure(how="apply_gradients with experimental_aggregate_gradients=False")}
TRANSFORMERS = {"transformers": Procedure(how="gradient_aggregator and gradient_transformers")}
RATE_AND_BETAS = frozenset({"learning_rate", "beta_1", "beta_2"})
FORMS = {
    "tensors": Procedure(how="tf.constant in the constructor's arguments", hyperparameters=RATE_AND_BETAS),
    "callables": Procedure(how="functions in the constructor's arguments", hyperparameters=RATE_AND_BETAS),
}
"""Of an OptimizerV2."""
FINALIZE = {"finalize": Procedure(how="finalize_variable_values")}
"""The newer Keras."""


def averaging(h: Hyperparameters) -> dict[str, Any]:
    """The arguments of the newer Keras that make it average the variables."""
    if h.ema_momentum is None:
        return {"use_ema": False}
    return {
        "use_ema": True,
        "ema_momentum": h.ema_momentum,
        "ema_overwrite_frequency": h.ema_overwrite_frequency,
    }


BESIDE = frozenset({"ema_momentum", "ema_overwrite_frequency", "exclude_from_weight_decay", "constraint"})
"""Hyper-parameters of the newer Keras that act beside the step."""


def new_variables(tensorflow: Any, parameters: Sequence[Array], constraint: Any = None) -> tuple[Any, ...]:
    """New variables that hold copies of `parameters`."""
    # tf.constant copies in 2.15.1, tf.Variable too; a test holds them to it.
    return tuple(tensorflow.Variable(tensorflow.constant(theta), constraint=constraint) for theta in parameters)


def copy_of(variable: Any) -> Array:
    """As `read`."""
    return read(variable)


def read(variable: Any) -> Array:
    """A copy of a variable's value, 0-d arrays included (``.numpy()`` of a scalar is no array).

    ``value`` is a method of a ``tf.Variable`` and a property of a ``keras.Variable``.
    """
    value = variable.value
    return np.array((value() if callable(value) else value).numpy())


def slot_of_optimizer_v2(optimizer: Any, position: int, variable: Any, name: str) -> Any:
    """OptimizerV2.get_slot (legacy/optimizer_v2.py), which raises KeyError before the first gradient."""
    try:
        return optimizer.get_slot(variable, name)
    except KeyError:
        return None


def _unexpected(record: logging.LogRecord) -> bool:
    return not any(expected in str(record.msg) for expected in _EXPECTED_MESSAGES)
