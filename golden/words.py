"""Where two files say different things: key by key, and of a long text what surrounds the first difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from golden import floats, layout

_SHOWN = 60


class Difference(NamedTuple):
    """The first of one key of a file or case."""

    id: str
    """Of the case; empty for the file itself."""
    key: str
    place: str
    """The key, and where under it."""
    old: str
    new: str


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Of the contents of two files: one per key of the file, and of each case that both have."""
    old, new = _without_values(old), _without_values(new)
    for key in sorted((set(old) | set(new)) - {"cases"}):
        yield from _one("", old, new, key)
    cases = {case["id"]: case for case in new["cases"]}
    for case in old["cases"]:
        other = cases.get(case["id"], case)
        for key in sorted(set(case) | set(other)):
            yield from _one(case["id"], case, other, key)


def _without_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says, with the steps of its expected values in their place, and without the hash over all."""
    cases = [case | {"expected": [expected["step"] for expected in case["expected"]]} for case in data["cases"]]
    return {key: value for key, value in data.items() if key != layout.HASH} | {"cases": cases}


def _one(id_: str, old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> Iterator[Difference]:
    found = next(_places(old.get(key), new.get(key), key), None)
    if found is not None:
        place, a, b = found
        yield Difference(id_, key, place, *_around(a, b))


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
