"""Why a case stays that rejects no mutant which the other cases of its file let through."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

KEEPS: Mapping[str, str] = MappingProxyType(
    {
        "*/first-steps/plain": "documentation: what anybody makes right first; the example of docs/golden-format.md",
        "*/changed-mid-run/rate": "documentation: a rate that is set by itself, as a schedule of one's own does it",
        "*/changed-mid-run/betas": "the one case whose betas change",
        "*/changed-mid-run/epsilon": "the one case whose epsilon changes",
        "*/changed-mid-run/rescale-clip": "the one case in which what is done to gradients changes",
        "*/changed-mid-run/slow-step-size": "the one case whose slow_step_size changes",
        "*/state-order/plain": "documentation: the list that nearly every checkpoint has",
        "*/ten-decades/constant": "documentation: where epsilon lies between the sizes of one parameter's gradients",
        "*/narrow-counts/bfloat16": "a format that no twin has, and every framework",
        "*/narrow-counts-saved/bfloat16": "a format that no twin has, and every framework",
        "*/narrow-counts/float16": "the same count without a save; conformance.kills asks narrow-counts-saved first",
        "*/ten-thousand-steps/*": "documentation: the longest run; conformance.kills leaves it out",
        "*/first-steps/weight-decay": "documentation: decoupled decay by itself, where rows have it too",
        "*/first-steps/every-step": "documentation: slow weights without a step between two synchronisations",
        "*/first-steps/momentum-decay": "the one case whose momentum schedule changes within a few steps",
        "*/first-steps/clip-and-l2": "historical bug: MXNet 1 and 2 clip on either side of wd; to be done by hand",
        "*/first-steps/rescale-clip-l2": "the one case in which all of MXNet's stages of a gradient act at once",
        "*/settings/epsilon-zero": "changes of the reference: what a dialect makes of 0 (kills --target reference)",
        "*/settings/both-decays": "changes of the reference's l2 where it meets a decay (kills --target reference)",
        "*/large-epsilon/adaptive": "documentation: epsilon is scaled, without rows, which not every reader takes",
        "*/clipping/value": "documentation: clipvalue by itself; Keras 3 refuses it beside a norm",
        "*/clipping/value-rows": "the one case in which each value of a row that is named twice is clipped",
        "*/clipping/norm-rows": "the one case of clipnorm on rows that are named twice",
        "*/constraint/*-norm": "a constraint of its own formula, which no other case has",
        "*/constraint/clip-weights": "a constraint of its own formula, which no other case has",
        "*/exclude/both": "the one case in which no parameter is left that decays",
        "*/ema/average": "documentation: the average by itself, not written over the parameters",
        "*/ema/overwrite": "documentation: the average is written over the parameters, and every one has its gradient",
        "*/rate-decay/inverse-time": "documentation: the rate decays, and every parameter has its gradient",
        "*/multipliers/rate": "documentation: lr_mult by itself",
        "*/multipliers/decay": "documentation: wd_mult by itself",
        "*/schedules/*": "a schedule of its own formula, which no other case has",
        "*/lr-scheduler/*": "a scheduler, or a warm-up, of its own formula, which no other case has",
        "*/warm-up/*": "a warm-up that is cut off, or goes on, elsewhere than in any other case",
    }
)
"""By a pattern of ids, * being any: the first that matches counts."""


def reason(id_: str) -> str:
    """Why this case stays; empty where nothing is said of it."""
    return next((why for pattern, why in KEEPS.items() if fnmatchcase(id_, pattern)), "")
