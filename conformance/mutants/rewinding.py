"""Mutants that are wrong when they load what they were themselves, and right when another object does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from conformance.mutants.twin import Slot
from conformance.mutants.twins import TfKerasTwin, TorchTwin


class StateMergedOnLoad(TorchTwin):
    """The state of a parameter that had none when it was saved stays as it is.

    A load that updates a dictionary in the place of replacing it. Exposed by an object that has stepped since.
    """

    name = "mutant-state-merged-on-load"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        TorchTwin.load(self, slots, [content if content["t"] else {"theta": content["theta"]} for content in saved])


class MaximumMergedOnLoad(TfKerasTwin):
    """AMSGrad's maximum becomes the larger of what is loaded and what is there.

    "It never falls", taken too literally. Exposed by an object that has stepped since.
    """

    name = "mutant-maximum-merged-on-load"

    def load(self, slots: Sequence[Slot], saved: Sequence[Mapping[str, Any]]) -> None:
        before = [slot.v_max for slot in slots]
        TfKerasTwin.load(self, slots, saved)
        for slot, v_max in zip(slots, before, strict=True):
            if slot.v_max is not None and v_max is not None:
                slot.v_max = np.maximum(slot.v_max, v_max)
