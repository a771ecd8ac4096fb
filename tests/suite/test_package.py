"""The package that pip installs, and the files that say how everything is run."""

from __future__ import annotations

import configparser
import os
import re
import stat
import sys
import tomllib
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from suite_cli import ROOT

from adapters.registry import ENVIRONMENTS
from conformance.provenance import version_of

DISTRIBUTION = "adam-conformance"
installed = pytest.mark.skipif(
    version_of(DISTRIBUTION) is None and "TOX_ENV_NAME" not in os.environ,
    reason="the wheel is not installed here; `tox run -e suite` installs it",
)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


# The wheel


@installed
def test_the_wheel_holds_fused_adam_and_nothing_of_the_harness() -> None:
    files = metadata.files(DISTRIBUTION)
    assert files
    tops = {file.parts[0] for file in files}
    assert tops == {"fused_adam", f"adam_conformance-{metadata.version(DISTRIBUTION)}.dist-info"}
    assert {"__init__.py", "py.typed"} <= {file.name for file in files if file.parts[0] == "fused_adam"}


@installed
def test_fused_adam_is_imported_from_where_it_was_installed() -> None:
    import fused_adam

    found = Path(fused_adam.__file__).resolve()
    assert not found.is_relative_to(ROOT / "src")
    assert found.is_relative_to(Path(sys.prefix).resolve())
    assert fused_adam.__version__ == metadata.version(DISTRIBUTION)


@installed
def test_the_package_needs_nothing_of_the_harness() -> None:
    required = metadata.requires(DISTRIBUTION) or []
    assert not [name for name in required if re.match(r"hypothesis|pytest|rich|keras|tensorflow|mxnet", name)]


# Environments


@pytest.mark.parametrize("label", ["gate", "everything"])
def test_the_gate_is_every_environment_of_an_adapter_and_the_matrix(label: str) -> None:
    """All that the matrix asks a report of."""
    labels = dict(line.split(" = ") for line in tox()["tox"]["labels"].strip().splitlines())
    *environments, last = labels[label].split(", ")
    assert set(environments) == set(ENVIRONMENTS)
    assert last == "matrix"


def test_every_environment_of_the_gate_writes_the_report_that_the_matrix_reads() -> None:
    for section in ("testenv:{keras, keras3, mxnet, mxnet1, torch, optax}", "testenv:triton"):
        commands = tox()[section]["commands"]
        assert "conformance run --environment {env_name} --profile {env:CONFORMANCE_PROFILE:quick}" in commands
        assert "--ndjson {tox_root}/.reports/{env_name}.ndjson" in commands
    matrix = tox()["testenv:matrix"]
    assert "python -m conformance matrix" in matrix["commands"]
    assert set(matrix["depends"].split(", ")) == set(ENVIRONMENTS)


def not_run(commands: str) -> list[str]:
    """Test files that stand in no command, neither themselves nor a folder of theirs; tests/gpu needs a GPU."""
    named = {word.replace("{env_name}", name) for word in commands.split() for name in ENVIRONMENTS}
    files = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("test_*.py"))]
    wanted = [file for file in files if file.parts[1] != "gpu"]
    return [str(file) for file in wanted if named.isdisjoint(map(str, (file, *file.parents[:-2])))]


def test_every_test_file_is_run_by_some_environment() -> None:
    commands = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert not_run(commands) == []
    assert not_run(commands.replace("tests/adapters/test_keras_saving.py", "")) == [
        "tests/adapters/test_keras_saving.py"
    ]
    assert len(not_run(commands.replace("tests/suite", ""))) > 20


def test_every_dependency_is_pinned_exactly() -> None:
    for group, entries in project()["dependency-groups"].items():
        for entry in entries:
            if isinstance(entry, str):
                assert re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", entry), f"{group}: {entry}"
            else:
                assert set(entry) == {"include-group"}
    assert all("==" in entry for entry in project()["build-system"]["requires"])


def test_a_package_has_the_same_version_in_every_environment() -> None:
    """But NumPy, without which the frameworks do not run together, and those that are here in two versions."""
    versions: dict[str, set[str]] = defaultdict(set)
    for entries in project()["dependency-groups"].values():
        for entry in entries:
            if isinstance(entry, str):
                name, version = entry.split("==")
                versions[name].add(version)
    assert {name for name, found in versions.items() if len(found) > 1} == {"numpy", "keras", "mxnet"}


def test_every_environment_with_a_dependency_group_of_its_name_has_one() -> None:
    environments = re.findall(r"[\w-]+", tox()["tox"]["env_list"])
    groups = set(project()["dependency-groups"])
    named = {tox()[f"testenv:{e}"].get("dependency_groups", e) if f"testenv:{e}" in tox() else e for e in environments}
    assert named <= groups


def test_the_oldest_numpy_that_is_promised_is_tried() -> None:
    (promised,) = (text for text in project()["project"]["dependencies"] if text.startswith("numpy>="))
    assert promised.replace(">=", "==") in project()["dependency-groups"]["golden-oldest"]


# The gate


def test_the_gates_script_ends_with_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    lines = script.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert re.search(r"\btox\b", lines[-1])
    assert lines[-1] in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
