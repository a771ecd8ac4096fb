"""The matrix judges only whole reports of one run of this very tree, one per environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from suite_cli import Ended, conformance
from suite_reports import all_reports, records_of, report, results, rewrite, twin_run

from adapters.registry import ADAPTERS, ENVIRONMENTS, of_environment
from conformance import matrix, provenance
from conformance.verdict import Verdict


def merged(*words: object) -> Ended:
    ended = conformance("matrix", *words)
    assert "Traceback (most recent call last)" not in ended.text
    return ended


def named(adapter: str, environment: str) -> str:
    """An adapter that runs in several environments is a row in each."""
    return f"{adapter} ({environment})" if len(ADAPTERS[adapter].environments) > 1 else adapter


def test_good_reports_of_all_environments_conform(tmp_path: Path) -> None:
    ended = merged(*all_reports(tmp_path))
    rows = sum(len(entry.environments) for entry in ADAPTERS.values())
    assert ended.code == 0
    assert f"{rows} implementations: conforms (exit code 0)" in ended.text
    assert "profile smoke" in ended.text
    assert "seed 0" in ended.text
    for entry in ADAPTERS.values():
        assert not entry.environments or entry.name in ended.out


def test_the_slowest_ten_checks_are_printed(tmp_path: Path) -> None:
    ended = merged("--json", "--markdown", tmp_path / "m.md", *all_reports(tmp_path))
    slowest = json.loads(ended.out)["slowest"]
    assert len(slowest) == 10
    assert f"the slowest 10 checks: {' '.join(slowest[0].split())}" in ended.text
    assert f"## Slowest checks\n\n- {slowest[0]}\n- {slowest[1]}\n" in (tmp_path / "m.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_report_that_is_not_given_is_missed(tmp_path: Path, environment: str) -> None:
    ended = merged(*(path for path in all_reports(tmp_path) if path.stem != environment))
    assert ended.code == 2
    assert f"there is no report of environment {environment}; run tox run -e {environment}" in ended.text


def test_a_report_that_does_not_exist_is_missed(tmp_path: Path) -> None:
    paths = all_reports(tmp_path)
    paths[0].unlink()
    ended = merged(*paths)
    assert ended.code == 2
    assert f"{paths[0]} does not exist; run tox run -e keras" in ended.text
    assert ended.text.count("tox run -e keras") == 1


def test_without_files_the_reports_of_the_tox_environments_are_read() -> None:
    folder = provenance.ROOT / ".reports"
    assert matrix.default_files() == tuple(folder / f"{environment}.ndjson" for environment in ENVIRONMENTS)


def _truncated(folder: Path) -> None:
    path = folder / "keras.ndjson"
    path.write_bytes(path.read_bytes()[:-20])


def _without_footer(folder: Path) -> None:
    path = folder / "keras.ndjson"
    rewrite(path, records_of(path)[:-1])


def _without_profile(folder: Path) -> None:
    path = folder / "keras.ndjson"
    records = records_of(path)
    del records[0]["profile"]
    rewrite(path, records)


def _crashed_beside_half(folder: Path) -> None:
    """What cannot be merged outweighs what does not conform."""
    found = results("torch")
    found[0].verdict = Verdict.CRASHED
    report(folder, "torch", found)
    _without_footer(folder)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_truncated, "is not JSON"),
        (_without_footer, "keras.ndjson is half a report: it has no footer of its run; run tox run -e keras"),
        (_without_profile, "keras.ndjson"),
        (_crashed_beside_half, "keras.ndjson is half a report"),
        (lambda folder: report(folder, "keras", tree="0" * 64), "keras.ndjson is stale: the sources have changed"),
        (lambda folder: report(folder, "keras", tree=None), "keras.ndjson is stale: the sources have changed"),
        (lambda folder: report(folder, "keras", results("keras")[:2]), f"lacks {min(of_environment('keras')[2:])}, "),
        (lambda folder: report(folder, "keras", []), "keras.ndjson"),
        (lambda folder: report(folder, "keras", profile="quick"), "the reports are of different runs (keras: profile"),
        (lambda folder: report(folder, "keras", problems=2), "the reports are of different runs (keras: profile"),
        (lambda folder: report(folder, "keras", seed=1), "the reports are of different runs (keras: profile smoke, 40"),
        (lambda folder: report(folder, "keras", checks=["contract"]), "holds only the checks contract; accepted: all"),
        (lambda folder: report(folder, "keras", environment="mxnet"), "lacks mxnet2-fused"),
        (lambda folder: report(folder, "keras", environment="jax"), "is of environment 'jax'; accepted: keras, keras3"),
        (lambda folder: report(folder, "keras", environment=None), "is of environment None; accepted: keras, keras3"),
        (lambda folder: report(folder, "keras", environment=["keras"]), "is of environment ['keras']; accepted: "),
    ],
)
def test_a_report_that_cannot_be_used_is_named(tmp_path: Path, damage: Callable[[Path], object], why: str) -> None:
    paths = all_reports(tmp_path)
    damage(tmp_path)
    ended = merged(*paths)
    assert ended.code == 2
    assert why in ended.text
    assert "; run tox run -" in ended.text


def test_two_reports_of_one_environment_are_refused(tmp_path: Path) -> None:
    paths = all_reports(tmp_path)
    again = report(tmp_path / "again", "torch")
    ended = merged(*paths, again)
    assert ended.code == 2
    assert f"environment torch has two reports: {paths[ENVIRONMENTS.index('torch')]} and {again}" in ended.text


def test_a_run_of_one_problem_is_not_a_run_of_all(tmp_path: Path) -> None:
    """`run --problem K` is for debugging; the matrix must not take it for the gate's run."""
    paths = all_reports(tmp_path)
    own = {"environment": "keras", "expected": list(of_environment("keras"))}
    report(tmp_path, "keras", results("keras"), **(twin_run(only=1).header | own))
    assert merged(*paths).code == 2


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.CONFORMS, 0),
        (Verdict.DEVIATES, 0),
        (Verdict.DOES_NOT_CONFORM, 1),
        (Verdict.CRASHED, 1),
        (Verdict.COULD_NOT_TEST, 2),
        (Verdict.SUITE_FAILED, 3),
    ],
)
def test_one_verdict_decides_the_exit_code(tmp_path: Path, verdict: Verdict, code: int) -> None:
    paths = all_reports(tmp_path)
    first, *others = results("mxnet")
    report(tmp_path, "mxnet", [replace(first, verdict=verdict, reason="the reason"), *others])
    ended = merged(*paths)
    assert ended.code == code
    assert f"(exit code {code})" in ended.text
    assert (f"{first.adapter}: {verdict}: the reason" in ended.text) == (verdict is not Verdict.CONFORMS)


