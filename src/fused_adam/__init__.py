"""One production Adam that speaks the dialects of several frameworks in one pass over memory.

``fused_adam.Adam``, ``fused_adam.AdamW`` and ``fused_adam.RAdam`` are torch optimizers;
``fused_adam.numpy.Adam`` is for people without torch. What a face needs (torch, NumPy, Numba) is
imported when it is used, and the error names what is missing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fused_adam.torch_optimizers import Adam, AdamW, RAdam

__version__ = "0.1.0.dev0"
__all__ = ["Adam", "AdamW", "RAdam", "numpy"]


def __getattr__(name: str) -> Any:
    if name in ("Adam", "AdamW", "RAdam"):
        return getattr(importlib.import_module("fused_adam.torch_optimizers"), name)
    if name == "numpy":
        return importlib.import_module("fused_adam.numpy")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
