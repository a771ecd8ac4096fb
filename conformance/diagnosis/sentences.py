"""What a failing check says by itself, where no number is compared with the oracle's: a sentence per check.

A sentence is what the check has shown and, behind a colon, what that usually comes from. Where steps are wrong already,
that guess is not made; and a law that compares with the oracle within a bound has shown nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from conformance.check import Overwritten
from conformance.findings import Bounded, Finding

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "contract": "the state is not what the contract asks for",
        "caller-arrays": "it writes into arrays that are the caller's, or returns arrays that change later",
        "identity": "another code path ran than the one that is claimed",
        "informative": "the declared arithmetic is too coarse for any problem to tell something",
        "law-determinism": "the same problem gives other bits when it is run again: something is random, summed in any"
        " order, left behind by the optimizer before, or shared with another one",
        "law-sign": "mirrored parameters and gradients do not give the mirrored trajectory: it rounds to one side,"
        " or treats signs differently",
        "law-scale": "gradients and epsilon scaled by a power of two do not give the scaled trajectory: something is"
        " added that does not scale, or a range is left",
        "law-zero-rate": "with learning rate 0 the parameters move, or the moments do not: 0 is taken for absent",
        "law-independence": "values of one parameter change another one's trajectory: something is shared, or scaled"
        " together",
        "law-reused-gradients": "gradients in the same memory in every step give another run: one of before is kept, or"
        " taken for this one",
        "law-equal-parameters": "equal parameters do not move as one of them alone: they share state, or a count",
        "law-permutation": "an element's result depends on its place: a tail or a block computes otherwise",
        "law-split": "a parameter cut in two does not move as the whole: a tail computes otherwise, or something counts"
        " parameters",
        "law-nonfinite": "NaN or an infinity in one element changes others, or is hidden",
        "law-nonfinite-chunks": "NaN or an infinity in one element of a large parameter changes others, or is hidden",
        "law-bounded-update": "an update is larger than Adam's can be",
        "law-constant-gradient": "a constant gradient does not move theta by learning_rate g / (abs(g) + epsilon) in"
        " a step",
        "law-zero-gradient": "gradients of zero make moments, or move theta beside its decay",
        "law-amsgrad": "v_max is not the larger of the last v_max and v",
        "law-untouched-rows": "rows that the gradient does not name are changed",
        "law-row-order": "the order in which rows are named changes the result",
        "law-sparse-dense": "a row-sparse gradient does not give what the dense one gives",
        "law-save-load": "saved, loaded and continued it is not what it would have been: something is not saved, or not"
        " loaded",
        "law-saved-equal-shapes": "saved, loaded and continued, parameters of equal shape go on otherwise: they take"
        " each other's state",
        "law-rewind": "a load into an object that has stepped on does not bring it back to where it was saved:"
        " something of what it has become is left",
        "law-rewind-to-start": "a load of what was saved before there was state leaves the state that there is",
        "law-load-into-other": "a load into another object brings back other hyper-parameters than the claim says",
        "law-configuration": "built from its own configuration it is another optimizer",
        "law-change": "a hyper-parameter that is changed between steps is not used from the next step on",
        "law-switched-on": "what is switched on or off between steps does not begin or end then",
        "law-switched-warm-up": "a warm-up that is switched on or off later does not begin or end then",
        "law-saved-settings": "saved and loaded with a schedule, a warm-up, clipping or an average on, it goes on"
        " otherwise, or not with those hyper-parameters that it claims",
        "law-changed-settings": "beside a schedule, a warm-up or clipping, a hyper-parameter that is changed between"
        " steps is not used from the next step on",
        "law-caller-hyperparameters": "it changes the hyper-parameters that are the caller's",
        "law-groups": "parameter groups are not optimizers of their own: a hyper-parameter or a count is shared",
        "law-late-group": "a group that is added late does not begin as the dialect says",
        "law-absent": "a parameter without gradient changes in that step, or changes others",
        "law-empty-step": "a step in which nobody has a gradient changes something, counts, or raises",
        "law-late-parameter": "saved before one parameter had a gradient and loaded, it goes on otherwise: what is"
        " read is not what was saved, or is somebody else's",
        "law-change-after-load": "a hyper-parameter that is changed between a load and the next step is not used in it",
        "law-saved-groups": "saved and loaded, several parameter groups go on otherwise: one has another's"
        " hyper-parameters or count",
        "law-changed-group": "a hyper-parameter that is changed in one parameter group alone is not used from the next"
        " step on, or another group's changes with it",
        "law-saved-momenta": "saved, loaded and continued it goes on otherwise: the product of momenta is another",
        "law-large-count": "after many steps, 100 000 or fewer, it goes on otherwise: the count or its powers do"
        " not reach so far, or a state that is loaded is not taken",
        "law-late-load": "loaded after many steps it goes on otherwise: the count was stored in a narrow format",
        "law-reversed": "a reversed view does not give what a plain array gives: negative strides are not followed",
        "law-misaligned": "an array at an odd address does not give what a plain one gives, or is copied elsewhere",
        "law-transposed": "a transposed array does not give what a plain one gives: it is taken for row-major",
        "law-strided": "an array with gaps does not give what a plain one gives, or is laid out otherwise then: strides"
        " are not followed",
        "law-channels-last": "a channels-last array does not give what a plain one gives",
        "law-expanded": "an expanded gradient does not give what a plain one gives: strides of 0 are not followed",
        "law-mixed-dtypes": "parameters of two dtypes in one list do not move as those of each by themselves",
        "law-clips": "with gradients clipped by Keras' arguments, or a learning rate that decays, the steps are not the"
        " dialect's",
        "law-replicas": "replicas do not move by the sum of their gradients",
        "law-unaggregated": "gradients that the caller has aggregated are so again, or replicas share something",
        "law-transformers": "a caller's functions of the gradients do not act, act in another order, or where they must"
        " not",
        "law-forms": "hyper-parameters that are given as tensors or functions are not those that are given as numbers,"
        " or a function is not called in every step",
        "law-averages": "the moving average of the parameters is not the dialect's",
        "law-saved-average": "saved and loaded in the middle, the moving average of the parameters goes on otherwise",
        "law-finalized": "at the end the parameters do not become their average, or something else changes",
        "law-exclusions": "decay reaches a parameter that is excluded from it, or leaves another one alone",
        "law-constraints": "the parameters at the end of a step are not what the constraint makes of them",
        "law-multipliers": "with multipliers of the learning rate or of l2 for each parameter, the steps are not the"
        " dialect's, or a load loses them",
        "law-begin": "with a count that begins above 0, t or the bias correction is not the dialect's",
        "law-master": "parameters are not their float32 master copy rounded, or the copy is not kept in float32",
        "law-schedules": "with a schedule or a warm-up the steps are not the dialect's: the rates are others",
        "law-lr-scheduler": "with a scheduler of MXNet's the learning rates are others than those of num_update at each"
        " parameter's turn, or a load loses the scheduler",
        "law-magnitudes": "with a rate, decay, epsilon or gradients far from 1 the steps are not the dialect's:"
        " something is limited or clamped",
        "law-sizes": "some size of a tensor, around vectors and chunks, does not give what the dialect says",
        "law-row-split": "a parameter cut between its rows does not move as the whole",
        "law-row-permutation": "permuted rows do not give the permuted trajectory",
        "law-epsilon-survives": "epsilon is lost in the parameter's own format",
        "law-low-precision": "in a narrow format the steps are not the dialect's",
        "law-betas": "betas next to 1 do not give what the dialect says",
        "law-many-steps": "after many steps the state is not the dialect's: the count, or its powers, have stopped",
        "law-rectified-scale": "scaled gradients do not give the scaled trajectory of a rectified dialect",
    }
)
"""By the name of the check; one that is not here is told by its own message."""


_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The first finding of a failing check."""

    check: str
    finding: Finding
    worst_fraction: float
    """Of the claim's bound, over the whole check."""


