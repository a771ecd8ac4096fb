"""Explanations in formats: what is rounded to half precision although it is said to be wider.

A rounding is a step function, so its error is not first order: the bound is what the ends of the interval round to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Into, Variant, swapped
from reference import stages as s
from reference.bound_rules import Errors, Rule
from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.rounding import Rounding
from reference.stages import Stage, Working

Round = Callable[[Any], Any]


def half(x: Any) -> Any:
    """To float16."""
    return np.asarray(x, np.float16).astype(np.float64)


def brain(x: Any) -> Any:
    """To bfloat16, by way of float32; ties to even."""
    bits = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    even = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return even.astype(np.uint32).view(np.float32).astype(np.float64)


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """All of them, the simplest first."""
    g = next(stage for stage in d.stages if stage in (s.rescale, s.clip, s.l2, s.first_moment))
    for to, of in (("float16", half), ("bfloat16", brain)):
        yield _rounded(f"m is held in {to}", d, {"m": s.first_moment}, of)
        yield _rounded(f"v is held in {to}", d, {"v": s.second_moment}, of)
        yield _rounded(f"m and v are held in {to}", d, {"m": s.first_moment, "v": s.second_moment}, of)
        yield _rounded(f"the parameters are rounded to {to}", d, {"theta": s.subtract}, of)
        yield _rounded(f"the gradient is rounded to {to}", d, {"g": g}, of)


def _rounded(words: str, d: reference.Dialect, after: dict[str, Stage], of: Round) -> Variant:
    """Each quantity is rounded behind the stage that forms it, the gradient before the first that uses it."""
    changes: dict[Stage, Into] = {}
    rules: dict[Stage, Rule] = {}
    for name, stage in after.items():
        rounds = _stage(name, of)
        rules[rounds] = _rule(name, of)
        changes[stage] = (rounds, stage) if name == "g" else (stage, rounds)
    made = swapped(d, changes)
    made["rules"].update(rules)
    return Variant(words=words, **made)


def _stage(name: str, of: Round) -> Stage:
    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        setattr(p, name, of(getattr(p, name)))

    return stage


def _rule(name: str, of: Round) -> Rule:
    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        value, error, rounded = getattr(before, name), getattr(e, name), getattr(after, name)
        ends = [np.abs(of(end) - rounded) for end in (value - error, value + error)]
        wide = np.fmax(*ends)
        wide = np.where(np.isfinite(rounded) & np.isfinite(wide), wide, np.where(np.isnan(rounded), np.inf, wide))
        setattr(e, name, wide)
        if name == "theta":
            e.update = e.update + wide

    return rule
