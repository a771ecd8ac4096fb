"""What the real implementations of an environment did, on golden cases and drawn problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from adapters.contract import Implementation, Problem
from adapters.registry import ADAPTERS, of_environment
from conformance import problems
from conformance.ablation.shown import Observed
from conformance.load import load
from conformance.observe import observe
from conformance.replay import Replay, asked
from conformance.subjects import subjects

OURS = "adam-conformance"
SETS_OF_KINDS = {"constraint": "constraints", "schedule": "schedules", "lr_scheduler": "lr-schedulers"}
MOST_STEPS = 50
"""Of a golden case: a thousand show nothing that ten do not."""


def implementations(environment: str) -> Iterator[Implementation]:
    """Of the frameworks of an environment, not our own; raises `conformance.load.CannotTest` where one is missing."""
    for name in of_environment(environment):
        if ADAPTERS[name].distribution != OURS:
            yield load(name)


def gathered(those: Sequence[Implementation], number: int, seed: int = 0) -> Iterator[Observed]:
    """Golden cases in float32 of each, then `number` problems that are drawn for each, then those of kinds."""
    for of in (_cases, partial(_drawn, number=number, seed=seed), partial(_of_kinds, seed=seed)):
        for implementation in those:
            for name, problem in of(implementation):
                states = observe(implementation, problem).states
                yield Observed(implementation, name, problem, implementation.arithmetic(problem.dtype), states)


def _cases(implementation: Implementation) -> Iterator[tuple[str, Problem]]:
    for replay in asked(implementation, ("float32",)):
        if isinstance(replay, Replay) and len(replay.problem.gradients) <= MOST_STEPS:
            yield f"golden case {replay.case.id}", replay.problem


def _of_kinds(implementation: Implementation, seed: int) -> Iterator[tuple[str, Problem]]:
    """Problems of laws: a constraint or a scheduler that no case has."""
    for hyperparameter, name in SETS_OF_KINDS.items():
        if hyperparameter in implementation.claim.hyperparameters:
            for k, problem in enumerate(subjects(implementation, name, 1, seed)):
                if isinstance(problem, Problem):
                    yield f"{name} problem {k} of seed {seed}", problem


def _drawn(implementation: Implementation, number: int, seed: int) -> Iterator[tuple[str, Problem]]:
    claim = implementation.claim
    sets = {"general": (problems.general(claim), number)}
    if "epsilon" in claim.hyperparameters - claim.nonzero:  # of 0, in more settings than the case has
        sets["epsilon-zero"] = (problems.with_epsilon_zero(claim), -(-number // 4))
    for name, (strategy, size) in sets.items():
        for k, problem in enumerate(problems.draw(strategy, size, seed)):
            yield f"{name} problem {k} of seed {seed}", problem
