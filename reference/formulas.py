"""The formula of a stage, and where it was read: both stand in the stage's docstring and nowhere else."""

from __future__ import annotations

from reference.stages import Stage


def formula(stage: Stage) -> str:
    """What the stage does, as its docstring prints it, on one line and without the source."""
    return _parts(stage)[0]


def source(stage: Stage) -> str:
    """Where the formula was read; empty for a stage that is nobody's in particular."""
    return _parts(stage)[1]


def _parts(stage: Stage) -> tuple[str, str]:
    """A docstring is the formula, and in most stages then the source in parentheses."""
    text = " ".join((stage.__doc__ or stage.__name__).split())
    before, opening, after = text.rpartition(". (")
    if not (opening and after.endswith(")")):
        return text.removesuffix("."), ""
    return before, after.removesuffix(")")