def notes(failures: Sequence[Failure], *, values_wrong: bool, counts_wrong: bool) -> tuple[list[str], list[str]]:
    """What is said of failing checks that are not named by values, and behind it of those that may follow from that.

    wrong: so in problems that are no law's.
    """
    secondary = [
        f.check
        for f in failures
        if (values_wrong and isinstance(f.finding, Bounded)) or (counts_wrong and f.finding.quantity == "t")
    ]
    say = statement if values_wrong or counts_wrong else sentence
    said = [_said(f, say) for f in failures if f.check not in secondary]
    names = f"{', '.join(secondary)} fail{'s' if len(secondary) == 1 else ''} too"
    follow = f"{names}, and what is said above may be all of it: run again when that is right"
    return said, [follow] if secondary else []


def between(cases: Sequence[str]) -> str:
    """Of golden cases that fail, where all of those that do have something done between steps."""
    names = list(dict.fromkeys(cases))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    only = "golden: cases fail in which something is done between steps, and no others"
    return f"{only}: {', '.join(names[:_SHOWN])}{more}"


def _said(failure: Failure, say: Callable[[str, str], str]) -> str:
    if isinstance(failure.finding, Overwritten):
        return f"{failure.check}: {SENTENCES['caller-arrays']}"
    return say(failure.check, failure.finding.message)


def statement(check: str, message: str) -> str:
    """As `sentence`, of a law without the guess."""
    said = sentence(check, message)
    return ": ".join(said.split(": ")[:2]) if check.startswith("law-") and check in SENTENCES else said


def sentence(check: str, message: str) -> str:
    """Of a failing check with this first message."""
    known = SENTENCES.get(check)
    return f"{check}: {known}" if known else f"{check}: {message}"
