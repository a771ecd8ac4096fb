"""A figure as PNG or SVG, out of its numbers alone; needs matplotlib, which nothing else here does.

Upper panel: theta of one element by the reference, with the bound as a band and what was obtained beside it, errors
and band drawn many times as large as they are. Middle: the same errors and bounds, logarithmic. Lower: the worst error
of all elements and quantities as a fraction of the bound, logarithmic; above 1 an implementation does not conform.

The same numbers give the same bytes under the same matplotlib: places are in inches and in no font's units, ids of
the SVG come from a fixed salt, no file holds a date, and what a user's matplotlibrc says does not count.
"""

from __future__ import annotations

import importlib.util
import io
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.plot.curves import Curve, Figure, Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: tuple[str, ...] = ("png", "svg")
NEEDED = "matplotlib"
# Okabe and Ito's colours, which the colour-blind tell apart, without the yellow that white paper swallows; with
# dashes and markers of coprime numbers, so that black and white suffices and no two of 7 x 4 x 9 are alike.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (1.5, 1)))
MARKERS = "osD^vPX<>"
_BOUNDS: tuple[Any, ...] = ((0, (1, 0)), (0, (8, 3)), (0, (3, 2)), (0, (1, 2)))
_WIDTH, _LEFT, _RIGHT, _GAP, _LINE, _SMALL_LINE = 8.0, 1.15, 0.25, 0.3, 0.165, 0.135
_PANELS = (2.5, 2.5, 1.9)
_WORDS_IN_A_LINE = 110
_MARKERS_SHOWN = 10
_ALIKE = 0.03
"""Relative difference of two bounds that the width of a line hides on the logarithmic axis."""
_RC = {
    "svg.hashsalt": "adam-conformance",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "path.simplify": False,
}
_METADATA: Mapping[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": None, "Type": None, "Format": None},
    "png": {"Software": None},
}


