"""A mutant's mistake in another dialect: what a diagnosis compares a failing implementation with."""

from __future__ import annotations

import inspect

from conformance.mutants import formula, state
from conformance.mutants.twin import Twin

EVERYWHERE: tuple[type[Twin], ...] = (
    formula.NonFusedMinusEpsilon,
    formula.EpsilonInsideRoot,
    formula.NoEpsilon,
    formula.LearningRateTooSmall,
    formula.BiasCorrectionOff,
    formula.SignSgd,
    formula.NoMomentum,
    formula.Nesterov,
    state.StepCountOffByOne,
)
"""Mutants whose override calls no other class's method, so that it makes the same mistake in any twin."""


def planted(mutant: type[Twin], twin: type[Twin]) -> type[Twin]:
    """The class that is `twin` but for what `mutant` overrides; `mutant` is one of `EVERYWHERE`."""
    overrides = {name: member for name, member in vars(mutant).items() if inspect.isfunction(member)}
    return type(
        f"{mutant.__name__}In{twin.__name__}",
        (twin,),
        {
            "__doc__": mutant.__doc__,
            "__module__": mutant.__module__,
            "name": f"{mutant.name} in {twin.claim.dialect}",
            **overrides,
        },
    )