def test_fewer_environments_can_be_asked_for(tmp_path: Path) -> None:
    ended = merged(report(tmp_path, "torch"), "--environments", "torch")
    assert ended.code == 0
    assert f"{len(of_environment('torch'))} implementations: conforms" in ended.text


@pytest.mark.parametrize("value", ["bogus", "keras,bogus", "", "keras,", "Keras"])
def test_an_environment_that_does_not_exist_is_refused(value: str) -> None:
    ended = merged("--environments", value)
    assert ended.code == 2
    assert f"{value.split(',')[-1]!r}; accepted: {', '.join(ENVIRONMENTS)}" in ended.text


# Outputs


def test_markdown_holds_the_table_and_the_findings(tmp_path: Path) -> None:
    paths = dict(zip(ENVIRONMENTS, all_reports(tmp_path), strict=True))
    first, *others = results("mxnet")
    bad = replace(first, verdict=Verdict.CRASHED, reason="hung | on <problem> 3", not_claimed=["lazy_update"])
    report(tmp_path, "mxnet", [bad, *others])
    path = tmp_path / "out" / "matrix.md"
    del paths["keras"]
    assert merged(*paths.values(), "--markdown", path).code == 2
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Conformance matrix: ")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    found = {env: results(env) for env in paths} | {"mxnet": [bad, *others]}
    shown = [(r, env) for env in paths for r in found[env]]
    assert [line.split(" | ")[0] for line in table[2:]] == [f"| {named(r.adapter, env)}" for r, env in shown]
    assert f"- **{first.adapter}**: crashed: hung | on <problem> 3" in text
    assert f"- {first.adapter}: lazy_update" in text
    assert "there is no report of environment keras; run tox run -e keras" in text


def test_json_is_all_that_stands_on_standard_output(tmp_path: Path) -> None:
    ended = merged(*all_reports(tmp_path)[:2], "--json")
    data = json.loads(ended.out)
    assert (ended.code, data["exit_code"]) == (2, 2)
    assert [row["implementation"] for row in data["implementations"]] == [
        named(name, environment) for environment in ENVIRONMENTS[:2] for name in of_environment(environment)
    ]
    assert data["implementations"][0]["verdict"] == "conforms"
    absent = [f"there is no report of environment {env}; run tox run -e {env}" for env in ENVIRONMENTS[2:]]
    assert data["problems"] == absent


# Provenance


@pytest.mark.parametrize("name", ["adapters/a.py", "adapters/deviations.toml", "golden/g.json", "src/fused_adam/f.py"])
def test_a_report_is_stale_when_a_source_changes(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    hashes = {provenance.tree_hash()}
    for content in ("a", "b"):
        file.write_text(content)
        hashes.add(provenance.tree_hash())
    file.rename(file.with_stem("renamed"))
    hashes.add(provenance.tree_hash())
    assert len(hashes) == 4


def test_a_report_is_not_stale_when_something_else_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    before = provenance.tree_hash()
    for name in ("docs/a.md", "tests/t.py", "adapters/__pycache__/a.cpython-311.pyc", "README.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("changed")
    assert provenance.tree_hash() == before
