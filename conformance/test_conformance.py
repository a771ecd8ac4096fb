"""The checks as tests. They call the very functions that the command line calls; deviations are not applied here."""

from __future__ import annotations

import pytest

from adapters.contract import Implementation, Problem
from conformance import checks
from conformance.findings import Outcome
from conformance.subjects import Subject


def test_check(implementation: Implementation, check: checks.Check, drawn: list[Subject]) -> None:
    """The check finds nothing on any problem."""
    if not check.applies(implementation.claim):
        pytest.skip(f"{check.name} is about an argument that {implementation.name} does not claim")
    if not drawn:
        pytest.skip(f"{check.name} has nothing to run {implementation.name} on here")
    for number, problem in enumerate(drawn):
        findings = check.judge(implementation, problem).findings
        assert not findings, f"problem {number} ({findings[0].description}): {findings[0].message}"


def test_identity(implementation: Implementation) -> None:
    """The observed operations are the claimed path's."""
    assert not checks.identity(implementation.identity()).findings


def test_informative(implementation: Implementation, general: list[Problem]) -> None:
    """Enough of what is compared could fail."""
    merged = Outcome()
    for problem in general:
        merged.add(checks.one_step(implementation, problem))
    assert not checks.informative(merged).findings
