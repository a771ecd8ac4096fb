"""`run --write-deviations FILE`: what is found is declared, and the next run says so and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from suite_cli import TWIN, run

from conformance import deviations
from conformance.declare import entries, toml
from conformance.deviations import Deviation, read
from conformance.verdict import Result, Verdict

MUTANT = "conformance/mutants/formula.py:EpsilonInsideRoot"
SMOKE = ("--profile", "smoke")


def declared(tmp_path: Path, *adapters: str, options: tuple[object, ...] = SMOKE) -> Path:
    file = tmp_path / "deviations.toml"
    ended = run(*adapters, options=(*options, "--write-deviations", file))
    assert ended.code == (0 if adapters == (TWIN,) else 1), "writing them excuses nothing in this run"
    assert f"wrote {file}: " in ended.text
    return file


def test_what_is_found_is_declared_and_then_deviates_as_declared(tmp_path: Path) -> None:
    file = declared(tmp_path, MUTANT, TWIN)
    (entry,) = read(file)
    assert (entry.implementation, entry.distribution) == (MUTANT, "numpy")
    assert {"one-step", "free-running", "golden"} <= set(entry.checks)
    assert entry.reason.startswith("not explained yet; the first finding: ")
    assert "of 40 problems)" in entry.effect
    ended = run(MUTANT, TWIN, options=(*SMOKE, "--deviations", file))
    assert ended.code == 0
    assert ended.implementation(MUTANT)["verdict"] == "deviates as declared"
    assert ended.implementation(TWIN)["verdict"] == "conforms"


def test_it_declares_what_fails_and_no_more(tmp_path: Path) -> None:
    """A check that was declared beside the failing ones and passes has healed."""
    file = declared(tmp_path, MUTANT)
    file.write_text(file.read_text().replace('"one-step", ', '"one-step", "caller-arrays", '))
    ended = run(MUTANT, options=(*SMOKE, "--deviations", file))
    assert ended.code == 1
    assert "check caller-arrays of" in ended.text
    some = declared(tmp_path / "some", MUTANT, options=(*SMOKE, "--check", "one-step", "--check", "identity"))
    assert read(some)[0].checks == ("one-step",)
    ended = run(MUTANT, options=(*SMOKE, "--deviations", some))
    assert ended.code == 1, "the others fail undeclared"


def test_what_was_declared_stays_and_the_rest_is_added(tmp_path: Path) -> None:
    first = declared(tmp_path / "a", MUTANT, options=(*SMOKE, "--check", "one-step", "--check", "identity"))
    first.write_text(first.read_text().replace("not explained yet", "epsilon stands inside the root"))
    second = tmp_path / "b.toml"
    run(MUTANT, options=(*SMOKE, "--deviations", first, "--write-deviations", second))
    one, rest = read(second)
    assert one == read(first)[0]
    assert "one-step" not in rest.checks
    assert one.id != rest.id
    assert run(MUTANT, options=(*SMOKE, "--deviations", second)).code == 0


def test_a_run_that_conforms_declares_nothing(tmp_path: Path) -> None:
    file = declared(tmp_path, TWIN)
    assert read(file) == ()
    assert run(TWIN, options=(*SMOKE, "--deviations", file)).code == 0


def test_nothing_is_overwritten_unasked_and_nothing_has_run_then(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("# mine\n")
    ended = run(TWIN, options=(*SMOKE, "--write-deviations", file))
    assert ended.code == 2
    assert f"--write-deviations is {file}, which exists; accepted: with --force" in ended.text
    assert "conforms" not in ended.text
    assert file.read_text() == "# mine\n"
    assert run(TWIN, options=(*SMOKE, "--write-deviations", file, "--force")).code == 0
    assert read(file) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"], "no temporary file is left"


# Nothing that was declared is lost

MINE = Deviation(
    id="mine",
    implementation="mine.py:Mine",
    distribution="numpy",
    versions=">=1",
    checks=("one-step", "golden"),
    reason="as I found",
    link="https://example.org",
    effect="much",
)


def result(**failing: bool) -> Result:
    """Of the implementation `mine.py:Mine`, with these checks."""
    checks = [{"check": name.replace("_", "-"), "failing": int(fails)} for name, fails in failing.items()]
    verdict = Verdict.DOES_NOT_CONFORM if any(failing.values()) else Verdict.CONFORMS
    return Result(adapter="mine.py:Mine", verdict=verdict, checks=checks)


@pytest.mark.parametrize(
    ("judged", "whole", "left"),
    [
        ([], {}, ("one-step", "golden")),
        ([result(contract=False)], {"all_checks": False}, ("one-step", "golden")),
        ([result(one_step=False)], {"all_checks": False}, ("golden",)),
        ([result(one_step=False, golden=False)], {"all_problems": False}, ("one-step", "golden")),
        ([result(one_step=True, golden=False)], {}, ("one-step",)),
        ([result(one_step=False, golden=False)], {}, ()),
    ],
    ids=["another's", "not asked for", "asked for and healed", "one problem", "partly healed", "healed"],
)
def test_what_is_declared_stays_with_its_reason_unless_it_has_healed(
    judged: list[Result], whole: dict[str, bool], left: tuple[str, ...]
) -> None:
    for one in judged:
        deviations.apply(one, [MINE], lambda _: "1.5", **whole)
    found, refused = entries(judged, [MINE], {}, lambda _: "1.5", **whole)
    assert (found, refused) == ([replace(MINE, checks=left)] if left else [], [])


def test_another_version_s_entry_stays_and_does_not_excuse_this_one() -> None:
    old = replace(MINE, versions="<1")
    judged = result(one_step=False, golden=False)
    assert deviations.apply(judged, [old], lambda _: "1.5") == []
    assert entries([judged], [old], {}, lambda _: "1.5") == ([old], [])


def test_a_file_that_declares_something_is_not_overwritten_by_a_run_without_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(toml([MINE]), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    ended = run(TWIN, options=("--problems", 2, "--write-deviations", file, "--force"))
    assert ended.code == 2
    assert f"which declares something; accepted: another file, or with --deviations {file}" in ended.text
    assert file.read_text(encoding="utf-8") == text
    same = ("--deviations", file, "--write-deviations", file, "--force")
    assert run(TWIN, options=("--problems", 2, *same)).code == 0
    assert read(file) == (MINE,)
    crashed = run("conformance/mutants/harness.py:Raises", options=("--problems", 2, *same))
    assert crashed.code == 1
    assert f"wrote no deviations to {file}: conformance/mutants/harness.py:Raises crashed" in crashed.text
    assert file.read_text(encoding="utf-8") == toml([MINE]) == text


def test_a_crash_cannot_be_declared(tmp_path: Path) -> None:
    file = tmp_path / "adapter.py"
    file.write_text(
        "from conformance.mutants.twins import TorchTwin\n\n\n"
        "class Adam(TorchTwin):\n    def start(self, parameters, hyperparameters):\n        raise OSError('no')\n"
    )
    out = tmp_path / "deviations.toml"
    ended = run(f"{file}:Adam", options=("--problems", 2, "--write-deviations", out))
    assert ended.code == 1
    assert f"wrote no deviations to {out}: " in ended.text
    assert "crashed, which is no deviation" in ended.text
    assert not out.exists()


def test_without_the_check_identity_nobody_ships_it(tmp_path: Path) -> None:
    file = declared(tmp_path, MUTANT, options=("--problems", 30, "--check", "one-step"))
    assert read(file) == ()


@pytest.mark.parametrize(
    "text", ['"quoted" \\ back', "two\nlines\tand\x00a\x1fcontrol\x7f", "\u03a9 \U0001f600 \u00e9", "'''\"\"\""]
)
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    entry = Deviation(
        id="a",
        implementation=text,
        distribution="b",
        versions=">=1",
        checks=("golden",),
        reason=text,
        link="c",
        effect="d",
    )
    file = tmp_path / "f.toml"
    file.write_text(toml([entry]), encoding="utf-8")
    assert read(file) == (entry,)
