"""The project's own tests of what is changed, for what the contract cannot say."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from conformance.mutants.tokens.gate import Outcome
from conformance.provenance import ROOT


class _First:
    """Remembers the first failure, and how many tests passed before."""

    def __init__(self) -> None:
        self.failed = ""
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def run(tests: Sequence[str]) -> Outcome:
    """Run `tests` in this process, up to the first that fails."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # Hypothesis, having drawn, refuses to be loaded again
    first = _First()
    options = [
        "-x",
        "-q",
        "--assert=plain",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT),
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    code = pytest.main([*options, *tests], plugins=[first])
    if code == pytest.ExitCode.OK:
        return Outcome()
    return Outcome(killed=first.failed or f"pytest ended with {code!r}", kind="test", where=first.failed)
