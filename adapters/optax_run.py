"""What the adapters of optax share: one jitted step, what it traced to, and its state as the contract has it.

float32 problems run in JAX's own mode, float64 ones with ``jax.enable_x64``. A step is one function of
hyper-parameters, parameters, state and gradients, compiled by XLA for the shapes it meets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, ContractError, Gradient, Rows, State, check_count

NOT_CLAIMED = (
    "the same bits at any place in a tensor",  # XLA compiles every shape by itself, and fuses what a vector takes
    "parameters without gradient (optax takes one for every parameter)",
    "row-sparse gradients (optax has none)",
    "learning-rate schedules",
    "mask",
    "mu_dtype",
    "hyper-parameters changed between steps",
    "several parameter groups (multi_transform)",
    "complex, float16 and bfloat16 parameters",
    "other devices than the CPU",
)
Step = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


class OptaxRun:
    """One transformation over one list of parameters.

    step: from hyper-parameters, parameters, state and gradients to the new parameters and state.
    """

    def __init__(
        self, jax: Any, step: Step, given: Mapping[str, Any], init: Callable[[Any], Any], parameters: Sequence[Array]
    ) -> None:
        self.double = any(theta.dtype == np.float64 for theta in parameters)
        self._jax, self._step, self._given = jax, step, given
        with jax.enable_x64(self.double):
            self.parameters = [jax.numpy.array(theta) for theta in parameters]
            self.state = init(self.parameters)

    def step(self, gradients: Sequence[Gradient]) -> State:
        """One call of the jitted function; `ContractError` for rows and for a missing gradient."""
        check_count(self.parameters, gradients)
        for i, gradient in enumerate(gradients):
            if gradient is None or isinstance(gradient, Rows):
                raise ContractError(f"gradients[{i}]", type(gradient).__name__, "an array: optax takes nothing else")
        with self._jax.enable_x64(self.double):
            given = [self._jax.numpy.array(gradient) for gradient in gradients]
            self.parameters, self.state = self._step(self._given, self.parameters, self.state, given)
            return self._observed()

    def traced(self, gradients: Sequence[Gradient]) -> Any:
        """The jaxpr of the step."""
        with self._jax.enable_x64(self.double):
            given = [self._jax.numpy.array(gradient) for gradient in gradients]
            jitted: Any = self._step
            return jitted.trace(self._given, self.parameters, self.state, given).jaxpr.jaxpr

    def _observed(self) -> State:
        adam = adam_state(self.state)
        count = int(adam.count)
        v_max = getattr(adam, "nu_max", None)
        return State(
            parameters=_copies(self.parameters),
            m=_copies(adam.mu),
            v=_copies(adam.nu),
            v_max=None if v_max is None else _copies(v_max),
            t=(count,) * len(self.parameters),
        )


def adam_state(state: Any) -> Any:
    """The part of a transformation's state that has ``count``, ``mu`` and ``nu``; None where there is none."""
    if all(hasattr(state, name) for name in ("count", "mu", "nu")):
        return state
    parts = state if isinstance(state, tuple) else ()
    return next((found for part in parts if (found := adam_state(part)) is not None), None)


def compiled_step(jax: Any, optax: Any, make: Callable[[Mapping[str, Any]], Any]) -> Step:
    """``jax.jit`` of one update and ``optax.apply_updates``; make: from hyper-parameters to the transformation."""

    def optax_step(given: Any, parameters: Any, state: Any, gradients: Any) -> Any:
        updates, state = make(given).update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    return jax.jit(optax_step)  # type: ignore[no-any-return]


def observe(jax: Any, run: OptaxRun, gradients: Sequence[Gradient]) -> set[str]:
    """What one step is made of: the functions that its jaxpr's operations come from, how many powers it forms, and
    what XLA's own event says has been compiled.
    """
    events: list[str] = []

    def listen(name: str, _: float, **about: Any) -> None:
        if name.endswith("backend_compile_duration"):
            events.append(f"XLA compiled {about.get('fun_name')}")

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        run.step(gradients)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    jaxpr = run.traced(gradients)
    powers = sum(equation.primitive.name == "pow" for equation in jaxpr.eqns)
    return {*events, *_functions(jaxpr), f"{powers} powers"}


def _functions(jaxpr: Any) -> set[str]:
    """``file: function`` of every frame of optax's, or of a factory's own, below the step."""
    found = set()
    for equation in jaxpr.eqns:
        traceback = equation.source_info.traceback
        for frame in traceback.frames if traceback else ():
            if frame.function_name.endswith("optax_step"):
                break
            if "/jax/" not in frame.file_name:
                place = frame.file_name.rpartition("site-packages/")[2]
                found.add(f"{place}: {frame.function_name.partition('.<locals>.<lambda>')[0]}")
    return found


def _copies(arrays: Sequence[Any]) -> tuple[Array, ...]:
    return tuple(np.array(x) for x in arrays)
