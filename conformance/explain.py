"""Where two dialects differ: the stages side by side, and how much it matters on a standard problem.

The size of an effect is the largest relative difference of an update, |a - b| / max(|a|, |b|), over all
steps and elements of the float64 trajectories: 0 where both move alike, 1 where one does not move, 2 where
they move against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reference import Dialect, Hyperparameters, initial_state, step
from reference.formulas import formula, source
from reference.stages import Stage, sum_duplicate_rows

STEPS = 10
SHAPE = (6, 4)
SYNC_PERIOD = 6
"""Of Lookahead, which has no default that is none: TF-Addons' own."""
GRADIENTS = ("dense", "absent", "rows", "duplicates")
"""absent: none in every third step; rows: two of the rows in a step; duplicates: one of them twice."""
ROUNDING = 1e-12
"""Effects below are float64's rounding: the same formula, associated in another way."""
PROBLEM = (
    f"one parameter of shape {list(SHAPE)} between -1 and 1, {STEPS} steps,"
    f" gradients between -s and s from a fixed seed; Lookahead's sync_period is {SYNC_PERIOD}"
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One stage of a dialect as it is printed."""

    stage: str
    formula: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A place in the sequence of stages where two dialects differ; None: nothing stands there."""

    kind: str
    """other formula, only in A, only in B, other place, or other count."""
    a: Line | None
    b: Line | None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Hyper-parameters and gradients on which an effect is measured."""

    name: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    scale: float = 1.0
    """Size of the gradients."""
    gradients: str = "dense"
    """Their kind, out of `GRADIENTS`."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What two dialects make of one setting."""

    setting: Setting
    largest: float
    step: int
    """The first step in which it is that large."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Everything that `python -m conformance explain A B` says."""

    a: str
    b: str
    sources: tuple[str, str]
    differences: tuple[Difference, ...]
    only_a: tuple[str, ...]
    """Hyper-parameters that the first one alone has."""
    only_b: tuple[str, ...]
    effects: tuple[Effect, ...]
    problem: str = PROBLEM


SETTINGS: tuple[Setting, ...] = (
    Setting(name="defaults, s = 1"),
    Setting(name="epsilon 0.1 beside gradients of s = 0.001", hyperparameters={"epsilon": 0.1}, scale=1e-3),
    Setting(name="epsilon 0, s = 1e-6", hyperparameters={"epsilon": 0.0}, scale=1e-6),
    Setting(name="beta_2 0.9, s = 1", hyperparameters={"beta_2": 0.9}),
    Setting(name="amsgrad, beta_2 0.9, s = 1", hyperparameters={"amsgrad": True, "beta_2": 0.9}),
    Setting(name="l2 0.1, s = 0.1", hyperparameters={"l2": 0.1}, scale=0.1),
    Setting(name="weight_decay 0.1, s = 0.1", hyperparameters={"weight_decay": 0.1}, scale=0.1),
    Setting(name="clip_gradient 0.01, s = 0.1", hyperparameters={"clip_gradient": 0.01}, scale=0.1),
    Setting(name="clip_gradient 0.01, l2 0.1, s = 0.1", hyperparameters={"clip_gradient": 0.01, "l2": 0.1}, scale=0.1),
    Setting(name="no gradient in every third step, s = 1", gradients="absent"),
    Setting(name="two rows of six in a step, s = 1", gradients="rows"),
    Setting(name="two rows of six in a step, one of them twice, s = 1", gradients="duplicates"),
)


def explain(a: Dialect, b: Dialect) -> Explained:
    """Stages, hyper-parameters and effects in which `a` and `b` differ."""
    return Explained(
        a=a.name,
        b=b.name,
        sources=(a.source, b.source),
        differences=tuple(differences(a, b)),
        only_a=tuple(sorted(a.hyperparameters - b.hyperparameters)),
        only_b=tuple(sorted(b.hyperparameters - a.hyperparameters)),
        effects=tuple(effect(a, b, setting) for setting in shared(a, b)),
    )


def differences(a: Dialect, b: Dialect) -> Iterator[Difference]:
    """In the order of the stages; what both have in one place is left out."""
    if a.step_count != b.step_count:
        yield Difference(kind="other count", a=_count(a), b=_count(b))
    for operation, i, j, k, n in SequenceMatcher(None, a.stages, b.stages, autojunk=False).get_opcodes():
        if operation != "equal":
            for one, other in _paired(a.stages[i:j], b.stages[k:n]):
                elsewhere = (one or other) in (b.stages if one else a.stages)
                kind = "other place" if elsewhere else "only in A" if not other else "only in B"
                kind = "other formula" if one and other else kind
                yield Difference(kind=kind, a=one and _line(one), b=other and _line(other))


def shared(a: Dialect, b: Dialect) -> tuple[Setting, ...]:
    """The settings that both dialects can be given."""
    both = a.hyperparameters & b.hyperparameters
    possible = {
        "rows": a.takes_rows and b.takes_rows,
        "duplicates": sum_duplicate_rows in a.stages and sum_duplicate_rows in b.stages,
    }
    return tuple(s for s in SETTINGS if s.hyperparameters.keys() <= both and possible.get(s.gradients, True))


def effect(a: Dialect, b: Dialect, setting: Setting) -> Effect:
    """The largest relative difference of an update on the standard problem."""
    with np.errstate(invalid="ignore", divide="ignore"):
        one, other = _updates(a, setting), _updates(b, setting)
        size = np.maximum(np.abs(one), np.abs(other))
        relative = np.where(one == other, 0.0, np.abs(one - other) / size)
    per_step = relative.reshape(STEPS, -1).max(axis=1)
    return Effect(setting=setting, largest=float(per_step.max()), step=int(per_step.argmax()) + 1)


def show(explained: Explained, console: Console) -> None:
    """For people."""
    a, b = explained.a, explained.b
    for name, read in zip((a, b), explained.sources, strict=True):
        console.print(f"[bold]{name}[/]: {escape(read)}")
    if not explained.differences:
        console.print("no stage differs")
    else:
        console.print(_side_by_side(explained))
    for name, only in ((a, explained.only_a), (b, explained.only_b)):
        if only:
            console.print(f"only {name} has: {', '.join(only)}")
    effects = Table(title=f"How much it matters: {explained.problem}", title_justify="left")
    for heading in ("setting, otherwise the defaults", "largest relative difference of an update", "in step"):
        effects.add_column(heading)
    for found in explained.effects:
        same = found.largest < ROUNDING
        effects.add_row(found.setting.name, "none" if same else f"{found.largest:.3g}", "" if same else str(found.step))
    console.print(effects)


def _side_by_side(explained: Explained) -> Table:
    stages = Table(title="Stages that differ, in their order", title_justify="left", show_lines=True)
    stages.add_column("")
    for name in (explained.a, explained.b):
        stages.add_column(name, ratio=1)
    for difference in explained.differences:
        kind = difference.kind.replace("only in A", f"only {explained.a}").replace("only in B", f"only {explained.b}")
        stages.add_row(kind, _cell(difference.a), _cell(difference.b))
    return stages


def _cell(line: Line | None) -> str:
    if line is None:
        return "-"
    read = f"\n[dim]{escape(line.source)}[/]" if line.source else ""
    return f"[bold]{line.stage}[/]\n{escape(line.formula)}{read}"


def _count(d: Dialect) -> Line:
    text = {
        "optimizer": "t <- t + 1 for all parameters, with a gradient or without",
        "parameter": "t <- t + 1 for every parameter that has a gradient",
    }
    return Line(stage="step count", formula=text[d.step_count], source=d.source)


def _line(stage: Stage) -> Line:
    return Line(stage=stage.__name__, formula=formula(stage), source=source(stage))


def _paired(a: Sequence[Stage], b: Sequence[Stage]) -> Iterator[tuple[Stage | None, Stage | None]]:
    """Two stages stand side by side where their formulas set the same quantity, which is their first word."""

    def quantities(stages: Sequence[Stage]) -> list[str]:
        return [formula(stage).split()[0] for stage in stages]

    for operation, i, j, k, n in SequenceMatcher(None, quantities(a), quantities(b), autojunk=False).get_opcodes():
        if operation == "equal":
            yield from zip(a[i:j], b[k:n], strict=True)
        else:
            yield from ((stage, None) for stage in a[i:j])
            yield from ((None, stage) for stage in b[k:n])


def _updates(d: Dialect, setting: Setting) -> Any:
    """What every step adds to the parameter, ``[STEPS, *SHAPE]``."""
    theta, series = standard_arrays(setting.scale)
    period = SYNC_PERIOD if d.looks_ahead else None
    h = Hyperparameters(**setting.hyperparameters, sync_period=period)
    state = initial_state([theta], h)
    updates = np.zeros((STEPS, *SHAPE))
    for k, g in enumerate(series):
        after = step(d, h, state, [gradient_of(setting.gradients, k, g)])
        updates[k] = after.theta[0] - state.theta[0]
        state = after
    return updates


def standard_arrays(scale: float, steps: int = STEPS) -> tuple[Any, Any]:
    """The parameter, ``SHAPE``, and the gradients, ``[steps, *SHAPE]``; fewer steps are the first of more."""
    random = np.random.Generator(np.random.Philox(0))
    theta = 2 * random.random(SHAPE) - 1
    return theta, scale * (2 * random.random((steps, *SHAPE)) - 1)


def gradient_of(kind: str, k: int, g: Any) -> Any:
    """The gradient of step number `k` + 1, of a kind out of `GRADIENTS`, as the reference takes it; g: where dense."""
    if kind == "absent" and k % 3 == 1:
        return None
    if kind in ("rows", "duplicates"):
        rows = np.array([k % SHAPE[0], (k + 2) % SHAPE[0]])
        rows = rows if kind == "rows" else np.append(rows, rows[0])
        return rows, g[rows]
    return g
