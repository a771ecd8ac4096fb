"""Findings travel as JSON; outcomes of several problems merge."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import pytest

from conformance.findings import Element, Finding, Outcome, to_json


@dataclass(frozen=True)
class Sample:
    value: object


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (None, None),
        (True, True),
        ("text", "text"),
        ((1, (2, 3)), [1, [2, 3]]),
        ({1: math.inf}, {"1": "inf"}),
        (frozenset({"b", "a"}), ["a", "b"]),
        (Sample((math.nan,)), {"value": ["nan"]}),
    ],
)
def test_data_becomes_plain_json(value: object, expected: object) -> None:
    assert to_json(value) == expected
    json.dumps(to_json(value), allow_nan=False)


def test_a_finding_travels_whole() -> None:
    worst = (Element(index=(1, 0), obtained=math.nan, expected=1.0, bound=0.5),)
    finding = Finding(message="off", quantity="m", step=3, parameter=0, worst=worst, problem=7)
    assert to_json(finding) == {
        "message": "off",
        "quantity": "m",
        "step": 3,
        "parameter": 0,
        "worst": [{"index": [1, 0], "obtained": "nan", "expected": 1.0, "bound": 0.5}],
        "problem": 7,
        "description": "",
        "again": "",
    }


def test_an_element_says_where_what_and_what_was_expected() -> None:
    text = str(Element(index=(1, 0), obtained=0.25, expected=1.0, bound=0.5))
    assert text == "[1, 0]: obtained 0.25, expected 1.0 +- 0.5"


def test_outcomes_of_two_problems_merge() -> None:
    one = Outcome([Finding(message="a")], worst_fraction=0.5, compared=10, ambiguous=1, moving=8, informative=4)
    one.add(Outcome([Finding(message="b")], worst_fraction=2.0, compared=5, ambiguous=2, moving=2, informative=2))
    assert [finding.message for finding in one.findings] == ["a", "b"]
    assert (one.worst_fraction, one.compared, one.ambiguous) == (2.0, 15, 3)
    assert one.informative_share == pytest.approx(0.6)


def test_nothing_that_moves_has_no_informative_share() -> None:
    assert math.isnan(Outcome().informative_share)


def test_a_large_problem_weighs_no_more_than_a_small_one() -> None:
    merged = Outcome()
    for one in (Outcome(moving=1000, informative=0), Outcome(moving=2, informative=2), Outcome()):
        one.weigh()
        merged.add(one)
    assert merged.informative_share == pytest.approx(0.5)
