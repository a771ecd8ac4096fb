"""The problem that is drawn: the standard one of `explain`, a golden case, or that of a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

import reference
from adapters.contract import Array, Claim, Gradient, Hyperparameters, Implementation, Precision, Problem, Rows
from conformance import checks
from conformance.describe import describe
from conformance.explain import SYNC_PERIOD, gradient_of, standard_arrays
from conformance.formats import rounded
from conformance.load import CannotTest
from conformance.replay import Replay, problem_of
from conformance.subjects import DIRECT, subjects
from golden import GoldenError, cases_of

STEPS = 60
"""Of the standard problem: ten synchronisations of Lookahead, and more than a rectified dialect warms up."""
DRAWN_FOR: tuple[str, ...] = tuple(check.name for check in checks.CHECKS if check.problems != DIRECT)
"""Checks whose problems are an implementation's own, and no pair's."""


class OutsideClaim(CannotTest):
    """The implementation does not claim what the problem has."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """One parameter between -1 and 1, gradients between -scale and scale, both from a fixed seed."""

    dtype: Precision = "float32"
    steps: int = STEPS
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """Those that are not the default."""
    scale: float = 1.0
    gradients: str = "dense"
    """Their kind, out of `conformance.explain.GRADIENTS`."""

    def given(self) -> dict[str, Any]:
        """Hyper-parameters by name; a list, which JSON has for a tuple, is one."""
        return {name: tuple(x) if isinstance(x, list) else x for name, x in self.hyperparameters.items()}

    def words(self) -> str:
        """For a caption."""
        kind = "" if self.gradients == "dense" else f" ({self.gradients})"
        return f"gradients between -{self.scale:g} and {self.scale:g}{kind} from a fixed seed"

    def problem(self, dialect: str, *, all_rows: bool = False) -> Problem:
        """all_rows: a dense gradient is given as all of its rows. Raises `ContractError` for a hyper-parameter."""
        theta, series = standard_arrays(self.scale, self.steps)
        given = self.given()
        if reference.dialect(dialect).looks_ahead:
            given.setdefault("sync_period", SYNC_PERIOD)
        kinds = (gradient_of(self.gradients, k, rounded(g, self.dtype)) for k, g in enumerate(series))
        return Problem(
            dtype=self.dtype,
            hyperparameters=Hyperparameters(**given),
            parameters=(rounded(theta, self.dtype),),
            gradients=tuple((_gradient(g, all_rows),) for g in kinds),
        )

    def of(self, implementation: Implementation) -> Problem:
        """Raises `OutsideClaim`."""
        claim = implementation.claim
        return _inside(self.problem(claim.dialect, all_rows="dense" not in claim.gradients), claim)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """A golden case."""

    id: str
    dtype: Precision = "float32"

    @property
    def dialect(self) -> str:
        """The first word of the id."""
        return self.id.partition("/")[0]

    def words(self) -> str:
        """For a caption."""
        return f"golden case {self.id}"

    def problem(self, dialect: str, *, all_rows: bool = False) -> Problem:
        """Raises `OutsideClaim` where the case is another dialect's, `GoldenError` where there is none of the id."""
        cases = {case.id: case for case in cases_of(self.dialect)} if self.dialect in reference.DIALECTS else {}
        if self.id not in cases:
            raise GoldenError(f"--golden is {self.id!r}; accepted: an id out of `python -m golden list`")
        if dialect != self.dialect:
            raise OutsideClaim(f"the golden case is one of {self.dialect}, not of {dialect}")
        return problem_of(cases[self.id], self.dtype, all_rows=all_rows)

    def of(self, implementation: Implementation) -> Problem:
        """Raises as `problem` does, and `OutsideClaim`."""
        claim = implementation.claim
        return _inside(self.problem(claim.dialect, all_rows="dense" not in claim.gradients), claim)


@dataclass(frozen=True, kw_only=True)
class OfFinding:
    """The problem of a finding, by the words of the command that repeats it: drawn inside an implementation's claim."""

    check: str
    number: int
    problems: int
    seed: int

    def words(self) -> str:
        """For a caption."""
        return f"problem {self.number} of {self.check}, --problems {self.problems} --seed {self.seed}"

    def of(self, implementation: Implementation) -> Problem:
        """Raises `CannotTest` where there is no problem of that number."""
        of = next(check for check in checks.CHECKS if check.name == self.check)
        if not of.applies(implementation.claim):
            raise CannotTest(f"--check is {self.check!r}, which does not apply to {implementation.name}")
        drawn = subjects(implementation, of.problems, self.problems, self.seed)
        if self.number >= len(drawn):
            raise CannotTest(f"--problem is {self.number}; accepted: 0 to {len(drawn) - 1}")
        subject = drawn[self.number]
        if isinstance(subject, Replay):
            return subject.problem
        assert isinstance(subject, Problem)
        return subject


Subject = Standard | Golden | OfFinding
_KINDS: Mapping[str, type[Subject]] = {kind.__name__: kind for kind in (Standard, Golden, OfFinding)}


def to_order(subject: Subject) -> dict[str, Any]:
    """As JSON, for the child."""
    return {"kind": type(subject).__name__, **asdict(subject)}


def from_order(order: Mapping[str, Any]) -> Subject:
    """What `to_order` was given."""
    return _KINDS[order["kind"]](**{name: value for name, value in order.items() if name != "kind"})


def title(subject: Subject, problem: Problem) -> str:
    """One line: shapes, steps and hyper-parameters, and where the gradients come from."""
    return f"{describe(problem)}; {subject.words()}"


def outside(problem: Problem, claim: Claim) -> list[str]:
    """What the problem has that is not claimed, in words; empty: the problem is inside the claim."""
    h = problem.hyperparameters
    given = {f.name for f in fields(h) if getattr(h, f.name) != f.default}
    found: list[str] = [] if problem.dtype in claim.dtypes else [problem.dtype]
    found += sorted(given - claim.hyperparameters)
    found += [f"{name}={getattr(h, name)!r}" for name in sorted(claim.nonzero) if not getattr(h, name)]
    if h.l2 and h.weight_decay and not claim.both_decays:
        found.append("l2 and weight_decay together")
    kinds = {kind for step in problem.gradients for g in step for kind in _kinds(g)}
    return found + [f"{kind} gradients" for kind in sorted(kinds - claim.gradients)]


def _inside(problem: Problem, claim: Claim) -> Problem:
    found = outside(problem, claim)
    if found:
        raise OutsideClaim(f"does not claim {', '.join(found)}")
    return problem


def _kinds(g: Gradient) -> tuple[str, ...]:
    if g is None:
        return ("none",)
    if not isinstance(g, Rows):
        return ("dense",)
    rows = g.indices.tolist()
    also = {
        "duplicate rows": len(set(rows)) < len(rows),
        "unsorted rows": rows != sorted(rows),
        "empty rows": not rows,
    }
    return ("rows", *(kind for kind, has in also.items() if has))


def _gradient(g: Any, all_rows: bool) -> Gradient:
    if isinstance(g, tuple):
        rows, values = g
        order = np.argsort(rows, kind="stable")  # who takes rows need not take them in any order
        return Rows(indices=rows[order].astype(np.int64), values=_contiguous(values[order]))
    if g is None or not all_rows:
        return None if g is None else _contiguous(g)
    return Rows(indices=np.arange(len(g), dtype=np.int64), values=_contiguous(g))


def _contiguous(array: Any) -> Array:
    return np.ascontiguousarray(array)
