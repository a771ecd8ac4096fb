"""Laws: properties that every implementation of a dialect has, beside agreement with the oracle.

A law is a plain function (implementation, problem) -> Outcome, as every check is, and its docstring derives
it. What it compares is equal bit for bit where arithmetic is elementwise, and within the reference's bound
where it is not. No law has a tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from adapters.contract import LAYOUTS, Claim, Layout
from conformance.check import Check
from conformance.laws import (
    aggregation,
    beside,
    closed_forms,
    company,
    elements,
    far,
    formats,
    given_as,
    groups,
    indices,
    layouts,
    magnitudes,
    rates,
    rows,
    saved,
    schedulers,
    settings,
    switching,
    while_on,
)
from conformance.laws.procedures import claims
from reference import dialect, stages

ANY, DENSE, ROWS, FEW, LONG = "laws", "laws-dense", "laws-rows", "laws-procedures", "laws-long"
"""Sets of problems: all that is claimed, dense gradients alone, rows alone, few of the first kind, many steps."""


PLACE = "the same bits at any place in a tensor"
"""Not claimed by whoever computes full vectors and what remains of a tensor by different instructions."""


def _anywhere(claim: Claim) -> bool:
    return _dense(claim) and PLACE not in claim.not_claimed


def _dense(claim: Claim) -> bool:
    return "dense" in claim.gradients


def _stands_still(claim: Claim) -> bool:
    return "learning_rate" not in claim.nonzero


def _only_named_rows(claim: Claim) -> bool:
    of = dialect(claim.dialect).stages
    return "rows" in claim.gradients and (stages.gather_rows in of or stages.named_rows_move in of)


def _both(claim: Claim) -> bool:
    return {"rows", "dense"} <= claim.gradients


def _unsorted_rows(claim: Claim) -> bool:
    return {"rows", "unsorted rows"} <= claim.gradients


def _rows_anywhere(claim: Claim) -> bool:
    return "rows" in claim.gradients and PLACE not in claim.not_claimed


def _low(claim: Claim) -> bool:
    return _dense(claim) and bool({"bfloat16", "float16"} & {*claim.dtypes})


def _stores_low(claim: Claim) -> bool:
    """Whether there is a low format that its state is held in."""
    return _dense(claim) and bool({"bfloat16", "float16"} & {*claim.dtypes} - claim.masters)


def _may_be_empty(claim: Claim) -> bool:
    return "empty steps" in claim.procedures and "none" in claim.gradients


def _takes(layout: Layout) -> Callable[[Claim], bool]:
    return lambda claim: layout in claim.layouts and _dense(claim)


LAWS: tuple[Check, ...] = (
    Check(name="law-determinism", problems=ANY, rule=company.determinism),
    Check(name="law-sign", problems=ANY, rule=elements.sign),
    Check(name="law-independence", problems=ANY, rule=company.independence),
    Check(name="law-nonfinite", problems=ANY, rule=company.nonfinite),
    Check(name="law-nonfinite-chunks", problems="nonfinite", rule=company.nonfinite),
    Check(name="law-scale", problems=ANY, rule=elements.scale),
    Check(name="law-zero-rate", problems=ANY, rule=elements.learning_rate_zero, applies=_stands_still),
    Check(name="law-bounded-update", problems=ANY, rule=closed_forms.bounded_update, applies=closed_forms.is_known),
    Check(name="law-amsgrad", problems=ANY, rule=closed_forms.amsgrad_maximum, applies=closed_forms.knows_amsgrad),
    Check(name="law-permutation", problems=DENSE, rule=elements.permutation, applies=_anywhere),
    Check(name="law-split", problems=DENSE, rule=elements.split, applies=_anywhere),
    Check(name="law-equal-parameters", problems=DENSE, rule=company.equal_parameters, applies=_dense),
    Check(
        name="law-constant-gradient",
        problems=DENSE,
        rule=closed_forms.constant_gradient,
        applies=lambda claim: _dense(claim) and closed_forms.is_known(claim),
    ),
    Check(
        name="law-rectified-scale",
        problems=DENSE,
        rule=elements.scale_where_rectified,
        applies=lambda claim: _dense(claim) and stages.rectified in dialect(claim.dialect).stages,
    ),
    Check(name="law-zero-gradient", problems=DENSE, rule=closed_forms.zero_gradient, applies=_dense),
    Check(name="law-untouched-rows", problems=ROWS, rule=rows.untouched, applies=_only_named_rows),
    Check(name="law-row-order", problems=ROWS, rule=rows.order, applies=_unsorted_rows),
    Check(name="law-sparse-dense", problems=ROWS, rule=rows.sparse_dense, applies=_both),
    Check(name="law-row-permutation", problems="rows", rule=rows.permutation, applies=_rows_anywhere),
    Check(
        name="law-row-split",
        problems="rows",
        rule=rows.split,
        applies=lambda claim: {"rows", "empty rows"} <= claim.gradients,
    ),
    Check(name="law-betas", problems="betas", rule=closed_forms.extreme_betas, applies=_dense),
    Check(name="law-low-precision", problems="low-precision", rule=formats.agreement, applies=_low),
    Check(name="law-epsilon-survives", problems="low-precision", rule=formats.epsilon_survives, applies=_low),
    Check(name="law-many-steps", problems="many-steps", rule=formats.many_steps, applies=_stores_low),
    Check(name="law-clips", problems="clips", rule=settings.clips_and_decay, applies=settings.clips_or_decays),
    Check(name="law-averages", problems="averages", rule=beside.averages, applies=beside.has_average),
    Check(
        name="law-saved-average",
        problems="averages",
        rule=saved.load_continues,
        applies=lambda claim: "save" in claim.procedures and beside.has_average(claim),
    ),
    Check(name="law-replicas", problems="replicas", rule=aggregation.replicas, applies=claims("replicas")),
    Check(
        name="law-unaggregated",
        problems="replicas",
        rule=aggregation.unaggregated,
        applies=claims("unaggregated replicas"),
    ),
    Check(name="law-transformers", problems="replicas", rule=aggregation.transformers, applies=claims("transformers")),
    Check(name="law-forms", problems="forms", rule=given_as.forms, applies=given_as.takes_forms),
    Check(name="law-finalized", problems="averages", rule=beside.finalized, applies=claims("finalize")),
    Check(name="law-exclusions", problems="exclusions", rule=beside.exclusions, applies=beside.excludes),
    Check(name="law-constraints", problems="constraints", rule=beside.constraints, applies=beside.constrains),
    Check(name="law-multipliers", problems="multipliers", rule=indices.multipliers, applies=indices.has_multipliers),
    Check(name="law-begin", problems="begin", rule=indices.begin, applies=indices.can_begin_later),
    Check(
        name="law-lr-scheduler",
        problems="lr-schedulers",
        rule=schedulers.lr_schedulers,
        applies=schedulers.has_scheduler,
    ),
    Check(name="law-schedules", problems="schedules", rule=rates.schedules, applies=rates.change),
    Check(name="law-master", problems="masters", rule=formats.master_copy, applies=lambda claim: bool(claim.masters)),
    Check(name="law-magnitudes", problems="magnitudes", rule=magnitudes.magnitudes),
    Check(name="law-sizes", problems="sizes", rule=layouts.sizes),
    *(
        Check(
            name=f"law-{layout}",
            problems="layouts",
            rule=partial(layouts.in_layout, layout=layout),
            applies=_takes(layout),
        )
        for layout in LAYOUTS
    ),
    Check(name="law-save-load", problems=FEW, rule=saved.load_continues, applies=claims("save")),
    Check(
        name="law-saved-equal-shapes",
        problems="saved-equal-shapes",
        rule=saved.load_continues,
        applies=claims("save"),
    ),
    Check(name="law-load-into-other", problems=FEW, rule=saved.load_keeps_its_word, applies=claims("save")),
    Check(name="law-saved-settings", problems="settings", rule=while_on.saved, applies=while_on.can_be_saved),
    Check(name="law-changed-settings", problems="settings", rule=settings.changed, applies=while_on.can_be_changed),
    Check(name="law-reused-gradients", problems=FEW, rule=company.reused, applies=_dense),
    Check(name="law-absent", problems=FEW, rule=company.absent, applies=lambda claim: "none" in claim.gradients),
    Check(name="law-empty-step", problems=FEW, rule=company.empty_step, applies=_may_be_empty),
    Check(name="law-mixed-dtypes", problems=FEW, rule=company.mixed_dtypes, applies=claims("mixed dtypes")),
    Check(
        name="law-late-parameter",
        problems=FEW,
        rule=saved.late_parameter_continues,
        applies=lambda claim: "save" in claim.procedures and "none" in claim.gradients,
    ),
    Check(
        name="law-change-after-load",
        problems=FEW,
        rule=saved.changed_after_load,
        applies=saved.can_change_after_load,
    ),
    Check(name="law-configuration", problems=FEW, rule=settings.configuration, applies=claims("configuration")),
    Check(name="law-change", problems=FEW, rule=settings.changed, applies=claims("change")),
    Check(name="law-switched-on", problems=FEW, rule=switching.switched_on, applies=switching.can_switch),
    Check(
        name="law-switched-warm-up",
        problems="switches",
        rule=switching.warm_up_switched,
        applies=switching.can_switch_warm_up,
    ),
    Check(name="law-caller-hyperparameters", problems=FEW, rule=settings.callers),
    Check(name="law-groups", problems=FEW, rule=groups.groups_are_independent, applies=claims("groups")),
    Check(name="law-late-group", problems=FEW, rule=groups.late_group_begins_anew, applies=groups.has_late_groups),
    Check(name="law-saved-groups", problems=FEW, rule=groups.saved_groups_continue, applies=claims("saved groups")),
    Check(name="law-changed-group", problems=FEW, rule=groups.one_group_changes, applies=claims("changed groups")),
    Check(
        name="law-saved-momenta",
        problems="momenta",
        rule=saved.momenta_continue,
        applies=lambda claim: "save" in claim.procedures and "momentum_decay" in claim.hyperparameters,
    ),
    Check(name="law-rewind", problems=FEW, rule=saved.rewound, applies=claims("rewind")),
    Check(name="law-rewind-to-start", problems=FEW, rule=saved.rewound_to_start, applies=saved.can_rewind_to_start),
    Check(name="law-large-count", problems="large-count", rule=far.large_count, applies=claims("state")),
    Check(name="law-late-load", problems=LONG, rule=saved.late_load_continues, applies=claims("save")),
)
"""The laws, those on one set of problems side by side."""
