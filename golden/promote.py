"""A problem that was met elsewhere, stored for ever: what it must give is made by the reference, as everywhere here.

Promoted cases of a dialect are in ``DIALECT/promoted.json``; the catalogue does not know them, and `regenerate` makes
their values again from what the file itself holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from golden import files, layout
from golden.case import Case, GoldenError
from golden.notes import CONVENTIONS
from golden.verify import verify

TOPIC = files.PROMOTED
NOTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "met": {
            "bug": "formula",
            "catches": "what the description of the case says: a random problem on which an implementation failed",
            "effect": "stated in the description",
        }
    }
)


def add(case: Case, folder: Path = files.CASES) -> Path:
    """Store `case`, whose expected values are made here, at every step; the file written.

    Raises `GoldenError` for an id that exists or is no ``DIALECT/promoted/NAME``, and for a problem whose values the
    reference cannot certify, such as one that overflows.
    """
    from golden.fifty_digits import with_expected  # needs mpmath

    prefix = f"{case.dialect}/{TOPIC}/"
    if not case.id.startswith(prefix):
        raise GoldenError(f"id is {case.id!r}; accepted: {prefix}NAME")
    path = folder / case.dialect / f"{TOPIC}.json"
    stored = layout.parse(files.read_json(path), path).cases if path.exists() else ()
    if case.id in {other.id for other in stored}:
        raise GoldenError(f"id is {case.id!r}, which exists in {path}; accepted: another one, an id is for ever")
    try:
        made = with_expected(replace(case, flags=("met",)), range(1, case.steps + 1))
    except (ValueError, ArithmeticError) as error:
        raise GoldenError(f"{case.id} has no finite trajectory ({error}); accepted: a problem that has one") from error
    text = _text(case.dialect, (*stored, made))
    with tempfile.TemporaryDirectory() as scratch:
        files.write(Path(scratch) / case.dialect / path.name, text)
        complaints = verify(Path(scratch), partial=True).complaints
    if complaints:
        raise GoldenError(f"{case.id} cannot be certified: {complaints[0].message}; accepted: a problem that can")
    files.write(path, text)
    return path


def again(path: Path) -> layout.File:
    """A file of promoted cases with its expected values made anew."""
    from golden.fifty_digits import with_expected  # needs mpmath

    stored = layout.parse(files.read_json(path), path)
    cases = tuple(with_expected(case, [e.step for e in case.expected]) for case in stored.cases)
    return _file(stored.dialect, cases)


def _file(dialect: str, cases: tuple[Case, ...]) -> layout.File:
    return layout.File(dialect=dialect, topic=TOPIC, conventions=CONVENTIONS, notes=NOTES, cases=cases)


def _text(dialect: str, cases: tuple[Case, ...]) -> str:
    return files.render(layout.to_json(_file(dialect, cases))) + "\n"
