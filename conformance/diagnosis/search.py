"""Which explanations hold on all that was observed: tried step by step, dropped at the first contradiction."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

import reference
from conformance.diagnosis import (
    ahead,
    company,
    counts,
    directions,
    gradients,
    kept,
    moments,
    narrow,
    pairs,
    planted,
    scalars,
)
from conformance.diagnosis.candidate import Candidate, Prediction, Variant
from conformance.diagnosis.places import Place, holding
from conformance.diagnosis.trail import Trail, fraction, values
from conformance.oracle import BRANCHES

INFORMS = 0.5
"""Of a movement: a bound of coarser arithmetic that is wider nearly allows none, and tells nothing."""
TELLS = 0.5
"""Share of the unexplained elements that an explanation must tell from the claim: what allows everything does not."""
MOST_PLACES = 4
"""Places that are tried, the smallest first."""
_COMPUTES = "it computes "
"""... the dialect of this name."""
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


@dataclass(kw_only=True)
class Searched:
    """What a search has come to."""

    matches: list[Match] = field(default_factory=list)
    """The explanations that hold on all trails, the simplest first."""
    tried: int = 0
    """Explanations, each place apart."""
    pairs: int = 0
    """Pairs of explanations that were tried besides."""
    whole: bool = True
    """Whether all of them were tried in time."""


def known(d: reference.Dialect) -> Iterator[Candidate]:
    """All explanations of a dialect that need no fitting, the simplest first."""
    yield from directions.candidates(d)
    yield from moments.candidates(d)
    yield from gradients.candidates(d)
    yield from counts.candidates(d)
    yield from ahead.candidates(d)
    yield from kept.candidates()
    yield from company.candidates()
    yield from narrow.candidates(d)
    for other in reference.DIALECTS.values():
        # Lookahead that is off is what it is around.
        if not other.computes_as(d) and (d.looks_ahead or not other.looks_ahead):
            yield Variant(words=f"{_COMPUTES}{other.name}", dialect=other)
    yield from scalars.candidates(d)
    yield from scalars.roundings(d)
    yield from planted.candidates(d.name)


def paired(d: reference.Dialect) -> Iterator[Variant]:
    """Those of them that pairs are made of: changes of the formula."""
    yield from directions.candidates(d)
    yield from moments.candidates(d)
    yield from gradients.candidates(d)
    yield from counts.candidates(d)
    yield from scalars.candidates(d)


def search(trails: Sequence[Trail], tick: Tick = lambda _: None, tick_pairs: Tick = lambda _: None) -> Searched:
    """What holds on all trails; nothing where the claim explains all itself.

    Places are tried only where nothing holds everywhere: an explanation there, and the claim elsewhere; and pairs only
    where nothing holds in a place either. The ticks may end either search.
    """
    wrong = [trail for trail in trails if trail.wrong]
    searched = Searched()
    if not wrong:
        return searched
    # The unexplained first, the shortest of them first: most candidates end there.
    ordered = sorted(wrong, key=_length) + sorted((t for t in trails if not t.wrong), key=_length)
    d = trails[0].dialect
    fits = [*scalars.fitted(d, wrong)]
    every = [*fits, *known(d)]
    hard = _hard(ordered)
    try:
        for place in itertools.chain([None], itertools.islice(holding(ordered), MOST_PLACES)):
            for candidate in every:
                tick(candidate.words)
                searched.tried += 1
                match = _tried(candidate, ordered, place, hard)
                if match is not None:
                    searched.matches.append(match)
            if place is None:
                searched.matches += _coarser(d, ordered, hard, tick, searched)
            if searched.matches:
                break
        else:
            for pair in pairs.pairs([*fits, *paired(d)], hard, tick_pairs):
                tick_pairs(pair.words)
                searched.pairs += 1
                match = _tried(pair, ordered, None, hard)
                if match is not None:
                    searched.matches.append(match)
    except OutOfTime:
        searched.whole = False
    searched.matches = _distinct(searched.matches)
    return searched


def _coarser(
    d: reference.Dialect, trails: Sequence[Trail], hard: Sequence[tuple[Trail, int]], tick: Tick, searched: Searched
) -> Iterator[Match]:
    """The dialect in the first arithmetic that holds: in all that come behind it, it holds too."""
    for candidate in scalars.arithmetics(d):
        tick(candidate.words)
        searched.tried += 1
        match = _tried(candidate, trails, None, hard)
        if match is not None:
            yield match
            return


def _distinct(found: Sequence[Match]) -> list[Match]:
    """Each words once, and the dialects in one."""
    dialects = [match for match in found if match.words.startswith(_COMPUTES)]
    names = " or ".join(match.words.removeprefix(_COMPUTES) for match in dialects)
    once: dict[str, Match] = {}
    for match in found:
        one = replace(match, words=f"{_COMPUTES}{names}") if match in dialects else match
        once.setdefault(one.words, one)
    return list(once.values())[:MOST]


def _length(trail: Trail) -> int:
    return len(trail.gradients) * sum(theta.size for theta in trail.problem.parameters)


def _tried(
    candidate: Candidate, trails: Sequence[Trail], place: Place | None, hard: Sequence[tuple[Trail, int]]
) -> Match | None:
    """None at the first element that it does not explain."""
    tally = _Tally(place, coarser=isinstance(candidate, Variant) and bool(candidate.arithmetic))
    try:
        with np.errstate(all="ignore"):
            if isinstance(candidate, Variant) and not all(
                _Tally(place).holds(trail, k, candidate.at(trail, k)) for trail, k in hard
            ):
                return None
            for trail in trails:
                for k, prediction in enumerate(candidate.steps(trail)):
                    if not tally.holds(trail, k, prediction):
                        return None
    except (ArithmeticError, LookupError, ValueError, TypeError):
        return None  # it has no value where the implementation has one
    if tally.told < TELLS * tally.unexplained:
        return None
    words = candidate.words if place is None else f"{candidate.words}, in {place.words} only"
    share = tally.told / tally.unexplained
    return Match(words=words, worst_fraction=tally.worst, elements=tally.elements, told=share)


def _hard(trails: Sequence[Trail], number: int = 12) -> list[tuple[Trail, int]]:
    """Steps that the claim does not explain: the first, the middle and the last one of the first trails."""
    found = []
    for trail in itertools.islice((t for t in trails if t.wrong), number // 3):
        steps = [k for k, step in enumerate(trail.claimed) if step.any_wrong]
        found += [(trail, k) for k in dict.fromkeys((steps[0], steps[len(steps) // 2], steps[-1]))]
    return found


class _Tally:
    """What one explanation makes of the observed steps."""

    def __init__(self, place: Place | None, *, coarser: bool = False) -> None:
        """coarser: the value is the claim's and the bound is wider, which tells where the bound is small itself."""
        self.place, self.coarser = place, coarser
        self.worst, self.elements, self.told, self.unexplained = 0.0, 0, 0, 0

    def holds(self, trail: Trail, k: int, prediction: Prediction) -> bool:
        """Whether the prediction is what was observed, within its bound; where that is so, it is counted."""
        state, bound = prediction
        claimed, limits = trail.claimed[k], dict(values(bound))
        predicted = dict(values(state))
        before = dict(values(trail.states[k]))
        for key, obtained in values(trail.states[k + 1]):
            value, limit = predicted[key], limits[key]
            off = fraction(obtained, value, limit)
            if self.place is not None:
                off = np.where(self.place.select(trail, k, key[0]), off, 0.0)
            if not (bound.branch and key[1] in BRANCHES):  # either branch of the rectification is right
                self.worst = max(self.worst, float(np.max(off, initial=0.0)))
            if self.worst > 1:
                return False
            wrong = claimed.wrong[key]
            self.elements += obtained.size
            self.unexplained += int(np.count_nonzero(wrong))
            apart = ~(np.abs(claimed.value[key] - value) <= limit) & ~np.isinf(limit)
            if self.coarser:
                apart |= limit <= INFORMS * np.abs(value - before[key])
            self.told += int(np.count_nonzero(wrong & apart))
        return True


def deadline(seconds: float, say: Tick = lambda _: None) -> Tick:
    """A tick that raises `OutOfTime` after so many seconds of this thread's computing, whatever else runs."""
    end = time.thread_time() + seconds

    def tick(words: str) -> None:
        say(words)
        if time.thread_time() > end:
            raise OutOfTime

    return tick
