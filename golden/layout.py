"""Format, version 1: from JSON to cases, checking everything, and back.

`parse` says what is wrong, where, and what is accepted; sizes are checked before anything is made of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from golden import between, floats, settings, state_order, tolerance
from golden.case import (
    MAX_ELEMENTS,
    MAX_NUMBERS,
    MAX_PARAMETERS,
    MAX_STEPS,
    Case,
    Expected,
    Generator,
    GoldenError,
    numbers,
)
from golden.kinds import exact_in_float32, get, is_a
from reference import DIALECTS, Hyperparameters

FORMAT = "adam-conformance golden"
VERSION = 1
HASH = "content_hash"


@dataclass(frozen=True, kw_only=True)
class File:
    """The cases of one dialect and topic."""

    dialect: str
    topic: str
    conventions: tuple[str, ...]
    """What holds for all of its cases."""
    notes: Mapping[str, Mapping[str, str]]
    """Every flag of its cases: kind of bug, what it catches, its effect."""
    cases: tuple[Case, ...]


def content_hash(data: Mapping[str, Any]) -> str:
    """SHA-256 of everything but itself, as JSON with sorted keys and without white space."""
    content = {key: value for key, value in data.items() if key != HASH}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()


# From JSON


def parse(data: Mapping[str, Any], path: Path) -> File:
    """The cases of a file's content. Raises `GoldenError` naming file, case and key."""
    where = str(path)
    dialect, topic = get(data, "dialect", str, where), get(data, "topic", str, where)
    if dialect not in DIALECTS:
        raise GoldenError(f"{where}: dialect is {floats.shortened(dialect)}; accepted: {', '.join(DIALECTS)}")
    if (path.parent.name, path.stem) != (dialect, topic):
        raise GoldenError(f"{where} says that it is {dialect}/{topic}.json; accepted: the name of the file")
    cases: list[Case] = []
    for k, each in enumerate(get(data, "cases", list, where)):
        at, room = f"{where}: cases[{k}]", MAX_NUMBERS - sum(case.numbers for case in cases)
        cases.append(_case(is_a(each, dict, at), dialect, topic, at, room))
    notes = {flag: _note(note, f"{where}: notes") for flag, note in get(data, "notes", dict, where).items()}
    used = {flag for case in cases for flag in case.flags}
    if used != set(notes):
        odd = floats.shortened(min(used ^ set(notes)))
        raise GoldenError(f"{where}: notes and flags differ in {odd}; accepted: a note for every flag that is used")
    conventions = tuple(is_a(text, str, f"{where}: conventions") for text in get(data, "conventions", list, where))
    return File(dialect=dialect, topic=topic, conventions=conventions, notes=notes, cases=tuple(cases))


def _note(note: object, where: str) -> dict[str, str]:
    return {key: get(is_a(note, dict, where), key, str, where) for key in ("bug", "catches", "effect")}


def _case(data: Mapping[str, Any], dialect: str, topic: str, where: str, room: int) -> Case:
    name = get(data, "id", str, where)
    if not re.fullmatch(f"{dialect}/{re.escape(topic)}/[a-z0-9-]{{1,100}}", name):
        raise GoldenError(f"{where}: id is {floats.shortened(name)}; accepted: {dialect}/{topic}/NAME")
    where = f"{where} ({floats.shortened(name)})"
    parameters, elements = [], 0
    given = get(data, "parameters", list, where)
    if not 1 <= len(given) <= MAX_PARAMETERS:
        raise GoldenError(f"{where}: there are {len(given)} parameters; accepted: 1 to {MAX_PARAMETERS}")
    for i, parameter in enumerate(given):
        at = f"{where}: parameters[{i}]"
        shape = get(is_a(parameter, dict, at), "shape", list, at)
        if len(shape) > 8:
            raise GoldenError(f"{at}.shape has {len(shape)} axes; accepted: up to 8")
        for n in shape:
            if not 0 <= is_a(n, int, f"{at}.shape") <= MAX_ELEMENTS:
                raise GoldenError(f"{at}.shape has {floats.shortened(n)}; accepted: 0 to {MAX_ELEMENTS}")
        elements += math.prod(shape)
        if elements > MAX_ELEMENTS:
            raise GoldenError(f"{at}: the parameters have over {MAX_ELEMENTS} elements; accepted: fewer")
        parameters.append(exact_in_float32(floats.from_hex_list(parameter.get("values"), shape, f"{at}.values"), at))
    shapes = tuple(theta.shape for theta in parameters)
    stored = get(data, "gradients", dict, where)
    generator = _generator(stored, shapes, f"{where}: gradients") if "generator" in stored else None
    steps = generator.steps if generator else len(get(stored, "stored", list, f"{where}: gradients"))
    if not 1 <= steps <= MAX_STEPS:
        raise GoldenError(f"{where}: there are {floats.shortened(steps)} steps; accepted: 1 to {MAX_STEPS}")
    if numbers(steps, shapes) > room:
        text = f"there are {numbers(steps, shapes)} gradient elements; accepted: up to {MAX_NUMBERS} in a file"
        raise GoldenError(f"{where}: {text}, {MAX_NUMBERS - room} being in other cases")
    gradients = generator.gradients(shapes) if generator else _stored(stored, shapes, f"{where}: gradients")
    h = settings.parse(get(data, "hyperparameters", dict, where), dialect, f"{where}: hyperparameters")
    events: tuple[between.Between, ...] = ()
    if "between" in data:
        at = f"{where}: between"
        events = between.parse(get(data, "between", list, where), dialect, h, len(gradients), at)
    order = state_order.parse(data, len(shapes), h, where)
    expected = tuple(
        _expected(is_a(e, dict, f"{where}: expected[{k}]"), shapes, h, where=f"{where}: expected[{k}]")
        for k, e in enumerate(get(data, "expected", list, where))
    )
    at_steps = [e.step for e in expected]
    if at_steps != sorted(set(at_steps)) or not at_steps or not 1 <= at_steps[0] <= at_steps[-1] <= len(gradients):
        text = str(at_steps)[:60]
        raise GoldenError(f"{where}: expected is at steps {text}; accepted: rising, from 1 to {len(gradients)}")
    return Case(
        id=name,
        dialect=dialect,
        description=get(data, "description", str, where),
        source=get(data, "source", str, where),
        flags=tuple(is_a(flag, str, f"{where}: flags") for flag in get(data, "flags", list, where)),
        hyperparameters=h,
        parameters=tuple(parameters),
        gradients=gradients,
        generator=generator,
        between=events,
        state_order=order,
        expected=expected,
    )


