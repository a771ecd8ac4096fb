"""The picture: things are where the numbers are, what cannot be drawn is said, equal numbers make equal files."""

from __future__ import annotations

import argparse
import math
import re
import shlex
import struct
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from suite_cli import ROOT

from adapters.registry import ADAPTERS
from conformance.load import load
from conformance.options import COMMANDS, parser
from conformance.plot.curves import Curve, Figure, curve, figure
from conformance.plot.panels import COLOURS, DASHES, MARKERS, Scale, distinct_bounds, groups, magnification
from conformance.plot.picture import FORMATS, render, sheet
from conformance.plot.problem import Standard
from conformance.plot.problem import title as described
from conformance.plot.words import captions, short, shown

POINTS = 0.5
"""By which places of a figure may differ from one machine to another."""


def a_curve(name: str = "mine.py:Mine", **numbers: Any) -> Curve:
    """Three steps, well inside the bound unless told otherwise."""
    given: dict[str, Any] = {
        "adapter": name,
        "package": "numpy",
        "version": "1.0",
        "identity": (),
        "arithmetic": {},
        "obtained": (0.11, 0.21, 0.31),
        "expected": (0.1, 0.2, 0.3),
        "error": (0.01, 0.01, 0.01),
        "bound": (0.02, 0.04, 0.05),
        "one_step": (0.5, 0.25, 0.2),
        "free_running": (0.5, 0.25, 0.2),
        "compared": 12,
        "ambiguous": 0,
    }
    return Curve(**given | numbers)


def a_figure(*curves: Curve) -> Figure:
    return Figure(
        dialect="torch-adam",
        dtype="float32",
        problem="float32, shapes [1], 3 steps; words",
        hyperparameters={"learning_rate": 0.1, "beta_1": 0.9, "l2": 0.0, "amsgrad": True, "rescale_grad": 1.0},
        parameter=0,
        index=(0,),
        theta=(0.0, 0.1, 0.2, 0.3),
        bound=(0.0, 0.02, 0.04, 0.05),
        curves=curves,
    )


def lines(drawn: Figure, panel: int) -> dict[str, list[float]]:
    """Heights of every line of a panel, by label or by number."""
    found = sheet(drawn).axes[panel].get_lines()
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float).tolist() for line in found}


def by_marker(drawn: Figure, panel: int, k: int) -> list[float]:
    """Heights of the line of curve number k."""
    (line,) = (one for one in sheet(drawn).axes[panel].get_lines() if one.get_marker() == MARKERS[k])
    return np.asarray(line.get_ydata(), dtype=float).tolist()


def svg(drawn: Figure) -> str:
    return render(drawn, ["svg"])["svg"].decode()


# Where things are


def test_errors_bounds_and_fractions_stand_at_their_logarithms() -> None:
    drawn = a_figure(a_curve())
    assert by_marker(drawn, 1, 0) == pytest.approx([-2, -2, -2])
    assert lines(drawn, 1)["bound"] == pytest.approx(np.log10([0.02, 0.04, 0.05]).tolist())
    assert by_marker(drawn, 2, 0) == pytest.approx(np.log10([0.5, 0.25, 0.2]).tolist())
    assert [0.0, 0.0] in lines(drawn, 2).values(), "the line at 1"


def test_theta_is_drawn_with_the_band_and_the_errors_as_many_times_as_large_as_said() -> None:
    c = a_curve(bound=(2e-6, 4e-6, 5e-6), obtained=(0.100001, 0.2, 0.299999))
    drawn = a_figure(c)
    assert magnification(drawn.theta, c.bound) == 20_000
    upper = sheet(drawn).axes[0]
    assert upper.get_title(loc="right") == "errors and band 20000 times as large as they are"
    assert lines(drawn, 0)["reference, float64"] == [0.0, 0.1, 0.2, 0.3]
    assert by_marker(drawn, 0, 0) == pytest.approx([0.0, 0.12, 0.2, 0.28])
    (band,) = upper.collections
    edges = np.asarray(band.get_paths()[0].vertices)
    assert edges[:, 1].max() == pytest.approx(0.3 + 20_000 * 5e-6)
    assert edges[edges[:, 0] == 1][:, 1].min() == pytest.approx(0.1 - 20_000 * 2e-6)


