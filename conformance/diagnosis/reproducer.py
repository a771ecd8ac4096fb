"""A finding as a Python file that runs without the suite: numbers baked in, the optimizer as its framework has it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Implementation, Rows
from conformance import oracle
from conformance.describe import describe
from conformance.diagnosis.trail import FIELDS, Trail, fraction

MOST = 20_000
"""Numbers that a file may hold."""

_TEMPLATE = '''"""{title}

{description}.
Expected: the reference's own trajectory, and the rounding bound of the declared arithmetic.
Needs NumPy and the optimizer. Exit code: 1 while it differs, 0 where it does not.
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.getcwd())  # where the optimizer was found
{source}

DTYPE = {dtype!r}


def array(shape, numbers, dtype=DTYPE):
    return np.array([float.fromhex(number) for number in numbers.split()], dtype).reshape(shape)


PARAMETERS = [
{parameters}
]
GRADIENTS = [  # [step][parameter]; None: no gradient in this step; (rows, values): a row-sparse one
{gradients}
]
QUANTITY, PARAMETER = {quantity!r}, {parameter}
EXPECTED = {expected}
BOUND = {bound}


def main():
    start(PARAMETERS)
    for gradients in GRADIENTS:
        step(gradients)
    obtained = np.asarray(read(QUANTITY, PARAMETER), "float64")
    off = ~(np.abs(obtained - EXPECTED) <= BOUND) & ~np.isinf(BOUND)
    name = f"{{QUANTITY}} of parameter {{PARAMETER}} after step {{len(GRADIENTS)}}"
    print(f"{{name}}: {{np.count_nonzero(off)}} of {{off.size}} elements are out of their bound")
    for at in map(tuple, np.argwhere(off)[:10]):
        print(f"{{list(map(int, at))}}: obtained {{obtained[at]!r}}, expected {{EXPECTED[at]!r}} +- {{BOUND[at]:.3g}}")
    return int(off.any())


if __name__ == "__main__":
    sys.exit(main())
'''

_ADAPTER = """{path}import numpy as _np

from adapters.contract import Hyperparameters, Rows, Schedule
from {module} import {name}

_run = None


def start(parameters):
    global _run
    _run = {name}({arguments}).start([p.copy() for p in parameters], {hyperparameters})


def step(gradients):
    global _state
    _state = _run.step([Rows(_np.array(g[0]), g[1]) if isinstance(g, tuple) else g for g in gradients])


def read(quantity, i):
    return getattr(_state, quantity)[i]
"""


def reproducer(implementation: Implementation, trails: Sequence[Trail], title: str) -> str | None:
    """The file's text for the smallest finding; None where no trajectory leaves its bound, or all are too large.

    title: its first line.
    """
    for trail in sorted((t for t in trails if t.wrong), key=_numbers):
        found = _first(trail)
        if found is not None and (found[0] + 1) * _elements(trail) <= MOST:
            return _text(implementation, trail, found, title)
    return None


def _numbers(trail: Trail) -> int:
    """Up to the first step that the claim does not explain."""
    return next(k for k, step in enumerate(trail.claimed, 1) if step.any_wrong) * _elements(trail)


def _elements(trail: Trail) -> int:
    return sum(theta.size for theta in trail.problem.parameters)


def _first(trail: Trail) -> tuple[int, int, str, Array, Array] | None:
    """The first divergence of the whole trajectory: step, parameter, quantity, expected, bound."""
    walked = oracle.walk(trail.dialect.name, trail.arithmetic, trail.problem, trail.observed)
    for step in walked:
        for i in range(len(trail.problem.parameters)):
            for quantity, obtained, value, bound in step.free_running(i):
                if quantity in FIELDS and np.any(fraction(obtained, value, bound) > 1):
                    return step.number, i, quantity, value, bound
    return None


def _text(implementation: Implementation, trail: Trail, found: tuple[int, int, str, Array, Array], title: str) -> str:
    steps, parameter, quantity, value, bound = found
    problem = trail.problem
    return _TEMPLATE.format(
        title=title.replace("\\", "/").replace('"', "'"),
        description=describe(problem),
        source=source_of(implementation, problem.hyperparameters).strip(),
        dtype=problem.dtype,
        parameters="\n".join(f"    {array_text(theta)}," for theta in problem.parameters),
        gradients="\n".join(f"    [{', '.join(map(gradient_text, step))}]," for step in problem.gradients[:steps]),
        quantity=quantity,
        parameter=parameter,
        expected=array_text(value, "float64"),
        bound=array_text(bound, "float64"),
    )


def source_of(implementation: Implementation, hyperparameters: Any) -> str:
    """Python that defines start(parameters), step(gradients) and read(quantity, i).

    An adapter may say it itself, as ``reproduction(hyperparameters)``, in the framework's own terms; else its own
    file is used, and the folder ``adapters`` of this project.
    """
    own = getattr(implementation, "reproduction", None)
    if own is not None:
        return str(own(hyperparameters))
    return _ADAPTER.format(**imported(implementation), hyperparameters=hyperparameters)


def imported(implementation: Implementation) -> dict[str, str]:
    """How an adapter is made: `path`, what makes its file importable; `module`; `name`; `arguments`."""
    cls = type(implementation)
    file = Path(inspect.getfile(cls)).resolve()
    path = "" if cls.__module__.startswith("adapters.") else f"sys.path.append({str(file.parent)!r})\n"
    module = cls.__module__ if cls.__module__.startswith(("adapters.", "conformance.")) else file.stem
    arguments = str(getattr(implementation, "constructed_with", ""))
    return {"path": path, "module": module, "name": cls.__qualname__, "arguments": arguments}


def gradient_text(g: Gradient) -> str:
    """A gradient as Python."""
    if g is None:
        return "None"
    return f"({g.indices.tolist()}, {array_text(g.values)})" if isinstance(g, Rows) else array_text(g)


def array_text(array: Array, dtype: str = "") -> str:
    """An array as Python."""
    numbers = " ".join(hex_text(float(x)) for x in np.asarray(array, np.float64).ravel())
    more = f", {dtype!r}" if dtype else ""
    return f"array({array.shape}, {numbers!r}{more})"


def hex_text(x: float) -> str:
    """C99's notation without the zeros at its end."""
    text = x.hex()
    head, p, exponent = text.partition("p")
    return f"{head.rstrip('0').rstrip('.')}{p}{exponent}" if p and "." in head else text
