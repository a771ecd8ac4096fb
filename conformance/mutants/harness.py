"""Fakes that crash, hang and shout: what becomes of the suite when an implementation does.

None of them is wrong about Adam. `ACT_FROM` steps go well, so that each acts in the middle of a run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from adapters.contract import Gradient, Hyperparameters
from conformance.mutants.twin import Slot
from conformance.mutants.twins import KerasV2Twin

ACT_FROM = 3
"""The step, of the first parameter that has reached it, in which a fake acts."""
_NOISE = b'\xff\x00{"kind": "footer"}\n' * 50
"""Neither UTF-8 nor, to whoever reads only its last line, clearly noise."""


class Raises(KerasV2Twin):
    """Raises an ordinary exception in a step. Expected: a finding that names it; other problems still run."""

    name = "fake-raises"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if slot.t >= ACT_FROM:
            raise RuntimeError(f"the optimizer broke in step {slot.t}")
        KerasV2Twin.update(self, slot, gradient, h)


class Hangs(KerasV2Twin):
    """Never comes back from a step. Expected: the time limit ends it and says so."""

    name = "fake-hangs"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        while slot.t >= ACT_FROM:
            time.sleep(3600)
        KerasV2Twin.update(self, slot, gradient, h)


class Segfaults(KerasV2Twin):
    """Dies by SIGSEGV in a step. Expected: verdict crashed, with the signal's name."""

    name = "fake-segfaults"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if slot.t >= ACT_FROM:
            os.kill(os.getpid(), signal.SIGSEGV)
        KerasV2Twin.update(self, slot, gradient, h)


class Shouts(KerasV2Twin):
    """Prints to stdout and stderr, then closes descriptor 1. Expected: the report is whole all the same."""

    name = "fake-shouts"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if slot.t == ACT_FROM:
            with contextlib.suppress(OSError):  # an earlier run of this fake has closed it
                os.write(2, _NOISE)
                os.write(1, _NOISE)
                os.close(1)
        KerasV2Twin.update(self, slot, gradient, h)


class CannotBeImported(KerasV2Twin):
    """Its framework is not installed. Expected: exit 2 where it was named, listed as missing where not."""

    name = "fake-cannot-be-imported"

    def __init__(self) -> None:
        raise ImportError("No module named 'a_framework_that_is_not_installed'")


class ExitsCleanly(KerasV2Twin):
    """Calls sys.exit(0) in a step. Expected: verdict crashed; exit status 0 of the child proves nothing."""

    name = "fake-exits-cleanly"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if slot.t >= ACT_FROM:
            sys.exit(0)
        KerasV2Twin.update(self, slot, gradient, h)


class ExitsAtOnce(KerasV2Twin):
    """Calls os._exit(0) in a step: no exception, no flush. Expected: verdict crashed, for want of a footer."""

    name = "fake-exits-at-once"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if slot.t >= ACT_FROM:
            os._exit(0)
        KerasV2Twin.update(self, slot, gradient, h)