def test_what_leaves_the_upper_panel_crosses_it_nowhere_and_the_caption_says_so() -> None:
    drawn = a_figure(a_curve(obtained=(0.1, 5.0, -5.0), error=(0.0, 4.8, 5.3), free_running=(0.0, 120.0, 106.0)))
    assert list(map(math.isnan, by_marker(drawn, 0, 0))) == [False, False, True, True]
    assert "where it leaves the upper panel it is not drawn there" in " ".join(captions(drawn))


@pytest.mark.parametrize("ratio", [1e-9, 3.9e-6, 4.1e-6, 0.02, 0.3, 0.5, 7.0])
def test_the_band_is_at_most_as_wide_as_said_and_at_least_a_quarter_of_that(ratio: float) -> None:
    times = magnification((0.0, 1.0), (ratio,))
    if ratio > 0.4:
        assert times == 1
    else:
        assert 0.4 / 2.5 <= times * ratio <= 0.4
        assert str(times).rstrip("0") in "125"
    assert magnification((0.5, 0.5), (1e-7,)) == magnification((0.0, 1.0), (math.inf,)) == 1


def test_a_scale_keeps_the_order_and_has_places_of_their_own_for_0_and_what_is_not_finite() -> None:
    numbers = (0.0, 1e-300, 1e-9, 1.0, 5.0, 1e20, math.inf)
    scale = Scale.of([numbers])
    heights = list(map(scale.at, numbers))
    assert heights == sorted(set(heights))
    assert math.isnan(scale.at(math.nan))
    assert (scale.zero, scale.beyond) == (True, True)
    assert scale.low - scale.at(0.0) == pytest.approx(0.12 * (scale.high - scale.low))
    calm = Scale.of([(1e-3, 1e-1, math.nan)])
    assert (calm.low, calm.high, calm.zero, calm.beyond) == (-3, -1, False, False)


def test_exactly_0_is_drawn_at_a_tick_that_says_0_and_nothing_else_is() -> None:
    drawn = a_figure(a_curve(error=(0.0, 0.01, 0.0)), a_curve("other", error=(0.01, 0.02, 0.03)))
    middle = sheet(drawn).axes[1]
    (zero,) = (
        at for at, text in zip(middle.get_yticks(), middle.get_yticklabels(), strict=True) if text.get_text() == "0"
    )
    assert by_marker(drawn, 1, 0) == pytest.approx([zero, -2, zero])
    assert zero < -2 < min(by_marker(drawn, 1, 1)) + 0.01
    assert middle.get_ylim()[0] < zero
    assert "exactly 0" in " ".join(captions(drawn))
    without = a_figure(a_curve())
    assert "0" not in [text.get_text() for text in sheet(without).axes[1].get_yticklabels()]
    assert "exactly 0" not in " ".join(captions(without))


def test_what_is_not_finite_has_a_tick_and_what_is_ambiguous_a_gap() -> None:
    drawn = a_figure(
        a_curve(error=(0.01, math.inf, math.inf), bound=(0.02, math.inf, 0.05), one_step=(0.5, math.nan, 0.1))
    )
    words = [text.get_text() for text in sheet(drawn).axes[1].get_yticklabels()]
    assert "not finite" in words
    assert list(map(math.isnan, lines(drawn, 1)["bound"])) == [False, True, False]
    assert list(map(math.isnan, by_marker(drawn, 2, 0))) == [False, True, False]
    text = " ".join(captions(drawn))
    assert "infinite or NaN" in text
    assert "ambiguous" in text


# Who is who


def test_equal_numbers_are_one_line_and_any_other_number_is_another() -> None:
    equal = a_curve("torch-loop"), a_curve("torch-foreach")
    assert [len(group.curves) for group in groups(equal)] == [2]
    assert groups(equal)[0].label.startswith(
        "torch-loop, torch-foreach (numpy 1.0): worst error / bound 0.5 in one step, 0.5"
    )
    for name in ("error", "bound", "one_step", "free_running"):
        assert len(groups([equal[0], replace(equal[1], **{name: (0.01, 0.01, 0.011)})])) == 2


def test_two_of_one_name_have_their_whole_names() -> None:
    two = a_curve("a.py:Adam"), a_curve("b.py:Adam", error=(0.02, 0.02, 0.02)), a_curve("c.py:Nadam", bound=(1, 2, 3))
    assert [group.label.split()[0] for group in groups(two)] == ["a.py:Adam", "b.py:Adam", "Nadam"]
    assert [words for words, _ in distinct_bounds(a_figure(*two))] == [
        "bound of a.py:Adam, b.py:Adam",
        "bound of Nadam",
    ]


