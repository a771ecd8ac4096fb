"""Implementations that are wrong on purpose, and the right ones that they are planted in.

    TWINS        correct implementations of every dialect in plain NumPy: the suite must accept them (exit 0)
    ARITHMETICS  correct as well, in other arithmetic: the suite must accept them too
    MUTANTS      one thing wrong each: the suite must reject them (exit 1)
    FAKES        crash, hang, shout or cannot be imported: they test the harness, not the laws

Each is a class without arguments behind `adapters.contract.Implementation`, and its docstring's first line is
what is wrong.
"""

from __future__ import annotations

from types import ModuleType

from conformance.mutants import (
    aggregation,
    arithmetics,
    breaches,
    clipping,
    constraining,
    directions,
    ema,
    formula,
    given_as,
    harness,
    indices,
    listing,
    lookahead,
    low_precision,
    masters,
    memory,
    mistaken,
    procedures,
    rewinding,
    rows,
    schedulers,
    schedules,
    state,
    switching,
    twins,
    twins_lookahead,
    twins_optax,
    twins_torch,
    unlawful,
)
from conformance.mutants.twin import Twin

__all__ = ["ARITHMETICS", "FAKES", "MUTANTS", "TWINS"]

TWINS: tuple[type[Twin], ...] = (*twins.TWINS, *twins_lookahead.TWINS, *twins_torch.TWINS, *twins_optax.TWINS)


def _defined_in(module: ModuleType) -> tuple[type[Twin], ...]:
    """The implementations that a module defines, not those that it imports, in its order."""
    return tuple(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Twin) and value.__module__ == module.__name__
    )


MUTANTS: tuple[type[Twin], ...] = tuple(
    mutant
    for module in (
        formula,
        directions,
        rows,
        state,
        lookahead,
        clipping,
        ema,
        constraining,
        indices,
        listing,
        schedules,
        schedulers,
        masters,
        aggregation,
        given_as,
        breaches,
        unlawful,
        memory,
        low_precision,
        procedures,
        rewinding,
        switching,
        mistaken,
    )
    for mutant in _defined_in(module)
)
ARITHMETICS: tuple[type[Twin], ...] = _defined_in(arithmetics)
FAKES: tuple[type[Twin], ...] = _defined_in(harness)
