"""Any factory of an ``optax.GradientTransformation`` with Adam's spelling behind the contract, jitted.

Arguments: ``learning_rate``, ``b1``, ``b2``, ``eps``; where it has them ``eps_root``, ``weight_decay``, ``threshold``.
State: ``count``, ``mu``, ``nu``, and ``nu_max`` where AMSGrad is on, as ``optax.scale_by_adam`` and
``scale_by_amsgrad`` keep them, anywhere in a chain's. Hyper-parameters are constants of the compiled step.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adapters.class_path import (
    IN_A_STEP,
    above_zero,
    arguments_of_factory,
    check_arguments,
    declared,
    factory_at,
    left_out,
    not_taken,
    package_of,
)
from adapters.contract import (
    CONTRACT_VERSION,
    Arithmetic,
    Array,
    Claim,
    ContractError,
    Hyperparameters,
    Identity,
    Precision,
    Procedure,
)
from adapters.optax_adam import SPELLING
from adapters.optax_run import NOT_CLAIMED, PUT, SAVE, OptaxRun, Step, adam_state, compiled_step, observe

OPTION = "optax"
_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
_SPOKEN: Mapping[str, frozenset[str]] = {
    "optax-adam": frozenset({"amsgrad", "epsilon_root", "weight_decay"}),
    "optax-radam": frozenset({"epsilon_root", "sma_threshold"}),
    "optax-nadam": frozenset({"epsilon_root", "weight_decay"}),
    "torch-adam": frozenset({"amsgrad", "weight_decay"}),
    "tf-keras-adam": frozenset({"amsgrad", "weight_decay"}),
}
"""Dialects, and what of the spelling they have besides learning rate, betas and epsilon."""
_KEPT = 64
"""Compiled steps that are kept: a law runs the same hyper-parameters several times."""


class OptaxFactory:
    """The factory that ``package.module:factory`` names.

    kwargs: further arguments of every call. arithmetic: roles of `Arithmetic` in which it differs from `arithmetic`.

    Raises ImportError without optax, and `ContractError` for what cannot be tested, before anything is.
    """

    contract_version: int = CONTRACT_VERSION

    def __init__(
        self,
        path: str,
        *,
        dialect: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        arithmetic: Mapping[str, Any] | None = None,
        decay: str | None = None,
    ) -> None:
        import jax
        import optax

        if decay is not None:
            raise ContractError("decay", decay, "nothing: a transformation's weight_decay is its dialect's")
        self.name = path
        self._jax, self._optax = jax, optax
        self._steps: dict[Hyperparameters, Step] = {}
        self._factory = factory_at(OPTION, path)
        self._kwargs = dict(kwargs or {})
        self._changes = dict(arithmetic or {})
        self._takes = arguments_of_factory(self._factory)
        self.arithmetic("float32")
        self.claim = above_zero(self._claimed(dialect or "optax-adam"), self._make)

    def identity(self) -> Identity:
        """One step that has not been compiled yet: the functions in its jaxpr, and XLA's event."""
        theta = np.ones((2, 3), np.float32)
        h = Hyperparameters(amsgrad="amsgrad" in self.claim.nonzero)
        self._steps.clear()
        framework, version = package_of(self.name.partition(":")[0], "optax")
        return Identity(
            framework=framework,
            version=version,
            required=frozenset({"XLA compiled jit(optax_step)", *_place_of(self._make(h).update)}),
            observed=frozenset(observe(self._jax, self.start([theta], h), [theta])),
        )

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """Numbers of Python until they meet an array; beta^t in the arrays' dtype, of a beta that is rounded for it.

        Moments may be formed as ``lerp``, whose bound is the wider one.
        """
        usual = Arithmetic(
            storage=dtype,
            compute=dtype,
            powers=dtype,
            power_form="rounded",
            step_size=dtype,
            sma_threshold=dtype,
            first_moment="lerp",
            second_moment="lerp",
        )
        return declared(usual, self._changes)

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> OptaxRun:
        """A new state over copies."""
        h = hyperparameters
        if h not in self._steps:
            if len(self._steps) >= _KEPT:
                self._steps.clear()
            self._steps[h] = compiled_step(self._jax, self._optax, self._make(h))
        return OptaxRun(self._jax, self._steps[h], self._make(h).init, parameters)

    def resume(self, parameters: Sequence[Array], hyperparameters: Hyperparameters, saved: bytes) -> OptaxRun:
        """A new state, and what `OptaxRun.save` made in its place; hyper-parameters are no part of it."""
        run = self.start(parameters, hyperparameters)
        run.load(saved)
        return run

    def _make(self, h: Hyperparameters) -> Any:
        return self._factory(**self._arguments(h))

    def _arguments(self, h: Hyperparameters) -> dict[str, Any]:
        given = {spelled: float(getattr(h, name)) for name, spelled in SPELLING.items()}
        return {name: value for name, value in given.items() if name in self._takes} | self._kwargs

    def _claimed(self, dialect: str) -> Claim:
        if dialect not in _SPOKEN:
            raise ContractError("dialect", dialect, f"what an optax transformation can speak: {', '.join(_SPOKEN)}")
        takes, spoken = self._takes, _SPOKEN[dialect]
        free = check_arguments(OPTION, self.name, takes, SPELLING, self._kwargs, "a factory that")
        fields = self._probe()
        always = frozenset({"amsgrad"} if "nu_max" in fields else ())
        rewind = Procedure(how="another state given to the next update")
        procedures = {"save": Procedure(how=SAVE), "rewind": rewind}
        if "count" in fields <= {"count", "mu", "nu", "nu_max"}:
            procedures["state"] = Procedure(how=PUT)
        if always - spoken:
            accepted = f"{', '.join(d for d in _SPOKEN if 'amsgrad' in _SPOKEN[d])}: its state has nu_max"
            raise ContractError("dialect", dialect, accepted)
        claimed = free & (_ADAM | spoken) | always
        spelled = tuple(SPELLING[name] for name in claimed - always)
        return Claim(
            dialect=dialect,
            hyperparameters=claimed,
            gradients=frozenset({"dense"}),
            nonzero=always,
            not_claimed=(
                *sorted(spoken - claimed),
                *left_out(takes, spelled, self._kwargs),
                *NOT_CLAIMED,
                "hyper-parameters changed between steps",
            ),
            procedures=procedures,
        )

    def _probe(self) -> frozenset[str]:
        """The fields of Adam's state.

        `ContractError` where it makes no transformation, or one of another state, and where it refuses `kwargs`.
        """
        h = Hyperparameters()
        arguments = self._arguments(h)
        try:
            made = self._make(h)
        except Exception as error:
            raise not_taken(OPTION, self.name, arguments, self._kwargs, error) from error
        if not all(callable(getattr(made, name, None)) for name in ("init", "update")):
            accepted = f"a factory of an optax.GradientTransformation; it makes a {type(made).__name__}"
            raise ContractError(OPTION, self.name, accepted)
        theta = [self._jax.numpy.ones(3)]
        try:
            state = made.init(theta)
        except Exception as error:
            raise not_taken(OPTION, self.name, arguments, self._kwargs, error, ", in init too") from error
        try:
            self._jax.eval_shape(made.update, theta, state, theta)
        except Exception as error:
            if self._kwargs and not self._raises_without_kwargs(arguments):  # else a finding, which the checks make
                raise not_taken(OPTION, self.name, arguments, self._kwargs, error, IN_A_STEP) from error
        adam = adam_state(state)
        if adam is None:
            accepted = f"a factory whose state holds count, mu and nu (it holds {_held(state)}); by --adapter otherwise"
            raise ContractError(OPTION, self.name, accepted)
        return frozenset(getattr(adam, "_fields", {"nu_max"} if hasattr(adam, "nu_max") else ()))

    def _raises_without_kwargs(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a first step does; False for what makes no transformation without them."""
        theta = [self._jax.numpy.ones(3)]
        try:
            made = self._factory(**{k: v for k, v in arguments.items() if k not in self._kwargs})
            state = made.init(theta)
        except Exception:
            return False
        try:
            self._jax.eval_shape(made.update, theta, state, theta)
        except Exception:
            return True
        return False


def _place_of(update: Any) -> set[str]:
    """Where the traced operations of ``update`` come from, as `observe` says it."""
    function = inspect.unwrap(update)
    if not inspect.isfunction(function):
        return set()
    place = function.__code__.co_filename.rpartition("site-packages/")[2]
    return {f"{place}: {function.__qualname__}"}


def _held(state: Any) -> str:
    """Names of the fields of a state and of its parts."""
    if hasattr(state, "_fields"):
        return ", ".join(state._fields) or "nothing"
    parts = [_held(part) for part in state] if isinstance(state, tuple) else []
    return "; ".join(parts) or type(state).__name__
