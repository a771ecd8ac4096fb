"""The panels of a picture, each a function of the axes and the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.plot.curves import Curve, Figure, Numbers
from conformance.plot.words import label, names, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which the colour-blind tell apart, without the yellow that white paper swallows; with
# dashes and markers of coprime numbers, so that black and white suffices and no two of 7 x 4 x 9 are alike.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (1.5, 1)))
MARKERS = "osD^vPX<>"
_BOUNDS: tuple[Any, ...] = ((0, (1, 0)), (0, (8, 3)), (0, (3, 2)), (0, (1, 2)))
_MARKERS_SHOWN = 10
_ALIKE = 0.03
"""Relative difference of two bounds that the width of a line hides on the logarithmic axis."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Curves that cannot be told apart, drawn as one."""

    curves: tuple[Curve, ...]
    colour: str
    dashes: Any
    marker: str
    label: str
    """For the legend."""


def groups(curves: Sequence[Curve]) -> tuple[Group, ...]:
    """In the order of their first curves."""
    found: dict[Any, list[Curve]] = {}
    called = names(curves)
    for c in curves:
        found.setdefault(repr((c.error, c.bound, c.one_step, c.free_running)), []).append(c)
    return tuple(
        Group(
            curves=tuple(alike),
            colour=COLOURS[k % len(COLOURS)],
            dashes=DASHES[k % len(DASHES)],
            marker=MARKERS[k % len(MARKERS)],
            label=label(alike, called),
        )
        for k, alike in enumerate(found.values())
    )


def distinct_bounds(drawn: Figure) -> list[tuple[str, Numbers]]:
    """Label and numbers from t = 1 on; bounds that no eye tells apart are one. The reference's alone if nobody's."""
    if not drawn.curves:
        return [("bound, for elements in this dtype and scalars in double", drawn.bound[1:])]
    found: list[tuple[list[str], Numbers]] = []
    called = names(drawn.curves)
    for c in drawn.curves:
        like = next((several for several, bound in found if _look_alike(bound, c.bound)), None)
        if like is None:
            found.append(([called[c.adapter]], c.bound))
        else:
            like.append(called[c.adapter])
    if len(found) == 1:
        return [("bound", drawn.curves[0].bound)]
    return [(wrapped(f"bound of {', '.join(several)}"), bound) for several, bound in found]


def _look_alike(a: Numbers, b: Numbers) -> bool:
    return all(x == y or abs(x - y) <= _ALIKE * x for x, y in zip(a, b, strict=True))


def magnification(theta: Numbers, bound: Numbers) -> int:
    """How many times as large errors are drawn: 1, 2 or 5 times a power of ten, the band at most 0.4 of the way."""
    way = max(_finite(theta)) - min(_finite(theta))
    widest = max(_finite(bound), default=0.0)
    if way <= 0 or widest <= 0:
        return 1
    most = 0.4 * way / widest
    decade = 10 ** math.floor(math.log10(max(most, 1.0)))
    return max(int(k * decade) for k in (1, 2, 5) if k * decade <= max(most, 1.0))


def trajectory(ax: Axes, drawn: Figure, of: Sequence[Group], bounds: Sequence[tuple[str, Numbers]]) -> None:
    """Upper: theta of the element, from t = 0 on."""
    steps = list(range(len(drawn.theta)))
    times = _times(drawn)
    ax.plot(steps, drawn.theta, color="black", linewidth=0.8, label="reference, float64", zorder=100)
    low, high = min(_finite(drawn.theta)), max(_finite(drawn.theta))
    for _, bound in bounds:
        half = [0.0, *(times * b if math.isfinite(b) else math.nan for b in bound)]
        under, over = ([t + s * h for t, h in zip(drawn.theta, half, strict=True)] for s in (-1, 1))
        ax.fill_between(steps, under, over, color="#888888", alpha=0.3, linewidth=0)
        low, high = min(low, *_finite(under)), max(high, *_finite(over))
    margin = 0.08 * (high - low) or abs(high) or 1.0
    bottom, top = low - margin, high + margin
    for k, group in enumerate(of):
        c = group.curves[0]
        seen = (t + times * (o - e) for t, o, e in zip(drawn.theta[1:], c.obtained, c.expected, strict=True))
        inside = (y if bottom <= y <= top else math.nan for y in seen)  # what leaves the panel crosses it nowhere
        _draw(ax, group, k, steps, [drawn.theta[0], *inside])
    ax.set_ylim(bottom, top)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.8g}")
    ax.set_ylabel("theta\n(in the unit of the parameter)")
    if times > 1:
        ax.set_title(f"errors and band {times} times as large as they are", loc="right", fontsize=7.5, pad=3)


