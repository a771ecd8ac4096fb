"""TensorFlow Addons' RectifiedAdam.

Source: tensorflow_addons/optimizers/rectified_adam.py, class ``RectifiedAdam``, an OptimizerV2 of Keras 2;
steps go through ``OptimizerV2.apply_gradients`` in eager mode, operation by operation. A sparse gradient is
summed over duplicate rows; the moments of every row decay, and only the rows that it names move and shrink.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.contract import (
    CONSTRAINED_ROWS,
    NON_NEG_FLOAT64,
    STATE_STAYS,
    Arithmetic,
    Claim,
    Hyperparameters,
    Identity,
    Precision,
)
from adapters.keras_schedules import scheduled
from adapters.tensorflow_identity import installed, observe
from adapters.tensorflow_support import (
    CLIPS,
    FORMS,
    RATE_CHANGED_KIND,
    REPLICAS,
    TRANSFORMERS,
    UNAGGREGATED,
    KerasAdapter,
    clips,
    import_tensorflow,
    import_tensorflow_addons,
    procedures,
    slot_of_optimizer_v2,
)

WARM_UP = frozenset({"total_steps", "warmup_proportion", "min_lr"})
RATES = frozenset({"schedule", "weight_decay_schedule"}) | WARM_UP
"""What changes a rate from step to step."""
_IN_ANY_FORM = frozenset({"weight_decay", "sma_threshold", "warmup_proportion", "min_lr"})
"""Beside rate and betas; total_steps is refused as another than a whole number."""


class Rectified(KerasAdapter):
    """``tfa.optimizers.RectifiedAdam``."""

    contract_version = 1
    name = "tfa-rectified-adam"
    claim = Claim(
        dialect="tfa-rectified-adam",
        hyperparameters=frozenset(
            {"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", "weight_decay", "sma_threshold", "decay"}
            | {"constraint"}
        )
        | RATES
        | CLIPS,
        dtypes=("float32", "float64"),
        gradients=frozenset({"dense", "none", "rows", "duplicate rows", "unsorted rows", "empty rows"}),
        not_claimed=(
            "weight_decay and learning_rate as dict",
            "epsilon as tensor",
            "lr",
            CONSTRAINED_ROWS,
            NON_NEG_FLOAT64,
            RATE_CHANGED_KIND.format("learning_rate or weight_decay"),
            STATE_STAYS,
            "constraints with other arguments",
            "get_weights and set_weights",
            "float16 and bfloat16 variables",
        ),
        clips_together=True,
        procedures=procedures(
            frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay", "sma_threshold"})
            | RATES
            | CLIPS,
            # epsilon and what clips are attributes, and no variables; the variable decay is read by nobody.
            saved=frozenset({"learning_rate", "beta_1", "beta_2", "weight_decay", "sma_threshold"}) | WARM_UP,
        )
        | REPLICAS
        | UNAGGREGATED
        | TRANSFORMERS
        | {name: replace(form, hyperparameters=form.hyperparameters | _IN_ANY_FORM) for name, form in FORMS.items()},
    )
    slot = staticmethod(slot_of_optimizer_v2)
    is_v2 = True

    def __init__(self) -> None:
        self.tensorflow = import_tensorflow()
        self.optimizer: Any = import_tensorflow_addons().optimizers.RectifiedAdam

    def identity(self) -> Identity:
        """Dense, AMSGrad and sparse steps under TensorFlow's dispatch."""
        return observe(
            self,
            installed("tensorflow-addons"),
            required=("dense: GreaterEqual", "dense: SelectV2", "amsgrad: Maximum", "rows: SelectV2"),
            excluded=(
                "dense: ResourceApplyAdam",
                "amsgrad: ResourceApplyAdamWithAmsgrad",
                "dense: XlaMustCompile(_resource_apply_dense_impl)",
                "rows: AssignSubVariableOp",
            ),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """OptimizerV2._create_hypers makes a float32 variable of every hyper-parameter, sma_threshold too,
        whatever the model's dtype; RectifiedAdam._prepare_local casts them to that dtype and computes the
        rest in it. epsilon is none of them and arrives in the model's dtype, as what clips does; tf.cast makes
        float32 of decay first.
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
            decay="float32",
            sma_threshold="float32",
            schedule="float32",
            rate_decay="float32",
            clips=dtype,
            first_moment="sum",
            second_moment="sum",
        )

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of the constructor."""
        h = hyperparameters
        # float(): its argument checks refuse a Python int.
        return {
            "learning_rate": self.rate(h),
            "beta_1": float(h.beta_1),
            "beta_2": float(h.beta_2),
            "epsilon": float(h.epsilon),
            "weight_decay": scheduled(self.keras, self.tensorflow, float(h.weight_decay), h.weight_decay_schedule),
            "amsgrad": h.amsgrad,
            "sma_threshold": float(h.sma_threshold),
            "decay": float(h.decay),
            "total_steps": h.total_steps,
            "warmup_proportion": float(h.warmup_proportion),
            "min_lr": float(h.min_lr),
            **clips(h),
        }
