"""The largest effect of a change of the reference: a search made to maximise it.

The effect on one problem is the largest difference, in float64, of the changed reference from the one as it
is, divided by the bound of the float32 implementation: after every step, of every quantity and element, on
the trajectory and in the single step. The search draws points at random (hyper-parameters over many
decades, kinds and sizes of gradients, numbers of steps), then climbs from the best of them, one coordinate at
a time.

A step count beyond what anybody would run is reached exactly: while no gradient has come but zeros, m = v = 0
and only t moves.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from random import Random
from typing import Any

import numpy as np

import reference
from adapters.contract import Arithmetic, Claim, Hyperparameters, Problem, Rows
from adapters.hyperparameters import MULTIPLIERS
from conformance import oracle
from conformance.mutants.tokens.coordinates import HYPERPARAMETERS, Coordinate, Point, choice, decades
from conformance.problems import Draft, build, least_threshold
from conformance.regimes import REGIMES

ARITHMETIC = Arithmetic(storage="float32", compute="float32", step_size="float32")
"""Of `conformance.mutants.tokens.float32`."""
SHAPES = (((16, 2),), ((8, 2), (3,)))
RESTARTS = 3
"""Points that are climbed from."""
MOST_IDLE = 10**7
"""Steps; fewer where every step adds a factor to the product of the momenta."""
MOST_FACTORS = 10**3
_ARRAYS = ("theta", "m", "v", "v_max", "slow", "average")
ENOUGH = 100.0
"""Bounds; what has such an effect is no mistake below the bound, however much higher it may go."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The largest that was found."""

    fraction: float = 0.0
    """Of the float32 bound; infinite where the changed one raises or another t comes out."""
    differs: bool = False
    """Whether any number was another one at all."""
    where: str = ""
    """Dialect and problem."""
    tried: int = 0
    """Problems."""

    def or_larger(self, other: Effect) -> Effect:
        """The larger one, and both counted."""
        larger = other if (other.fraction, other.differs) > (self.fraction, self.differs) else self
        return replace(larger, tried=self.tried + other.tried)


def search(claims: Sequence[Claim], seed: int, *, drawn: int = 240, climbed: int = 160) -> Effect:
    """Of the `reference` that this process imports now, beside the one that this module was imported with.

    drawn: points at random, of all dialects together; climbed: points per climb.
    """
    changed = importlib.import_module("reference")
    random = Random(seed)
    best = Effect()
    found: list[tuple[Effect, Claim, Point]] = []
    for claim in claims:
        coordinates = _coordinates(claim)
        for _ in range(max(1, drawn // len(claims))):
            point: Point = {name: c.draw(random) for name, c in coordinates.items()}
            effect = measure(changed, claim.dialect, point)
            best = best.or_larger(effect)
            found.append((effect, claim, point))
    found.sort(key=lambda f: (f[0].fraction, f[0].differs), reverse=True)
    for effect, claim, start in found[:RESTARTS]:
        if effect.differs and best.fraction < ENOUGH:
            best = best.or_larger(_climb(changed, claim, start, effect, random, climbed))
    return best


def _climb(changed: Any, claim: Claim, point: Point, effect: Effect, random: Random, budget: int) -> Effect:
    """Uphill along one coordinate after the other, until none leads higher or the budget is spent."""
    coordinates = _coordinates(claim)
    best = replace(effect, tried=0)
    while True:
        before = best.fraction
        for name in random.sample(list(coordinates), len(coordinates)):
            for value in coordinates[name].near(point[name], random):
                if best.tried >= budget or best.fraction >= ENOUGH:
                    return best
                neighbour = {**point, name: value}
                higher = measure(changed, claim.dialect, neighbour)
                point = neighbour if higher.fraction > best.fraction else point
                best = best.or_larger(higher)
        if best.fraction <= before:
            return best


# One point


def measure(changed: Any, dialect: str, point: Point) -> Effect:
    """The effect on one problem; infinite where the changed reference raises."""
    problem, idle = _problem(point)
    largest, differs = 0.0, False
    try:
        for fraction, other in _fractions(changed, dialect, problem, idle):
            largest, differs = max(largest, fraction), differs or other
    except Exception as error:
        largest, differs = math.inf, True
        return Effect(fraction=largest, differs=True, where=f"{dialect}: raises {error!r}"[:200], tried=1)
    where = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in point.items() if v)
    return Effect(fraction=largest, differs=differs, where=f"{dialect}: {where}", tried=1)


def _fractions(changed: Any, dialect: str, problem: Problem, idle: int) -> Iterator[tuple[float, bool]]:
    """Of every step, on the trajectory and by itself: the largest fraction, and whether anything differs."""
    d, h = reference.dialect(dialect), oracle.received(problem, ARITHMETIC)
    other_h = changed.Hyperparameters(**{f.name: _as_of(changed, getattr(h, f.name)) for f in fields(h)})
    other_d = changed.dialect(dialect)
    rounding = oracle.rounding(ARITHMETIC)
    steps = [[(g.indices, g.values) if isinstance(g, Rows) else g for g in gs] for gs in problem.gradients]
    with np.errstate(all="ignore"):
        state = _after(reference.initial_state(problem.parameters, h), idle)
        other = _after(changed.initial_state(problem.parameters, other_h), idle)
        walks = (partial(reference.step, d, h), partial(changed.step, other_d, other_h))
        if _never_differ(walks, (state, other), steps):  # the bound takes most of the time
            return
        bound = reference.initial_bound(state)
        for given in steps:
            exact = reference.initial_bound(state)
            _, single = reference.bounded_step(d, h, rounding, state, exact, given)
            alone = changed.step(other_d, other_h, state, given)
            state, bound = reference.bounded_step(d, h, rounding, state, bound, given)
            if single.branch or bound.branch:  # both branches are accepted
                return
            other = changed.step(other_d, other_h, other, given)
            yield _beside(state, alone, single)
            yield _beside(state, other, bound)


def _as_of(changed: Any, value: Any) -> Any:
    """A hyper-parameter of the changed reference, which has a class of its own for schedules."""
    return changed.Schedule(value.name, value.numbers) if isinstance(value, reference.Schedule) else value


def _after(state: Any, idle: int) -> Any:
    """`idle` steps later, in which every gradient was 0."""
    return replace(state, t=tuple(t + idle for t in state.t))


def _never_differ(walks: tuple[Any, Any], states: tuple[Any, Any], steps: Sequence[Sequence[Any]]) -> bool:
    """Whether two walks go through the same counts and the same numbers, step by step."""
    state, other = states
    for given in steps:
        state, other = walks[0](state, given), walks[1](other, given)
        if state.t != other.t or not all(_same(getattr(state, name), getattr(other, name)) for name in _ARRAYS):
            return False
    return True


def _same(group: Any, other: Any) -> bool:
    if group is None or other is None:
        return group is other
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(group, other, strict=True))