def _times(drawn: Figure) -> int:
    """Of the widest bound."""
    widest = max(distinct_bounds(drawn), key=lambda one: max(_finite(one[1]), default=0.0))[1]
    return magnification(drawn.theta, widest)


def errors(ax: Axes, drawn: Figure, of: Sequence[Group], bounds: Sequence[tuple[str, Numbers]]) -> None:
    """Middle: errors of the element, and their bounds; it has the labels of the legend."""
    steps = range(1, len(drawn.theta))
    scale = Scale.of([*(c.error for c in drawn.curves), *(tuple(_finite(bound)) for _, bound in bounds)])
    for k, (words, bound) in enumerate(bounds):
        ax.plot(
            steps,
            [scale.at(b) if math.isfinite(b) else math.nan for b in bound],
            color="black",
            linewidth=1.6,
            linestyle=_BOUNDS[k % len(_BOUNDS)],
            label=words,
        )
    for k, group in enumerate(of):
        _draw(ax, group, k, steps, [scale.at(x) for x in group.curves[0].error], group.label)
    scale.apply(ax)
    ax.set_ylabel("|theta - reference|\n(in the unit of the parameter)")


def fractions(ax: Axes, of: Sequence[Group]) -> None:
    """Lower: of everything, and 1, which no conforming implementation exceeds."""
    scale = Scale.of([(0.1, 1.0), *(group.curves[0].one_step for group in of)])
    ax.axhline(scale.at(1.0), color="black", linewidth=1.6)
    for k, group in enumerate(of):
        series = group.curves[0].one_step
        _draw(ax, group, k, range(1, len(series) + 1), [scale.at(x) for x in series])
    scale.apply(ax)
    ax.set_ylabel("worst error / bound,\none step, everything")


def _draw(ax: Axes, group: Group, k: int, x: Sequence[int], y: Sequence[float], words: str | None = None) -> None:
    every = max(1, len(x) // _MARKERS_SHOWN)
    ax.plot(
        x,
        y,
        color=group.colour,
        linestyle=group.dashes,
        linewidth=max(0.8, 2.4 - 0.4 * k),  # whatever lies below another still shows
        marker=group.marker,
        markersize=3.5,
        markerfacecolor="white",
        markevery=((k * 3) % every, every),
        label=words,
        zorder=4 + k,
    )


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Decades, with a place of its own below them for what is exactly 0 and one above for what is not finite.

    The axis is linear in log10, because no logarithmic axis has a place for either.
    """

    low: int
    high: int
    zero: bool
    beyond: bool

    @classmethod
    def of(cls, series: Sequence[Numbers]) -> Scale:
        """With room for all numbers of `series`."""
        numbers = [x for one in series for x in one if not math.isnan(x)]
        decades = [math.log10(x) for x in numbers if 0 < x < math.inf] or [0.0]
        low, high = math.floor(min(decades)), math.ceil(max(decades))
        return cls(low=low, high=max(high, low + 1), zero=0.0 in numbers, beyond=math.inf in numbers)

    @property
    def _apart(self) -> float:
        return 0.12 * (self.high - self.low)

    def at(self, x: float) -> float:
        """Where a number is drawn; NaN, which is not drawn, stays."""
        if x == 0:
            return self.low - self._apart
        return math.log10(x) if not math.isinf(x) else self.high + self._apart

    def apply(self, ax: Axes) -> None:
        """Ticks and limits."""
        every = max(1, math.ceil((self.high - self.low) / 7))
        ticks = [(float(k), f"{10.0**k:g}" if abs(k) < 4 else f"1e{k}") for k in range(self.low, self.high + 1, every)]
        for there, x, edge, word in ((self.zero, 0.0, self.low, "0"), (self.beyond, math.inf, self.high, "not finite")):
            if there:
                ticks.append((self.at(x), word))
                ax.axhline(edge, color="#aaaaaa", linewidth=0.6, linestyle=":")
        ax.set_yticks([at for at, _ in ticks], [word for _, word in ticks])
        room = 0.04 * (self.high - self.low)
        ax.set_ylim(
            (self.at(0.0) if self.zero else self.low) - room, (self.at(math.inf) if self.beyond else self.high) + room
        )
        ax.grid(axis="y", linewidth=0.3, color="#cccccc")


def _finite(numbers: Iterable[float]) -> list[float]:
    return [x for x in numbers if math.isfinite(x)]
