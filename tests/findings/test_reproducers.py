"""Every finding is one still: the code on its page prints what the page says, without the suite."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version
from pages import Page


def printed(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The code run as its reader would run it: in an empty folder, and nothing of this project on the path."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    (folder / "reproducer.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "reproducer.py"]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=120, check=False)


def test_the_code_prints_what_the_page_says(page: Page, tmp_path: Path) -> None:
    done = printed(page.code, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == page.obtained


def test_the_page_names_the_version_that_is_here(page: Page) -> None:
    for package in page.facts["Package"].split(" and "):
        distribution, version = package.split()
        assert Version(metadata.version(distribution)).public == Version(version).public


@pytest.mark.parametrize("foreign", ["adapters", "conformance", "reference", "fused_adam", "golden"])
def test_the_code_needs_nothing_of_this_project(page: Page, foreign: str) -> None:
    assert foreign not in page.code
