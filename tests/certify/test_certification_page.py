"""docs/certification.md names every stage, dialect and scalar, and no error above its bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from certify.scalars import SCALARS
from reference import DIALECTS

PAGE = Path(__file__).parents[2] / "docs" / "certification.md"
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.read_text().splitlines()
    if line.startswith("|")
]


def test_every_stage_of_every_dialect_has_its_row() -> None:
    wanted = {(stage.__name__, d.name) for d in DIALECTS.values() for stage in d.stages}
    assert sorted(row[:2] for row in ROWS if row[1] in DIALECTS) == sorted(wanted)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_has_its_step(name: str) -> None:
    (row,) = (row for row in ROWS if row[0] == name)
    shown = [float(cell) for cell in row[1:] if cell != "-"]
    assert len(shown) == 3 + len({"amsgrad", "sync_period", "ema_momentum"} & DIALECTS[name].hyperparameters)
    assert all(0 < value <= 1 for value in shown)


def test_every_scalar_has_its_row() -> None:
    shown = {row[0]: float(row[1]) for row in ROWS if row[0] in {scalar.name for scalar in SCALARS}}
    assert shown.keys() == {scalar.name for scalar in SCALARS}
    assert all(value <= 8 for value in shown.values())


def test_no_stage_is_above_its_bound_and_all_but_the_maximum_without_amsgrad_were_tried() -> None:
    idle = {("amsgrad_maximum", d.name) for d in DIALECTS.values() if "amsgrad" not in d.hyperparameters}
    stages = [row for row in ROWS if row[1] in DIALECTS]
    assert all(int(row[4]) > 100 and float(row[2]) <= 8 for row in stages if row[:2] not in idle)
    assert all(row[2] == "-" for row in stages if row[:2] in idle)
