"""Runs of related problems, and how two results are compared: bit for bit, or within a derived bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Implementation, Problem, Rows, State
from conformance import oracle
from conformance.describe import describe
from conformance.findings import Bounded, Element, Finding, Outcome
from conformance.observe import observe, run

WORST_SHOWN = 3


def states(implementation: Implementation, problem: Problem, *, again: bool = False) -> tuple[State, ...]:
    """The states after every step. The last problem that was run is remembered, unless it shall run again.

    Raises `ContractBreach`, as whatever takes steps does.
    """
    return (run if again else observe)(implementation, problem).states


def related(implementation: Implementation, problem: Problem) -> tuple[State, ...]:
    """As `states`, of a problem that is made from another one, which stays the remembered one."""
    return states(implementation, problem, again=True)


def bounds(
    implementation: Implementation, problem: Problem, run: Sequence[State], *, both: bool = False
) -> Iterator[oracle.Step]:
    """The reference beside a run, with the bound of a free-running trajectory; both: as `oracle.walk` says."""
    arithmetic = implementation.arithmetic(problem.dtype)
    return oracle.walk(implementation.claim.dialect, arithmetic, problem, run, both=both)


def not_held(implementation: Implementation, problem: Problem) -> Outcome | None:
    """The finding that the declared arithmetic rounds a hyper-parameter out of its range, as a beta to 1; or None."""
    try:
        oracle.received(problem, implementation.arithmetic(problem.dtype))
    except ValueError as error:
        message = f"the declared arithmetic does not hold the hyper-parameters: {error}"
        return Outcome([Finding(message=message, description=describe(problem))])
    return None


def agree(implementation: Implementation, problem: Problem, run: Sequence[State]) -> Outcome:
    """Agreement with the oracle within the bound: t, every step from the state observed before it, and the free run."""
    found = Comparison(problem)
    refused = not_held(implementation, problem)
    if refused is not None:
        return refused
    counts = oracle.step_counts(implementation.claim.dialect, problem)
    for s in bounds(implementation, problem, run, both=True):
        for i, t in enumerate(counts[s.number - 1]):
            found.equal(s.number, i, "t", np.asarray(run[s.number - 1].t[i]), t)
            for quantities_of in (s.from_observed, s.free_running):
                for name, obtained, value, bound in quantities_of(i):
                    found.within(s.number, i, name, obtained, value, bound)
    return found.outcome


def each(values: Sequence[Any], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    """`change` of every value."""
    return tuple(change(value) for value in values)


def on_values(change: Callable[[Array], Array]) -> Callable[[Gradient], Gradient]:
    """`change` of the numbers of a gradient, whatever its kind."""

    def changed(g: Gradient) -> Gradient:
        if g is None:
            return None
        return Rows(indices=g.indices, values=change(g.values)) if isinstance(g, Rows) else np.asarray(change(g))

    return changed


def has_rows(problem: Problem) -> bool:
    """Whether any gradient is row-sparse."""
    return any(isinstance(g, Rows) for step in problem.gradients for g in step)


def with_gradients(problem: Problem, change: Callable[[Gradient], Gradient]) -> Problem:
    """The problem with every gradient changed."""
    return replace(problem, gradients=each(problem.gradients, lambda step: each(step, change)))


def negative(x: Array) -> Array:
    """-x, an array of 0 dimensions too."""
    return np.asarray(np.negative(x))


def quantities(state: State, i: int) -> Iterator[tuple[str, Array]]:
    """What a state holds of parameter i, by name."""
    for name, arrays in vars(state).items():
        if name != "t" and arrays is not None:
            yield name, arrays[i]


@dataclass(frozen=True)
class Compared:
    """One comparison of a law."""

    step: int
    parameter: int
    name: str
    obtained: Array
    expected: Any
    bound: Array
    wrong: Array
    when: int


_listening: list[tuple[list[Compared], Callable[[], int]]] = []


@contextmanager
def comparisons(when: Callable[[], int] = lambda: 0) -> Iterator[list[Compared]]:
    """All comparisons that laws make meanwhile: what a diagnosis makes a reproducer of. when: asked at each."""
    heard: list[Compared] = []
    _listening.append((heard, when))
    try:
        yield heard
    finally:
        _listening.pop()


class Comparison:
    """Collects what a law finds on one problem: `outcome`, with the first finding."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.outcome = problem, Outcome()

    def equal(self, step: int, i: int, name: str, obtained: Array, expected: Any, where: Any = True) -> None:
        """Equal numbers; both zeros are one, and so are all NaNs: no framework says which NaN it makes."""
        with np.errstate(invalid="ignore"):
            same = (obtained == expected) | (np.isnan(obtained) & np.isnan(expected)) | ~np.asarray(where)
        self.outcome.compared += obtained.size
        self._judge(step, i, name, obtained, expected, np.zeros(obtained.shape), ~same, Finding)

    def within(self, step: int, i: int, name: str, obtained: Array, expected: Any, bound: Any) -> None:
        """|obtained - expected| <= bound, which is infinite where either result is accepted."""
        bound = np.broadcast_to(bound, obtained.shape) if np.shape(bound) != obtained.shape else np.asarray(bound)
        ambiguous = bound == np.inf
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            error = np.abs(obtained.astype(np.float64) - expected)
            fraction = np.where((error > 0) & ~ambiguous, error / bound, 0.0)
        self.outcome.compared += obtained.size
        self.outcome.ambiguous += int(np.count_nonzero(ambiguous))
        self.outcome.worst_fraction = max(self.outcome.worst_fraction, float(np.max(fraction, initial=0.0)))
        self._judge(step, i, name, obtained, expected, bound, ~(error <= bound) & ~ambiguous, Bounded)

    def not_finite(self, step: int, i: int, name: str, obtained: Array, where: Array) -> None:
        """An infinity or NaN, whichever."""
        self.outcome.compared += obtained.size
        self._judge(step, i, name, obtained, np.inf, np.zeros(obtained.shape), np.isfinite(obtained) & where, Finding)

    def same_runs(self, obtained: Sequence[State], expected: Sequence[State], first: int = 0) -> Outcome:
        """Every state equal to the other run's, with equal step counts; the first is of step number `first` + 1."""
        for k, (a, b) in enumerate(zip(obtained, expected, strict=True), first):
            for i in range(len(a.parameters)):
                self.equal(k + 1, i, "t", np.asarray(a.t[i]), b.t[i])
                for (name, found), (_, wanted) in zip(quantities(a, i), quantities(b, i), strict=True):
                    self.equal(k + 1, i, name, found, wanted)
        return self.outcome

    def _judge(
        self,
        step: int,
        i: int,
        name: str,
        obtained: Array,
        expected: Any,
        bound: Array,
        wrong: Array,
        kind: type[Finding],
    ) -> None:
        for heard, when in _listening:
            heard.append(Compared(step, i, name, obtained, expected, bound, wrong, when()))
        if self.outcome.findings or not np.any(wrong):
            return
        expected = np.broadcast_to(expected, obtained.shape)
        worst = tuple(
            Element(
                index=tuple(int(n) for n in at),
                obtained=float(obtained[tuple(at)]),
                expected=float(expected[tuple(at)]),
                bound=float(bound[tuple(at)]),
            )
            for at in np.argwhere(wrong)[:WORST_SHOWN]
        )
        message = (
            f"step {step}: {name} of parameter {i} is not what the law says in"
            f" {np.count_nonzero(wrong)} of {obtained.size} elements; the first {worst[0]}"
        )
        self.outcome.findings.append(
            kind(
                message=message,
                quantity=name,
                step=step,
                parameter=i,
                worst=worst,
                description=describe(self.problem),
            )
        )
