"""Mutants of Lookahead: when theta and the slow weights meet, where, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Rows
from conformance.mutants.twin import Slot, write
from conformance.mutants.twins import KerasV2Twin
from conformance.mutants.twins_lookahead import LookaheadKerasV2Twin, LookaheadRectifiedTwin


class SynchronisesOneStepLate(LookaheadRectifiedTwin):
    """Synchronises in steps k + 1, 2 k + 1, ..., where iterations are taken for t.

    Exposed by any sync_period above 1.
    """

    name = "mutant-synchronises-one-step-late"

    def synchronises(self, t: int, period: int) -> bool:
        return t > 1 and (t - 1) % period == 0


class SlowFromZeros(LookaheadRectifiedTwin):
    """The slow weights begin at 0, as moments do.

    A slot whose initializer was forgotten. Exposed by the slow weights of the first step.
    """

    name = "mutant-slow-from-zeros"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        slots = LookaheadRectifiedTwin.slots(self, parameters, h)
        for slot in slots:
            slot.slow = None if slot.slow is None else np.zeros_like(slot.slow)
        return slots


class SlowFromFirstStep(LookaheadKerasV2Twin):
    """The slow weights begin at the parameters as the first step has left them.

    A slot that is made where it is first read. Exposed by the slow weights of the first step.
    """

    name = "mutant-slow-from-first-step"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        KerasV2Twin.update(self, slot, gradient, h)
        if gradient is None or slot.slow is None or h.sync_period is None:
            return
        if "begun" not in vars(slot):
            vars(slot)["begun"] = True
            slot.slow[...] = slot.theta
        if self.synchronises(slot.t, h.sync_period):
            self.synchronise(slot, gradient, h)


class FastNotReset(LookaheadRectifiedTwin):
    """The slow weights move, and theta does not go back to them.

    An average beside the training. Exposed by theta in any step that synchronises.
    """

    name = "mutant-fast-not-reset"

    def synchronise(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        assert slot.slow is not None
        write(slot.slow, self.between(slot, h))


class SlowNotMoved(LookaheadRectifiedTwin):
    """Theta goes back towards the slow weights, and they stay where they began.

    Exposed by the slow weights of any step that synchronises.
    """

    name = "mutant-slow-not-moved"

    def synchronise(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        write(slot.theta, self.between(slot, h))


class SlowShareExchanged(LookaheadRectifiedTwin):
    """slow_step_size is the share that the slow weights keep.

    An exponential average's momentum. Exposed by any slow_step_size but 1/2.
    """

    name = "mutant-slow-share-exchanged"

    def share(self, slot: Slot, h: Hyperparameters) -> Any:
        return slot.theta.dtype.type(1) - slot.theta.dtype.type(h.slow_step_size)


class SynchronisesNamedRowsAlone(LookaheadKerasV2Twin):
    """A row-sparse gradient synchronises the rows that it names.

    Exposed by rows in a step that synchronises.
    """

    name = "mutant-synchronises-named-rows-alone"

    def synchronise(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        assert slot.slow is not None
        rows = gradient.indices if isinstance(gradient, Rows) else ...
        met = np.asarray(self.between(slot, h))
        slot.slow[rows] = met[rows]
        slot.theta[rows] = met[rows]


class SynchronisesWithoutGradient(LookaheadKerasV2Twin):
    """Every parameter is synchronised, also one without a gradient in that step.

    What the paper does. Exposed by a parameter that has no gradient in a step that synchronises.
    """

    name = "mutant-synchronises-without-gradient"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        LookaheadKerasV2Twin.update(self, slot, gradient, h)
        if gradient is None and h.sync_period is not None and self.synchronises(slot.t, h.sync_period):
            self.synchronise(slot, gradient, h)


class SlowNotSaved(LookaheadRectifiedTwin):
    """The slow weights are not written: after a load they begin at the parameters.

    Exposed by a save between two steps that synchronise.
    """

    name = "mutant-slow-not-saved"

    def saved(self, slot: Slot) -> dict[str, Any]:
        slow = None if slot.slow is None else np.array(slot.theta)
        return {**LookaheadRectifiedTwin.saved(self, slot), "slow": slow}