def test_lines_are_told_apart_without_colour() -> None:
    many = groups([a_curve(f"n{k}", error=(k / 100, 0.1, 0.1)) for k in range(len(DASHES) * len(MARKERS))])
    assert len({(repr(group.dashes), group.marker) for group in many}) == 36
    assert math.gcd(len(COLOURS), 36) == 1
    assert len(set(COLOURS)) == len(COLOURS)


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_every_colour_is_seen_on_white() -> None:
    assert all(1.05 / (luminance(colour) + 0.05) > 2 for colour in COLOURS)


def test_bounds_are_told_apart_where_an_eye_can() -> None:
    like, other = a_curve("a"), a_curve("c", bound=(0.021, 0.05, 0.06))
    assert [words for words, _ in distinct_bounds(a_figure(like, replace(like, adapter="b")))] == ["bound"]
    assert [words for words, _ in distinct_bounds(a_figure(like, other))] == ["bound of a", "bound of c"]
    assert distinct_bounds(a_figure())[0][1] == (0.02, 0.04, 0.05)


def test_names_and_fractions_are_short_and_true() -> None:
    assert [short(x) for x in ("torch-loop", "a/b.py:Mine", "pkg.mod:Cls", "p:C(betas='a:b')")] == [
        "torch-loop",
        "Mine",
        "Cls",
        "p:C(betas='a:b')",
    ]
    assert [shown(x) for x in (0.0, 0.123, 0.99, 54.2, 431.9, 4828.0, 1e-5, math.inf)] == [
        "0",
        "0.12",
        "0.99",
        "54",
        "432",
        "4.8e+03",
        "1.0e-05",
        "not finite",
    ]
    assert [shown(x) for x in (1.0, 1.00012, 0.99999)] == ["1", "1.0001", "0.99999"], "above the bound is not at it"


# Files


def test_the_words_are_in_the_picture_as_text() -> None:
    text = svg(a_figure(a_curve("a<b.py:Mine"), a_curve("torch-loop")))
    assert ElementTree.fromstring(text).tag.endswith("svg"), "it is XML whatever a name holds"
    for words in (
        "torch-adam in float32: learning_rate 0.1, beta_1 0.9, amsgrad True",
        "Mine, torch-loop (numpy 1.0): worst error / bound 0.5 in one step, 0.5 free running",
        "step t",
        "(in the unit of the parameter)",
        "worst error / bound,",
        "element [0] of parameter 0",
    ):
        assert words in text
    assert "l2" not in text, "it is off"
    assert "rescale_grad" not in text, "so is that"


def test_the_same_numbers_are_the_same_bytes_whatever_a_matplotlibrc_says() -> None:
    drawn = a_figure(a_curve())
    first = render(drawn, FORMATS)
    with matplotlib.rc_context(
        {"font.size": 30, "svg.fonttype": "path", "svg.hashsalt": "other", "axes.facecolor": "red"}
    ):
        assert render(drawn, FORMATS) == first
        assert matplotlib.rcParams["font.size"] == 30, "a caller's own settings stay"
    assert render(a_figure(a_curve(error=(0.01, 0.01, 0.02))), FORMATS) != first


def test_no_file_holds_a_date_or_the_drawing_software() -> None:
    made = render(a_figure(a_curve()), FORMATS)
    assert not re.search(rb"dc:date|20\d\d-\d\d|matplotlib\.org", made["svg"])
    chunks, at = [], 8
    while at < len(made["png"]):
        (size,) = struct.unpack(">I", made["png"][at : at + 4])
        chunks.append(made["png"][at + 4 : at + 8])
        at += 12 + size
    assert set(chunks) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_places_are_shortened_and_texts_are_not() -> None:
    drawn = replace(a_figure(a_curve()), hyperparameters={"learning_rate": 0.0001234})
    assert "learning_rate 0.0001234" in svg(drawn)
    assert not re.search(r' d="[^"]*\.\d{3}', svg(drawn))


# The figures of the documents


DOCUMENT = (ROOT / "docs" / "plot.md").read_text(encoding="utf-8")


def documented() -> dict[str, argparse.Namespace]:
    """The options of each figure's command, by its file."""
    commands = re.findall(r"^python -m conformance (plot .*docs/figures/.*)$", DOCUMENT, re.M)
    read = parser(dict.fromkeys(COMMANDS, lambda options: 0))
    return {options.out.name: options for words in commands for options in [read.parse_args(shlex.split(words))]}


