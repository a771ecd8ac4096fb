"""A figure as PNG or SVG, out of its numbers alone; needs matplotlib, which nothing else here does.

Upper panel: theta of one element by the reference, with the bound as a band and what was obtained beside it, errors
and band drawn many times as large as they are. Middle: the same errors and bounds, logarithmic. Lower: the worst error
of all elements and quantities as a fraction of the bound, logarithmic; above 1 an implementation does not conform.

The same numbers give the same bytes under the same matplotlib: places are in inches and in no font's units, ids of
the SVG come from a fixed salt, no file holds a date, and what a user's matplotlibrc says does not count.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from conformance.plot.curves import Figure
from conformance.plot.panels import distinct_bounds, errors, fractions, groups, trajectory
from conformance.plot.words import captions, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

FORMATS: tuple[str, ...] = ("png", "svg")
NEEDED = "matplotlib"
_WIDTH, _LEFT, _RIGHT, _GAP, _LINE, _SMALL_LINE = 8.0, 1.15, 0.25, 0.3, 0.165, 0.135
_PANELS = (2.5, 2.5, 1.9)
_RC = {
    "svg.hashsalt": "adam-conformance",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans", "sans-serif"],  # who looks at an SVG may have another
    "font.sans-serif": ["DejaVu Sans"],
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
    try:
        importlib.import_module(f"{NEEDED}.figure")
    except ImportError:
        return False
    return True


def render(drawn: Figure, formats: Iterable[str]) -> dict[str, bytes]:
    """The picture in each of `formats`, out of `FORMATS`. Raises ModuleNotFoundError without matplotlib."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        made = sheet(drawn)
        return {name: _bytes(made, name) for name in formats}


def sheet(drawn: Figure) -> Sheet:
    """matplotlib's figure, every place of it in inches from the top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    of, bounds = groups(drawn.curves), distinct_bounds(drawn)
    head, below = title(drawn), captions(drawn)
    entries = ["reference", *(words for words, _ in bounds), *(group.label for group in of)]
    lines = sum(1 + words.count("\n") for words in entries)
    top, bottom = 0.25 + _LINE * len(head), 0.65 + _LINE * lines + _SMALL_LINE * len(below)
    height = top + sum(_PANELS) + _GAP * (len(_PANELS) - 1) + bottom
    made = Sheet(figsize=(_WIDTH, height))
    FigureCanvasAgg(made)
    axes, y = [], height - top
    for inches in _PANELS:
        y -= inches
        ax = made.add_axes((_LEFT / _WIDTH, y / height, (_WIDTH - _LEFT - _RIGHT) / _WIDTH, inches / height))
        ax.set_xlim(-0.5, len(drawn.theta) - 0.5)
        ax.tick_params(labelbottom=False)
        ax.yaxis.set_label_coords(-0.75 / (_WIDTH - _LEFT - _RIGHT), 0.5)
        axes.append(ax)
        y -= _GAP
    trajectory(axes[0], drawn, of, bounds)
    errors(axes[1], drawn, of, bounds)
    fractions(axes[2], of)
    axes[2].tick_params(labelbottom=True)
    axes[2].set_xlabel("step t")
    made.text(_LEFT / _WIDTH, 1 - 0.1 / height, "\n".join(head), va="top", fontweight="bold")
    (handles, labels), (reference, *_) = axes[1].get_legend_handles_labels(), axes[0].get_lines()
    made.legend(
        [reference, *handles],
        [str(reference.get_label()), *labels],
        loc="upper left",
        bbox_to_anchor=((_LEFT - 0.1) / _WIDTH, (bottom - 0.45) / height),
        frameon=False,
        handlelength=4,
        labelspacing=0.35,
        borderpad=0,
        borderaxespad=0,
    )
    made.text(_LEFT / _WIDTH, 0.06 / height, "\n".join(below), va="bottom", fontsize=7.5, color="#333333")
    return made


def _bytes(made: Sheet, name: str) -> bytes:
    into = io.BytesIO()
    made.savefig(into, format=name, dpi=150, metadata=_METADATA[name])
    return _short_places(into.getvalue()) if name == "svg" else into.getvalue()


def _short_places(svg: bytes) -> bytes:
    """Places with two decimals of a point: matplotlib writes six, which makes files half as large again."""

    def rounded(attribute: re.Match[bytes]) -> bytes:
        return re.sub(rb"-?\d+\.\d{3,}", lambda x: b"%.2f" % float(x[0]), attribute[0])

    return re.sub(rb' (?:d|x|y)="[^"]*"', rounded, svg)
