"""`python -m certify` in this process, on an oracle in which something has been made wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from certify import run, terms
from certify.__main__ import main
from reference import DIALECTS
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64, Namespace
from reference.stages import Stage, Working


def certify(*arguments: str) -> int:
    """The exit code; what argparse refuses has one too."""
    try:
        return main(["--jobs", "1", *arguments])
    except SystemExit as left:
        return int(str(left.code))


def records(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    certify(*arguments, "--json", str(folder / "found.json"))
    found: list[dict[str, Any]] = json.loads((folder / "found.json").read_text())["records"]
    return found


class _Stages(tuple[Stage, ...]):
    """Stages of which one is wrong, and which say that they have the right one: what takes rows still does."""

    right: Stage

    def __contains__(self, stage: object) -> bool:
        return stage is self.right or super().__contains__(stage)


def plant(monkeypatch: pytest.MonkeyPatch, stage: Stage, wrong: Stage, *, entry: bool = True) -> str:
    """`wrong` stands for `stage` in a dialect that has it, whose name is returned."""
    wrong.__name__ = stage.__name__
    d = next(d for d in DIALECTS.values() if stage in d.stages)
    stages = _Stages(wrong if s is stage else s for s in d.stages)
    stages.right = stage
    monkeypatch.setattr(run, "DIALECTS", {d.name: replace(d, stages=stages)})
    if entry:
        monkeypatch.setitem(terms.TERMS, wrong, terms.TERMS[stage])
    return d.name


def in_float32(stage: Stage) -> Stage:
    """`stage` whose float64 results are rounded to float32, and which is as it was at 50 digits."""

    def single(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(single(v) for v in value)
        if isinstance(value, np.ndarray) and value.dtype == np.float64:
            return value.astype(np.float32).astype(np.float64)
        return float(np.float32(value)) if isinstance(value, float) else value

    def wrong(p: Working, h: Hyperparameters, x: Namespace) -> None:
        before = p.snapshot()
        stage(p, h, x)
        if x is FLOAT64:
            for name, value in vars(p).items():
                if value is not getattr(before, name) and name not in ("rows", "rectified", "t"):
                    setattr(p, name, single(value))

    return wrong


def off(function: Callable[..., Any], ulps: int) -> Callable[..., Any]:
    """`function` whose results are so many units in the last place too large."""

    def wrong(*arguments: Any) -> float:
        value = float(function(*arguments))
        return value + ulps * math.ulp(value) if math.isfinite(value) else value

    return wrong