def _generator(data: Mapping[str, Any], shapes: tuple[tuple[int, ...], ...], where: str) -> Generator:
    if data["generator"] != "xorshift32":
        raise GoldenError(f"{where}.generator is {floats.shortened(data['generator'])}; accepted: xorshift32")
    seed, steps = get(data, "seed", int, where), get(data, "steps", int, where)
    exponents = tuple(is_a(e, int, f"{where}.exponents") for e in get(data, "exponents", list, where))
    if not 1 <= seed < 2**32:
        raise GoldenError(f"{where}.seed is {floats.shortened(seed)}; accepted: 1 to {2**32 - 1}")
    if len(exponents) != len(shapes) or not all(-60 <= e <= 60 for e in exponents):
        text = str(exponents)[:60]
        raise GoldenError(f"{where}.exponents are {text}; accepted: {len(shapes)} integers from -60 to 60")
    return Generator(seed, steps, exponents)


def _stored(data: Mapping[str, Any], shapes: tuple[tuple[int, ...], ...], where: str) -> tuple[tuple[Any, ...], ...]:
    gradients = []
    for k, step in enumerate(data["stored"]):
        if not isinstance(step, list) or len(step) != len(shapes):
            raise GoldenError(f"{where}.stored[{k}] is not a list of {len(shapes)}; accepted: one per parameter")
        gradients.append(
            tuple(
                _gradient(g, shape, f"{where}.stored[{k}][{i}]")
                for i, (g, shape) in enumerate(zip(step, shapes, strict=True))
            )
        )
    return tuple(gradients)


def _gradient(data: object, shape: tuple[int, ...], where: str) -> Any:
    if data is None:
        return None
    if not isinstance(data, dict):
        return exact_in_float32(floats.from_hex_list(data, shape, where), where)
    rows = [is_a(row, int, f"{where}.rows") for row in get(data, "rows", list, where)]
    height = shape[0] if shape else 0
    if len(rows) > MAX_ELEMENTS or not all(0 <= row < height for row in rows):
        raise GoldenError(f"{where}.rows has a number out of range; accepted: 0 to {height - 1}")
    values = floats.from_hex_list(data.get("values"), (len(rows), *shape[1:]), f"{where}.values")
    return np.array(rows, dtype=np.int64), exact_in_float32(values, where)


