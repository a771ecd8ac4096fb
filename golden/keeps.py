"""Why a case stays that rejects no mutant which the other cases of its file let through."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

KEEPS: Mapping[str, str] = MappingProxyType({})
"""By a pattern of ids, * being any: the first that matches counts."""


def reason(id_: str) -> str:
    """Why this case stays; empty where nothing is said of it."""
    return next((why for pattern, why in KEEPS.items() if fnmatchcase(id_, pattern)), "")
