"""The frameworks' classes of schedules, and how their arguments differ from what `adapters.schedules` has of each.

Data, and no framework. `tests/documents` compares every one with the class that is installed: names, and defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.keras_schedules import CLASSES as KERAS
from adapters.mxnet_schedulers import CLASSES as MXNET
from adapters.schedules import LR_SCHEDULERS, SCHEDULES

REQUIRED = inspect.Parameter.empty
_KERAS: Mapping[str, Any] = {"initial_learning_rate": REQUIRED}
_MXNET: Mapping[str, Any] = {"base_lr": 0.01}
"""Of the rate that it begins with, which is `Hyperparameters.learning_rate` here."""
_RENAMED = {"mxnet_multi_factor": {"step": "steps"}}


@dataclass(frozen=True, kw_only=True)
class ScheduleClass:
    """A class of an installed framework."""

    path: str
    environment: str
    schedule: str
    """Name of the contract's."""
    first: Mapping[str, Any]
    """Arguments that the contract's has not, and their defaults; name, which decides nothing, aside."""

    def differs(self, cls: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
        """Argument to what it is in `cls` and here, where that is not the same; None where it is missing."""
        renamed = _RENAMED.get(self.schedule, {})
        parameters = inspect.signature(cls).parameters.values()
        there = {renamed.get(p.name, p.name): p.default for p in parameters if p.name != "name"}
        own = {**SCHEDULES, **LR_SCHEDULERS}[self.schedule]
        here = {**self.first, **{n: REQUIRED if a.default is ... else a.default for n, a in own.items()}}
        return {n: (there.get(n), here.get(n)) for n in {*there, *here} if not _same(there, here, n)}


def _same(there: Mapping[str, Any], here: Mapping[str, Any], name: str) -> bool:
    return name in there and name in here and (there[name] is here[name] or bool(there[name] == here[name]))


_CLASSES: Mapping[str, tuple[str, ...]] = {
    "keras": ("keras.optimizers.schedules",),
    "keras3": ("keras.optimizers.schedules", "tf_keras.optimizers.schedules"),
    "mxnet": ("mxnet.lr_scheduler",),
    "mxnet1": ("mxnet.lr_scheduler",),
}
"""Environment to modules."""
SCHEDULE_CLASSES: tuple[ScheduleClass, ...] = tuple(
    ScheduleClass(
        path=f"{module}:{name}",
        environment=environment,
        schedule=schedule,
        first=_MXNET if schedule in MXNET else {} if schedule == "piecewise_constant" else _KERAS,
    )
    for environment, modules in _CLASSES.items()
    for module in modules
    for schedule, name in (MXNET if module.startswith("mxnet") else KERAS).items()
)
"""All that there is of each environment: the first value of PiecewiseConstantDecay stands among its values."""
