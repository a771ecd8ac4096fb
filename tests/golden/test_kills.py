"""conformance.kills: which mutants the golden cases reject, and what each case is for."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from conformance import kills, mutants
from golden import cases_of, keeps
from reference import DIALECTS

IDS = [case.id for dialect in DIALECTS for case in cases_of(dialect)]


def test_a_case_earns_its_place_by_a_mutant_that_no_other_of_its_file_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeps, "KEEPS", MappingProxyType({"d/topic/c": "the page's example"}))
    found = {
        "one": frozenset({"d/topic/a"}),
        "two": frozenset({"d/topic/a", "d/topic/b"}),
        "three": frozenset({"d/topic/a", "d/other/e"}),
        "four": frozenset[str](),
    }
    ids = ["d/topic/a", "d/topic/b", "d/topic/c", "d/other/e", "f/topic/a"]
    assert {row.id: (row.killed, row.alone, row.why) for row in kills.earned(found, ids)} == {
        "d/topic/a": (3, ("one", "three"), "alone 2, such as one"),
        "d/topic/b": (1, (), ""),
        "d/topic/c": (0, (), "the page's example"),
        "d/other/e": (1, ("three",), "alone 1, such as three"),
        "f/topic/a": (0, (), "as in d/topic/a"),
    }


def test_a_case_that_is_for_nothing_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keeps, "KEEPS", MappingProxyType({}))
    chosen = ["--only", "threshold-ignored|beta-as-text", "--cases"]
    assert kills.main(chosen) == 1
    out = capsys.readouterr().out
    assert "optax-radam/settings/threshold" in out
    assert "killed; alone 1, such as mutant-threshold-ignored" in out
    assert "NOTHING, and no reason" in out
    assert out.endswith("2 of 2 mutants\n")
    monkeypatch.setattr(keeps, "KEEPS", MappingProxyType({"*": "planted"}))
    assert kills.main([*chosen, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["mutants"]["mutant-threshold-ignored"] == ["optax-radam/settings/threshold"]
    assert len(answer["cases"]) == len(IDS)


def test_changes_of_the_reference_are_rejected_by_the_cases_of_the_dialects_that_they_reach() -> None:
    found = dict(kills.of_reference(r"nesterov_schedule: .*of_g", jobs=1))
    assert len(found) >= 2
    assert all(ids for ids in found.values())
    assert {id_.partition("/")[0] for ids in found.values() for id_ in ids} == {"torch-nadam"}


def test_a_mutant_that_no_case_rejects_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    names = [mutant.name for mutant in mutants.MUTANTS if mutant.__name__ in ("LiveViews", "ThresholdIgnored")]
    assert kills.main(["--missed", "--only", "|".join(f"^{name}$" for name in names)]) == 0
    out = capsys.readouterr().out
    assert "mutant-live-views" in out
    assert "threshold" not in out
    assert out.endswith("1 of 2 mutants\n")


def test_every_reason_is_for_a_case() -> None:
    for pattern, why in keeps.KEEPS.items():
        assert any(keeps.reason(id_) == why for id_ in IDS), pattern
        assert len(why) > 20


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--only", "("], "accepted: a regular expression"),
        (["--only", "no-such-mutant"], "which is found in no mutant"),
        (["--cases", "--missed"], "accepted: one of them"),
    ],
)
def test_a_wrong_command_line_is_exit_2(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = kills.main(words)
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    assert why in " ".join(capsys.readouterr().err.split())
