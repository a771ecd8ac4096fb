"""What is measured in a run: problems of every dialect, points of every scalar, and the way uphill from the worst."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

import reference
from certify import draws, scalars
from certify.coordinates import Point, drawn, uphill, words
from certify.measure import Found, Measured, measure
from certify.terms import terms_of
from reference import Dialect

DIALECTS: Mapping[str, Dialect] = reference.DIALECTS
Kind = Literal["stage", "step", "scalar"]
ACCEPTED: Mapping[Kind, float] = {"stage": 8.0, "step": 1.0, "scalar": 8.0}
"""u times the sum of a stage's terms; the derived bound of a step in float64; ulp of a scalar."""
WHOLE_STEP = "step"


@dataclass(frozen=True)
class Profile:
    """How much is tried."""

    problems: int
    """Of each dialect."""
    climb: int
    """Further problems, uphill from the worst of each stage."""
    points: int
    """Of each scalar."""
    scalar_climb: int
    starts: int
    """Worst ones that are climbed from."""


PROFILES: dict[str, Profile] = {
    "short": Profile(problems=40, climb=20, points=300, scalar_climb=100, starts=1),
    "full": Profile(problems=600, climb=100, points=5000, scalar_climb=1000, starts=3),
}


@dataclass(frozen=True, kw_only=True)
class Record:
    """The worst that was found of one stage in one dialect, of one quantity of a dialect's step, or of one scalar."""

    kind: Kind
    name: str
    dialect: str | None
    quantity: str
    """Of a stage, the one that is worst."""
    error: float
    compared: int
    aside: int
    ulps: float
    """Of a step, in units in the last place of the result; not judged, since what m and theta add may cancel."""
    where: str

    @property
    def accepted(self) -> float:
        """The bound on `error`."""
        return ACCEPTED[self.kind]

    @property
    def holds(self) -> bool:
        """Whether the error is within the bound."""
        return self.error <= self.accepted


@dataclass(frozen=True)
class Plan:
    """What is measured: names of dialects, of stages (all without a name), and of scalars."""

    dialects: Sequence[str]
    stages: Sequence[str]
    scalars: Sequence[str]
    profile: Profile
    seed: int

    def check(self) -> None:
        """CannotCertify for a stage without terms, and for a hyper-parameter that is not drawn."""
        for name in self.dialects:
            draws.coordinates(DIALECTS[name])
            for stage in DIALECTS[name].stages:
                terms_of(stage)

    @property
    def tasks(self) -> list[Callable[[], list[Record]]]:
        """One per dialect and one per scalar."""
        dialects = [partial(of_dialect, name, self.stages, self.profile, self.seed) for name in self.dialects]
        return [*dialects, *(partial(of_scalar, name, self.profile, self.seed) for name in self.scalars)]


def run(plan: Plan, jobs: int) -> Iterator[tuple[int, list[Record]]]:
    """The number of each task and what it has found, as they end."""
    plan.check()
    tasks = plan.tasks
    if jobs == 1:
        for i, task in enumerate(tasks):
            yield i, task()
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(task): i for i, task in enumerate(tasks)}
        for future in as_completed(running):
            yield running[future], future.result()


# A dialect


@dataclass
class _Best:
    """Points by how far a stage, or a whole step, is off at them."""

    found: Found
    points: list[tuple[float, Point]]

    def add(self, found: Found, point: Point, starts: int) -> None:
        self.found.merge(found)
        self.points = sorted([*self.points, (found.error, point)], key=lambda p: -p[0])[:starts]


def of_dialect(name: str, stages: Sequence[str], profile: Profile, seed: int) -> list[Record]:
    """Every stage of the dialect that is called for, and whole steps."""
    d, random = DIALECTS[name], Random(f"{seed} {name}")
    coordinates, best = draws.coordinates(d), dict[tuple[Kind, str], _Best]()
    whole = not stages or WHOLE_STEP in stages

    def look(point: Point, *, only: Sequence[str] = stages, step: bool = whole) -> Measured:
        measured = measure(draws.problem(d, point), only=only, whole=step)
        groups: tuple[tuple[Kind, Mapping[str, Found]], ...] = ("stage", measured.stages), ("step", measured.step)
        for kind, group in groups:
            for key, found in group.items():
                best.setdefault((kind, key), _Best(Found(), [])).add(found, point, profile.starts)
        return measured

    def height(point: Point, kind: Kind, key: str) -> float:
        seen = look(point, only=[key if kind == "stage" else WHOLE_STEP], step=kind == "step")
        return (seen.stages if kind == "stage" else seen.step).get(key, Found()).error

    for _ in range(profile.problems):
        look(drawn(coordinates, random))
    for (kind, key), one in list(best.items()):
        for error, point in list(one.points):
            if error > 0:  # what is moved and not computed has no way up
                goal = partial(height, kind=kind, key=key)
                uphill(point, error, coordinates, goal, random, profile.climb)
    return [_record(kind, key, d, one) for (kind, key), one in best.items()]


def _record(kind: Kind, key: str, d: Dialect, best: _Best) -> Record:
    found = best.found
    return Record(
        kind=kind,
        name=key,
        dialect=d.name,
        quantity=found.quantity,
        error=found.error,
        compared=found.compared,
        aside=found.aside,
        ulps=found.ulps,
        where=words(best.points[0][1]),
    )


# A scalar


def of_scalar(name: str, profile: Profile, seed: int) -> list[Record]:
    """The scalar called `name`."""
    (scalar,) = (s for s in scalars.SCALARS if s.name == name)
    random, found = Random(f"{seed} {name}"), list[tuple[float, Point]]()

    def height(point: Point) -> float:
        found.append((scalars.ulps(scalar, point), point))
        return found[-1][0]

    for _ in range(profile.points):
        height(drawn(scalar.coordinates, random))
    for error, point in sorted(found, key=lambda p: -p[0])[: profile.starts]:
        uphill(point, error, scalar.coordinates, height, random, profile.scalar_climb)
    for point in scalar.always:
        height(point)
    error, point = max(found, key=lambda p: p[0])
    return [
        Record(
            kind="scalar",
            name=name,
            dialect=None,
            quantity="",
            error=error,
            compared=len(found),
            aside=0,
            ulps=error,
            where=words(point),
        )
    ]
