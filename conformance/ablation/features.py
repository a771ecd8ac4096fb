"""The features of a dialect, each with the reference that it leaves behind when it is taken out.

A *stage* is left out of the dialect. Where no later stage could compute without it, a stand-in takes its place: epsilon
0, or the direction learning_rate m. A *hyper-parameter* is given its default, whatever the caller asked for. Of one
that has kinds, as schedules are, each *kind* is taken out by itself. The *step count* is the other one: each parameter
its own t for the optimizer's, and the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from types import MappingProxyType
from typing import Literal

import reference
from adapters.contract import Claim, Hyperparameters, Problem
from adapters.hyperparameters import CONSTRAINTS
from adapters.schedules import LR_SCHEDULERS, SCHEDULES
from reference import stages as s
from reference.bound_rules import RULES, Rule
from reference.dialects import Dialect
from reference.hyperparameters import Hyperparameters as Numbers
from reference.namespace import Namespace
from reference.stages import Stage, Working


def no_epsilon(p: Working, h: Numbers, x: Namespace) -> None:
    """epsilon <- 0."""
    p.epsilon = x.number(0.0)


def momentum_alone(p: Working, h: Numbers, x: Namespace) -> None:
    """direction <- learning_rate m."""
    p.rho_t, p.step_size, p.denominator = x.number(0.0), p.learning_rate, 1.0
    p.direction = p.learning_rate * p.m


STAND_INS: Mapping[Stage, Stage] = MappingProxyType(
    {
        s.zero_epsilon_is_default: s.epsilon_as_given,
        s.epsilon_as_given: no_epsilon,
        **dict.fromkeys(
            (
                s.epsilon_hat,
                s.paper_epsilon,
                s.root_epsilon,
                s.nesterov,
                s.nesterov_schedule,
                s.rectified,
                s.rectified_hat,
                s.rectified_root,
            ),
            momentum_alone,
        ),
    }
)
"""What stands in the place of a stage that others need."""


@dataclass(frozen=True)
class Feature:
    """One feature of one dialect."""

    dialect: str
    kind: Literal["stage", "hyper-parameter", "kind", "step count"]
    name: str
    instead: str
    """What the reference does without it."""
    left: Dialect
    """The dialect without it."""

    def __str__(self) -> str:
        return f"{self.dialect}: {self.kind} {self.name}"

    @property
    def rules(self) -> Mapping[Stage, Rule]:
        """The bound's rules of what is left; a stand-in has that of the stage whose place it takes."""
        return {**RULES} | {stand_in: RULES[stage] for stage, stand_in in STAND_INS.items() if stand_in not in RULES}

    def of(self, problem: Problem) -> Problem | None:
        """The problem as the reference without the feature is given it; None where that is all the same."""
        if self.kind not in ("hyper-parameter", "kind"):
            return problem
        name, _, kind = self.name.partition(" ")
        given, default = getattr(problem.hyperparameters, name), _DEFAULTS[name]
        if given == default or (kind and kind != getattr(given, "name", given)):
            return None
        return replace(problem, hyperparameters=replace(problem.hyperparameters, **{name: default}))


KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "schedule": (*SCHEDULES,),
        "weight_decay_schedule": (*SCHEDULES,),
        "lr_scheduler": (*LR_SCHEDULERS,),
        "constraint": CONSTRAINTS,
    }
)
"""Of hyper-parameters that have some."""
_DEFAULTS = {f.name: f.default for f in fields(Hyperparameters) if f.default is not MISSING}


def features_of(dialect: str, claims: Sequence[Claim] = ()) -> tuple[Feature, ...]:
    """Every stage and hyper-parameter of a dialect with their kinds, and its step count.

    claims: of those who are to show them, where there are any: without the hyper-parameters that none of them takes,
    and without the step count, which changes no number, where none takes parameters without gradient.
    """
    d = reference.dialect(dialect)
    other: Literal["optimizer", "parameter"] = "parameter" if d.step_count == "optimizer" else "optimizer"
    counted = (Feature(dialect, "step count", f"per {d.step_count}", f"per {other}", replace(d, step_count=other)),)
    return (
        *(_without(d, k) for k in range(len(d.stages))),
        *(
            Feature(dialect, "hyper-parameter", name, f"it is {_DEFAULTS[name]!r}", d)
            for name in sorted(d.hyperparameters)
            if not claims or any(name in claim.hyperparameters for claim in claims)
        ),
        *(
            Feature(dialect, "kind", f"{name} {kind}", f"{name} is None", d)
            for name, kinds in KINDS.items()
            if name in d.hyperparameters and (not claims or any(name in claim.hyperparameters for claim in claims))
            for kind in kinds
        ),
        *(counted if not claims or any("none" in claim.gradients for claim in claims) else ()),
    )


def _without(d: Dialect, k: int) -> Feature:
    stage = d.stages[k]
    stand_in = STAND_INS.get(stage)
    left = replace(d, stages=(*d.stages[:k], *([stand_in] if stand_in else []), *d.stages[k + 1 :]))
    return Feature(d.name, "stage", _name(stage), _line(stand_in) if stand_in else "nothing", left)


def _name(stage: Callable[..., None]) -> str:
    return stage.__name__


def _line(stage: Callable[..., None]) -> str:
    return (stage.__doc__ or "").partition("\n")[0].partition(". (")[0].rstrip(".")
