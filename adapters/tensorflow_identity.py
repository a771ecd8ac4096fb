"""Which code really ran: a watch on the operations that TensorFlow's eager dispatch executes.

Nothing here imports TensorFlow before something is watched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from typing import Any, Protocol

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Identity, Rows

_DEFAULTS = Hyperparameters()


class Stepping(Protocol):
    """A run that takes gradients."""

    def apply(self, gradients: Sequence[Gradient]) -> None:
        """One step."""


class TensorFlowAdapter(Protocol):
    """What `observe` needs of an adapter."""

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> Stepping:
        """As in `adapters.contract.Implementation`."""
        ...


def installed(distribution: str) -> tuple[str, str]:
    """A distribution and its version."""
    return distribution, metadata.version(distribution)


def observe(
    adapter: TensorFlowAdapter,
    framework: tuple[str, str],
    hyperparameters: Hyperparameters = _DEFAULTS,
    *,
    required: Sequence[str],
    excluded: Sequence[str],
) -> Identity:
    """Run real steps under TensorFlow's dispatch and say which operations executed.

    Each operation carries the kind of step in which it was seen ("dense", "amsgrad", "rows"), as in
    ``dense: ResourceApplyAdam``.
    """
    theta, g = np.ones((3, 2), np.float32), np.ones((3, 2), np.float32)
    rows = Rows(np.array([2, 0], np.int64), g[:2])
    observed: set[str] = set()
    gradients: dict[str, Gradient] = {"dense": g, "amsgrad": g, "rows": rows}
    runs = []  # kept, so that no adapter gives one the optimizer of another
    for kind, gradient in gradients.items():
        run = adapter.start((theta,), replace(hyperparameters, amsgrad=kind == "amsgrad"))
        runs.append(run)
        run.apply((gradient,))  # creates the slots and traces, which is not what is to be seen
        with watch_operations() as seen:
            run.apply((gradient,))
        observed.update(f"{kind}: {operation}" for operation in seen)
    name, version = framework
    return Identity(
        framework=name,
        version=version,
        required=frozenset(required),
        excluded=frozenset(excluded),
        observed=frozenset(observed),
    )


@contextmanager
def watch_operations() -> Iterator[set[str]]:
    """Collect what the eager runtime executes (tensorflow/python/framework/op_callbacks.py).

    A traced function arrives as one operation; the runtime's function library then says whether XLA had to
    compile it, and what is in it: ``XlaMustCompile(f)`` or ``Function(f)``, and ``XlaMustCompile(f)/Sqrt``.
    """
    from tensorflow.python.eager import context
    from tensorflow.python.framework import op_callbacks

    seen: set[str] = set()

    def note(
        operation: str | bytes,
        inputs: Any,
        attributes: Any,
        outputs: Any,
        op_name: str | None = None,
        graph: Any = None,
    ) -> None:
        if graph is not None:  # being traced, not executed
            return
        name = operation.decode() if isinstance(operation, bytes) else operation
        if not context.context().has_function(name):
            seen.add(name)
            return
        definition = context.context().get_function_def(name)
        how = "XlaMustCompile" if definition.attr["_XlaMustCompile"].b else "Function"
        label = f"{how}({re.sub(r'^__[a-z]+_|_[0-9]+$', '', name)})"
        seen.add(label)
        seen.update(f"{label}/{node.op}" for node in definition.node_def)

    op_callbacks.add_op_callback(note)
    try:
        yield seen
    finally:
        op_callbacks.remove_op_callback(note)
