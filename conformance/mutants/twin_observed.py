"""The methods of a twin that a step is seen to call: its observed identity."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adapters.contract import Hyperparameters, Rows

if TYPE_CHECKING:
    from conformance.mutants.twin import Twin


def methods_that_run(twin: Twin, names: frozenset[str]) -> frozenset[str]:
    """Those of the methods `names` that are called in one dense and, where claimed, one row-sparse step."""
    seen: set[str] = set()
    watched = copy.copy(twin)
    for name in names:
        setattr(watched, name, _recorded(getattr(type(twin), name).__get__(watched), name, seen))
    theta = np.ones((2, 1), dtype=np.float32)
    has = twin.claim.hyperparameters
    run = watched.start(
        [theta], Hyperparameters(amsgrad="amsgrad" in has, sync_period=1 if "sync_period" in has else None)
    )
    run.step([theta])
    if "rows" in twin.claim.gradients:
        run.step([Rows(np.array([1], dtype=np.int64), theta[1:])])
    return frozenset(seen)


def _recorded(method: Callable[..., Any], name: str, seen: set[str]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        seen.add(name)
        return method(*arguments)

    return call
