"""A deviations file out of a run's findings, for an author to explain: ``run --write-deviations FILE``.

What it declares, the next run with ``--deviations FILE`` calls *deviates as declared*; reason and link are the
author's to write. Deviations that were declared already stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from packaging.version import Version

from adapters.registry import ADAPTERS, KINDS
from conformance.deviations import Deviation
from conformance.given import Given
from conformance.verdict import Result, Verdict

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
) -> tuple[list[Deviation], list[str]]:
    """One entry per implementation that does not conform, after those that explain it already; what has none, and why.

    declared: the entries that the run was judged by. version_of: as for `conformance.deviations.apply`.
    """
    found: list[Deviation] = []
    refused = []
    for result in results:
        found += [entry for entry in declared if entry.id in result.deviations]
        explained = {check for entry in found for check in entry.checks if entry.implementation == result.adapter}
        failing = [c for c in result.checks if c["failing"] and c["check"] not in explained]
        if result.verdict in (Verdict.CRASHED, Verdict.COULD_NOT_TEST, Verdict.SUITE_FAILED):
            refused.append(f"{result.adapter} {result.verdict}, which is no deviation")
        elif failing:
            distribution = _distribution(result, given, version_of)
            version = version_of(distribution) if distribution else None
            if not distribution:
                refused.append(f"{result.adapter}: who ships it is what the check identity says, which did not run")
            elif version is None:
                refused.append(f"{result.adapter}: {distribution!r} is no installed distribution, whose versions count")
            else:
                found.append(_entry(result, failing, distribution, version, {entry.id for entry in found}))
    return found, refused


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