def is_here() -> bool:
    """Whether pictures can be made."""
    return importlib.util.find_spec(NEEDED) is not None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Curves that cannot be told apart, drawn as one."""

    curves: tuple[Curve, ...]
    colour: str
    dashes: Any
    marker: str

    @property
    def label(self) -> str:
        """Who, and how near to the bound."""
        by_package: dict[str, list[str]] = {}
        for c in self.curves:
            by_package.setdefault(f"{c.package} {c.version}", []).append(short(c.adapter))
        who = "; ".join(f"{', '.join(names)} ({package})" for package, names in by_package.items())
        one, free = (shown(x) for x in self.curves[0].worst())
        return _wrapped(f"{who}: worst error / bound {one} in one step, {free} free running")


def groups(curves: Sequence[Curve]) -> tuple[Group, ...]:
    """In the order of their first curves."""
    found: dict[Any, list[Curve]] = {}
    for c in curves:
        found.setdefault(repr((c.error, c.bound, c.one_step, c.free_running)), []).append(c)
    return tuple(
        Group(
            curves=tuple(alike),
            colour=COLOURS[k % len(COLOURS)],
            dashes=DASHES[k % len(DASHES)],
            marker=MARKERS[k % len(MARKERS)],
        )
        for k, alike in enumerate(found.values())
    )


def short(adapter: str) -> str:
    """A name for a legend: of FILE.py:NAME and package.module:NAME the NAME."""
    return adapter.rpartition(":")[2] if "(" not in adapter else adapter


def shown(fraction: float) -> str:
    """A fraction of the bound, short."""
    if fraction == 0 or 0.01 <= fraction < 1000:
        return f"{fraction:.2g}" if fraction < 100 else f"{fraction:.0f}"
    return f"{fraction:.1e}" if math.isfinite(fraction) else "not finite"


def magnification(theta: Numbers, bound: Numbers) -> int:
    """How many times as large errors are drawn: 1, 2 or 5 times a power of ten, the band at most 0.4 of the way."""
    way = max(theta) - min(theta)
    widest = max((b for b in bound if math.isfinite(b)), default=0.0)
    if way <= 0 or widest <= 0 or not math.isfinite(way):
        return 1
    most = 0.4 * way / widest
    decade = 10 ** math.floor(math.log10(max(most, 1.0)))
    return max(int(k * decade) for k in (1, 2, 5) if k * decade <= max(most, 1.0))


def render(drawn: Figure, formats: Iterable[str]) -> dict[str, bytes]:
    """The picture in each of `formats`, out of `FORMATS`. Raises ModuleNotFoundError without matplotlib."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        of = groups(drawn.curves)
        bounds = _distinct_bounds(drawn)
        below = _captions(drawn, of)
        entries = sum(1 + label.count("\n") for label in ("reference", *(g.label for g in of), *(b for b, _ in bounds)))
        title = textwrap.wrap(_title(drawn), _WORDS_IN_A_LINE - 20)
        top, bottom = 0.25 + _LINE * len(title), 0.65 + _LINE * entries + _SMALL_LINE * len(below)
        height = top + sum(_PANELS) + _GAP * (len(_PANELS) - 1) + bottom
        sheet = Sheet(figsize=(_WIDTH, height))
        FigureCanvasAgg(sheet)
        axes, y = [], height - top
        for inches in _PANELS:
            y -= inches
            place = (_LEFT / _WIDTH, y / height, (_WIDTH - _LEFT - _RIGHT) / _WIDTH, inches / height)
            axes.append(sheet.add_axes(place))
            y -= _GAP
        _trajectory(axes[0], drawn, of, bounds)
        _errors(axes[1], drawn, of, bounds)
        _fractions(axes[2], of)
        for one in axes:
            one.set_xlim(-0.5, len(drawn.theta) - 0.5)
            one.tick_params(labelbottom=one is axes[-1])
            one.yaxis.set_label_coords(-0.75 / (_WIDTH - _LEFT - _RIGHT), 0.5)
        axes[-1].set_xlabel("step t")
        sheet.text(_LEFT / _WIDTH, 1 - 0.1 / height, "\n".join(title), va="top", fontweight="bold")
        handles, labels = axes[1].get_legend_handles_labels()
        reference = axes[0].get_lines()[0]
        corner = ((_LEFT - 0.1) / _WIDTH, (bottom - 0.45) / height)
        sheet.legend(
            [reference, *handles],
            [str(reference.get_label()), *labels],
            loc="upper left",
            bbox_to_anchor=corner,
            frameon=False,
            handlelength=4,
            labelspacing=0.35,
            borderpad=0,
            borderaxespad=0,
        )
        sheet.text(_LEFT / _WIDTH, 0.06 / height, "\n".join(below), va="bottom", fontsize=7.5, color="#333333")
        return {name: _bytes(sheet, name) for name in formats}


def _bytes(sheet: Any, name: str) -> bytes:
    into = io.BytesIO()
    sheet.savefig(into, format=name, dpi=150, metadata=_METADATA[name])
    return _short_places(into.getvalue()) if name == "svg" else into.getvalue()


def _short_places(svg: bytes) -> bytes:
    """Places with two decimals of a point: matplotlib writes six, which makes files half as large again."""

    def rounded(attribute: re.Match[bytes]) -> bytes:
        return re.sub(rb"-?\d+\.\d{3,}", lambda x: b"%.2f" % float(x[0]), attribute[0])

    return re.sub(rb' (?:d|x|y)="[^"]*"', rounded, svg)


def _title(drawn: Figure) -> str:
    h = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in _given(drawn)
    )
    return f"{drawn.dialect} in {drawn.dtype}: {h}"


def _given(drawn: Figure) -> list[tuple[str, Any]]:
    """What says most first; what is off, last or not at all."""
    first = ("learning_rate", "beta_1", "beta_2", "epsilon")
    names = [*first, *(name for name in drawn.hyperparameters if name not in first)]
    return [
        (name, drawn.hyperparameters[name])
        for name in names
        if name in drawn.hyperparameters and (name in first or drawn.hyperparameters[name] not in (False, None, 0.0))
    ]


def _distinct_bounds(drawn: Figure) -> list[tuple[str, Numbers]]:
    """Label and numbers from t = 1 on; bounds that no eye tells apart are one. The reference's alone if nobody's."""
    if not drawn.curves:
        return [("bound, for elements in this dtype and scalars in double", drawn.bound[1:])]
    found: list[tuple[list[str], Numbers]] = []
    for c in drawn.curves:
        like = next((names for names, bound in found if _look_alike(bound, c.bound)), None)
        if like is None:
            found.append(([short(c.adapter)], c.bound))
        else:
            like.append(short(c.adapter))
    if len(found) == 1:
        return [("bound", drawn.curves[0].bound)]
    return [(_wrapped(f"bound of {', '.join(names)}"), bound) for names, bound in found]


