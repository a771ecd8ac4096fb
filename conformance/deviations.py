"""Declared deviations: known differences between an implementation and its dialect. Strict both ways.

A failing check that an entry names is *deviates as declared*. An entry whose checks pass has healed,
and fails the run. An entry is judged only where a version in its range is installed and the checks ran to the end;
where only some of those it names were asked for, by these.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from adapters.registry import ADAPTERS, Entry
from conformance import checks, direct
from conformance.provenance import ROOT
from conformance.verdict import Result, Verdict

DEFAULT_FILE = ROOT / "adapters" / "deviations.toml"


class DeviationsError(ValueError):
    """The deviations file cannot be used; the message names file, entry, key and what is accepted."""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One entry."""

    id: str
    implementation: str
    distribution: str
    versions: str
    """Version range of the distribution, as PEP 440 writes it."""
    checks: tuple[str, ...]
    reason: str
    link: str
    effect: str


def read(path: Path = DEFAULT_FILE) -> tuple[Deviation, ...]:
    """All entries of a file. Raises `DeviationsError`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviationsError(f"{path} cannot be read: {error.strerror}; accepted: a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviationsError(f"{path} is not TOML: {error}") from error
    unknown = set(content) - {"deviation"}
    if unknown:
        raise DeviationsError(f"{path} has {', '.join(sorted(unknown))}; accepted: [[deviation]] tables")
    tables = content.get("deviation", [])
    if not isinstance(tables, list):
        raise DeviationsError(f"{path}: deviation is a {type(tables).__name__}; accepted: [[deviation]] tables")
    entries = tuple(_entry(path, number, table) for number, table in enumerate(tables, 1))
    ids = [entry.id for entry in entries]
    for name in ids:
        if ids.count(name) > 1:
            raise DeviationsError(f"{path}: id {name!r} stands twice; accepted: every id once")
    return entries


def apply(
    result: Result,
    entries: Sequence[Deviation],
    version_of: Callable[[str], str | None],
    *,
    all_problems: bool = True,
    all_checks: bool = True,
) -> list[str]:
    """Change the verdict of `result` where entries explain it; return the complaints about entries.

    version_of, all_problems, all_checks: as for `outdated`.
    """
    complaints: list[str] = []
    explained: set[str] = set()
    for entry in entries:
        if not _is_about(entry, result, version_of):
            continue
        failing = {name for name in entry.checks if (c := result.check(name)) is not None and c["failing"]}
        explained |= failing
        if failing:
            result.deviations.append(entry.id)
        whole = {"all_problems": all_problems, "all_checks": all_checks}
        complaints += outdated(entry, result, version_of, **whole).values()
    failing_checks = {c["check"] for c in result.checks if c["failing"]}
    if result.verdict is Verdict.DOES_NOT_CONFORM and failing_checks <= explained:
        result.verdict, result.reason = Verdict.DEVIATES, ", ".join(result.deviations)
    if complaints:
        result.verdict, result.reason = Verdict.DOES_NOT_CONFORM, "; ".join(complaints)
    return complaints


def outdated(
    entry: Deviation,
    result: Result,
    version_of: Callable[[str], str | None],
    *,
    all_problems: bool,
    all_checks: bool,
) -> dict[str, str]:
    """The checks of an entry that it should not name any more, and why.

    version_of: the installed version of a distribution, None if it is not installed.
    all_problems: False if a single problem was run, on which nothing can be said to have healed.
    all_checks: False if only some were asked for.
    """
    if not all_problems or not _is_about(entry, result, version_of):
        return {}
    why = {}
    for name in sorted(entry.checks):
        check = result.check(name)
        if check is None and all_checks and name not in _NOT_ALWAYS:
            why[name] = f"deviation {entry.id}: {entry.implementation} has nothing to run {name} on: remove it"
        elif check is not None and not check["failing"]:
            why[name] = (
                f"deviation {entry.id}: check {name} of {entry.implementation} passes; it has healed or never"
                " was: remove the entry or narrow its versions"
            )
    return why


_NOT_ALWAYS = frozenset({"informative", "direct"})
"""Checks that need enough problems, or a counterpart that is installed."""


def _is_about(entry: Deviation, result: Result, version_of: Callable[[str], str | None]) -> bool:
    return entry.implementation == result.adapter and result.complete and _in_range(entry, version_of)


def _in_range(entry: Deviation, version_of: Callable[[str], str | None]) -> bool:
    installed = version_of(entry.distribution)
    return installed is not None and SpecifierSet(entry.versions).contains(installed, prereleases=True)


def _entry(path: Path, number: int, table: Any) -> Deviation:
    where = f"{path}, entry {number}"
    if not isinstance(table, dict):
        raise DeviationsError(f"{where} is a {type(table).__name__}; accepted: a table")
    where += f" ({table['id']})" if isinstance(table.get("id"), str) else ""
    keys = [f.name for f in fields(Deviation)]
    for key in table:
        if key not in keys:
            raise DeviationsError(f"{where} has key {key!r}; accepted: {', '.join(keys)}")
    for key in keys:
        if key not in table:
            raise DeviationsError(f"{where} has no {key}; accepted: all of {', '.join(keys)}")
        if key != "checks" and not (isinstance(table[key], str) and table[key].strip()):
            raise DeviationsError(f"{where}: {key} is {table[key]!r}; accepted: text")
    named = table["checks"]
    if not isinstance(named, list) or not named or any(name not in checks.NAMES for name in named):
        raise DeviationsError(f"{where}: checks is {named!r}; accepted: a list out of {', '.join(checks.NAMES)}")
    try:
        SpecifierSet(table["versions"])
    except InvalidSpecifier as error:
        raise DeviationsError(f"{where}: versions is {table['versions']!r}; accepted: a range as >=1,<2") from error
    return Deviation(**{**table, "checks": tuple(named)})


def check_implementations(
    path: Path, entries: Sequence[Deviation], known: Sequence[str], version_of: Callable[[str], str | None]
) -> None:
    """Raise `DeviationsError` for an entry that would never be judged.

    Its implementation cannot exist, is not of that distribution, or has no use for a check. One that is neither in the
    registry nor in this run may be in another run of the same file, unless the file is our own. One in this run
    that is not in the registry is shipped by something that is installed here.
    """
    for entry in entries:
        where = f"{path} ({entry.id})"
        if entry.implementation not in known and (is_ours(path) or not _GIVEN.fullmatch(entry.implementation)):
            accepted = ", ".join((*known, *(() if is_ours(path) else ("FILE.py:NAME", "module:Class of another run"))))
            raise DeviationsError(f"{where}: implementation is {entry.implementation!r}; accepted: {accepted}")
        registered = ADAPTERS.get(entry.implementation)
        if registered is None and entry.implementation not in known:
            continue
        if registered is None:
            if version_of(entry.distribution) is None:
                accepted = f"an installed one, which ships {entry.implementation}"
                raise DeviationsError(f"{where}: distribution is {entry.distribution!r}; accepted: {accepted}")
            continue
        if entry.distribution != registered.distribution:
            accepted = f"{registered.distribution}, which ships {entry.implementation}"
            raise DeviationsError(f"{where}: distribution is {entry.distribution!r}; accepted: {accepted}")
        usable = _checks_of(registered)
        for name in entry.checks:
            if name not in usable:
                accepted = f"one that applies to {entry.implementation}: {', '.join(usable)}"
                raise DeviationsError(f"{where}: checks has {name!r}; accepted: {accepted}")


_GIVEN = re.compile(r"[^:]*\.py:\w+|\w+(\.\w+)*:\w+(\.\w+)*(\(.*\))?", re.DOTALL)
"""The names of implementations that are given on the command line: FILE.py:NAME, and `conformance.given.Given.name`."""


def is_ours(path: Path) -> bool:
    """Whether it is this project's own file, which names nothing but adapters of the registry."""
    return path.resolve() == DEFAULT_FILE


def _checks_of(entry: Entry) -> list[str]:
    """Names of the checks that can ever run on an adapter of the registry."""
    claim = direct.claim_of(entry)
    useless = {check.name for check in checks.CHECKS if not check.applies(claim)}
    if entry.distribution != direct.PRODUCTION:
        useless.add("direct")
    return [name for name in checks.NAMES if name not in useless]
