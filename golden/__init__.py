"""Trajectories as fixtures that any language can read: the format, its checks and its command line.

Stands on `reference` alone. Reading needs NumPy, and is imported when it is used; `python -m golden verify` needs
jsonschema besides, and `python -m golden regenerate` mpmath.

    from golden import cases_of

    for case in cases_of("torch-adam"):
        case.parameters, case.gradients, case.expected
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from golden.case import Case, Expected, Generator, GoldenError
    from golden.files import CASES, cases_of

__all__ = ["CASES", "Case", "Expected", "Generator", "GoldenError", "cases_of"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "golden.files" if name in ("CASES", "cases_of") else "golden.case"
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
