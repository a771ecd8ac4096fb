"""Two faults at once: pairs of explanations that hold together where none does by itself.

A fault is either seen in the moments, which a step forms first, or in theta alone. So a pair is tried only where one of
the two explains the moments by itself and the other leaves them alone; then where one explains m and the other v; then,
as long as there is time, where both change the moments. A screen of a few unexplained steps comes first: most pairs
end at its first step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.diagnosis.candidate import Variant, together
from conformance.diagnosis.trail import Trail, fraction, values

MOMENTS = ("m", "v", "v_max")
Step = tuple[Trail, int]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What an explanation makes of the screen's moments."""

    variant: Variant
    right: frozenset[str]
    """Moments that it explains in every step."""
    changes: bool
    """Whether it makes other moments than the claim does."""


def pairs(every: Sequence[Variant], screen: Sequence[Step], tick: Callable[[str], None]) -> Iterator[Variant]:
    """The pairs to try, of every kind the simplest first; tick: called with what is looked at, and may end it."""
    seen: list[_Seen] = []
    for variant in every:
        tick(variant.words)
        seen += _seen(variant, screen)
    whole = [one for one in seen if one.right >= {*MOMENTS}]
    after = [one for one in seen if not one.changes]
    rest = [one for one in seen if one.changes and one not in whole]
    of_m, of_v = ([one for one in rest if name in one.right] for name in ("m", "v"))
    tried: set[frozenset[int]] = set()
    for first, second in ((whole, after), (of_m, of_v), (rest, rest)):
        at = itertools.product(range(len(first)), range(len(second)))
        for a, b in sorted(at, key=lambda pair: (sum(pair), pair)):
            both = frozenset((id(first[a]), id(second[b])))
            if len(both) == 2 and both not in tried:
                tried.add(both)
                made = together(first[a].variant, second[b].variant)
                if made is not None:
                    yield made


def _seen(variant: Variant, screen: Sequence[Step]) -> Iterator[_Seen]:
    """Nothing where it raises: it has no value where the implementation has one."""
    right, changes = {*MOMENTS}, False
    try:
        with np.errstate(all="ignore"):
            for trail, k in screen:
                state, bound = variant.at(trail, k)
                predicted, limits = dict(values(state)), dict(values(bound))
                for key, obtained in values(trail.states[k + 1]):
                    if key[1] == "parameters":
                        continue
                    if np.any(fraction(obtained, predicted[key], limits[key]) > 1):
                        right.discard(key[1])
                    claimed = trail.claimed[k].value[key]
                    changes |= bool(np.any(fraction(predicted[key], claimed, limits[key]) > 1))
    except (ArithmeticError, LookupError, ValueError, TypeError):
        return
    yield _Seen(variant, frozenset(right), changes)
