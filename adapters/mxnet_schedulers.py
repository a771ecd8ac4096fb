"""MXNet's own learning-rate schedulers, made of the contract's data; both versions have the same."""

from __future__ import annotations

from typing import Any

from adapters.contract import Hyperparameters, Schedule

CLASSES = {
    "mxnet_factor": "FactorScheduler",
    "mxnet_multi_factor": "MultiFactorScheduler",
    "mxnet_poly": "PolyScheduler",
    "mxnet_cosine": "CosineScheduler",
}
"""Of ``mxnet.lr_scheduler``."""


def scheduler(mxnet: Any, h: Hyperparameters) -> Any:
    """A new one, which has not been asked yet, with learning_rate as its base_lr; None where there is none."""
    if h.lr_scheduler is None:
        return None
    numbers = dict(h.lr_scheduler.numbers)
    if "steps" in numbers:
        numbers["step"] = [*numbers.pop("steps")]
    return getattr(mxnet.lr_scheduler, CLASSES[h.lr_scheduler.name])(base_lr=h.learning_rate, **numbers)


def rates(mxnet: Any, h: Hyperparameters) -> dict[str, Any]:
    """Arguments of the constructor: a learning rate, or a scheduler that has its own."""
    made = scheduler(mxnet, h)
    return {"learning_rate": h.learning_rate} if made is None else {"learning_rate": None, "lr_scheduler": made}


Rate = tuple[float, Schedule | None]


def rate_of(h: Hyperparameters) -> Rate:
    """What an optimizer forms its rate from; while it stays, so does the scheduler that has been asked."""
    return h.learning_rate, h.lr_scheduler


def change_rate(optimizer: Any, mxnet: Any, h: Hyperparameters) -> None:
    """``set_learning_rate``, which refuses to where there is a scheduler; else a new scheduler in the old one's place.

    A new Factor or MultiFactor divides when it is asked first as often as one that had been asked from the beginning;
    a new Poly or Cosine that is asked first behind its last update keeps base_lr.
    """
    optimizer.lr_scheduler = scheduler(mxnet, h)
    if optimizer.lr_scheduler is None:
        optimizer.set_learning_rate(h.learning_rate)
