"""What the adapters of optax share: one jitted step, what it traced to, and its state as the contract has it.

float32 problems run in JAX's own mode, float64 ones with ``jax.enable_x64``. A step is one function of parameters,
state and gradients, compiled by XLA for the shapes it meets. optax has no files of its own: its state is a pytree, and
whoever saves one saves its leaves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, ContractError, Gradient, Rows, State, check_count

NOT_CLAIMED = (
    "the same bits at any place in a tensor",  # XLA compiles every shape by itself, and fuses what a vector takes
    "parameters without gradient (optax takes one for every parameter)",
    "row-sparse gradients (optax has none)",
    "learning-rate schedules",
    "steps that are not jitted",
    "mask",
    "mu_dtype",
    "several parameter groups (multi_transform)",
    "complex, float16 and bfloat16 parameters",
    "other devices than the CPU",
)
SAVE = "the leaves of parameters and state, jax.tree.leaves and jax.tree.unflatten"
PUT = "count, mu, nu and nu_max replaced in the state's NamedTuple"
Step = Callable[[Any, Any, Any], tuple[Any, Any]]


class OptaxRun:
    """One transformation over one pytree of parameters: a list, or a dict of tuples where their number is even.

    step: from parameters, state and gradients to the new parameters and state.
    """

    def __init__(self, jax: Any, step: Step, init: Callable[[Any], Any], parameters: Sequence[Array]) -> None:
        self.double = any(theta.dtype == np.float64 for theta in parameters)
        self._jax, self._step = jax, step
        with jax.enable_x64(self.double):
            self.parameters = self._tree(parameters)
            self.state = init(self.parameters)

    def step(self, gradients: Sequence[Gradient]) -> State:
        """One call of the jitted function; `ContractError` for rows and for a missing gradient."""
        check_count(self.parameters, gradients)
        for i, gradient in enumerate(gradients):
            if gradient is None or isinstance(gradient, Rows):
                raise ContractError(f"gradients[{i}]", type(gradient).__name__, "an array: optax takes nothing else")
        with self._jax.enable_x64(self.double):
            self.parameters, self.state = self._step(self.parameters, self.state, self._tree(gradients))
            return self._observed()

    def traced(self, gradients: Sequence[Gradient]) -> Any:
        """The jaxpr of the step."""
        with self._jax.enable_x64(self.double):
            jitted: Any = self._step
            return jitted.trace(self.parameters, self.state, self._tree(gradients)).jaxpr.jaxpr

    def save(self) -> bytes:
        """The leaves of parameters and state as arrays."""
        return pickle.dumps(_copies(self._jax.tree.leaves((self.parameters, self.state))))

    def load(self, saved: bytes) -> None:
        """What `save` made, in the structure that is there."""
        with self._jax.enable_x64(self.double):
            structure = self._jax.tree.structure((self.parameters, self.state))
            leaves = [self._jax.numpy.array(leaf) for leaf in pickle.loads(saved)]
            self.parameters, self.state = self._jax.tree.unflatten(structure, leaves)

    def put(self, state: State) -> None:
        """Other arrays in Adam's part of the state: ``optax.tree_utils.tree_set`` does not reach it in that of
        ``inject_hyperparams`` (docs/findings).
        """
        with self._jax.enable_x64(self.double):
            self.parameters, mu, nu, *nu_max = (
                self._tree(arrays) for arrays in (state.parameters, state.m, state.v, state.v_max) if arrays is not None
            )
            maximum = {"nu_max": nu_max[0]} if nu_max else {}
            count = self._jax.numpy.array(state.t[0], np.int32)
            self.state = _replaced(self.state, {"count": count, "mu": mu, "nu": nu, **maximum})

    def inject(self, given: Mapping[str, float]) -> None:
        """The hyper-parameters that ``optax.inject_hyperparams`` keeps in the state, by their names there."""
        with self._jax.enable_x64(self.double):
            held = self.state.hyperparams
            new = {name: self._jax.numpy.array(value, held[name].dtype) for name, value in given.items()}
            self.state = self.state._replace(hyperparams={**held, **new})

    def _tree(self, arrays: Sequence[Any]) -> Any:
        """Of JAX's arrays; its leaves are in this order, as a dict's are in that of its keys."""
        given = [self._jax.numpy.array(array) for array in arrays]
        return given if len(given) % 2 else {f"{i:05}": (array,) for i, array in enumerate(given)}

    def _observed(self) -> State:
        adam, leaves = adam_state(self.state), self._jax.tree.leaves
        count = int(adam.count)
        v_max = getattr(adam, "nu_max", None)
        return State(
            parameters=_copies(parameters := leaves(self.parameters)),
            m=_copies(leaves(adam.mu)),
            v=_copies(leaves(adam.nu)),
            v_max=None if v_max is None else _copies(leaves(v_max)),
            t=(count,) * len(parameters),
        )


def adam_state(state: Any) -> Any:
    """The part of a transformation's state that has ``count``, ``mu`` and ``nu``; None where there is none."""
    if all(hasattr(state, name) for name in ("count", "mu", "nu")):
        return state
    parts = state if isinstance(state, tuple) else ()
    return next((found for part in parts if (found := adam_state(part)) is not None), None)


def _replaced(state: Any, values: Mapping[str, Any]) -> Any:
    """The state with other values in its Adam's."""
    if state is adam_state(state):
        return state._replace(**values)
    if not isinstance(state, tuple):
        return state
    parts = [_replaced(part, values) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def compiled_step(jax: Any, optax: Any, transformation: Any) -> Step:
    """``jax.jit`` of one update and ``optax.apply_updates``."""

    def optax_step(parameters: Any, state: Any, gradients: Any) -> Any:
        updates, state = transformation.update(gradients, state, parameters)
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
