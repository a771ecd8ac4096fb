"""docs/golden-format.md alone is enough: its tables and formulas, followed in plain Python, give every stored value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import prod
from types import SimpleNamespace
from typing import Any

import page_stages
import pytest
from test_golden_format_page import PAGE, rows

from golden import CASES

Page = tuple[dict[str, tuple[bool, list[str]]], dict[str, Any]]


def of_the_page() -> Page:
    """Of every dialect whether t is one for all and the stages in their order; what stands for what is absent."""
    dialects = {name: (t == "one", re.findall(r"`(\w+)`", stages)) for name, t, stages in rows("Dialects")[1:]}
    cells = [line for line in rows("Hyper-parameters")[1:] if len(line) == 4]
    absent = {name.strip("`"): json.loads(value) for name, _, value, _ in cells if value != "always there"}
    return dialects, absent


def value(x: Any) -> Any:
    if isinstance(x, list):
        return [value(one) for one in x]
    if isinstance(x, dict):
        return float.fromhex(x["hex"]) if "hex" in x else {name: value(one) for name, one in x.items()}
    return x


def parameter(index: int, data: dict[str, Any], h: Any) -> Any:
    size, theta = prod(data["shape"]), [float.fromhex(text) for text in data["values"]]
    width = size // data["shape"][0] if data["shape"] else 1
    zeros, v_max = [0.0] * size, [0.0] * size if h.amsgrad else None
    own = {"index": index, "width": width, "t": h.begin_num_update, "whole": None}
    return SimpleNamespace(**own, parameters=theta, m=zeros, v=zeros, v_max=v_max, slow=theta, average=theta)


def gradients_of(data: dict[str, Any], parameters: list[Any]) -> Iterator[list[Any]]:
    """Of each step a list: per parameter None, or rows, which are None of a dense gradient, and values."""
    if "stored" not in data:
        scope: dict[str, Any] = {}
        (code,) = re.findall(r"```python\n(def gradients.*?)```", PAGE, flags=re.DOTALL)
        exec(code, scope)
        sizes = [len(p.parameters) for p in parameters]
        elements = scope["gradients"](data["seed"], data["steps"], sizes, data["exponents"])
        for _ in range(data["steps"]):
            yield [(None, [next(elements) for _ in range(size)]) for size in sizes]
    for step in data.get("stored", ()):
        yield [
            None
            if g is None
            else (g["rows"], [float.fromhex(text) for text in g["values"]])
            if isinstance(g, dict)
            else (None, [float.fromhex(text) for text in g])
            for g in step
        ]


def replayed(page: Page, dialect: str, data: dict[str, Any]) -> float:
    """The largest difference as a fraction of its tolerance; infinite where t is wrong."""
    (one_t, stages), absent = page[0][dialect], page[1]
    h = SimpleNamespace(**(absent | value(data["hyperparameters"])))
    parameters = [parameter(i, each, h) for i, each in enumerate(data["parameters"])]
    expected, worst = {e["step"]: e for e in data["expected"]}, 0.0
    between = data.get("between", [])
    for k, step in enumerate(gradients_of(data["gradients"], parameters), 1):
        for event in [event for event in between if event["after"] == k - 1]:
            do_between(event, h, parameters)
        largest = max(p.t for p in parameters)
        for p, gradient in zip(parameters, step, strict=True):
            p.t += one_t or gradient is not None
            p.updates = largest = max(largest, p.t)
            p.rows, p.g = (None, None) if gradient is None else gradient
            p.alpha, p.weight_decay, p.l2, p.s = h.learning_rate, h.weight_decay, h.l2, None
            p.b_1, p.b_2 = 1 - h.beta_1**p.t, 1 - h.beta_2**p.t
        for name in stages:
            every = [p.g for p in parameters if p.g is not None]
            for p in parameters:
                if p.g is not None or name in ("average_all", "overwrite_all"):
                    getattr(page_stages, name)(p, h, every)
        if k in expected:
            worst = max(worst, *fractions(expected.pop(k), parameters))
    assert not expected
    return worst


def do_between(event: dict[str, Any], h: Any, parameters: list[Any]) -> None:
    """As the page has it: a load and a rebuilt object leave everything as it is."""
    if event["do"] == "set":
        vars(h).update(value(event["hyperparameters"]))
    elif event["do"] == "finalize":
        for p in parameters:
            p.parameters = p.average


def fractions(expected: dict[str, Any], parameters: list[Any]) -> Iterator[float]:
    for p in parameters:
        yield 0.0 if expected["t"][p.index] == p.t else float("inf")
        for name, exponents in expected["tolerance"].items():
            texts = expected[name][p.index]
            for x, text, e in zip(getattr(p, name), texts, exponents[p.index], strict=True):
                off = abs(x - float.fromhex(text))
                yield off / 2.0**e if e is not None else 0.0 if off == 0 else float("inf")


FILES = sorted(CASES.rglob("*.json"))


def test_every_stored_value_is_what_the_page_gives() -> None:
    page, worst = of_the_page(), {}
    for path in FILES:
        data = json.loads(path.read_text(encoding="ascii"))
        worst |= {case["id"]: replayed(page, data["dialect"], case) for case in data["cases"]}
    assert {name: fraction for name, fraction in worst.items() if not fraction <= 1} == {}
    assert 0.05 < max(worst.values()) < 0.5
    assert len(worst) > 350


@pytest.mark.parametrize(
    ("dialect", "change"),
    [
        ("mxnet1-adam", lambda one, stages: (one, ["clip", *(s for s in stages if s != "clip")])),
        ("mxnet2-adam-lazy", lambda one, stages: (not one, stages)),
        ("tf-keras-adam", lambda one, stages: (one, [s for s in stages if s != "overwrite"])),
        ("torch-radam", lambda one, stages: (one, [s.replace("rectified_hat", "rectified") for s in stages])),
        ("optax-nadam", lambda one, stages: (one, [s.replace("nesterov", "root_epsilon") for s in stages])),
    ],
)
def test_a_table_that_is_wrong_gives_other_values(dialect: str, change: Any) -> None:
    dialects, absent = of_the_page()
    page = {**dialects, dialect: change(*dialects[dialect])}, absent
    files = [path for path in FILES if path.parent.name == dialect and path.stem != "thousand-steps"]
    cases = [case for path in files for case in json.loads(path.read_text(encoding="ascii"))["cases"]]
    assert max(replayed(page, dialect, case) for case in cases) > 1000
