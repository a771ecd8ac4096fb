"""A problem in words, short enough for a line."""

from __future__ import annotations

from dataclasses import fields

from adapters.contract import Problem, Rows


def describe(problem: Problem) -> str:
    """dtype, shapes, number of steps, hyper-parameters that are not default, kinds of gradients."""
    h = problem.hyperparameters
    given = [f"{f.name}={getattr(h, f.name)!r}" for f in fields(h) if getattr(h, f.name) != f.default]
    gradients = [g for step in problem.gradients for g in step]
    kinds = [
        name for name, kind in (("rows", Rows), ("none", type(None))) if any(isinstance(g, kind) for g in gradients)
    ]
    shapes = " ".join(str(list(theta.shape)) for theta in problem.parameters)
    words = [problem.dtype, f"shapes {shapes}", f"{len(problem.gradients)} steps", *given, *kinds]
    return ", ".join(words)