def _look_alike(a: Numbers, b: Numbers) -> bool:
    return all(x == y or abs(x - y) <= _ALIKE * x for x, y in zip(a, b, strict=True))


def _wrapped(label: str) -> str:
    return "\n".join(textwrap.wrap(label, _WORDS_IN_A_LINE - 20, break_on_hyphens=False))


def _trajectory(ax: Axes, drawn: Figure, of: Sequence[Group], bounds: Sequence[tuple[str, Numbers]]) -> None:
    steps = list(range(len(drawn.theta)))
    times = _times(drawn)
    ax.plot(steps, drawn.theta, color="black", linewidth=0.8, label="reference, float64", zorder=100)
    low, high = min(drawn.theta), max(drawn.theta)
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
    widest = max(_distinct_bounds(drawn), key=lambda one: max(_finite(one[1]), default=0.0))[1]
    return magnification(drawn.theta, widest)


def _errors(ax: Axes, drawn: Figure, of: Sequence[Group], bounds: Sequence[tuple[str, Numbers]]) -> None:
    steps = range(1, len(drawn.theta))
    scale = _Scale.of([*(c.error for c in drawn.curves), *(bound for _, bound in bounds)])
    for k, (label, bound) in enumerate(bounds):
        ax.plot(
            steps,
            [scale.at(b) if math.isfinite(b) else math.nan for b in bound],
            color="black",
            linewidth=1.6,
            linestyle=_BOUNDS[k % len(_BOUNDS)],
            label=label,
        )
    for k, group in enumerate(of):
        _draw(ax, group, k, steps, [scale.at(x) for x in group.curves[0].error], group.label)
    scale.apply(ax)
    ax.set_ylabel("|theta - reference|\n(in the unit of the parameter)")


def _fractions(ax: Axes, of: Sequence[Group]) -> None:
    scale = _Scale.of([(0.1, 1.0), *(group.curves[0].one_step for group in of)])
    ax.axhline(scale.at(1.0), color="black", linewidth=1.6)
    for k, group in enumerate(of):
        series = group.curves[0].one_step
        _draw(ax, group, k, range(1, len(series) + 1), [scale.at(x) for x in series])
    scale.apply(ax)
    ax.set_ylabel("worst error / bound,\none step, everything")


def _draw(ax: Axes, group: Group, k: int, x: Sequence[int], y: Sequence[float], label: str | None = None) -> None:
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
        label=label,
        zorder=4 + k,
    )


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """Decades, with a place of its own below them for what is exactly 0 and one above for what is not finite.

    The axis is linear in log10, because no logarithmic axis has a place for either.
    """

    low: int
    high: int
    zero: bool
    beyond: bool

    @classmethod
    def of(cls, series: Sequence[Numbers]) -> _Scale:
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


def _captions(drawn: Figure, of: Sequence[Group]) -> list[str]:
    """What a reader must know beside the legend."""
    curves = [group.curves[0] for group in of]
    texts = [
        f"{drawn.problem}.",
        f"Upper and middle: element {list(drawn.index)} of parameter {drawn.parameter}, free running.",
    ]
    if any(0.0 in (*c.error, *c.one_step) for c in curves):
        texts.append("An error of exactly 0, which has no logarithm, stands at the tick 0.")
    if any(math.isinf(x) for c in curves for x in (*c.error, *c.one_step)):
        texts.append("What is infinite or NaN stands at the tick that says so.")
    if any(not math.isfinite(b) for c in curves for b in c.bound) or any(
        math.isnan(x) for c in curves for x in c.one_step
    ):
        texts.append("Where a bound or a fraction is interrupted the result is ambiguous: either is accepted.")
    if any(max(c.worst()) > 1 for c in curves):
        texts.append(
            "Above the bound, and off the upper panel where it leaves it: an implementation that does not conform."
        )
    return textwrap.wrap(" ".join(texts), _WORDS_IN_A_LINE + 12)


def _finite(numbers: Iterable[float]) -> list[float]:
    return [x for x in numbers if math.isfinite(x)]
