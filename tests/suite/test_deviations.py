"""Declared deviations are strict both ways: undeclared fails, healed fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from suite_cli import ROOT, TWIN, Ended, run

from adapters.registry import ADAPTERS
from conformance import checks, deviations
from conformance.deviations import Deviation
from conformance.verdict import Result, Verdict

MUTANT = "conformance/mutants/formula.py:ZeroClipIgnored"
"""Fails the check clip-gradient-zero and no other."""
ENTRY: Mapping[str, Any] = {
    "id": "zero-clip",
    "implementation": MUTANT,
    "distribution": "numpy",
    "versions": ">=1",
    "checks": ["clip-gradient-zero"],
    "reason": "the fused path tests clip_gradient > 0",
    "link": "https://example.org/issues/1",
    "effect": "clip_gradient 0 does not clip",
}


def toml(path: Path, *entries: Mapping[str, Any]) -> Path:
    """Write a deviations file."""
    tables = ("\n".join(["[[deviation]]", *(f"{key} = {value!r}" for key, value in e.items())]) for e in entries)
    path.write_text("\n".join(tables) + "\n")
    return path


def judged(
    tmp_path: Path, *entries: Mapping[str, Any], adapter: str = MUTANT, options: tuple[object, ...] = ()
) -> Ended:
    file = toml(tmp_path / "deviations.toml", *entries)
    return run(adapter, options=("--profile", "smoke", "--deviations", file, *options))


# Strict both ways


def test_a_failing_check_that_is_declared_deviates_as_declared(tmp_path: Path) -> None:
    ended = judged(tmp_path, ENTRY)
    record = ended.implementation(MUTANT)
    assert (ended.code, record["verdict"], record["reason"]) == (0, "deviates as declared", "zero-clip")
    assert record["deviations"] == ["zero-clip"]
    assert ended.failing(MUTANT) == {"clip-gradient-zero"}, "what failed stays in the report"
    assert "deviates as declared: zero-clip" in ended.text


def test_a_failing_check_that_is_not_declared_does_not_conform(tmp_path: Path) -> None:
    ended = judged(tmp_path)
    assert (ended.code, ended.implementation(MUTANT)["verdict"]) == (1, "does not conform")


def test_one_declared_check_does_not_excuse_another(tmp_path: Path) -> None:
    mutant = "conformance/mutants/formula.py:EpsilonInsideRoot"
    ended = judged(tmp_path, {**ENTRY, "implementation": mutant, "checks": ["one-step"]}, adapter=mutant)
    record = ended.implementation(mutant)
    assert (ended.code, record["verdict"]) == (1, "does not conform")
    assert "free-running" in record["reason"]


def test_several_entries_may_explain_several_checks(tmp_path: Path) -> None:
    mutant = "conformance/mutants/rows.py:LastDuplicateWins"
    one = {**ENTRY, "implementation": mutant, "checks": ["one-step"], "id": "a"}
    laws = [f"law-{name}" for name in ("averages", "clips", "constraints", "exclusions", "replicas", "schedules")]
    others = {**one, "id": "b", "checks": ["free-running", "equal-shapes", *laws, "golden"]}
    ended = judged(tmp_path, one, others, adapter=mutant)
    assert (ended.code, ended.implementation(mutant)["reason"]) == (0, "a, b")


def test_a_deviation_that_has_healed_fails_the_run(tmp_path: Path) -> None:
    ended = judged(tmp_path, {**ENTRY, "implementation": TWIN, "checks": ["one-step"]}, adapter=TWIN)
    record = ended.implementation(TWIN)
    assert (ended.code, record["verdict"]) == (1, "does not conform")
    assert f"deviation zero-clip: check one-step of {TWIN} passes; it has healed" in record["reason"]
    (complaint,) = (record["text"] for record in ended.records if record["record"] == "complaint")
    assert complaint in ended.text


def test_a_check_that_has_healed_fails_the_run_though_another_still_deviates(tmp_path: Path) -> None:
    ended = judged(tmp_path, {**ENTRY, "checks": ["clip-gradient-zero", "one-step"]})
    assert ended.code == 1
    assert "deviation zero-clip: check one-step of" in ended.text
    assert "check clip-gradient-zero of" not in ended.text


def test_a_check_that_has_nothing_to_run_on_fails_the_run(tmp_path: Path) -> None:
    ended = judged(tmp_path, {**ENTRY, "implementation": TWIN}, adapter=TWIN)
    assert ended.code == 1
    assert f"deviation zero-clip: {TWIN} has nothing to run clip-gradient-zero on: remove it" in ended.text


@pytest.mark.parametrize("whole", [{"all_problems": False}, {"all_checks": False}], ids=str)
def test_one_problem_or_one_check_is_excused_by_an_entry_that_names_more(whole: dict[str, bool]) -> None:
    """equal-shapes has no problem of that number, or was not asked for."""
    entry = Deviation(**{**ENTRY, "checks": ("one-step", "equal-shapes")})
    result = Result(adapter=MUTANT, verdict=Verdict.DOES_NOT_CONFORM, checks=[{"check": "one-step", "failing": 1}])
    assert deviations.apply(result, [entry], lambda _: "1.5", **whole) == []
    assert (result.verdict, result.deviations) == (Verdict.DEVIATES, ["zero-clip"])
    other = Result(adapter=MUTANT, verdict=Verdict.DOES_NOT_CONFORM, checks=[{"check": "golden", "failing": 1}])
    deviations.apply(other, [entry], lambda _: "1.5", **whole)
    assert other.verdict is Verdict.DOES_NOT_CONFORM


# Not judged


def test_one_file_serves_several_runs(tmp_path: Path) -> None:
    others = ["my_package.optim:MyAdam(foreach=True)", "./elsewhere/mine.py:Mine", "torch-loop"]
    mine = [
        {**ENTRY, "id": f"other-{n}", "implementation": name, "distribution": "torch", "checks": ["one-step"]}
        for n, name in enumerate(others)
    ]
    ended = judged(tmp_path, ENTRY, *mine)
    assert (ended.code, ended.implementation(MUTANT)["verdict"]) == (0, "deviates as declared")
    for n, name in enumerate(others):
        assert f"not in this run: {name}, of which {tmp_path / 'deviations.toml'} has other-{n}" in ended.text


def test_our_own_file_names_none_but_ours(tmp_path: Path) -> None:
    entry = Deviation(**{**ENTRY, "checks": ("contract",), "implementation": "mine.py:Mine"})
    deviations.check_implementations(tmp_path, [entry], tuple(ADAPTERS), lambda _: None)
    with pytest.raises(deviations.DeviationsError, match=r"implementation is 'mine.py:Mine'; accepted: "):
        deviations.check_implementations(deviations.DEFAULT_FILE, [entry], tuple(ADAPTERS), lambda _: None)


def test_another_version_is_not_judged(tmp_path: Path) -> None:
    ended = judged(tmp_path, {**ENTRY, "versions": "<1"})
    assert (ended.code, ended.implementation(MUTANT)["verdict"]) == (1, "does not conform")
    assert not [record for record in ended.records if record["record"] == "complaint"]


def test_a_check_that_was_not_asked_for_is_not_judged(tmp_path: Path) -> None:
    assert judged(tmp_path, ENTRY, options=("--check", "one-step")).code == 0


def test_a_run_of_one_problem_heals_nothing(tmp_path: Path) -> None:
    mutant = "conformance/mutants/rows.py:LastDuplicateWins"
    entry = {**ENTRY, "implementation": mutant, "checks": ["one-step", "free-running"]}
    for number in range(3):
        assert "has healed" not in judged(tmp_path, entry, adapter=mutant, options=("--problem", number)).text


def test_a_crash_is_not_judged(tmp_path: Path) -> None:
    fake = "conformance/mutants/harness.py:Raises"
    ended = judged(tmp_path, {**ENTRY, "implementation": fake, "checks": ["contract"]}, adapter=fake)
    assert (ended.code, ended.implementation(fake)["verdict"]) == (1, "crashed")
    assert not [record for record in ended.records if record["record"] == "complaint"]


def applied(
    verdict: Verdict, *, failing: bool, complete: bool = True, installed: str | None = "1.5"
) -> tuple[Result, list[str]]:
    """What becomes of a result under an entry for numpy >= 1, < 2."""
    check = {"check": "contract", "failing": int(failing)}
    result = Result(adapter=MUTANT, verdict=verdict, checks=[check], complete=complete)
    entry = Deviation(**{**ENTRY, "versions": ">=1,<2", "checks": ("contract",)})
    return result, deviations.apply(result, [entry], lambda _: installed)


@pytest.mark.parametrize("installed", [None, "0.9", "2.0"])
@pytest.mark.parametrize("failing", [True, False])
def test_out_of_range_or_not_installed_changes_nothing(installed: str | None, failing: bool) -> None:
    verdict = Verdict.DOES_NOT_CONFORM if failing else Verdict.CONFORMS
    result, complaints = applied(verdict, failing=failing, installed=installed)
    assert (result.verdict, complaints) == (verdict, [])


@pytest.mark.parametrize("installed", ["1.5", "1.5+cpu", "1.6.dev0", "1.5rc1"])
def test_local_and_pre_releases_are_in_range(installed: str) -> None:
    result, complaints = applied(Verdict.DOES_NOT_CONFORM, failing=True, installed=installed)
    assert (result.verdict, complaints) == (Verdict.DEVIATES, [])


@pytest.mark.parametrize("verdict", [Verdict.CRASHED, Verdict.COULD_NOT_TEST, Verdict.SUITE_FAILED])
@pytest.mark.parametrize("failing", [True, False])
def test_checks_that_did_not_run_to_the_end_change_nothing(verdict: Verdict, failing: bool) -> None:
    result, complaints = applied(verdict, failing=failing, complete=False)
    assert (result.verdict, complaints) == (verdict, [])


# Files that cannot be used


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"severity": "low"}, "entry 1 (zero-clip) has key 'severity'; accepted: id, implementation, distribution"),
        ({"checks": ["clip"]}, "entry 1 (zero-clip): checks is ['clip']; accepted: a list out of contract, step-count"),
        ({"checks": []}, "entry 1 (zero-clip): checks is []; accepted: a list out of contract"),
        ({"checks": "contract"}, "entry 1 (zero-clip): checks is 'contract'; accepted: a list out of contract"),
        ({"checks": [["contract"]]}, "checks is [['contract']]; accepted: a list out of contract"),
        ({"implementation": "keras"}, "(zero-clip): implementation is 'keras'; accepted: keras-v2-fused, "),
        ({"distribution": "nunpy"}, "(zero-clip): distribution is 'nunpy'; accepted: an installed one, which ships"),
        (
            {"implementation": "mxnet2-fused", "distribution": "mxnte"},
            "(zero-clip): distribution is 'mxnte'; accepted: mxnet, which ships mxnet2-fused",
        ),
        (
            {"implementation": "tf-keras", "distribution": "keras"},
            "(zero-clip): checks has 'clip-gradient-zero'; accepted: one that applies to tf-keras: contract, ",
        ),
        (
            {"implementation": "torch-loop", "distribution": "torch", "checks": ["direct"]},
            "(zero-clip): checks has 'direct'; accepted: one that applies to torch-loop: contract, ",
        ),
        ({"versions": "one"}, "entry 1 (zero-clip): versions is 'one'; accepted: a range as >=1,<2"),
        ({"versions": ""}, "entry 1 (zero-clip): versions is ''; accepted: "),
        ({"versions": 1}, "entry 1 (zero-clip): versions is 1; accepted: text"),
        ({"reason": " "}, "entry 1 (zero-clip): reason is ' '; accepted: text"),
        ({"id": 5}, "entry 1: id is 5; accepted: text"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, change: Mapping[str, Any], why: str) -> None:
    refused(tmp_path, toml(tmp_path / "deviations.toml", {**ENTRY, **change}), why)


@pytest.mark.parametrize("key", ENTRY)
def test_a_missing_key_is_refused(tmp_path: Path, key: str) -> None:
    file = toml(tmp_path / "deviations.toml", {k: v for k, v in ENTRY.items() if k != key})
    with pytest.raises(deviations.DeviationsError, match=rf"entry 1.* has no {key}; accepted: all of id, "):
        deviations.read(file)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = toml(tmp_path / "deviations.toml", ENTRY, {**ENTRY, "checks": ["contract"]})
    refused(tmp_path, file, "id 'zero-clip' stands twice; accepted: every id once")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not TOML", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: "),
        (b"[[deviations]]\nid = 'a'", "has deviations; accepted: [[deviation]] tables"),
        (b"[deviation]\nid = 'a'", "deviation is a dict; accepted: [[deviation]] tables"),
        (b"deviation = 'none'", "deviation is a str; accepted: [[deviation]] tables"),
        (b"deviation = ['none']", "entry 1 is a str; accepted: a table"),
    ],
)
def test_a_file_that_is_no_list_of_deviations_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "deviations.toml"
    file.write_bytes(content)
    refused(tmp_path, file, why)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, tmp_path / "none.toml", "cannot be read: No such file or directory")
    refused(tmp_path, tmp_path, "cannot be read: Is a directory")


def refused(tmp_path: Path, file: Path, why: str) -> None:
    """Exit 2, naming the file, before any implementation was loaded."""
    adapter = tmp_path / "leaves_a_trace.py"
    adapter.write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'trace')!r}).touch()\n")
    ended = run(f"{adapter}:Adam", MUTANT, options=("--problems", 1, "--deviations", file))
    assert ended.code == 2
    assert str(file) in ended.text
    assert why in ended.text
    assert "Traceback" not in ended.text
    assert not (tmp_path / "trace").exists()


# Ours


def test_our_own_file_is_valid_and_names_adapters_of_ours() -> None:
    entries = deviations.read()
    deviations.check_implementations(deviations.DEFAULT_FILE, entries, tuple(ADAPTERS), lambda _: None)
    assert deviations.DEFAULT_FILE == ROOT / "adapters" / "deviations.toml"
    for entry in entries:
        assert set(entry.checks) <= set(checks.NAMES)
        assert entry.distribution == ADAPTERS[entry.implementation].distribution
        assert entry.link.startswith(("https://", "docs/findings/"))
