"""Keras 3 on TensorFlow: ``keras.optimizers.Adam`` and ``AdamW``.

Source: keras/src/optimizers/adam.py, ``Adam.update_step``, and base_optimizer.py, with the operations of
keras/src/backend/tensorflow; steps go through ``Optimizer.apply_gradients`` on ``keras.Variable``s in eager mode.
The order is tf_keras' (clip, decay, moments, step, average, constraint). A row-sparse gradient is another one's:
its values are squared as they come, and what is scattered into v is the sum of the squares of a row's duplicates.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapters.contract import (
    RATE_OF_ANOTHER_KIND,
    SCHEDULE_STAYS,
    STATE_STAYS,
    Arithmetic,
    Array,
    Claim,
    Gradient,
    Hyperparameters,
    Identity,
    Precision,
)
from adapters.tensorflow_identity import installed, observe
from adapters.tensorflow_support import (
    BESIDE,
    CLIPS,
    FINALIZE,
    REPLICAS,
    Bench,
    KerasAdapter,
    OptimizerRun,
    averaging,
    clips,
    import_tensorflow,
    procedures,
    read,
)
from adapters.tf_keras_adam import arithmetic, slot

SAVE = "save_own_variables and load_own_variables of the optimizer; the variables by value"


class Keras3Run(OptimizerRun):
    """Steps on ``keras.Variable``s."""

    def apply(self, gradients: Sequence[Gradient], **more: Any) -> None:
        """Keras warns at every step of parameters without gradient, which the contract has on purpose."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist for variables", UserWarning)
            super().apply(gradients, **more)

    def save(self) -> bytes:
        """``save_own_variables``, which a ``.keras`` file holds of an optimizer, and the variables."""
        store: dict[str, Array] = {}
        self._bench.optimizer.save_own_variables(store)
        return pickle.dumps(([read(variable) for variable in self._bench.variables], store))

    def load(self, saved: bytes) -> None:
        """``build``, without which nothing is loaded, and ``load_own_variables``, as ``load_weights`` calls them."""
        parameters, store = pickle.loads(saved)
        for variable, value in zip(self._bench.variables, parameters, strict=True):
            variable.assign(value)
        self._bench.optimizer.build([*self._bench.variables])
        self._bench.optimizer.load_own_variables(store)

    @property
    def label(self) -> str:
        """The class of the optimizer that steps, as observed; Adam and AdamW run the same operations."""
        cls = type(self._bench.optimizer)
        return f"{cls.__module__}.{cls.__qualname__}"


