"""optax behind the contract: adam, adamw, amsgrad, radam, nadam and nadamw, jitted.

Hyper-parameters are in the state, where ``optax.inject_hyperparams`` puts them: they can be changed and are saved, and
XLA compiles once for each list of shapes. As constants of the compiled function they are what ``--optax`` tests
(`adapters.optax_factory`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Array,
    Claim,
    Hyperparameters,
    Identity,
    Precision,
    Procedure,
)
from adapters.optax_run import NOT_CLAIMED, PUT, SAVE, OptaxRun, compiled_step, observe

SPELLING: Mapping[str, str] = MappingProxyType(
    {
        "learning_rate": "learning_rate",
        "beta_1": "b1",
        "beta_2": "b2",
        "epsilon": "eps",
        "epsilon_root": "eps_root",
        "weight_decay": "weight_decay",
        "sma_threshold": "threshold",
    }
)
_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon", "epsilon_root"})
_SCALE = "optax/_src/transform.py: scale_by_"
_BY_ADAM, _BY_AMSGRAD, _BY_RADAM = (f"{_SCALE}{name}.<locals>.update_fn" for name in ("adam", "amsgrad", "radam"))
_DECAY = "optax/transforms/_adding.py: add_decayed_weights.<locals>.update_fn"
_TWO, _THREE = "2 powers", "3 powers"
"""Of beta_1 and beta_2; Nesterov's momentum has one more, and the rectification too."""


class _Run(OptaxRun):
    def __init__(self, adapter: _Optax, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> None:
        init = adapter.make(adapter.spelled(hyperparameters)).init
        super().__init__(adapter.jax, adapter.step, init, parameters)
        self._spelled = adapter.spelled

    def change(self, hyperparameters: Hyperparameters) -> None:
        """Those of the state that ``optax.inject_hyperparams`` makes."""
        self.inject(self._spelled(hyperparameters))


class _Optax:
    contract_version: int = CONTRACT_VERSION
    name: str
    claim: Claim
    function: str
    """The name in optax."""
    operations: frozenset[str]
    excluded: frozenset[str]

    def __init__(self) -> None:
        import jax
        import optax

        self.jax, self._optax = jax, optax
        self.step = self._compiled()

    @property
    def required(self) -> frozenset[str]:
        """The functions of optax that the compiled step comes from, and that XLA has compiled it."""
        return self.operations | {"XLA compiled jit(optax_step)"}

    def identity(self) -> Identity:
        """One step that has not been compiled yet: its jaxpr, and XLA's event."""
        theta = np.ones((2, 3), np.float32)
        run = type(self)().start([theta], Hyperparameters(amsgrad="amsgrad" in self.claim.nonzero))
        return Identity(
            framework="optax",
            version=self._optax.__version__,
            required=self.required,
            excluded=self.excluded,
            observed=frozenset(observe(self.jax, run, [theta])),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Everything is of the parameters' dtype: hyper-parameters as they arrive, and beta^t."""
        return Arithmetic(
            storage=dtype,
            compute=dtype,
            learning_rate=dtype,
            moment_betas=dtype,
            power_betas=dtype,
            powers=dtype,
            step_size=dtype,
            epsilon=dtype,
            decay=dtype,
            sma_threshold=dtype,
        )

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> OptaxRun:
        """A new state over copies."""
        return _Run(self, parameters, hyperparameters)

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> OptaxRun:
        """A new state, and what `OptaxRun.save` made in its place."""
        run = self.start(parameters, hyperparameters)
        run.load(saved)
        return run

    def spelled(self, hyperparameters: Hyperparameters) -> dict[str, float]:
        """optax's names and values."""
        names = self.claim.hyperparameters & {*SPELLING}
        return {SPELLING[name]: float(getattr(hyperparameters, name)) for name in names}

    def make(self, given: Mapping[str, Any]) -> Any:
        """``optax.inject_hyperparams`` of the function; its update reads of `given` nothing, its init all."""
        return self._optax.inject_hyperparams(getattr(self._optax, self.function))(**given)

    def _compiled(self) -> Any:
        return compiled_step(self.jax, self._optax, self.make(self.spelled(Hyperparameters())))


def _claim(dialect: str, *more: str, nonzero: str = "", left: Sequence[str] = ()) -> Claim:
    free = (_ADAM | {*more}) - {"amsgrad"}
    return Claim(
        dialect=dialect,
        hyperparameters=_ADAM | {*more},
        gradients=frozenset({"dense"}),
        nonzero=frozenset({nonzero} - {""}),
        not_claimed=(*left, *NOT_CLAIMED),
        procedures={
            "save": Procedure(how=f"{SAVE}, with those of inject_hyperparams", hyperparameters=free),
            "rewind": Procedure(how="another state given to the next update"),
            "change": Procedure(how="the state's hyperparams, of inject_hyperparams", hyperparameters=free),
            "state": Procedure(how=PUT),
        },
    )


class Adam(_Optax):
    """``optax.adam``."""

    name = "optax-adam"
    function = "adam"
    claim = _claim("optax-adam")
    operations = frozenset({_BY_ADAM, _TWO})
    excluded = frozenset({_BY_AMSGRAD, _BY_RADAM, _DECAY, _THREE})


class AdamW(_Optax):
    """``optax.adamw``."""

    name = "optax-adamw"
    function = "adamw"
    claim = _claim("optax-adam", "weight_decay")
    operations = frozenset({_BY_ADAM, _DECAY, _TWO})
    excluded = frozenset({_BY_AMSGRAD, _BY_RADAM, _THREE})


class Amsgrad(_Optax):
    """``optax.amsgrad``, the maximum of the corrected moment, as it is by default."""

    name = "optax-amsgrad"
    function = "amsgrad"
    claim = _claim(
        "optax-adam",
        "amsgrad",
        nonzero="amsgrad",
        left=("bias_correction_mu other than True", "bias_correction_nu other than True"),
    )
    operations = frozenset({_BY_AMSGRAD, _TWO})
    excluded = frozenset({_BY_ADAM, _BY_RADAM, _DECAY})


class RAdam(_Optax):
    """``optax.radam``."""

    name = "optax-radam"
    function = "radam"
    claim = _claim("optax-radam", "sma_threshold", left=("nesterov other than False",))
    operations = frozenset({_BY_RADAM})
    excluded = frozenset({_BY_ADAM, _BY_AMSGRAD, _DECAY})


class NAdam(_Optax):
    """``optax.nadam``: adam with ``nesterov=True``."""

    name = "optax-nadam"
    function = "nadam"
    claim = _claim("optax-nadam")
    operations = frozenset({_BY_ADAM, _THREE})
    excluded = frozenset({_BY_AMSGRAD, _BY_RADAM, _DECAY, _TWO})


class NAdamW(_Optax):
    """``optax.nadamw``: adamw with ``nesterov=True``."""

    name = "optax-nadamw"
    function = "nadamw"
    claim = _claim("optax-nadam", "weight_decay")
    operations = frozenset({_BY_ADAM, _DECAY, _THREE})
    excluded = frozenset({_BY_AMSGRAD, _BY_RADAM, _TWO})
