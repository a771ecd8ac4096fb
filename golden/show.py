"""A case in words and decimals, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from golden import floats
from golden.case import Case
from golden.layout import File
from reference import DIALECTS, Schedule

_STEPS_SHOWN = 8


def lines(case: Case, file: File) -> Iterator[str]:
    """The case, its notes, problem and trajectory."""
    yield case.id
    yield f"  {case.description}"
    yield f"  source: {case.source}"
    for flag in case.flags:
        note = file.notes[flag]
        yield f"  {flag} ({note['bug']}): {note['catches']}; {note['effect']}"
    yield f"hyper-parameters: {', '.join(_hyperparameters(case))}"
    for i, theta in enumerate(case.parameters):
        yield f"parameter {i}, shape {list(theta.shape)}: {_array(theta)}"
    yield f"gradients: {case.steps} steps" + (f", xorshift32 of seed {case.generator.seed}" if case.generator else "")
    for k, step in enumerate(case.gradients[:_STEPS_SHOWN], 1):
        yield f"  step {k}: {'; '.join(_gradient(g) for g in step)}"
    if case.steps > _STEPS_SHOWN:
        yield f"  ... {case.steps - _STEPS_SHOWN} more"
    for event in case.between:
        given = ", ".join(f"{name} {_value(value)}" for name, value in event.hyperparameters.items())
        yield f"after step {event.after}: {event.do}{f' {given}' if given else ''}"
    if case.state_order:
        yield f"the framework lists its state as: {', '.join(case.state_order)}"
    yield "expected:"
    for expected in case.expected:
        yield f"  step {expected.step}, t {', '.join(map(str, expected.t))}"
        for name, arrays in expected.quantities():
            yield f"    {name}: {'; '.join(_array(array) for array in arrays)}"


def _hyperparameters(case: Case) -> Iterator[str]:
    for name in sorted(DIALECTS[case.dialect].hyperparameters):
        yield f"{name} {_value(getattr(case.hyperparameters, name))}"


def _value(value: Any) -> str:
    if isinstance(value, Schedule):
        return f"{value.name} ({', '.join(f'{key} {_value(number)}' for key, number in value.numbers)})"
    if isinstance(value, tuple):
        return " ".join(map(_value, value))
    return str(value) if value is None or isinstance(value, bool | str) else floats.decimal(value)


def _array(array: Any) -> str:
    text = np.array2string(
        array, separator=" ", formatter={"float_kind": lambda x: floats.decimal(float(x))}, max_line_width=10**6
    )
    return text.replace("\n", "")


def _gradient(gradient: Any) -> str:
    if gradient is None:
        return "none"
    if isinstance(gradient, tuple):
        rows, values = gradient
        return f"rows {rows.tolist()} {_array(values)}"
    return _array(gradient)