class Adam(KerasAdapter):
    """``keras.optimizers.Adam``."""

    contract_version = 1
    name = "keras3-adam"
    cls = "Adam"
    """In ``keras.optimizers``."""
    claim = Claim(
        dialect="keras3-adam",
        hyperparameters=frozenset(
            {"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "weight_decay", "schedule"}
        )
        | CLIPS
        | BESIDE,
        dtypes=("float32", "float64"),
        gradients=frozenset({"dense", "none", "rows", "duplicate rows", "unsorted rows", "empty rows"}),
        not_claimed=(
            "clipnorm, clipvalue and global_clipnorm, one beside another (refused)",
            "loss_scale_factor",
            "gradient_accumulation_steps",
            "learning_rate as callable or integer (refused)",
            "beta_1 and beta_2 as tensor (1 - beta is rounded otherwise then) or callable (refused)",
            "weight_decay=0 (here always None)",
            "exclude_from_weight_decay by name",
            "stateless_apply (refused by this backend)",
            "the jax and torch backends",
            "constraints with other arguments",
            "overwrite_with_gradient",
            "float16 and bfloat16 variables",
            "tf.train.Checkpoint of an optimizer of Keras 3",
            RATE_OF_ANOTHER_KIND,
            STATE_STAYS,
            SCHEDULE_STAYS,
        ),
        procedures=procedures(
            frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay", "schedule"}) | CLIPS,
            # The others are Python numbers, and no variables.
            saved=frozenset({"learning_rate"}),
            save=SAVE,
        )
        | FINALIZE
        | REPLICAS,
    )
    slot = staticmethod(slot)

    def __init__(self) -> None:
        self.package = import_keras()
        self.tensorflow = import_tensorflow()

    @property
    def keras(self) -> Any:
        """The package."""
        return self.package

    def identity(self) -> Identity:
        """Dense, AMSGrad and sparse steps under TensorFlow's dispatch, and the class that made them."""
        seen = observe(
            self,
            installed("keras"),
            required=(
                "dense: AssignSubVariableOp",
                "dense: AssignAddVariableOp",
                "amsgrad: Maximum",
                "rows: UnsortedSegmentSum",
            ),
            excluded=(
                "dense: ResourceApplyAdam",
                "amsgrad: ResourceApplyAdamWithAmsgrad",
                "dense: SelectV2",
                "rows: ResourceScatterAdd",
            ),
        )
        cls = f"keras.src.optimizers.{self.cls.lower()}.{self.cls}"
        run = self.start((), Hyperparameters())
        assert isinstance(run, Keras3Run)
        return replace(seen, required=seen.required | {cls}, observed=seen.observed | {run.label})

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Operation by operation, in eager mode; every number is cast where tf_keras casts it, but for ema_momentum.

        That one is a number of the variables' dtype before it is subtracted from 1.
        """
        return replace(arithmetic(dtype), ema_momentum=dtype)

    @property
    def optimizer(self) -> Any:
        """The class."""
        return getattr(self.keras.optimizers, self.cls)

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of the constructor."""
        h = hyperparameters
        return {
            "learning_rate": self.rate(h),
            "beta_1": h.beta_1,
            "beta_2": h.beta_2,
            "epsilon": h.epsilon,
            "amsgrad": h.amsgrad,
            "weight_decay": self._weight_decay(h),
            **clips(h),
            **averaging(h),
        }

    def variables(self, parameters: Sequence[Array], constraint: Any) -> tuple[Any, ...]:
        """New ones of Keras' own class, which hold copies."""
        return new_variables(self.keras, self.tensorflow, parameters, constraint)

    def run(self, bench: Bench) -> Keras3Run:
        """A run of what is there."""
        amsgrad = bool(bench.optimizer.amsgrad)
        return Keras3Run(self.tensorflow, bench, self.slot, amsgrad=amsgrad, settings=self.settings)

    def _weight_decay(self, h: Hyperparameters) -> float | None:
        return h.weight_decay or None  # None is this framework's "absent"


class AdamW(Adam):
    """``keras.optimizers.AdamW``: Adam, whose weight_decay is 0.004 by default and may not be None."""

    name = "keras3-adamw"
    cls = "AdamW"
    claim = replace(
        Adam.claim, not_claimed=tuple(text for text in Adam.claim.not_claimed if not text.startswith("weight_decay"))
    )

    def _weight_decay(self, h: Hyperparameters) -> float | None:
        return float(h.weight_decay)


def import_keras() -> Any:
    """The ``keras`` module, on TensorFlow; raises ImportError where it is another Keras, or on another backend."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # read once, when Keras is imported
    import_tensorflow()
    import keras

    if not keras.__version__.startswith("3."):
        raise ImportError(f"keras is {keras.__version__}, accepted: 3.x")
    if keras.backend.backend() != "tensorflow":
        raise ImportError(f"the backend of Keras is {keras.backend.backend()}, accepted: tensorflow")
    return keras


def new_variables(keras: Any, tensorflow: Any, parameters: Sequence[Array], constraint: Any) -> tuple[Any, ...]:
    """New variables that hold copies of `parameters`; a constant copies the caller's array."""
    made = tuple(keras.Variable(tensorflow.constant(theta), dtype=theta.dtype.name) for theta in parameters)
    for variable in made:
        variable.constraint = constraint
    return made
