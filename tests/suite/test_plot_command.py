"""`python -m conformance plot`: who is drawn, who is missing, what is refused before any work, and what is written."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from suite_cli import ROOT, TWIN, conformance, named

from adapters.contract import Problem
from adapters.registry import ADAPTERS, of_environment
from conformance import checks
from conformance.mutants import harness
from conformance.mutants.formula import EpsilonInsideRoot
from conformance.mutants.twins import TorchTwin
from conformance.options import COMMANDS, UsageError, parser
from conformance.plot import command, picture
from conformance.plot.command import Absent, dialect_of
from conformance.subjects import subjects
from reference import DIALECTS

MUTANT, TORCH = named(EpsilonInsideRoot), named(TorchTwin)
TORCH_RADAM = {"torch-radam-loop", "torch-radam-foreach", "fused-adam-torch-face-radam", "fused-adam-torch-radam"}
PNG = b"\x89PNG\r\n\x1a\n"


def plot(*words: object) -> tuple[int, list[str]]:
    """The command in this process: its exit code, and what it says."""
    said: list[str] = []
    read = parser(dict.fromkeys(COMMANDS, lambda options: 0))
    return command.plot(read.parse_args(["plot", *map(str, words)]), said.append), said


def nothing_runs(*_: Any, **__: Any) -> Any:
    raise AssertionError("something ran")


# Who


def test_the_registry_says_the_dialect_of_every_adapter_without_its_framework() -> None:
    assert {dialect_of(name) for name in ADAPTERS} == set(DIALECTS)


def numbers(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What --json has printed."""
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_without_options_the_first_dialect_that_is_here_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = plot("--json", "--steps", 3, "--out", tmp_path / "plots")
    assert code == 0
    told = numbers(capsys)
    (found,) = told["figures"]
    assert (told["format"], told["version"], told["exit_code"]) == ("adam-conformance plot", 1, 0)
    drawn = {c["adapter"] for c in found["curves"]}
    assert drawn
    everybody = {name for name in ADAPTERS if dialect_of(name) == found["dialect"]}
    assert drawn | {one["adapter"] for one in told["absent"]} == everybody
    assert not drawn & {one["adapter"] for one in told["absent"]}
    for one in told["absent"]:
        assert one["kind"] == "missing"
        assert any(text.startswith(f"missing: {one['adapter']} needs what is not here: ") for text in said)
    for path in sorted((tmp_path / "plots").iterdir()):
        assert path.stem == found["dialect"]
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".png", ".svg"}


def test_what_is_missing_is_listed_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch is hidden by the test')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code, said = plot("--dialect", "torch-nadam", "--steps", 2, "--json")
    assert code == 0
    assert {one["adapter"] for one in numbers(capsys)["absent"]} == {"torch-nadam-loop", "torch-nadam-foreach"}
    assert any(text.startswith("missing: torch-nadam-loop needs what is not here") for text in said)
    assert "no implementation: the reference and its bound alone" in said
    with pytest.raises(UsageError, match=r"^torch-nadam-loop needs what is not here"):  # though another could be drawn
        plot("--adapter", TWIN, "--adapter", "torch-nadam-loop", "--out", tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_whose_claim_the_problem_is_outside_of_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = plot("--dialect", "mxnet1-adam", "--dtype", "float16", "--steps", 2, "--json")
    assert code == 0
    kinds = {one["adapter"]: one["kind"] for one in numbers(capsys)["absent"]}
    assert kinds["fused-adam-mxnet1"] == "outside"
    assert "outside: fused-adam-mxnet1 does not claim float16" in said


def test_an_environment_is_all_of_its_adapters_or_those_of_a_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def end(name: str, *_: object) -> Absent:
        asked.append(name)
        return Absent(adapter=name, kind="outside", why=name)

    monkeypatch.setattr(command, "_end", end)
    for words, expected in (
        (["--environment", "torch"], set(of_environment("torch"))),
        (["--environment", "torch", "--dialect", "torch-radam"], TORCH_RADAM),
        (["--dialect", "torch-radam"], TORCH_RADAM | {"fused-adam-triton-torch-radam", "fused-adam-cuda-torch-radam"}),
    ):
        asked.clear()
        with contextlib.suppress(UsageError):  # nobody can be drawn
            plot("--json", *words)
        assert set(asked) == expected


def test_who_crashes_is_listed_and_the_others_are_drawn(tmp_path: Path) -> None:
    crashes, raises = named(harness.Segfaults), named(harness.Raises)
    code, said = plot("--adapter", crashes, "--adapter", TWIN, "--adapter", raises, "--out", tmp_path / "a.svg")
    assert code == 1
    assert f"crashed: {crashes} died by SIGSEGV" in said
    assert any(text.startswith(f"crashed: {raises} raised RuntimeError: the optimizer broke in step") for text in said)
    assert (tmp_path / "a.svg").exists()
    assert any(text.startswith(f"{TWIN} (numpy") for text in said)


def test_who_hangs_is_ended() -> None:
    hangs = named(harness.Hangs)
    with pytest.raises(UsageError, match=r"nothing can be drawn: .*Hangs hung: no progress for 1 s"):
        plot("--adapter", hangs, "--json", "--time-limit", 1)


def test_several_dialects_are_a_figure_each_in_a_folder_and_none_in_a_file(tmp_path: Path) -> None:
    two = ("--adapter", TWIN, "--adapter", TORCH, "--steps", 2)
    code, _ = plot(*two, "--out", tmp_path)
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{dialect}.{name}" for dialect in ("keras-v2-adam", "torch-adam") for name in ("png", "svg")
    }
    assert (tmp_path / "torch-adam.png").read_bytes().startswith(PNG)
    assert (tmp_path / "torch-adam.svg").read_text().startswith("<?xml")
    with pytest.raises(UsageError, match="figures of keras-v2-adam, torch-adam; accepted: a folder"):
        plot(*two, "--out", tmp_path / "both.svg")
    assert not (tmp_path / "both.svg").exists()