def _expected(
    data: Mapping[str, Any], shapes: tuple[tuple[int, ...], ...], h: Hyperparameters, *, where: str
) -> Expected:
    def arrays(name: str) -> tuple[Any, ...]:
        lists = get(data, name, list, where)
        if len(lists) != len(shapes):
            raise GoldenError(f"{where}.{name} has length {len(lists)}; accepted: {len(shapes)}, one per parameter")
        return tuple(
            floats.from_hex_list(texts, shape, f"{where}.{name}[{i}]")
            for i, (texts, shape) in enumerate(zip(lists, shapes, strict=True))
        )

    looks_ahead, averages = h.sync_period is not None, h.ema_momentum is not None
    if not h.amsgrad and data.get("v_max") is not None:
        raise GoldenError(f"{where}.v_max is given; accepted: null, because amsgrad is off")
    if not looks_ahead and "slow" in data:
        raise GoldenError(f"{where}.slow is given; accepted: no such key, because there is no sync_period")
    if not averages and "average" in data:
        raise GoldenError(f"{where}.average is given; accepted: no such key, because there is no ema_momentum")
    expected = Expected(
        step=get(data, "step", int, where),
        t=tuple(is_a(t, int, f"{where}.t") for t in get(data, "t", list, where)),
        parameters=arrays("parameters"),
        m=arrays("m"),
        v=arrays("v"),
        v_max=arrays("v_max") if h.amsgrad else None,
        slow=arrays("slow") if looks_ahead else None,
        average=arrays("average") if averages else None,
    )
    if "tolerance" in data:  # the schema demands it; files that `diff` finds in old revisions are without
        expected = replace(expected, tolerance=_tolerance(get(data, "tolerance", dict, where), expected, where))
    if len(expected.t) != len(shapes):
        raise GoldenError(f"{where}.t has length {len(expected.t)}; accepted: {len(shapes)}, one per parameter")
    return expected


def _tolerance(data: Mapping[str, Any], expected: Expected, where: str) -> dict[str, tuple[Any, ...]]:
    """Exponents of two, or null for 0, one for every element of every quantity."""
    found = {}
    quantities = dict(expected.quantities())
    if set(data) != set(quantities):
        odd = floats.shortened(", ".join(data))
        raise GoldenError(f"{where}.tolerance is of {odd}; accepted: {', '.join(quantities)}")
    for name, arrays in quantities.items():
        at, lists = f"{where}.tolerance.{name}", get(data, name, list, f"{where}.tolerance")
        if [len(is_a(each, list, at)) for each in lists] != [array.size for array in arrays]:
            raise GoldenError(f"{at} has other lengths than {name}; accepted: one exponent per element")
        if not all(e is None or -1074 <= is_a(e, int, at) <= 1023 for each in lists for e in each):
            raise GoldenError(f"{at} has an exponent out of range; accepted: null, or -1074 to 1023")
        found[name] = tuple(
            tolerance.from_exponents(each, array.shape) for each, array in zip(lists, arrays, strict=True)
        )
    return found


# To JSON


def to_json(file: File) -> dict[str, Any]:
    """The content of a file, hash included."""
    data: dict[str, Any] = {
        "$schema": "../../schema.json",
        "format": FORMAT,
        "version": VERSION,
        "made_by": {"program": "python -m golden regenerate", "version": 1, "digits": 50},
        "dialect": file.dialect,
        "topic": file.topic,
        "conventions": list(file.conventions),
        "notes": {flag: dict(note) for flag, note in file.notes.items()},
        "cases": [_case_to_json(case) for case in file.cases],
    }
    return {**data, HASH: content_hash(data)}


def _case_to_json(case: Case) -> dict[str, Any]:
    gradients: dict[str, Any]
    if (g := case.generator) is not None:
        gradients = {"generator": "xorshift32", "seed": g.seed, "steps": g.steps, "exponents": list(g.exponents)}
    else:
        gradients = {"stored": [[_gradient_to_json(x) for x in step] for step in case.gradients]}
    return {
        "id": case.id,
        "description": case.description,
        "source": case.source,
        "flags": list(case.flags),
        "hyperparameters": dict(settings.to_json(case.hyperparameters, case.dialect)),
        "parameters": [{"shape": list(p.shape), "values": floats.hex_list(p)} for p in case.parameters],
        "gradients": gradients,
        **({"between": between.to_json(case.between)} if case.between else {}),
        **({"state_order": list(case.state_order)} if case.state_order else {}),
        "expected": [_expected_to_json(e) for e in case.expected],
    }


def _gradient_to_json(gradient: Any) -> Any:
    if gradient is None:
        return None
    if isinstance(gradient, tuple):
        rows, values = gradient
        return {"rows": [int(row) for row in rows], "values": floats.hex_list(values)}
    return floats.hex_list(gradient)


def _expected_to_json(e: Expected) -> dict[str, Any]:
    return {
        "step": e.step,
        "t": list(e.t),
        "parameters": [floats.hex_list(array) for array in e.parameters],
        "parameters_decimal": decimals(e.parameters),
        "m": [floats.hex_list(array) for array in e.m],
        "v": [floats.hex_list(array) for array in e.v],
        "v_max": None if e.v_max is None else [floats.hex_list(array) for array in e.v_max],
        **({} if e.slow is None else {"slow": [floats.hex_list(array) for array in e.slow]}),
        **({} if e.average is None else {"average": [floats.hex_list(array) for array in e.average]}),
        "tolerance": tolerance.to_exponents(e.tolerance),
    }


def decimals(arrays: tuple[Any, ...]) -> list[list[str]]:
    """What is beside the numbers for people, who alone read it: `golden.lint` compares it."""
    return [[floats.decimal(value) for value in array.ravel()] for array in arrays]
