"""What a check returns: findings and measures, plain data that travels as JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Element:
    """One element that is out of its bound."""

    index: tuple[int, ...]
    obtained: float
    expected: float
    bound: float

    def __str__(self) -> str:
        return f"{list(self.index)}: obtained {self.obtained!r}, expected {self.expected!r} +- {self.bound:.3g}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One way in which an implementation is not what it claims, on one problem."""

    message: str
    quantity: str = ""
    """parameters, update, m, v, v_max, t, or empty."""
    step: int | None = None
    """First diverging step, the first is 1."""
    parameter: int | None = None
    worst: tuple[Element, ...] = ()
    """The worst elements, worst first."""
    problem: int | None = None
    """Number of the problem in its set; None for a finding about the whole run."""
    description: str = ""
    """The problem in words."""
    again: str = ""
    """The command that repeats it."""


class Bounded(Finding):
    """Of a law that compares within a bound of the oracle's: a wrong step is wrong there too, whatever the law."""


@dataclass
class Outcome:
    """Findings and measures of a check on one problem, or of many merged."""

    findings: list[Finding] = field(default_factory=list)
    worst_fraction: float = 0.0
    """Largest error as a fraction of its bound, over everything compared."""
    compared: int = 0
    """Element comparisons made."""
    ambiguous: int = 0
    """Of those, the ones where both results are accepted."""
    moving: float = 0
    """Parameter updates that the reference says are not zero; after `weigh`, the problems that have one."""
    informative: float = 0
    """Of those, the ones whose bound is below 1 % of the movement; after `weigh`, their share, summed."""

    def add(self, other: Outcome) -> None:
        """Merge the outcome of another problem."""
        self.findings += other.findings
        self.worst_fraction = max(self.worst_fraction, other.worst_fraction)
        self.compared += other.compared
        self.ambiguous += other.ambiguous
        self.moving += other.moving
        self.informative += other.informative

    def weigh(self) -> None:
        """From now on this problem weighs as much as any other, however many elements and steps it has."""
        if self.moving:
            self.informative, self.moving = self.informative / self.moving, 1

    @property
    def informative_share(self) -> float:
        """Share of moving elements that inform, every problem weighing the same; NaN where nothing moved."""
        return self.informative / self.moving if self.moving else math.nan


def short_text(error: BaseException, limit: int = 2000) -> str:
    """Type and message of an exception, whatever its message is: raising, endless, or not encodable."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = f"{type(error).__name__}, whose message cannot be printed"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else f"{text[:limit]} ..."


def to_json(value: Any) -> Any:
    """Dataclasses and tuples as JSON's objects and arrays; non-finite numbers as strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
