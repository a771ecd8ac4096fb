"""Files that show a failure are tried in a process of their own, and the report says which of them do not show it."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite_cli import named, run

from conformance import alone
from conformance.mutants.twin import Scalar, Work
from conformance.mutants.twins import KerasV2Twin
from conformance.verdict import Result, Verdict


class LaterInTheProcess(KerasV2Twin):
    """After fifty rates in a process each step is too small: what is kept in a class outlives a run."""

    rates = 0

    def rate(self, w: Work) -> Scalar:
        LaterInTheProcess.rates += 1
        return super().rate(w) * w.scalar(0.999 if LaterInTheProcess.rates > 50 else 1)


def test_a_failure_that_needs_what_ran_before_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    adapter = named(LaterInTheProcess)
    options = ("--problems", "10", "--check", "one-step", "--report", tmp_path)
    ended = run(adapter, options=options, diagnosis=True)
    assert ended.code == 1
    said = "by itself, in a process of its own, does not show the failure: it depends on what ran before in the process"
    assert f"LaterInTheProcess.py {said}" in ended.text
    assert said in (tmp_path / "report.md").read_text()
    (record,) = (r for r in ended.records if r["record"] == "diagnosis")
    assert said in record["notes"][-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('[0]: obtained 1.0, expected 2.0'); raise SystemExit(1)", []),
        ("raise SystemExit(0)", ["it_py_It.py by itself, in a process of its own, does not show the failure: "]),
        ("import nowhere", ["exit code 1): ModuleNotFoundError: No module named 'nowhere'"]),
        ("import os; os.abort()", ["it_py_It.py by itself does not come so far (exit code -6): nothing was printed"]),
        ("while True: ...", []),
    ],
)
def test_what_is_said_of_a_file(text: str, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "SECONDS", 1.5 if "while" in text else 60.0)
    result = Result(adapter="it.py:It", verdict=Verdict.DOES_NOT_CONFORM, diagnosis={"says": "it", "reproducer": text})
    alone.try_files(result)
    assert result.diagnosis is not None
    assert len(result.diagnosis["notes"]) == len(said)
    assert all(words in note for words, note in zip(said, result.diagnosis["notes"], strict=True))
