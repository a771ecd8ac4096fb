"""Reports: whole or refused, and never half written."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from suite_cli import TWIN, run
from suite_reports import records_of, report, results, rewrite

from adapters.registry import of_environment
from conformance import ndjson, table
from conformance.ndjson import FORMAT, VERSION, ReportError
from conformance.verdict import Verdict

Records = list[dict[str, Any]]


def refused(path: Path, why: str) -> None:
    with pytest.raises(ReportError) as caught:
        ndjson.read(path)
    assert str(path) in str(caught.value)
    assert why in str(caught.value)


@pytest.fixture
def keras(tmp_path: Path) -> Path:
    """A whole report."""
    return report(tmp_path, "keras")


# Whole


def test_a_report_is_a_header_records_and_a_footer_that_counts(keras: Path) -> None:
    header, *records, footer = records_of(keras)
    assert (header["record"], header["format"], header["version"]) == ("header", FORMAT, VERSION)
    assert header["expected"] == list(of_environment("keras"))
    assert {record["record"] for record in records} == {"implementation", "check", "not claimed"}
    assert (footer["record"], footer["run_id"], footer["records"]) == ("footer", header["run_id"], len(records))
    absent = sum(record["record"] == "not claimed" for record in records)
    assert footer["verdicts"] == {"conforms": len(header["expected"]), "not claimed": absent}
    assert footer["exit_code"] == 0


def test_the_header_says_where_the_run_comes_from(keras: Path) -> None:
    header, *_ = records_of(keras)
    assert len(header["tree"]) == 64
    assert (header["environment"], header["profile"], header["problems"], header["seed"]) == ("keras", "smoke", 40, 0)
    assert {"python", "numpy", "hypothesis"} <= set(header["versions"])
    assert {"run_id", "time", "commit", "machine", "checks"} <= set(header)


def test_a_report_reads_back_as_the_results_that_were_written(keras: Path) -> None:
    read = ndjson.read(keras)
    for result, original in zip(read.results, results("keras"), strict=True):
        assert (result.adapter, result.verdict, result.dialect) == (
            original.adapter,
            original.verdict,
            original.dialect,
        )
        assert result.identity == original.identity
        assert result.measures() == original.measures()
        assert [check["check"] for check in result.checks] == [check["check"] for check in original.checks]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_and_reason_survives(tmp_path: Path, verdict: Verdict) -> None:
    found = results("torch")
    found[0].verdict, found[0].reason = verdict, 'of "several"\nlines, \udcff and ü'
    found[0].not_claimed = ["maximize"]
    read = ndjson.read(report(tmp_path, "torch", found)).results[0]
    assert (read.verdict, read.reason, read.not_claimed) == (verdict, found[0].reason, ["maximize"])


# Half


def test_a_report_without_its_last_lines_is_refused(keras: Path) -> None:
    lines = keras.read_text().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        keras.write_text("".join(lines[:kept]))
        refused(keras, "has no footer" if kept > 1 else "has no header")


def test_a_report_that_ends_inside_a_line_is_refused(keras: Path) -> None:
    text = keras.read_text()
    for kept in range(1, len(text) - 1, 97):
        keras.write_text(text[:kept])
        with pytest.raises(ReportError, match=r"is not JSON|has no footer|has no header"):
            ndjson.read(keras)


def test_a_report_without_one_of_its_records_is_refused(keras: Path) -> None:
    records = records_of(keras)
    for removed in range(1, len(records) - 1):
        rewrite(keras, records[:removed] + records[removed + 1 :])
        refused(keras, f"has {len(records) - 3} records where its footer counts {len(records) - 2}")


def test_a_report_with_an_implementation_less_than_expected_is_refused(tmp_path: Path) -> None:
    path = report(tmp_path, "keras", results("keras")[:-1], expected=list(of_environment("keras")))
    refused(path, f"lacks {of_environment('keras')[-1]}, which its header expects")


def test_a_report_with_a_record_too_many_is_refused(keras: Path) -> None:
    records = records_of(keras)
    rewrite(keras, [*records[:-1], records[1], records[-1]])
    refused(keras, "records where its footer counts")


def test_two_reports_one_after_the_other_are_refused(keras: Path) -> None:
    keras.write_text(keras.read_text() * 2)
    refused(keras, "records where its footer counts")


def test_an_implementation_that_stands_twice_is_refused(tmp_path: Path) -> None:
    found = results("torch")
    path = report(tmp_path, "torch", [*found, found[0]])
    refused(path, found[0].adapter)


# Damaged


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda records: records[-1].update(run_id="0" * 32), "has no footer of its run"),
        (lambda records: records[-1].update(record="feet"), "has no footer of its run"),
        (lambda records: records[-1].pop("records"), "records where its footer counts None"),
        (lambda records: records[0].update(version=VERSION + 1), f"has version {VERSION + 1}; accepted: {VERSION}"),
        (lambda records: records[0].pop("version"), f"has version None; accepted: {VERSION}"),
        (lambda records: records[0].update(format="junit"), "has no header; accepted: a report of"),
        (lambda records: records[0].pop("expected"), "has a record that is not of this format"),
        (lambda records: records[1].update(verdict="splendid"), "has a record that is not of this format"),
        (lambda records: records[1].pop("implementation"), "has a record that is not of this format"),
        (lambda records: records[1].update(verdict="crashed"), "its footer counts"),
        (lambda records: records[3].pop("record"), "line 4 is not a record; accepted: an object with a key 'record'"),
        (lambda records: records.insert(2, [1, 2]), "line 3 is not a record"),
    ],
)
def test_a_damaged_report_is_refused(keras: Path, change: Callable[[Records], Any], why: str) -> None:
    records = records_of(keras)
    change(records)
    rewrite(keras, records)
    refused(keras, why)


@pytest.mark.parametrize("number", [0, 1, 2, -1], ids=["header", "implementation", "check", "footer"])
def test_a_report_is_refused_or_usable_whichever_key_is_missing(keras: Path, number: int) -> None:
    """Usable: whoever reads it finds what a table shows."""
    records = records_of(keras)
    for key in tuple(records[number]):
        damaged = json.loads(json.dumps(records))
        del damaged[number][key]
        rewrite(keras, damaged)
        try:
            read = ndjson.read(keras)
        except ReportError:
            continue
        assert {"environment", "tree", "profile", "problems", "seed", "checks"} <= set(read.header), key
        for result in read.results:
            table.cells(result)
            table.explain(result)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no header"),
        (b"\n", "line 1 is not JSON"),
        (b"{}\n", "line 1 is not a record"),
        (b"not JSON\n", "line 1 is not JSON"),
        (b"[" * 100_000, "line 1 is not JSON"),
        (b"\xff\xfe\x00binary", "cannot be read"),
        (bytes(range(256)) * 10, "cannot be read"),
    ],
    ids=["empty", "newline", "object", "text", "deep", "binary", "bytes"],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "keras.ndjson"
    path.write_bytes(content)
    refused(path, why)


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.ndjson", "does not exist")
    refused(tmp_path, "cannot be read")


# Written wholly or not at all


def test_a_write_that_fails_midway_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.ndjson"
    ndjson.write(path, "old\n")
    with pytest.raises(UnicodeEncodeError):
        ndjson.write(path, "new\n" * 100_000 + "\udcff")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_makes_folders_and_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.ndjson"
    ndjson.write(path, "new\n")
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


# What takes long


def test_the_slowest_ten_checks_are_printed_and_in_the_reports(tmp_path: Path) -> None:
    ended = run(TWIN, options=("--profile", "smoke", "--report", tmp_path))
    took = {r["check"]: r["seconds"] for r in ended.records if r["record"] == "check"}
    assert all(seconds >= 0 for seconds in took.values())
    assert 0 < sum(took.values()) <= ended.implementation(TWIN)["seconds"]
    slowest = sorted(took, key=lambda check: -took[check])[:10]
    assert len(slowest) == 10
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    listed = re.findall(rf"^- [0-9.]+ s  (\S+) of {re.escape(TWIN)}", text, re.MULTILINE)
    assert listed == slowest
    assert f"the slowest 10 checks: {took[slowest[0]]:.1f} s {slowest[0]} of {TWIN}" in ended.text


def test_a_check_that_sleeps_is_the_slowest(tmp_path: Path) -> None:
    """Golden cases alone have this many steps."""
    file = tmp_path / "slow.py"
    file.write_text(
        "import time\n"
        "from conformance.mutants.twins import TorchTwin\n"
        "class Slow(TorchTwin):\n"
        "    name = 'slow'\n"
        "    def update(self, slot, gradient, h):\n"
        "        if slot.t == 500:\n"
        "            time.sleep(0.5)\n"
        "        TorchTwin.update(self, slot, gradient, h)\n"
    )
    ended = run(f"{file}:Slow")
    assert ended.code == 0
    slowest = max((r for r in ended.records if r["record"] == "check"), key=lambda r: r["seconds"])
    assert slowest["check"] == "golden"
    assert slowest["seconds"] >= 0.5