def test_the_problem_of_a_finding_is_drawn_as_the_run_judges_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--check", "one-step", "--problem", "1", "--problems", "6", "--seed", "0"]
    code, _ = plot("--json", "--adapter", MUTANT, *words)
    ((c,),) = (found["curves"] for found in numbers(capsys)["figures"])
    implementation = EpsilonInsideRoot()
    problem = subjects(implementation, "general", 6, 0)[1]
    assert isinstance(problem, Problem)
    outcome = checks.one_step(implementation, problem)
    above = [k for k, x in enumerate(map(float, c["one_step"]), 1) if x > 1]
    assert above[0] == outcome.findings[0].step
    assert max(map(float, c["one_step"])) == outcome.worst_fraction
    assert code == 0, "a picture is no verdict"


# Refused before any work


def test_a_list_of_json_is_a_tuple(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"lr_mult": [0.5], "begin_num_update": 3, "wd_mult": [2.0]}
    plot("--json", "--dialect", "mxnet2-adam", "--steps", 2, "--hyperparameters", json.dumps(given))
    (figure,) = numbers(capsys)["figures"]
    assert {name: figure["hyperparameters"][name] for name in given} == given


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--out x.pdf", "argument --out: 'x.pdf'; accepted: FILE.png, FILE.svg, or a folder"),
        ("--out /proc/self/cmdline/x.svg", "argument --out: '/proc/self/cmdline/x.svg' cannot be written"),
        ("--out /proc/self/cmdline/x", "argument --out: '/proc/self/cmdline/x"),
        ("--dialect adam", "argument --dialect: invalid choice: 'adam' (choose from 'keras-v2"),
        ("--dtype float8", "argument --dtype: invalid choice: 'float8' (choose from 'bfloat16'"),
        ("--steps 0", "argument --steps: '0'; accepted: a whole number from 1 on"),
        ("--scale 0", "argument --scale: '0'; accepted: a finite number above 0"),
        ("--scale inf", "argument --scale: 'inf'; accepted: a finite number above 0"),
        ("--gradients sparse", "argument --gradients: invalid choice: 'sparse' (choose from 'dense'"),
        ("--hyperparameters 0.1", "argument --hyperparameters: '0.1'; accepted: a JSON object"),
        ("--check direct", "argument --check: invalid choice: 'direct'"),
        ("--environment jax", "argument --environment: invalid choice: 'jax'"),
    ],
)
def test_a_wrong_option_is_refused(words: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        plot(*words.split())
    assert caught.value.code == 2
    assert why in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--adapter", "torch-lop"], "--adapter is 'torch-lop'; accepted: keras-v2-fused, "),
        (
            ["--dialect", "torch-adam", "--hyperparameters", '{"lr": 1}'],
            "--hyperparameters names 'lr', which torch-adam has not; accepted: amsgrad, beta_1",
        ),
        (
            ["--adapter", TWIN, "--hyperparameters", '{"lr": 1}'],
            "--hyperparameters names 'lr'; accepted: learning_rate",
        ),
        (
            ["--dialect", "torch-adam", "--hyperparameters", '{"beta_1": 1}'],
            "--hyperparameters: beta_1 is 1; accepted: a number in [0, 1)",
        ),
        (
            ["--golden", "torch-adam/none"],
            "--golden is 'torch-adam/none'; accepted: an id out of `python -m golden list`",
        ),
        (
            ["--golden", "torch-adam/spike/dense", "--steps", "3"],
            "--golden and --steps are given; accepted: one of them",
        ),
        (["--golden", "torch-adam/spike/dense", "--problem", "3"], "--golden and --problem are given"),
        (["--problem", "3", "--scale", "2"], "--problem and --scale are given; accepted: one of them"),
        (["--problem", "3", "--dtype", "float64"], "--problem and --dtype are given; accepted: one of them"),
        (["--hyperparameters", '{"lr": 1}'], "--hyperparameters names 'lr'; accepted: learning_rate"),
        (["--scale", "1e39"], "--scale is 1e+39; accepted: at most 3.4e+38, the largest of float32"),
        (["--dtype", "float16", "--scale", "65505"], "accepted: at most 6.55e+04, the largest of float16"),
        (
            ["--golden", "torch-adam/spike/dense", "--dtype", "float16"],
            "--dtype is float16; accepted: float32, float64, which hold the numbers",
        ),
        (["--check", "one-step"], "--check is given; accepted: together with --problem"),
        (["--problem", "3"], "--problem is given with 0 implementations; accepted: one, by --adapter"),
        (["--problem", "300", "--adapter", TWIN], "--problem is 300; accepted: 0 to 299, the run's problems"),
        (["--kwargs", "{}"], "--kwargs is given for no class or factory; accepted: together with --torch-optimizer"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_runs(
    words: list[str], why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "run_child", nothing_runs)
    with pytest.raises(UsageError) as caught:
        plot(*words, "--out", tmp_path / "plots")
    assert why in str(caught.value)
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--adapter", TWIN, "--dialect", "torch-adam"), "claims keras-v2-adam; accepted: torch-adam"),
        (("--adapter", TWIN, "--dtype", "bfloat16"), f"{TWIN} does not claim bfloat16"),
        (("--adapter", TWIN, "--golden", "torch-adam/spike/dense"), "golden case is one of torch-adam, not of keras"),
        (("--adapter", TWIN, "--check", "clip-gradient-zero", "--problem", 0), "which does not apply to"),
        (
            ("--adapter", TWIN, "--check", "long-run", "--problem", 9, "--problems", 10),
            "--problem is 9; accepted: 0 to ",
        ),
        (
            ("--adapter", TWIN, "--hyperparameters", '{"beta_2": 0.9999999999}'),
            "its arithmetic does not hold the hyper-parameters: ",
        ),
        (("--adapter", "nowhere.py:Adam"), "there is no file 'nowhere.py'"),
    ],
)
def test_whom_was_named_and_cannot_be_drawn_is_an_error(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        plot(*words, "--out", tmp_path / "plots")
    assert why in str(caught.value)
    assert not (tmp_path / "plots").exists()


# What is written


def test_the_default_folder_is_refused_before_anything_runs_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run_child", nothing_runs)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plots").write_text("in the way")
    with pytest.raises(UsageError, match=r"--out is not given, and 'plots' is no folder; accepted: a folder"):
        plot("--adapter", f"{ROOT}/{TWIN}")
    assert (tmp_path / "plots").read_text() == "in the way"


