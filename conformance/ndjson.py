"""Reports as NDJSON: a header, records, and a footer without which a report counts as half.

header: format, version, run_id, time, commit, tree, environment, profile, problems, seed, expected,
        versions, machine
implementation: one per implementation, with verdict and measures; check: one per check of it, with its seconds;
diagnosis: one per implementation with a failing check that no deviation declares, as `conformance.diagnosis` has it
not claimed: one per framework argument that the adapter does not take yet; complaint: about deviations
footer: run_id, records, verdicts, exit_code
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.findings import to_json
from conformance.verdict import Result, Verdict

FORMAT = "adam-conformance report"
VERSION = 1


_KEYS = {
    "header": frozenset({"environment", "tree", "profile", "problems", "seed", "checks", "only", "expected", "run_id"}),
    "check": frozenset({"implementation", "check", "problems", "failing", "outcome", "informative_share", "seconds"}),
    "not claimed": frozenset({"implementation", "argument"}),
    "diagnosis": frozenset({"implementation", "says"}),
}


class ReportError(ValueError):
    """A report that cannot be used; the message says why."""


@dataclass(frozen=True)
class Report:
    """A whole report, read back."""

    path: Path
    header: dict[str, Any]
    results: tuple[Result, ...]
    complaints: tuple[str, ...]


def lines(header: dict[str, Any], results: Sequence[Result], complaints: Sequence[str], code: int) -> Iterator[str]:
    """The lines of a report, without newlines."""
    records = [record for result in results for record in _records(result)]
    records += [{"record": "complaint", "text": text} for text in complaints]
    footer = {
        "record": "footer",
        "run_id": header["run_id"],
        "records": len(records),
        "verdicts": _counts(results),
        "exit_code": int(code),
    }
    for record in ({"record": "header", "format": FORMAT, "version": VERSION, **header}, *records, footer):
        yield json.dumps(to_json(record), allow_nan=False)


def write(path: Path, content: str | bytes) -> None:
    """Write a file wholly or not at all; text as UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: Path) -> Report:
    """A report, if it is whole. Raises `ReportError` saying what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReportError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{path} cannot be read: {error}") from error
    records = [_parsed(path, number, line) for number, line in enumerate(text.splitlines(), 1)]
    header, footer = (records[0], records[-1]) if len(records) > 1 else ({}, {})
    if header.get("record") != "header" or header.get("format") != FORMAT:
        raise ReportError(f"{path} has no header; accepted: a report of `python -m conformance run --ndjson`")
    if header.get("version") != VERSION:
        raise ReportError(f"{path} has version {header.get('version')!r}; accepted: {VERSION}")
    if footer.get("record") != "footer" or footer.get("run_id") != header.get("run_id"):
        raise ReportError(f"{path} is half a report: it has no footer of its run")
    if footer.get("records") != len(records) - 2:
        raise ReportError(f"{path} has {len(records) - 2} records where its footer counts {footer.get('records')}")
    for key, kind in (("profile", str), ("problems", int), ("seed", int), ("expected", list), ("checks", list)):
        if key in header and not isinstance(header[key], kind):
            raise ReportError(f"{path} has a record that is not of this format: {key} is {header[key]!r}")
    for record in records:
        lacking = _KEYS.get(record["record"], frozenset()) - set(record)
        if lacking:
            raise ReportError(
                f"{path} has a record that is not of this format: {record['record']} lacks {', '.join(sorted(lacking))}"
            )
    try:
        results = tuple(_result(record, records) for record in records if record["record"] == "implementation")
        complaints = tuple(record["text"] for record in records if record["record"] == "complaint")
        missing = set(header["expected"]) - {result.adapter for result in results}
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{path} has a record that is not of this format: {error!r}") from error
    names = [result.adapter for result in results]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ReportError(f"{path} has {', '.join(twice)} twice")
    counted = _counts(results)
    if footer.get("verdicts") != counted:
        raise ReportError(f"{path} holds verdicts {counted} where its footer counts {footer.get('verdicts')}")
    if missing:
        raise ReportError(f"{path} lacks {', '.join(sorted(missing))}, which its header expects")
    return Report(path, header, results, complaints)


def _counts(results: Sequence[Result]) -> dict[str, int]:
    """How often each verdict stands, and the framework arguments that are not claimed."""
    verdicts = Counter(str(result.verdict) for result in results)
    return dict(verdicts) | {"not claimed": sum(len(result.not_claimed) for result in results)}


def _records(result: Result) -> Iterator[dict[str, Any]]:
    yield {
        "record": "implementation",
        "implementation": result.adapter,
        "dialect": result.dialect,
        "verdict": str(result.verdict),
        "reason": result.reason,
        "identity": result.identity,
        "arithmetic": result.arithmetic,
        "deviations": result.deviations,
        "complete": result.complete,
        "seconds": round(result.seconds, 3),
        **result.measures(),
    }
    for check in result.checks:
        data = {key: value for key, value in check.items() if key != "event"}
        yield {"record": "check", "implementation": result.adapter, **data}
    if result.diagnosis is not None:
        told = {key: value for key, value in result.diagnosis.items() if key not in ("reproducer", "scripts")}
        yield {"record": "diagnosis", "implementation": result.adapter, **told}
    for argument in result.not_claimed:
        yield {"record": "not claimed", "implementation": result.adapter, "argument": argument}


def _parsed(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ReportError(f"{path}, line {number} is not JSON: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("record"), str):
        raise ReportError(f"{path}, line {number} is not a record; accepted: an object with a key 'record'")
    return record


def _result(record: dict[str, Any], records: list[dict[str, Any]]) -> Result:
    name = record["implementation"]
    own = [r for r in records if r.get("implementation") == name]
    return Result(
        adapter=name,
        verdict=Verdict(record["verdict"]),
        reason=record["reason"],
        dialect=record["dialect"],
        identity=record["identity"],
        arithmetic=record["arithmetic"],
        deviations=record["deviations"],
        complete=record["complete"],
        seconds=record["seconds"],
        checks=[r for r in own if r["record"] == "check"],
        not_claimed=[r["argument"] for r in own if r["record"] == "not claimed"],
        diagnosis=next((r for r in own if r["record"] == "diagnosis"), None),
    )
