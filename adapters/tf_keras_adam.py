"""The newer Adam of Keras 2: ``tf.keras.optimizers.Adam`` of TensorFlow 2.11 to 2.15, since then of tf_keras.

Source: keras/src/optimizers/adam.py, ``Adam.update_step``; steps go through ``Optimizer.apply_gradients``
(optimizer.py) in eager mode, operation by operation. ``jit_compile=True`` is the default and acts only where
TensorFlow finds a GPU, so this is the path of a machine without one.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from adapters.contract import (
    NON_NEG_FLOAT64,
    SCHEDULE_STAYS,
    STATE_STAYS,
    Arithmetic,
    Claim,
    Hyperparameters,
    Identity,
    Precision,
)
from adapters.tensorflow_identity import installed, observe
from adapters.tensorflow_support import (
    BESIDE,
    CLIPS,
    FINALIZE,
    FORMS,
    RATE_CHANGED_KIND,
    REPLICAS,
    UNAGGREGATED,
    KerasAdapter,
    averaging,
    clips,
    import_tensorflow,
    procedures,
)


def slot(optimizer: Any, position: int, variable: Any, name: str) -> Any:
    """Adam.build makes three lists, in the order of the variables of the first step."""
    slots = {"m": "_momentums", "v": "_velocities", "vhat": "_velocity_hats"}
    built = getattr(optimizer, slots[name], None)
    return None if built is None else built[position]


class TfKeras(KerasAdapter):
    """``tf.keras.optimizers.Adam``."""

    contract_version = 1
    name = "tf-keras"
    distribution = "keras"
    claim = Claim(
        dialect="tf-keras-adam",
        hyperparameters=frozenset(
            {"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "weight_decay", "schedule"}
        )
        | CLIPS
        | BESIDE,
        dtypes=("float32", "float64"),
        gradients=frozenset({"dense", "none", "rows", "duplicate rows", "unsorted rows", "empty rows"}),
        not_claimed=(
            "jit_compile on a GPU",
            "mesh (a test holds it on one device)",
            "learning_rate as callable (read once)",
            "beta_1 and beta_2 as tensor (1 - beta is rounded otherwise then; refused for float64 variables)",
            "beta_1 and beta_2 as callable (refused)",
            "weight_decay=0 (here always None)",
            "exclude_from_weight_decay by name (a test holds it)",
            NON_NEG_FLOAT64,
            SCHEDULE_STAYS,
            RATE_CHANGED_KIND.format("learning_rate"),
            STATE_STAYS,
            "constraints with other arguments",
            "float16 and bfloat16 variables",
        ),
        clips_together=True,
        procedures=procedures(
            frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay", "schedule"}) | CLIPS,
            # The others are Python numbers, and no variables.
            saved=frozenset({"learning_rate"}),
        )
        | FINALIZE
        | REPLICAS
        | UNAGGREGATED
        | {"tensors": replace(FORMS["tensors"], hyperparameters=frozenset({"learning_rate"}))},
    )
    slot = staticmethod(slot)

    def __init__(self) -> None:
        self.tensorflow = import_tensorflow()
        self.optimizer: Any = self.tensorflow.keras.optimizers.Adam
        if "jit_compile" not in inspect.signature(self.optimizer).parameters:
            raise ImportError("tf.keras.optimizers.Adam is not that of Keras 2 here")

    def identity(self) -> Identity:
        """Dense, AMSGrad and sparse steps under TensorFlow's dispatch."""
        return observe(
            self,
            installed(self.distribution),
            required=(
                "dense: AssignSubVariableOp",
                "dense: AssignAddVariableOp",
                "amsgrad: Maximum",
                "rows: Neg",
                "rows: ResourceScatterAdd",
            ),
            excluded=(
                "dense: ResourceApplyAdam",
                "amsgrad: ResourceApplyAdamWithAmsgrad",
                "dense: XlaMustCompile(_resource_apply_dense_impl)",
                "dense: XlaMustCompile(_update_step_xla)",
                "dense: AssignVariableOp",
                "dense: SelectV2",
                "rows: AssignVariableOp",
            ),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Operation by operation, in eager mode."""
        return arithmetic(dtype)

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of the constructor."""
        h = hyperparameters
        return {
            "learning_rate": self.rate(h),
            "beta_1": h.beta_1,
            "beta_2": h.beta_2,
            "epsilon": h.epsilon,
            "amsgrad": h.amsgrad,
            "weight_decay": h.weight_decay or None,  # None is this framework's "absent"
            **clips(h),
            **averaging(h),
        }


class Package(TfKeras):
    """``tf_keras.optimizers.Adam`` of the package, beside TensorFlow 2.16 and later."""

    name = "tf-keras-package"
    distribution = "tf-keras"
    claim = replace(
        TfKeras.claim,
        hyperparameters=TfKeras.claim.hyperparameters | {"adaptive_epsilon"},
    )

    def __init__(self) -> None:
        self.tensorflow = import_tensorflow()
        import tf_keras

        self.package, self.optimizer = tf_keras, tf_keras.optimizers.Adam

    @property
    def keras(self) -> Any:
        """The package."""
        return self.package

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of the constructor."""
        return super().arguments(hyperparameters) | {"adaptive_epsilon": hyperparameters.adaptive_epsilon}


def arithmetic(dtype: Precision) -> Arithmetic:
    """tf.cast makes float32 of a Python number before it makes the variable's dtype of it: learning rate,
    weight decay and the betas of the powers. 1 - beta is formed in Python and reaches the moments, as
    epsilon reaches the denominator, in the variable's dtype.

    Dense gradients: m + (g - m) (1 - beta_1); sparse ones: m - m (1 - beta_1), then the rows add
    (1 - beta_1) g.
    """
    return Arithmetic(
        storage=dtype,
        compute=dtype,
        learning_rate="float32",
        moment_betas="float64",
        power_betas="float32",
        powers=dtype,
        power_form="pow",
        step_size=dtype,
        epsilon=dtype,
        schedule="float32",
        decay="float32",
        clips=dtype,
        first_moment="lerp",
        second_moment="lerp",
    )
