"""Every stage prints its own formula: docstrings are what `explain` shows."""

from __future__ import annotations

import pytest

from reference import DIALECTS, stages
from reference.formulas import formula, source

STAGES = {stage.__name__: stage for dialect in DIALECTS.values() for stage in dialect.stages}


def test_a_formula_and_its_source_come_apart() -> None:
    assert formula(stages.l2) == "g <- g + l2 theta"
    assert source(stages.l2) == "MXNet's wd; torch/optim/adam.py: weight_decay"
    assert formula(stages.epsilon_hat) == (
        "direction <- learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)"
    )
    assert source(stages.scatter_rows) == ""
    assert formula(stages.scatter_rows) == "Rows that are not named have gradient 0: a sparse step is the dense one"


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_formula_of_its_own(name: str) -> None:
    text = formula(STAGES[name])
    assert text
    assert [other for other, stage in STAGES.items() if formula(stage) == text] == [name]
    assert "(" not in text or text.count("(") == text.count(")")
    assert source(STAGES[name]) in " ".join((STAGES[name].__doc__ or "").split())
