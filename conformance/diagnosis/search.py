"""Which explanations hold on everything that was observed: tried step by step, and dropped at the first contradiction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import reference
from conformance.diagnosis import company, counts, directions, gradients, kept, moments, planted, scalars
from conformance.diagnosis.candidate import Candidate, Variant
from conformance.diagnosis.places import Place, holding
from conformance.diagnosis.trail import Trail, fraction, values

TELLS = 0.5
"""Share of the unexplained elements that an explanation must tell from the claim: one that allows everything does not."""
MOST = 4
"""Explanations that are named."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """An explanation that holds on every observed step."""

    words: str
    worst_fraction: float
    """Largest error as a fraction of the explanation's own rounding bound."""
    elements: int
    """Compared with it."""
    told: float
    """Share of the elements unexplained by the claim that it tells from the claim."""


Tick = Callable[[str], None]
"""Called now and then with what is being tried. It may raise `OutOfTime`."""


class OutOfTime(Exception):
    """The search has taken as long as it may."""


def known(d: reference.Dialect) -> Iterator[Candidate]:
    """All explanations of a dialect that need no fitting, the simplest first."""
    for other in reference.DIALECTS.values():
        if other != d and not other.computes_as(d):
            yield Variant(words=f"it computes {other.name} instead of {d.name}", dialect=other)
    yield from directions.candidates(d)
    yield from moments.candidates(d)
    yield from gradients.candidates(d)
    yield from counts.candidates(d)
    yield from kept.candidates()
    yield from company.candidates()
    yield from scalars.candidates(d)
    yield from planted.candidates(d.name)


def search(trails: Sequence[Trail], tick: Tick = lambda _: None) -> list[Match]:
    """The explanations that hold on all trails, the simplest first; none where the claim explains all itself.

    Places are tried only where nothing holds everywhere: an explanation there, and the claim elsewhere.
    """
    wrong = [trail for trail in trails if trail.wrong]
    if not wrong:
        return []
    # The unexplained first, the shortest of them first: most candidates end there.
    ordered = sorted(wrong, key=_length) + sorted((t for t in trails if not t.wrong), key=_length)
    d = trails[0].dialect
    every = [*scalars.fitted(d, wrong), *known(d)]
    found = list(_matches(every, ordered, None, tick))
    if not found:
        for place in holding(ordered):
            found = list(_matches(every, ordered, place, tick))
            if found:
                break
    return _distinct(found)


def _matches(every: Iterable[Candidate], trails: Sequence[Trail], place: Place | None, tick: Tick) -> Iterator[Match]:
    for candidate in every:
        tick(candidate.words)
        match = _tried(candidate, trails, place)
        if match is not None:
            yield match


def _distinct(found: Sequence[Match]) -> list[Match]:
    by_words = {match.words: match for match in reversed(found)}
    return [match for match in found if by_words[match.words] is match][:MOST]


def _length(trail: Trail) -> int:
    return len(trail.gradients) * sum(theta.size for theta in trail.problem.parameters)


def _tried(candidate: Candidate, trails: Sequence[Trail], place: Place | None) -> Match | None:
    """None at the first element that it does not explain."""
    worst, elements, told, unexplained = 0.0, 0, 0, 0
    for trail in trails:
        try:
            with np.errstate(all="ignore"):
                steps = enumerate(candidate.steps(trail))
                for k, (state, bound) in steps:
                    claimed = trail.claimed[k]
                    predicted, limits = dict(values(state)), dict(values(bound))  # type: ignore[arg-type]
                    for key, obtained in values(trail.states[k + 1]):
                        value, limit = predicted[key], limits[key]
                        off = fraction(obtained, value, limit)
                        mask = claimed.wrong[key]
                        if place is not None:
                            off = np.where(place.select(trail, k, key[0]), off, 0.0)
                        worst = max(worst, float(np.max(off, initial=0.0)))
                        if worst > 1:
                            return None
                        elements += obtained.size
                        unexplained += int(np.count_nonzero(mask))
                        apart = ~(np.abs(claimed.value[key] - value) <= limit) & ~np.isinf(limit)
                        told += int(np.count_nonzero(mask & apart))
        except (ZeroDivisionError, OverflowError, ValueError, KeyError, TypeError):
            return None  # it has no value where the implementation has one
    if told < TELLS * unexplained:
        return None
    words = candidate.words if place is None else f"{candidate.words}, in {place.words} only"
    return Match(words=words, worst_fraction=worst, elements=elements, told=told / unexplained)


def deadline(seconds: float, say: Tick = lambda _: None) -> Tick:
    """A tick that raises `OutOfTime` after so many seconds."""
    end = time.monotonic() + seconds

    def tick(words: str) -> None:
        say(words)
        if time.monotonic() > end:
            raise OutOfTime

    return tick
