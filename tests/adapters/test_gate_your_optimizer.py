"""docs/gate-your-optimizer.md and the workflow beside it: their commands do what is said there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "gate-your-optimizer.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / "docs" / "gate-for-your-repository.yml").read_text(encoding="utf-8")
OWN = (ROOT / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8")

# A package that pip builds without a network.
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "my-adam"
version = "1.0"
"""
BACKEND = """
from zipfile import ZipFile

def build_wheel(directory, settings=None, metadata=None):
    info = "my_adam-1.0.dist-info"
    with ZipFile(f"{directory}/my_adam-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write("my_adam.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: my-adam\\nVersion: 1.0\\n")
        lines = ("Wheel-Version: 1.0", "Generator: backend", "Root-Is-Purelib: true", "Tag: py3-none-any", "")
        wheel.writestr(f"{info}/WHEEL", "\\n".join(lines))
        wheel.writestr(f"{info}/top_level.txt", "my_adam\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return "my_adam-1.0-py3-none-any.whl"
"""


def blocks(language: str) -> list[str]:
    """The page's fenced blocks."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def runs(workflow: str) -> list[str]:
    """The commands of a workflow, and the variables of their steps before them."""
    found = []
    for step in re.split(r"^      - ", workflow, flags=re.MULTILINE)[1:]:
        variables = re.search(r"^        env:\n((?:          .*\n)+)", step, flags=re.MULTILINE)
        command = re.search(r"^        run: (?:\|\n((?:          .*\n)+)|(.*)\n)", step, flags=re.MULTILINE)
        if command is not None:
            exports = re.findall(r"(\w+): (.*)", variables[1]) if variables else []
            words = [f"export {name}={value}" for name, value in exports]
            found.append("\n".join([*words, textwrap.dedent(command[1] or command[2])]))
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An author's folder: the example, a clone of this project beside it, an environment that sees ours."""
    folder = tmp_path_factory.mktemp("author")
    (example,) = blocks("python")
    (folder / "my_adam.py").write_text(example)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "adam-conformance").symlink_to(ROOT)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (packages,) = (folder / ".venv" / "lib").glob("python3*/site-packages")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder


def shell(project: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as the workflow's runner does, in the author's environment and with nothing of ours."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables |= {"PATH": f"{project / '.venv' / 'bin'}{os.pathsep}{variables['PATH']}", "PIP_NO_INDEX": "1"}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.fixture(scope="module")
def followed(project: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """The page from beginning to end: what came of each of its commands."""
    script, done = "", {}
    for line in "".join(blocks("sh")).splitlines():
        if line.startswith("export"):
            script += f"{line}\n"
        else:
            done[line] = shell(project, script + line)
    return done


def test_every_command_of_the_page_ends_as_it_says(followed: dict[str, subprocess.CompletedProcess[str]]) -> None:
    assert len(followed) == 6
    for line, ended in followed.items():
        stated = re.search(r"# exit code (\d)$", line)
        assert ended.returncode == (int(stated[1]) if stated else 0), (line, ended.stdout[-3000:], ended.stderr[-3000:])


def test_the_page_says_what_a_reader_sees(followed: dict[str, subprocess.CompletedProcess[str]]) -> None:
    _, first, explained, keras, _, last = followed.values()
    shown = " ".join(blocks("")[0].split())
    pieces = [piece for piece in re.split(r"\.\.\.|\d+", shown) if len(piece) > 3]
    assert len(pieces) > 5
    text = " ".join(first.stdout.split())
    for piece in pieces[:4]:
        assert piece.strip() in text, piece
    assert "again: python -m conformance run --torch-optimizer my_adam:MyAdam --check one-step --problem" in text
    assert "epsilon_hat" in explained.stdout
    assert "conforms" in keras.stdout
    assert "deviates as declared" in last.stdout


def test_the_workflow_to_copy_is_green_and_turns_red(
    project: Path, followed: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    install, gate = runs(WORKFLOW)
    installed = shell(project, install)
    assert installed.returncode == 0, installed.stderr
    green = shell(project, gate)
    assert green.returncode == 0, green.stdout + green.stderr
    assert "my-adam 1.0" in (project / "adam-report" / "report.md").read_text(encoding="utf-8")
    file = project / "my_adam.py"
    example = file.read_text()
    file.write_text(example.replace('state["step"] += 1', 'state["step"] += 2'))
    red = shell(project, gate)
    assert red.returncode == 1
    assert "step-count" in red.stdout
    (block,) = (text for text in blocks("diff"))
    removed = [line[1:] for line in block.splitlines() if line.startswith("-")]
    added = [line[1:] for line in block.splitlines() if line.startswith("+")]
    fixed = example.replace("\n".join(removed), "\n".join(added))
    assert fixed != example
    file.write_text(fixed)
    healed = shell(project, gate)
    assert healed.returncode == 1
    assert "it has healed or never was: remove the entry" in " ".join(healed.stdout.split())
    (project / "deviations.toml").write_text("")
    assert shell(project, gate).returncode == 0
    file.write_text(example)


def test_the_workflow_to_copy_needs_nothing_that_a_fork_is_not_given() -> None:
    code = "\n".join(line.partition(" #")[0] for line in WORKFLOW.splitlines() if not line.startswith("#"))
    assert "${{" not in code
    assert "repository: OWNER/adam-conformance\n" in code
    assert runs(WORKFLOW)[0].startswith('python -m pip install "pip>=25.1"')


def test_the_workflow_of_this_repository_runs_the_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    gate, everything, longer, full = runs(OWN)
    assert (gate, everything) == ("python -m pip install tox && tox run -m gate", "python -m pip install tox && tox")
    for command in (gate, everything):
        assert f"\n{command}\n" in readme
    assert longer.removeprefix("python -m pip install tox && ") in readme
    assert full == f"export CONFORMANCE_PROFILE=full && {gate}"
    assert "--profile {env:CONFORMANCE_PROFILE:quick}" in (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert re.search(r"gate:\n    if: github.event_name == 'pull_request'", OWN)
    assert re.findall(r"(nightly.*):\n    if: github.event_name == 'schedule'", OWN) == [
        "nightly",
        "nightly-longer",
        "nightly-full",
    ]


def test_a_workflow_without_commands_would_be_noticed() -> None:
    assert runs("steps:\n      - uses: a\n      - name: b\n        run: c\n") == ["c"]
    assert runs("      - env:\n          A: b\n        run: |\n          c\n          d\n") == ["c\nd\n"]
