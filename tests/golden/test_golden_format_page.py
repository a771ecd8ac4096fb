"""docs/golden-format.md is complete: every key, flag, dialect, stage and hyper-parameter, as the code has it."""

from __future__ import annotations

import inspect
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from golden_copies import PLAIN, ROOT

from golden import CASES, case, cases_of, floats, promote, settings
from golden.case import Generator, xorshift32
from golden.files import MAX_BYTES, MAX_DEPTH
from golden.notes import NOTES
from golden.report import RECORDED_SCHEMA, SCHEMA
from reference import DIALECTS, Hyperparameters, stages
from reference.schedules import FORMULAS

PAGE = (ROOT / "docs" / "golden-format.md").read_text(encoding="utf-8")
ALWAYS = ("learning_rate", "beta_1", "beta_2", "epsilon")
DEFAULTS = {field.name: field.default for field in fields(Hyperparameters)}


def rows(heading: str) -> list[list[str]]:
    """Cells of the rows of a section's tables, its subsections aside."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [line for line in lines if not set("".join(line)) <= {"-", "|"}]


def column(heading: str) -> list[str]:
    """The names in the first column, headings aside."""
    return re.findall(r"`([^`]+)`", " ".join(line[0] for line in rows(heading)))


def keys(schema: Any) -> Iterator[str]:
    """Names of the properties that a JSON Schema knows."""
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        yield from properties
        for value in (*properties.values(), *(v for k, v in schema.items() if k != "properties")):
            yield from keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys(value)


def test_every_key_of_the_schema_is_named() -> None:
    found = set(keys(json.loads(SCHEMA.read_text(encoding="utf-8"))))
    assert {"content_hash", "tolerance", "rows", "hex", "decimal", "seed", "lr_mult", "catches"} <= found
    found |= set(keys(json.loads(RECORDED_SCHEMA.read_text(encoding="utf-8"))))
    assert {"not_asked", "operations", "deviation"} <= found
    assert sorted(key for key in found if f"`{key}`" not in PAGE) == []


def test_every_value_that_the_schema_fixes_is_named() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    fixed = [str(json.loads(value)) for value in re.findall(r'"const": ("[^"]+"|\d+)', text)]
    assert len(fixed) >= 4
    assert [value for value in fixed if f"`{value}`" not in PAGE] == []
    kinds = json.loads(text)["properties"]["notes"]["additionalProperties"]["properties"]["bug"]["enum"]
    assert f"Kinds of bug: {', '.join(kinds)}." in PAGE
    pattern = json.loads(text)["$defs"]["float"]["pattern"]
    assert f"`{pattern}`" in PAGE


def test_every_flag_stands_there_as_in_the_files() -> None:
    notes = {**NOTES, **promote.NOTES}
    wanted = [[f"`{flag}`", note["bug"], note["catches"]] for flag, note in notes.items()]
    assert rows("Flags")[1:] == wanted


def test_every_dialect_has_its_count_and_its_stages_in_their_order() -> None:
    def row(name: str) -> list[str]:
        d = DIALECTS[name]
        stages = " ".join(f"`{stage.__name__}`" for stage in d.stages)
        return [name, "one" if d.step_count == "optimizer" else "own", stages]

    assert rows("Dialects")[1:] == [row(name) for name in DIALECTS]


def test_every_stage_has_a_formula() -> None:
    used = {stage.__name__ for d in DIALECTS.values() for stage in d.stages}
    named = column("Stages")
    assert len(named) == len(set(named))
    assert set(named) == used
    assert all(len(cells) == 2 and cells[1] for cells in rows("Stages"))


def test_every_hyperparameter_has_its_meaning_and_what_stands_for_an_absent_one() -> None:
    _, *meanings = [line for line in rows("Hyper-parameters") if len(line) == 4]
    found = {line[0].strip("`"): line[1:] for line in meanings}
    assert set(found) == set().union(*(d.hyperparameters for d in DIALECTS.values()))
    for name, (kind, absent, meaning) in found.items():
        assert kind.endswith(", later") == (name in settings._LATER), name
        assert meaning
        if name in ALWAYS:
            assert absent == "always there"
        else:
            default = DEFAULTS[name]
            assert json.loads(absent) == (list(default) if isinstance(default, tuple) else default), name
    text = " ".join(line[3] for line in meanings)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]["hyperparameters"]["properties"]
    assert all(f"`{word}`" in text for word in schema["constraint"]["anyOf"][1]["enum"])


def test_every_dialect_has_its_hyperparameters() -> None:
    listed = {line[0]: set(re.findall(r"`(\w+)`", line[1])) for line in rows("Hyper-parameters") if len(line) == 2}
    assert {name: DIALECTS[name].hyperparameters for name in DIALECTS} == {
        name: listed[name] for name in listed if name in DIALECTS
    }


def test_every_schedule_has_its_numbers_and_a_formula() -> None:
    found = {line[0]: re.findall(r"`(\w+)`", line[1]) for line in rows("Schedules")[1:]}
    assert set(found) == set(FORMULAS)
    for name, formula in FORMULAS.items():
        asked = [p.name for p in inspect.signature(formula).parameters.values() if p.kind is p.KEYWORD_ONLY]
        assert found[name] == asked


def test_the_sample_of_gradients_is_stored() -> None:
    (sample,) = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL))
    data = json.loads((CASES / "torch-adam" / "thousand-steps.json").read_text(encoding="ascii"))
    assert sample in [one["gradients"] for one in data["cases"]]


def test_rows_that_are_not_summed_are_named_once_and_rise() -> None:
    assert "Of a dialect without the stage `sum_duplicate_rows`, no row is named twice, and rows rise." in PAGE
    for of in DIALECTS.values():
        if stages.sum_duplicate_rows not in of.stages:
            kinds = {kind for one in cases_of(of.name) for kind in one.gradient_kinds}
            assert kinds <= {"dense", "none", "rows", "empty rows"}, of.name


def test_the_generator_of_the_page_is_the_one_of_the_files() -> None:
    (code,) = re.findall(r"```python\n(def gradients.*?)```", PAGE, flags=re.DOTALL)
    assert len(code.splitlines()) <= 10
    scope: dict[str, Any] = {}
    exec(code, scope)
    exponents = (0, -12)
    wanted = Generator(20141222, 5, exponents).gradients(((3,), (2, 2)))
    assert list(scope["gradients"](20141222, 5, (3, 4), exponents)) == [
        x for step in wanted for g in step for x in g.ravel()
    ]
    states = list(itertools.islice(xorshift32(20141222), 3))
    assert f"states are {', '.join(map(str, states))};" in PAGE
    elements = Generator(20141222, 1, (0,)).gradients(((3,),))[0][0]
    assert f"elements are {', '.join(f'`{floats.to_hex(float(x))}`' for x in elements)}." in PAGE


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x1p+0", 1), ("-0x1.8p-3", -0.1875), ("0x1.ff8p-1", 1 - 2.0**-10), ("0x0.0000000000001p-1022", 2.0**-1074)],
)
def test_the_numbers_of_the_page_are_what_it_says(text: str, value: float) -> None:
    assert f"`{text}`" in PAGE
    assert (floats.from_hex(text, ""), floats.to_hex(value)) == (value, text)


def test_the_limits_are_those_of_the_reader() -> None:
    assert (MAX_BYTES, case.numbers(3, ((), (2,), (9,)))) == (2**20, 3 * (8 + 8 + 9))
    assert f"at most {MAX_DEPTH} deep" in PAGE
    sizes = f"{case.MAX_PARAMETERS} parameters, {case.MAX_ELEMENTS} elements"
    assert sizes in PAGE
    assert f"{case.MAX_STEPS} steps, {case.MAX_NUMBERS} gradient elements" in PAGE


def test_the_example_is_stored() -> None:
    (plain,) = (c for c in cases_of("torch-adam") if c.id == PLAIN)
    first = plain.expected[0]
    section = PAGE.split("## An example\n")[1]
    for array in (first.parameters, first.m, first.v):
        assert f"`{floats.to_hex(float(array[0][0]))}`" in section
    assert f"the tolerance is 2^{int(math.log2(first.tolerance['parameters'][0][0]))}." in section
    h = plain.hyperparameters
    assert (h.learning_rate, h.beta_1, h.beta_2, h.epsilon) == (2.0**-7, 0.875, 1 - 2.0**-10, 2.0**-20)
    assert (plain.parameters[0][0], plain.gradients[0][0][0]) == (1, 0.5)


@pytest.mark.parametrize(
    ("there", "wrong", "test"),
    [
        ("`slow`", "slow", test_every_key_of_the_schema_is_named),
        ("| `ema` | averages", "| `ema` | formula", test_every_flag_stands_there_as_in_the_files),
        ("| torch-nadam | own", "| torch-nadam | one", test_every_dialect_has_its_count_and_its_stages_in_their_order),
        ("`rescale` `clip`", "`clip` `rescale`", test_every_dialect_has_its_count_and_its_stages_in_their_order),
        ("| `rescale` |", "| rescale |", test_every_stage_has_a_formula),
        ("| 0.004 |", "| 0.04 |", test_every_hyperparameter_has_its_meaning_and_what_stands_for_an_absent_one),
        ("`sma_threshold`, `epsilon_root`", "`epsilon_root`", test_every_dialect_has_its_hyperparameters),
        ("`m_mul`", "m_mul", test_every_schedule_has_its_numbers_and_a_formula),
        ('20141222, "steps": 1000', '20141222, "steps": 100', test_the_sample_of_gradients_is_stored),
        ("no row is named twice", "rows", test_rows_that_are_not_summed_are_named_once_and_rise),
        ("x ^= x >> 17", "x ^= x >> 16", test_the_generator_of_the_page_is_the_one_of_the_files),
    ],
)
def test_what_is_lost_or_wrong_is_seen(
    monkeypatch: pytest.MonkeyPatch, there: str, wrong: str, test: Callable[[], None]
) -> None:
    assert there in PAGE
    monkeypatch.setitem(globals(), "PAGE", PAGE.replace(there, wrong))
    with pytest.raises(AssertionError):
        test()
