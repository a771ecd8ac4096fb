"""The command line: help, refusals, exit codes, outputs, and how to run a finding again."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
from pathlib import Path

import pytest
from suite_cli import ROOT, TWIN, Ended, conformance, run

from adapters.registry import ADAPTERS, ENVIRONMENTS, KINDS, of_environment
from conformance import checks, ndjson
from conformance.__main__ import main
from conformance.problems import PROFILES

MUTANT = "conformance/mutants/formula.py:EpsilonInsideRoot"


# Help


@pytest.mark.parametrize("words", [(), ("run",), ("adapters",), ("matrix",), ("explain",), ("plot",)], ids=" ".join)
def test_help_explains_the_exit_codes(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for line in ("0  everything conforms", "1  something does not conform", "2  something could not", "3  the suite"):
        assert line in text


def test_help_names_every_option_of_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    text = capsys.readouterr().out
    options = "adapter environment profile problems seed check problem time-limit deviations report ndjson json jobs"
    options += " write-deviations force"
    options += " dialect kwargs decay arithmetic " + " ".join(KINDS)
    for option in options.split():
        assert f"--{option} " in text
    for name in (*PROFILES, *checks.NAMES, *ENVIRONMENTS):
        assert name in text


# Refusals


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("test", "argument COMMAND: invalid choice: 'test'"),
        ("run --adaptor torch-loop", "unrecognized arguments: --adaptor"),
        ("run torch-loop", "unrecognized arguments: torch-loop"),
        ("run --profile thorough", "argument --profile: invalid choice: 'thorough' (choose from 'smoke', 'quick'"),
        ("run --environment jax", "argument --environment: invalid choice: 'jax' (choose from 'keras', 'keras3'"),
        ("run --check clip", "argument --check: invalid choice: 'clip' (choose from 'contract', 'step-count'"),
        ("run --problems 0", "argument --problems: '0'; accepted: a whole number from 1 on"),
        ("run --problems -3", "argument --problems: '-3'; accepted: a whole number from 1 on"),
        ("run --problems nan", "argument --problems: 'nan'; accepted: a whole number from 1 on"),
        ("run --problems 1.5", "argument --problems: '1.5'; accepted: a whole number from 1 on"),
        ("run --jobs 0", "argument --jobs: '0'; accepted: a whole number from 1 on"),
        ("run --jobs many", "argument --jobs: 'many'; accepted: a whole number from 1 on"),
        ("run --seed -1", "argument --seed: '-1'; accepted: a whole number from 0 on"),
        ("run --seed x", "argument --seed: 'x'; accepted: a whole number from 0 on"),
        ("run --problem -1", "argument --problem: '-1'; accepted: a whole number from 0 on"),
        ("run --problem first", "argument --problem: 'first'; accepted: a whole number from 0 on"),
        ("run --time-limit 0", "argument --time-limit: '0'; accepted: a finite number of seconds above 0"),
        ("run --time-limit -1", "argument --time-limit: '-1'; accepted: a finite number of seconds above 0"),
        ("run --time-limit nan", "argument --time-limit: 'nan'; accepted: a finite number of seconds above 0"),
        ("run --time-limit inf", "argument --time-limit: 'inf'; accepted: a finite number of seconds above 0"),
        ("run --time-limit soon", "argument --time-limit: 'soon'; accepted: a finite number of seconds above 0"),
        (
            "run --torch-optimizer a:B --dialect adam",
            "argument --dialect: invalid choice: 'adam' (choose from 'keras-v2",
        ),
        (
            "run --torch-optimizer a:B --decay some",
            "argument --decay: invalid choice: 'some' (choose from 'l2', 'decou",
        ),
        ("run --torch-optimizer a:B --kwargs x", "argument --kwargs: 'x'; accepted: a JSON object"),
        ("run --torch-optimizer a:B --kwargs [1]", "argument --kwargs: '[1]'; accepted: a JSON object"),
        ('run --torch-optimizer a:B --kwargs {"a":NaN}', """argument --kwargs: '{"a":NaN}'; accepted: a JSON object"""),
        ('run --torch-optimizer a:B --kwargs {"a":1,"a":2}', """'{"a":1,"a":2}'; accepted: a JSON object"""),
        ("run --torch-optimizer a:B --arithmetic 1", "argument --arithmetic: '1'; accepted: a JSON object"),
        ("adapters torch-loop", "unrecognized arguments: torch-loop"),
        ("adapters --jobs 0", "argument --jobs: '0'; accepted: a whole number from 1 on"),
        ("matrix --environments bogus", "argument --environments: 'bogus'; accepted: keras, keras3, mxnet"),
        ("matrix --unknown", "unrecognized arguments: --unknown"),
    ],
)
def test_a_wrong_command_line_is_refused(words: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == 2
    assert why in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("option", ["--ndjson", "--report", "--write-deviations"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path, option: str) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    ended = run(TWIN, options=("--problems", 2, option, file / "below"))
    assert ended.code == 2
    assert f"argument {option}: " in ended.text
    assert "accepted: " in ended.text
    assert "conforms" not in ended.text
    assert file.read_text() == "in the way"


@pytest.mark.parametrize("option", ["--ndjson", "--markdown", "--write-deviations"])
def test_a_folder_is_no_file_to_write(tmp_path: Path, option: str) -> None:
    ended = conformance("matrix" if option == "--markdown" else "run", option, tmp_path)
    assert ended.code == 2
    assert f"argument {option}: " in ended.text


@pytest.mark.parametrize("option", ["--ndjson", "--write-deviations"])
def test_where_the_system_refuses_files_nothing_runs(option: str) -> None:
    """/proc looks writable to root and is not."""
    ended = run(TWIN, options=("--problems", 2, option, "/proc/report.ndjson"))
    assert ended.code == 2
    assert f"argument {option}: '/proc/report.ndjson' cannot be written" in ended.text
    assert "conforms" not in ended.text


def test_a_path_is_printed_as_it_is(tmp_path: Path) -> None:
    """Of `:x:` rich would make a picture."""
    ended = run(TWIN, options=("--problems", 2, "--ndjson", tmp_path / ":x:.ndjson"))
    assert f"wrote {tmp_path}/:x:.ndjson" in ended.text


def test_a_device_or_a_pipe_is_never_replaced_by_a_report(tmp_path: Path) -> None:
    """As root, `--ndjson /dev/stdout` would leave a file there."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ended = run(TWIN, options=("--problems", 2, "--ndjson", pipe))
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert ended.code == 2
    assert "argument --ndjson: " in ended.text


