"""Every feature of the oracle changes what a check on a real framework says."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import reference
from conformance.ablation import Feature, shown_by
from conformance.ablation.__main__ import ablated
from conformance.ablation.gathered import gathered, implementations

PROBLEMS = 12


def test_every_feature_is_shown_by_a_real_framework(environment: str) -> None:
    lines = list(ablated(environment, PROBLEMS))
    assert len(lines) > 10
    assert [f"{line.dialect}: {line.name}" for line in lines if line.shown is None] == []


def test_what_takes_nothing_out_is_shown_by_nobody(environment: str) -> None:
    """A stage that does nothing would be found: the dialect as it is agrees with what was observed."""
    implementation = next(implementations(environment))
    whole = reference.dialect(implementation.claim.dialect)
    nothing = Feature(whole.name, "stage", "nothing", "nothing", replace(whole, source="a copy"))
    found = shown_by([nothing], islice(gathered([implementation], PROBLEMS), 12))
    assert found == {nothing: None}
