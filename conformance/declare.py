"""A deviations file out of a run's findings, for an author to explain: ``run --write-deviations FILE``.

What it declares, the next run with ``--deviations FILE`` calls *deviates as declared*; reason and link are the
author's to write. What was declared already stays, with its reason, but for checks that have healed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from packaging.version import Version

from adapters.registry import ADAPTERS, KINDS
from conformance.deviations import Deviation, outdated
from conformance.given import Given
from conformance.verdict import Result

_HEAD = """\
# Known differences between an implementation and its dialect, for `python -m conformance run --deviations`: an entry
# whose checks pass has healed, and fails the run. Written by --write-deviations; reason and link are yours to fill in.
"""
_UNEXPLAINED = "not explained yet"


def entries(
    results: Sequence[Result],
    declared: Sequence[Deviation],
    given: Mapping[str, Given],
    version_of: Callable[[str], str | None],
    *,
    all_problems: bool = True,
    all_checks: bool = True,
) -> tuple[list[Deviation], list[str]]:
    """One entry per implementation with undeclared failures, after those that are declared; what has none, and why.

    results: of runs that came to their end. declared: the entries that these were judged by, all of which stay but for
    the checks that have healed. version_of, all_problems, all_checks: as for `conformance.deviations.outdated`.
    """
    found, refused = [*declared], []
    for result in results:
        whole = {"all_problems": all_problems, "all_checks": all_checks}
        found = [left for entry in found if (left := _without(entry, outdated(entry, result, version_of, **whole)))]
        explained = {check for entry in declared for check in entry.checks if entry.id in result.deviations}
        failing = [c for c in result.checks if c["failing"] and c["check"] not in explained]
        if failing:
            distribution = _distribution(result, given, version_of)
            version = version_of(distribution) if distribution else None
            if not distribution:
                refused.append(f"{result.adapter}: who ships it is what the check identity says, which did not run")
            elif version is None:
                refused.append(f"{result.adapter}: {distribution!r} is no installed distribution, whose versions count")
            else:
                found.append(_entry(result, failing, distribution, version, {entry.id for entry in found}))
    return found, refused


def _without(entry: Deviation, gone: Collection[str]) -> Deviation | None:
    left = tuple(name for name in entry.checks if name not in gone)
    return replace(entry, checks=left) if left else None


def toml(found: Sequence[Deviation]) -> str:
    """The file."""
    tables = [
        "\n".join(["[[deviation]]", *(f"{f.name} = {_value(getattr(entry, f.name))}" for f in fields(entry))])
        for entry in found
    ]
    return "\n".join([_HEAD, *(f"{table}\n" for table in tables)])


def _entry(
    result: Result, failing: Sequence[dict[str, Any]], distribution: str, version: str, taken: set[str]
) -> Deviation:
    first = failing[0]["outcome"]["findings"][0]
    counts = [f"{c['check']} ({c['failing']} of {c['problems']} problems)" for c in failing if c["problems"]]
    whole = [c["check"] for c in failing if not c["problems"]]
    name = re.sub(r"[^a-z0-9]+", "-", result.adapter.lower()).strip("-")
    free = (f"{name}-{n}" if n else name for n in range(len(taken) + 1))
    return Deviation(
        id=next(candidate for candidate in free if candidate not in taken),
        implementation=result.adapter,
        distribution=distribution,
        versions=f"=={Version(version).public}",
        checks=tuple(c["check"] for c in failing),
        reason=f"{_UNEXPLAINED}; the first finding: {first['message']} [{first['description']}]",
        link=_UNEXPLAINED,
        effect=f"fails {', '.join([*counts, *whole])}",
    )


def _distribution(result: Result, given: Mapping[str, Given], version_of: Callable[[str], str | None]) -> str:
    """Who ships it; for a class of no distribution, what it runs on."""
    if result.adapter in ADAPTERS:
        return ADAPTERS[result.adapter].distribution
    said = str((result.identity or {}).get("framework", ""))
    if result.adapter in given and not (said and version_of(said)):
        return KINDS[given[result.adapter].option].distribution
    return said


def _value(value: str | tuple[str, ...]) -> str:
    """JSON's strings are TOML's, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
