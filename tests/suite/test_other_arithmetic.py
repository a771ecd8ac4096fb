"""No false alarm about a correct implementation that declares truthfully how it computes."""

from __future__ import annotations

import pytest
from suite_cli import run

OWN = "tests/suite/other_arithmetic.py"


@pytest.mark.parametrize("name", ["Textbook", "DoubleInside"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_correct_implementation_conforms(name: str, seed: int) -> None:
    ended = run(f"{OWN}:{name}", options=("--profile", "quick", "--seed", seed))
    assert ended.failing(f"{OWN}:{name}") == set()
    assert ended.code == 0
