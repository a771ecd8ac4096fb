"""Laws of memory: where an element lies among the others, and how many there are, is nothing that a formula knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Implementation, Layout, Problem, State
from adapters.memory import GAP, gaps, laid_out, offset
from conformance.describe import describe
from conformance.findings import Finding, Outcome
from conformance.laws.related import Comparison, agree, each, related, states


def sizes(implementation: Implementation, problem: Problem) -> Outcome:
    """A tensor of any size follows the oracle in every element, step by step and in the free run.

    Vectors, blocks, chunks and threads divide a tensor at places that no formula knows. What is left over is
    computed by other code, into buffers of other lengths; both sides of every such place are in the problems. Compared
    with the oracle, because right code may round a tail otherwise.
    """
    return agree(implementation, problem, states(implementation, problem))


def in_layout(implementation: Implementation, problem: Problem, layout: Layout) -> Outcome:
    """Parameters, gradients, or both in another layout follow the oracle, and memory between elements stays.

    An element is what its indices say. Strides say where it lies; they are part of no formula, and what lies between
    elements belongs to somebody else. Compared with the oracle, because code for another layout may round otherwise.
    That the parameters come back laid out as they were given shows that they were laid out so.
    """
    found = Outcome()

    def lay(x: Any) -> Any:
        return laid_out(x, layout) if isinstance(x, np.ndarray) else x

    gradients = each(problem.gradients, lambda step: each(step, lay))
    if layout == "expanded":
        return agree(implementation, changed := replace(problem, gradients=gradients), related(implementation, changed))
    parameters = each(problem.parameters, lay)
    for changed in (
        replace(problem, parameters=parameters),
        replace(problem, gradients=gradients),
        replace(problem, parameters=parameters, gradients=gradients),
    ):
        run = related(implementation, changed)
        found.add(agree(implementation, changed, run))
        if not found.findings:
            found.add(_memory_stays(changed, run, layout))
    return found


def _memory_stays(problem: Problem, run: tuple[State, ...], layout: Layout) -> Outcome:
    found = Comparison(problem)
    for k, state in enumerate(run):
        for i, (given, theta) in enumerate(zip(problem.parameters, state.parameters, strict=True)):
            if _place(theta) != _place(given):
                message = (
                    f"step {k + 1}: parameter {i} was given {layout} and is returned with {_place(theta)}, not"
                    f" {_place(given)}, as strides and bytes after a multiple of 16: who knows how it was laid out"
                )
                return Outcome([Finding(message=message, step=k + 1, parameter=i, description=describe(problem))])
            found.equal(k + 1, i, "memory between elements", gaps(theta), GAP)
    return found.outcome


def _place(array: Array) -> tuple[tuple[int, ...], int]:
    """Strides of the axes along which anything lies, and bytes after a multiple of 16."""
    strides = [stride for n, stride in zip(array.shape, array.strides, strict=True) if n > 1]
    return (tuple(strides) if array.size else ()), offset(array)