def test_without_matplotlib_the_command_says_how_to_get_it_and_json_needs_none(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('matplotlib is hidden by the test')\n")
    hidden = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    ended = conformance("plot", "--adapter", TWIN, "--out", tmp_path / "a.svg", variables=hidden)
    assert ended.code == 2
    assert "Traceback" not in ended.text
    assert (
        "error: matplotlib, which draws, is not installed; accepted: `python -m pip install --group plot`" in ended.text
    )
    assert TWIN not in ended.text, "nothing ran"
    told = conformance("plot", "--adapter", TWIN, "--steps", 2, "--json", variables=hidden)
    assert told.code == 0
    assert len(json.loads(told.out)["figures"][0]["curves"][0]["error"]) == 2


def test_nothing_is_written_where_one_picture_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = picture.render

    def broken(drawn: Any, formats: Any) -> Any:
        if drawn.dialect == "torch-adam":
            raise RuntimeError("planted")
        return real(drawn, formats)

    monkeypatch.setattr(picture, "render", broken)
    with pytest.raises(RuntimeError, match="planted"):
        plot("--adapter", TWIN, "--adapter", TORCH, "--steps", 1, "--out", tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_a_file_that_is_there_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    file.write_text("old")
    for steps in (1, 2):
        assert plot("--adapter", TWIN, "--steps", steps, "--out", file)[0] == 0
        assert file.read_text().rstrip().endswith("</svg>")
    assert list(tmp_path.iterdir()) == [file]