def _beside(state: reference.State, other: Any, bound: reference.Bound) -> tuple[float, bool]:
    if state.t != other.t:
        return math.inf, True
    largest, differs = 0.0, False
    for name in _ARRAYS:
        group = getattr(state, name)
        if (group is None) != (getattr(other, name) is None):
            return math.inf, True
        for a, b, limit in zip(group or (), getattr(other, name) or (), getattr(bound, name) or (), strict=True):
            if a.shape != b.shape:
                return math.inf, True
            if np.array_equal(a, b, equal_nan=True):
                continue
            differs = True
            error = np.where(np.isinf(limit) | (a == b), 0.0, np.abs(a - b) / limit)
            largest = max(largest, float(np.max(np.nan_to_num(error, nan=np.inf), initial=0.0)))
    return largest, differs


# Points


def _coordinates(claim: Claim) -> dict[str, Coordinate]:
    kinds = sorted(kind for kind in claim.gradients if kind != "none")
    own = {name: c for name, c in HYPERPARAMETERS.items() if name in claim.hyperparameters}
    return own | {
        "rows": choice(*kinds),
        "unsorted": choice(*((False, True) if "unsorted rows" in kinds else (False,))),
        "mixed": choice(*((False, True) if len(kinds) > 1 else (False,))),
        "absent": choice(False, True),
        "regime": choice(*REGIMES),
        "scale": decades(-12, 6),
        "shapes": choice(*SHAPES),
        "steps": choice(1, 2, 3, 5, 8, 12),
        "idle": decades(-2, 2, 0.0, rarely=0.5),
        "arrays": Coordinate(lambda r: r.randrange(10**6), lambda _, r: [r.randrange(10**6), r.randrange(10**6)]),
    }


def _problem(point: Point) -> tuple[Problem, int]:
    """The problem, and how many steps of zero gradients come first: `idle` times the memory 1 / (1 - beta_2)."""
    own = {name: value for name, value in point.items() if name in HYPERPARAMETERS}
    if own.get("sma_threshold"):  # where r_t is a number
        own["sma_threshold"] = max(own["sma_threshold"], 1.0025 * least_threshold(own["beta_2"]))
    own |= {name: own[name][: len(point["shapes"])] for name in MULTIPLIERS if name in own}
    if own.get("clipnorm") is not None:  # not both
        own["global_clipnorm"] = None
    if own.get("lr_scheduler") and own["lr_scheduler"]["warmup_begin_lr"] > own["learning_rate"]:  # which MXNet refuses
        own["lr_scheduler"] = None
    names = ("shapes", "steps", "regime", "scale", "rows", "unsorted", "mixed", "absent")
    draft = Draft(dtype="float32", hyperparameters=Hyperparameters(**own), **{name: point[name] for name in names})
    idle = int(point["idle"] / (1 - own.get("beta_2", 0.0)))
    idle = min(idle, MOST_FACTORS if "momentum_decay" in own else MOST_IDLE)
    return build(draft, point["arrays"], 0), idle
