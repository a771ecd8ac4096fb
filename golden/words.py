"""Where two files say different things: key by key, and of a long text what surrounds the first difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from golden import floats

_SHOWN = 60


def differences(stored: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of the contents of two files: the id, or nothing for the file itself, and what stands there and should.

    One difference per key of the file and of each case that both have.
    """
    for key in sorted((set(stored) | set(made)) - {"cases"}):
        yield from (("", text) for text in _one(stored, made, key))
    cases = {case["id"]: case for case in made["cases"]}
    for case in stored["cases"]:
        of_catalogue = cases.get(case["id"], case)
        for key in sorted(set(case) | set(of_catalogue)):
            yield from ((case["id"], text) for text in _one(case, of_catalogue, key))


def _one(stored: Mapping[str, Any], made: Mapping[str, Any], key: str) -> Iterator[str]:
    found = next(_places(stored.get(key), made.get(key), key), None)
    if found is not None:
        place, old, new = found
        old, new = _around(old, new)
        yield f"{place} is {old}; accepted: {new}"


def _places(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Innermost values that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new)):
            yield from _places(old.get(key), new.get(key), f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for k, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _places(a, b, f"{place}[{k}]")
    elif old != new or type(old) is not type(new):
        yield place, old, new


def _around(old: Any, new: Any) -> tuple[str, str]:
    """Both, shortened to where they part."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return _plain(old), _plain(new)
    start = next((k for k, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, start - _SHOWN // 3)
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int) -> str:
    cut = text[start : start + _SHOWN]
    return f"{'...' if start else ''}{cut!r}{'...' if start + _SHOWN < len(text) else ''}"


def _plain(value: Any) -> str:
    if value is None:
        return "absent or null"
    if isinstance(value, list):
        text = str(value)
        return text if len(text) <= _SHOWN else f"of length {len(value)}"
    return floats.shortened(value)
