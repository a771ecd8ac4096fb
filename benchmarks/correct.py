"""Correctness first: real steps of an arm against the reference, within the derived bound.

Adam is elementwise, so elements taken out of every tensor and laid side by side are a problem of their own:
what they were before a step, and `reference.bounded_step`, say what they must be after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import reference
from benchmarks.arm import Arm, Running
from benchmarks.task import BETA_1, BETA_2, EPSILON, Array, Task, of_shapes
from conformance.checks import INFORMATIVE
from conformance.oracle import rounding

SMALL = ((1,), (3,), (), (17, 5), (0,), (4099,), (2, 65_537))
"""Shapes of the small problem: a scalar, nothing, odd ends, and more than one thread's share."""
_ELEMENTS = 4096
"""Compared per step, about; from every tensor its first, its last and some in between."""
_UNCHECKED = 8
"""Steps between the first that is checked and the next: RectifiedAdam has begun to rectify by then."""


class Wrong(Exception):
    """What an arm computed is not what its dialect says."""


@dataclass(frozen=True)
class Group:
    """The elements that one parameter group's reference problem consists of."""

    learning_rate: float
    where: tuple[tuple[int, Array], ...]
    """Number of a parameter and positions in it, flattened."""
    present: bool

    def element(self, k: int) -> str:
        """Where element k comes from."""
        for i, positions in self.where:
            if k < len(positions):
                return f"parameter {i}, element {int(positions[k])},"
            k -= len(positions)
        raise IndexError(k)


class Checker:
    """Checks steps of one arm on one task; it takes them itself."""

    def __init__(self, arm: Arm, running: Running, task: Task, *, elements: int = _ELEMENTS) -> None:
        self.arm = arm
        self.running = running
        self.task = task
        self.t = 0
        self._groups = _groups(task, elements)
        self._dialect = None
        if arm.dialect:
            self._dialect = reference.dialect(arm.dialect)
            self._rounding = rounding(arm.arithmetic())

    def warm_up(self) -> None:
        """The first steps, of which the first and the last two are checked."""
        self.checked_step()
        for _ in range(_UNCHECKED):
            self.running.step()
            self.t += 1
        self.checked_step()
        self.checked_step()

    def took(self, steps: int) -> None:
        """Steps that somebody else took."""
        self.t += steps

    def checked_step(self) -> None:
        """One step; raises `Wrong` if any compared element is out of its bound."""
        if self._dialect is None:
            return self._unjudged_step()
        before = [self._sample(group) for group in self._groups]
        self.running.step()
        after = [self._sample(group) for group in self._groups]
        informative = moving = 0
        for group, old, new in zip(self._groups, before, after, strict=True):
            counts = self._judge(group, old, new)
            informative, moving = informative + counts[0], moving + counts[1]
        if informative < INFORMATIVE.share * moving or not moving:
            raise Wrong(f"{informative} of {moving} elements inform; accepted: at least {INFORMATIVE.share} of some")
        self.t += 1
        return None

    def _unjudged_step(self) -> None:
        """The limit must move its arrays, and a wrapper must not."""
        before = np.array(self.running.read(0)[0])
        self.running.step()
        moved = not np.array_equal(before, self.running.read(0)[0])
        if moved and self.arm.role == "wrapper":
            raise Wrong("a step that should compute nothing moved parameter 0")
        if not moved and self.arm.role == "limit" and self.t == 0:
            raise Wrong("the sweep wrote nothing")
        self.t += 1

    def _sample(self, group: Group) -> reference.State:
        """Copies in float64, laid side by side."""
        samples: list[list[Array]] = [[], [], []]
        for i, positions in group.where:
            arrays = self.running.read(i)
            for found, array in zip(samples, arrays, strict=True):
                found.append(np.zeros(len(positions)) if array is None else array.reshape(-1)[positions])
        theta, m, v = (np.concatenate(found).astype(np.float64) for found in samples)
        return reference.State((theta,), (m,), (v,), None, (self.t,))

    def _judge(self, group: Group, old: reference.State, new: reference.State) -> tuple[int, int]:
        """Elements that inform and elements that move."""
        assert self._dialect is not None
        h = reference.Hyperparameters(learning_rate=group.learning_rate, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON)
        g = None
        if group.present:
            g = np.concatenate([self.task.gradients[i].reshape(-1)[at] for i, at in group.where]).astype(np.float64)
        bound = reference.initial_bound(old)
        expected, error = reference.bounded_step(self._dialect, h, self._rounding, old, bound, [g])
        update = expected.theta[0] - old.theta[0]
        for name, obtained, should, limit in (
            ("parameters", new.theta[0], expected.theta[0], error.theta[0]),
            ("update", new.theta[0] - old.theta[0], update, error.update[0]),
            ("m", new.m[0], expected.m[0], error.m[0]),
            ("v", new.v[0], expected.v[0], error.v[0]),
        ):
            self._compare(group, name, obtained, should, np.broadcast_to(limit, should.shape))
        moves = update != 0
        informs = moves & (error.update[0] < INFORMATIVE.below * np.abs(update))
        return int(np.count_nonzero(informs)), int(np.count_nonzero(moves))

    def _compare(self, group: Group, name: str, obtained: Any, expected: Any, bound: Any) -> None:
        wrong = np.flatnonzero(~(np.abs(obtained - expected) <= bound))
        if len(wrong):
            k = int(wrong[0])
            raise Wrong(
                f"step {self.t + 1}: {name} of {group.element(k)} is {obtained[k]:.9g}, "
                f"expected {expected[k]:.9g} +- {bound[k]:.3g}; {len(wrong)} of {len(obtained)} elements are out"
            )


def small_problem(arm: Arm) -> None:
    """Every element of the small problem; raises `Wrong`."""
    task = of_shapes(SMALL, seed=1)
    Checker(arm, arm.start(task), task, elements=10**9).warm_up()


def _groups(task: Task, elements: int) -> list[Group]:
    rng = np.random.default_rng(2)
    each = max(2, elements // max(1, len(task.parameters)))
    groups = []
    for k, members in enumerate(task.groups):
        for present in (True, False):
            where = tuple(
                (i, _positions(task.parameters[i].size, each, rng))
                for i in members
                if (task.gradients[i] is not None) == present and task.parameters[i].size
            )
            if where:
                groups.append(Group(task.learning_rate(k), where, present))
    return groups


def _positions(size: int, number: int, rng: np.random.Generator) -> Array:
    """All, or `number` of them: the first, the last and some in between."""
    if size <= number:
        return np.arange(size)
    inner = rng.integers(0, size, number - 2)
    return np.unique(np.concatenate([[0, size - 1], inner]))
