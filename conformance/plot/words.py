"""What a picture says in words: title, legend and captions."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.plot.curves import Curve, Figure

IN_A_LINE = 110
"""Characters of the captions, which are small; the legend and the title have fewer."""


def short(adapter: str) -> str:
    """A name for a legend: of FILE.py:NAME and package.module:NAME the NAME."""
    return adapter.rpartition(":")[2] if "(" not in adapter else adapter


def shown(fraction: float) -> str:
    """A fraction of the bound, as short as it can be without 1 for what is not 1; NaN is that of nothing."""
    if not math.isfinite(fraction):
        return "undecided" if math.isnan(fraction) else "not finite"
    if fraction == 0 or 0.01 <= fraction < 100:
        digits = (f"{fraction:.{n}g}" for n in range(2, 18))
        return next(text for text in digits if (float(text) == 1) == (fraction == 1))
    return f"{fraction:.0f}" if 100 <= fraction < 1000 else f"{fraction:.1e}"


def title(drawn: Figure) -> list[str]:
    """Dialect, dtype and hyper-parameters, in lines."""
    h = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in _given(drawn)
    )
    return textwrap.wrap(f"{drawn.dialect} in {drawn.dtype}: {h}", IN_A_LINE - 20)


def _given(drawn: Figure) -> list[tuple[str, Any]]:
    """What says most first; what is off not at all."""
    off: tuple[tuple[str, Any], ...] = (("rescale_grad", 1.0),)
    if not drawn.hyperparameters.get("total_steps"):
        off += (("warmup_proportion", 0.1),)
    first = ("learning_rate", "beta_1", "beta_2", "epsilon")
    ordered = [*first, *(name for name in drawn.hyperparameters if name not in first)]
    return [
        (name, drawn.hyperparameters[name])
        for name in ordered
        if name in drawn.hyperparameters
        and (name in first or (drawn.hyperparameters[name] or 0) != 0)
        and (name, drawn.hyperparameters[name]) not in off
    ]


def names(curves: Sequence[Curve]) -> dict[str, str]:
    """What each adapter is called: short, unless others would be called so too."""
    tails = [short(c.adapter) for c in curves]
    return {c.adapter: tail if tails.count(tail) == 1 else c.adapter for c, tail in zip(curves, tails, strict=True)}


def label(alike: Sequence[Curve], called: Mapping[str, str]) -> str:
    """Of curves that cannot be told apart: who they are, and how near to the bound; called: as `names` says."""
    by_package: dict[str, list[str]] = {}
    for c in alike:
        doubt = " [another code path]" if c.identity else ""
        by_package.setdefault(f"{c.package} {c.version}", []).append(called[c.adapter] + doubt)
    who = "; ".join(f"{', '.join(several)} ({package})" for package, several in by_package.items())
    one, free = (shown(x) for x in alike[0].worst())
    return wrapped(f"{who}: worst error / bound {one} in one step, {free} free running")


def wrapped(text: str) -> str:
    """As the legend has it; names stay whole."""
    return "\n".join(textwrap.wrap(text, IN_A_LINE - 20, break_on_hyphens=False))


def captions(drawn: Figure) -> list[str]:
    """What a reader must know beside the legend."""
    curves = drawn.curves
    texts = [
        f"{drawn.problem}.",
        f"Upper and middle: element {list(drawn.index)} of parameter {drawn.parameter}, free running.",
    ]
    if any(0.0 in (*c.error, *c.one_step, *c.bound) for c in curves):
        texts.append("What is exactly 0, which has no logarithm, stands at the tick 0.")
    if any(math.isinf(x) for c in curves for x in (*c.error, *c.one_step)):
        texts.append("What is infinite or NaN stands at the tick that says so.")
    if any(not math.isfinite(b) for c in curves for b in c.bound) or any(
        math.isnan(x) for c in curves for x in c.one_step
    ):
        texts.append("Where a bound or a fraction is interrupted the result is ambiguous: either is accepted.")
    if any(max(c.worst()) > 1 for c in curves):
        texts.append("What is above the bound does not conform; where it leaves the upper panel it is not drawn there.")
    return textwrap.wrap(" ".join(texts), IN_A_LINE + 12)
