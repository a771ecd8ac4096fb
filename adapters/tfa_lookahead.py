"""TensorFlow Addons' Lookahead, around Keras' Adam and around RectifiedAdam.

Source: tensorflow_addons/optimizers/lookahead.py, class ``Lookahead``, an OptimizerV2 of Keras 2 that holds another
one. ``apply_gradients`` is the wrapper's; it lends the inner optimizer its ``iterations`` and calls the inner
``_resource_apply_dense`` or ``_resource_apply_sparse`` on every variable with a gradient, and after it, on that
variable, ``_look_ahead_op``. Moments are slots of the inner optimizer, the slow weights are the wrapper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.contract import Arithmetic, Claim, ContractError, Hyperparameters, Identity, Precision, State
from adapters.keras_v2 import Fused
from adapters.tensorflow_identity import installed, observe
from adapters.tensorflow_support import (
    CLIPS,
    FORMS,
    REPLICAS,
    TRANSFORMERS,
    UNAGGREGATED,
    Bench,
    KerasAdapter,
    OptimizerRun,
    Reader,
    clips,
    copy_of,
    import_tensorflow_addons,
    procedures,
    slot_of_optimizer_v2,
)
from adapters.tfa_rectified import Rectified

_OWN = frozenset({"sync_period", "slow_step_size"}) | CLIPS
"""Hyper-parameters of the wrapper; the others are the inner optimizer's. The inner one's clips do nothing."""


def _slot(optimizer: Any, position: int, variable: Any, name: str) -> Any:
    return slot_of_optimizer_v2(optimizer if name == "slow" else optimizer._optimizer, position, variable, name)


class LookaheadRun(OptimizerRun):
    """Steps of the wrapper."""

    def state(self, read: Reader | None = None) -> State:
        """Before its first gradient a variable has no slow weights; it has not moved either."""
        read = read or copy_of
        slow = tuple(
            read(variable if slot is None else slot)
            for position, variable in enumerate(self._bench.variables)
            for slot in [_slot(self._bench.optimizer, position, variable, "slow")]
        )
        return replace(super().state(read), slow=slow)

    def put(self, state: State) -> None:
        """By assignment to the variables of both."""
        super().put(state)
        for i, variable in enumerate(self._bench.variables):
            if state.slow is not None:
                self._slot(self._bench.optimizer, i, variable, "slow").assign(state.slow[i])

    def change(self, hyperparameters: Hyperparameters) -> None:
        """By assignment: the wrapper takes an assignment to another's name without a word."""
        wrapper = self._bench.optimizer
        for name, value in self._settings(hyperparameters).items():
            setattr(wrapper if name in _OWN else wrapper._optimizer, name, value)


class _Lookahead(KerasAdapter):
    """``tfa.optimizers.Lookahead`` around what another adapter constructs."""

    around: Any
    """The class of that adapter."""
    slot = staticmethod(_slot)

    def __init__(self) -> None:
        self.inner = self.around()
        self.tensorflow = self.inner.tensorflow
        self.optimizer: Any = import_tensorflow_addons().optimizers.Lookahead

    def identity(self) -> Identity:
        """The inner optimizer's operations and the wrapper's, in dense, AMSGrad and sparse steps."""
        inner = self.inner.identity()
        return observe(
            self,
            installed("tensorflow-addons"),
            Hyperparameters(sync_period=1),
            required=(*inner.required, "dense: FloorDiv", "rows: FloorDiv", "dense: AssignVariableOp"),
            excluded=tuple(inner.excluded),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """The inner optimizer's. tf.cast makes float32 of slow_step_size before it makes the variable's dtype of it."""
        inner: Arithmetic = self.inner.arithmetic(dtype)
        return replace(inner, slow_step_size="float32")

    def arguments(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Of the wrapper's constructor, the inner optimizer being one of them."""
        return self._around(hyperparameters, {})

    def made(self, hyperparameters: Hyperparameters, forms: Mapping[str, Any]) -> Any:
        """A new wrapper, the inner optimizer's numbers in other forms."""
        return self.optimizer(**self._around(hyperparameters, forms))

    def _around(self, h: Hyperparameters, forms: Mapping[str, Any]) -> dict[str, Any]:
        given = self._inner(self.inner.arguments(h)) | dict(forms)
        return {"optimizer": self.inner.optimizer(**given), **self._own(h)}

    def settings(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """The inner optimizer's attributes, and the wrapper's."""
        return {**self._inner(self.inner.settings(hyperparameters)), **self._own(hyperparameters)}

    def run(self, bench: Bench) -> OptimizerRun:
        """A run of what is there."""
        amsgrad = bool(bench.optimizer._optimizer.amsgrad)
        return LookaheadRun(self.tensorflow, bench, self.slot, amsgrad=amsgrad, settings=self.settings)

    @staticmethod
    def _inner(given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if name not in _OWN}

    def _own(self, h: Hyperparameters) -> dict[str, Any]:
        if h.sync_period is None:
            raise ContractError("sync_period", None, "a whole number >= 1: Lookahead cannot be switched off")
        # float(): its argument check refuses a Python int.
        return {"sync_period": h.sync_period, "slow_step_size": float(h.slow_step_size), **clips(h)}


def _claim(dialect: str, around: Claim, not_claimed: Sequence[str]) -> Claim:
    """What the inner optimizer claims, and the wrapper's own."""
    said_here = ("clip", "global_clip", "get_weights")
    kept = tuple(text for text in around.not_claimed if not text.startswith(said_here))
    return replace(
        around,
        dialect=dialect,
        hyperparameters=around.hyperparameters | _OWN,
        nonzero=around.nonzero | {"sync_period"},
        not_claimed=(*kept, *not_claimed),
        procedures=procedures(
            around.procedures["change"].hyperparameters | _OWN,
            # The wrapper's own are Python numbers, and no variables.
            saved=around.procedures["save"].hyperparameters,
        )
        | REPLICAS
        | UNAGGREGATED
        | TRANSFORMERS
        | {form: around.procedures[form] for form in FORMS},
    )


_NOT_CLAIMED = (
    "clipping, aggregator and transformers of the inner optimizer, which do nothing",
    "lr and decay of Lookahead, which do nothing there",
    "sync_period and slow_step_size as tensor",
    "sync_period below 1",
    "the optimizer as text",
    "get_weights and set_weights",
)


class LookaheadAdam(_Lookahead):
    """Around ``tf.keras.optimizers.legacy.Adam``."""

    contract_version = 1
    name = "tfa-lookahead-keras-v2-adam"
    around = Fused
    claim = _claim("tfa-lookahead-keras-v2-adam", Fused.claim, _NOT_CLAIMED)


class LookaheadRectified(_Lookahead):
    """Around ``tfa.optimizers.RectifiedAdam``."""

    contract_version = 1
    name = "tfa-lookahead-rectified-adam"
    around = Rectified
    claim = _claim("tfa-lookahead-rectified-adam", Rectified.claim, _NOT_CLAIMED)