def redrawn(options: argparse.Namespace) -> str:
    """What the command draws, without its processes."""
    subject = Standard(steps=options.steps) if options.steps else Standard()
    figures = []
    for name in options.adapter:
        implementation = load(str(ROOT / name))
        problem = subject.of(implementation)
        alone = figure(implementation.claim.dialect, problem, described(subject, problem))
        figures.append(replace(alone, curves=(curve(implementation, name, problem, alone),)))
    return svg(replace(figures[0], curves=tuple(one.curves[0] for one in figures)))


def parts(text: str) -> tuple[list[str], list[float]]:
    """Everything but numbers, and the numbers; ids, which are hashes of places, do not count."""
    text = re.sub(r'(id="|href="#|url\(#)[mpc][0-9a-f]{10}', r"\1", text)
    number = r"-?\d+\.?\d*(?:e[+-]?\d+)?"
    return re.split(number, text), [float(x) for x in re.findall(number, text)]


def differs(stored: str, made: str) -> str:
    """Where two SVGs differ by more than rounding; empty if they do not."""
    (words, numbers), (other_words, other_numbers) = parts(stored), parts(made)
    if words != other_words:
        return next((f"{a!r} and {b!r}" for a, b in zip(words, other_words, strict=False) if a != b), "their lengths")
    far = [(a, b) for a, b in zip(numbers, other_numbers, strict=True) if abs(a - b) > POINTS]
    texts = [re.findall(r"<text[^>]*>([^<]*)", svg) for svg in (stored, made)]
    return f"{far[0]}" if far else "" if texts[0] == texts[1] else "a number in a text"


def test_every_figure_has_its_command_and_its_place_in_the_text() -> None:
    there = {path.name for path in (ROOT / "docs" / "figures").iterdir()}
    assert set(documented()) == there == set(re.findall(r"\]\(figures/([^)]*)\)", DOCUMENT))


OF_FRAMEWORKS = {
    Path(out).name: (environment, words)
    for environment, words, out in re.findall(
        r"^(\w+): +python -m conformance (plot .*--out (docs/plots/\S*))$", DOCUMENT, re.M
    )
}


def test_every_figure_of_a_framework_has_its_command_and_its_place_in_the_text() -> None:
    there = {path.name for path in (ROOT / "docs" / "plots").iterdir()}
    assert set(OF_FRAMEWORKS) == there == set(re.findall(r"\]\(plots/([^)]*)\)", DOCUMENT))


@pytest.mark.parametrize("name", sorted(OF_FRAMEWORKS))
def test_a_figure_of_a_framework_shows_what_its_command_names_at_the_pinned_versions(name: str) -> None:
    environment, words = OF_FRAMEWORKS[name]
    options = parser(dict.fromkeys(COMMANDS, lambda options: 0)).parse_args(shlex.split(words))
    drawn = (ROOT / "docs" / "plots" / name).read_text(encoding="utf-8")
    assert len(drawn) < 60_000
    texts = re.findall(r"<text[^>]*>([^<]*)", drawn)
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    pins = dict(p.split(";")[0].strip().split("==") for p in groups[environment] if isinstance(p, str) and "==" in p)
    for adapter in options.adapter:
        assert environment in ADAPTERS[adapter].environments
        (label,) = (text for text in texts if "worst error" in text and adapter in re.split(r", | \(", text))
        version = pins.get(ADAPTERS[adapter].distribution, "")  # none of our own
        assert version.replace("b1", "beta1") in label  # as MXNet itself says it


@pytest.mark.parametrize("name", ["bound.svg", "lookahead.svg"])
def test_the_figures_of_the_documents_are_what_their_commands_draw(name: str) -> None:
    stored = (ROOT / "docs" / "figures" / name).read_text(encoding="utf-8")
    assert len(stored) < 60_000
    assert differs(stored, redrawn(documented()[name])) == "", f"{name} is stale; run its command in docs/plot.md again"


def test_a_stale_figure_is_seen() -> None:
    fresh = svg(a_figure(a_curve()))
    assert differs(fresh, fresh) == ""
    assert differs(fresh, svg(a_figure(a_curve(error=(0.01, 0.012, 0.01))))) != "", "a place"
    assert differs(fresh, fresh.replace("bound 0.5 in", "bound 0.6 in")) == "a number in a text"
    assert differs(fresh, fresh.replace("torch-adam", "torch-radam")) != "", "a word"