@pytest.mark.parametrize("words", [("--dialect", "torch-adam"), ("--kwargs", "{}"), ("--decay", "l2")], ids=" ".join)
def test_what_belongs_to_a_class_is_refused_without_one(words: tuple[str, str]) -> None:
    ended = conformance("run", "--adapter", TWIN, *words)
    assert ended.code == 2
    assert f"{words[0]} is given for no class or factory; accepted: together with --torch-optimizer" in ended.text


def test_force_forces_nothing_by_itself() -> None:
    ended = conformance("run", "--adapter", TWIN, "--force")
    assert ended.code == 2
    assert "--force is given; accepted: together with --write-deviations" in ended.text


def test_a_counterpart_that_is_not_there_is_named_so() -> None:
    ended = run(TWIN, options=("--problems", 1, "--check", "direct", "--counterpart", "nobody"))
    assert ended.code == 2
    assert "counterpart is 'nobody'; accepted: keras-v2-fused" in ended.text


# Nothing tested is no pass


def without_frameworks(tmp_path: Path) -> dict[str, str]:
    """Variables under which nothing that an adapter needs can be imported."""
    for name in ("torch", "tensorflow", "keras", "tensorflow_addons", "mxnet", "fused_adam"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is hidden by the test')\n")
    return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def test_a_run_in_which_nothing_can_be_imported_is_not_a_pass(tmp_path: Path) -> None:
    ended = conformance("run", "--problems", 1, variables=without_frameworks(tmp_path))
    assert ended.code == 2
    assert "nothing could be tested" in ended.text
    for name in ADAPTERS:
        assert f"missing: {name} " in ended.text
    assert "torch is hidden by the test" in ended.text


def test_an_environment_that_was_named_must_be_there(tmp_path: Path) -> None:
    ended = conformance("run", "--environment", "torch", variables=without_frameworks(tmp_path))
    assert ended.code == 2
    live = [name for name in of_environment("torch") if name.startswith("torch-")]
    assert all(f"{name}: could not be tested: {name} needs what is not here" in ended.text for name in live)


def test_a_missing_framework_of_ours_does_not_stop_the_others(tmp_path: Path) -> None:
    ended = run(TWIN, "torch-loop", options=("--problems", 2), variables=without_frameworks(tmp_path))
    verdicts = [ended.implementation(name)["verdict"] for name in (TWIN, "torch-loop")]
    assert (verdicts, ended.code) == (["conforms", "could not be tested"], 2)


@pytest.mark.parametrize("option", KINDS)
def test_a_class_whose_framework_is_missing_could_not_be_tested(tmp_path: Path, option: str) -> None:
    path = KINDS[option].example
    ended = conformance("run", f"--{option}", path, variables=without_frameworks(tmp_path))
    assert ended.code == 2
    assert f"{path} needs what is not here: " in ended.text


@pytest.mark.parametrize(
    "options",
    [("--problem", 40), ("--check", "clip-gradient-zero")],
    ids=["problem-out-of-range", "check-that-does-not-apply"],
)
def test_a_run_in_which_nothing_was_judged_is_not_a_pass(options: tuple[object, ...]) -> None:
    assert run(TWIN, options=("--profile", "smoke", *options)).code == 2


# Adapters


def test_adapters_lists_all_and_says_why_one_is_missing(tmp_path: Path) -> None:
    ended = conformance("adapters", "--json", variables=without_frameworks(tmp_path))
    rows = json.loads(ended.out)
    assert ended.code == 0
    assert {row["adapter"]: row["environments"] for row in rows} == {
        name: list(entry.environments) for name, entry in ADAPTERS.items()
    }
    for row in rows:
        if len(row["environments"]) > 1:  # needs no framework
            continue
        assert row["state"] == "missing"
        assert "is hidden by the test" in row["why"] or "No module named" in row["why"]
        assert f"{row['adapter']} " in ended.err


# Outputs


def test_one_run_writes_the_same_report_everywhere(tmp_path: Path) -> None:
    file, folder = tmp_path / "new" / "run.ndjson", tmp_path / "report"
    ended = run(TWIN, options=("--profile", "smoke", "--seed", 3, "--ndjson", file, "--report", folder))
    assert ended.code == 0
    assert file.read_text() == (folder / "report.ndjson").read_text() == ended.out
    read = ndjson.read(file)
    assert (read.header["seed"], read.header["problems"], read.header["profile"]) == (3, 40, "smoke")
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# Conformance: ")
    assert "profile smoke" in text.splitlines()[0]
    assert f"| {TWIN} |" in text


def test_a_run_works_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from conformance.mutants.twins import TorchTwin as Adam\n")
    assert run("mine.py:Adam", cwd=tmp_path).code == 0


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_output_survives_a_terminal_without_unicode(encoding: str) -> None:
    ended = conformance("run", "--adapter", TWIN, "--profile", "smoke", variables={"PYTHONIOENCODING": encoding})
    assert ended.code == 0
    assert TWIN in ended.out


def test_an_adapter_that_is_named_twice_runs_once() -> None:
    ended = run(TWIN, f"./{TWIN}", options=("--problems", 1))
    assert len([r for r in ended.records if r["record"] == "implementation"]) == 1


# Again


def again(ended: Ended, check: str) -> list[str]:
    """The words of the first printed command that runs a finding of `check` again."""
    commands = re.findall(r"again: python -m conformance run (.*)$", ended.err, flags=re.MULTILINE)
    return shlex.split(next(command for command in commands if f"--check {check}" in command))


@pytest.mark.parametrize("options", [("--profile", "smoke", "--seed", 5), ("--problems", 30, "--seed", 2)])
def test_the_printed_command_runs_the_same_problem_again(tmp_path: Path, options: tuple[object, ...]) -> None:
    file = tmp_path / "their adapter.py"
    file.write_text("from conformance.mutants.state import AmsgradMaximumNotStored as Adam\n")
    adapter = f"{file}:Adam"
    ended = run(adapter, options=options)
    finding = first_finding(ended, adapter, "one-step")
    repeated = conformance("run", "--json", *again(ended, "one-step"))
    assert repeated.code == 1
    assert first_finding(repeated, adapter, "one-step") == finding
    (record,) = (r for r in repeated.records if r["record"] == "check")
    assert (record["check"], record["problems"]) == ("one-step", 1)


def first_finding(ended: Ended, adapter: str, check: str) -> dict[str, object]:
    (record,) = (
        r for r in ended.records if r["record"] == "check" and (r["implementation"], r["check"]) == (adapter, check)
    )
    finding: dict[str, object] = record["outcome"]["findings"][0]
    return finding


def test_problem_runs_that_problem_alone_in_every_set() -> None:
    ended = run(TWIN, options=("--profile", "smoke", "--problem", 1))
    assert ended.code == 0
    numbers = {r["check"]: r["problems"] for r in ended.records if r["record"] == "check"}
    assert {numbers[check] for check in ("contract", "one-step", "equal-shapes")} == {1}
    assert "informative" not in numbers, "it is about all problems together"


def test_check_runs_that_check_alone() -> None:
    ended = run(MUTANT, options=("--profile", "smoke", "--check", "contract", "--check", "step-count"))
    assert ended.code == 0
    assert {r["check"] for r in ended.records if r["record"] == "check"} == {"contract", "step-count"}


def test_a_finding_says_where_what_and_how_much() -> None:
    ended = run(MUTANT, options=("--profile", "smoke"))
    finding = first_finding(ended, MUTANT, "one-step")
    assert {"step", "parameter", "quantity", "worst", "problem", "description"} <= set(finding)
    for part in ("step ", "parameters of parameter ", " times the bound", "obtained ", "expected ", "+- ", "float"):
        assert part in ended.err
    assert re.search(r"one-step fails on \d+ of 40 problems", ended.err)
