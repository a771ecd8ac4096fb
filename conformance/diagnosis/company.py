"""Explanations across parameters: whose state a parameter uses, and which parameters are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import reference
from adapters.contract import Rows
from conformance.diagnosis.candidate import Prediction
from conformance.diagnosis.trail import Trail
from reference.bound import bounded_step

Owners = Callable[[Trail, int], Sequence[int]]
"""Of every parameter's moments in step k, the parameter whose they are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """Parameters whose moments are one array: each update starts where the last one's ended."""

    words: str
    owners: Owners
    names: tuple[str, ...] = ("m", "v", "v_max")

    def steps(self, trail: Trail) -> Iterator[Prediction]:
        """Parameter after parameter."""
        for k, given in enumerate(trail.gradients):
            state = trail.states[k]
            bound = reference.initial_bound(state)
            owners = self.owners(trail, k)
            updates: list[Any] = []
            for i in range(len(given)):
                state, bound = self._borrow(state, bound, i, owners[i])
                one = tuple(g if j == i else None for j, g in enumerate(given))
                t = trail.states[k + 1].t[i] - (one[i] is not None or trail.dialect.step_count == "optimizer")
                before = replace(state, t=(t,) * len(given))
                state, bound = bounded_step(trail.dialect, trail.h, trail.rounding, before, bound, one)
                state, bound = self._borrow(state, bound, owners[i], i)
                updates.append(bound.update[i])
            for i in range(len(given)):
                state, bound = self._borrow(state, bound, i, owners[i])
            yield state, replace(bound, update=tuple(updates))

    def _borrow(self, state: Any, bound: Any, i: int, owner: int) -> tuple[Any, Any]:
        """Parameter i has the owner's moments."""

        def given(held: Any) -> Any:
            groups = {name: getattr(held, name) for name in self.names}
            return replace(
                held,
                **{
                    name: tuple(group[owner] if j == i else array for j, array in enumerate(group))
                    for name, group in groups.items()
                    if group is not None
                },
            )

        return given(state), given(bound)


def candidates() -> Iterator[Shared]:
    """All of them, the simplest first."""
    yield Shared(words="parameters of equal shape share their moments", owners=_first_of_shape)
    yield Shared(words="parameters of equal shape share m", owners=_first_of_shape, names=("m",))
    yield Shared(words="parameters of equal shape share v", owners=_first_of_shape, names=("v", "v_max"))
    text = "parameters of equal shape share their moments from their first row-sparse gradient on"
    yield Shared(words=text, owners=_first_by_rows)


def _first_of_shape(trail: Trail, k: int) -> list[int]:
    shapes = [theta.shape for theta in trail.problem.parameters]
    return [shapes.index(shape) for shape in shapes]


def _first_by_rows(trail: Trail, k: int) -> list[int]:
    firsts = _first_of_shape(trail, k)
    steps = trail.problem.gradients[: k + 1]
    return [
        firsts[i] if any(isinstance(step[i], Rows) for step in steps) else i
        for i in range(len(trail.problem.parameters))
    ]
