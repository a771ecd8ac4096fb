"""docs/documents.md is whole and true, and the table of the signatures is that of the adapters' classes."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from suite_cli import ROOT

from adapters import signatures
from adapters.contract import Claim
from adapters.registry import ADAPTERS, Entry
from adapters.signatures import SIGNATURES, TABLE, of_dialect, taken
from conformance.documents import DOCUMENTS, Document, Row
from conformance.documents.__main__ import main, markdown
from conformance.documents.faults import faults

KERAS, BASE, TF_KERAS, MXNET, ADDONS = DOCUMENTS


def test_the_table_is_whole_and_the_page_is_the_command_s() -> None:
    assert faults(DOCUMENTS) == []
    page = (ROOT / "docs" / "documents.md").read_text(encoding="utf-8")
    assert page == markdown(DOCUMENTS), "python -m conformance.documents --markdown"


def test_the_tests_of_the_documents_are_all_named() -> None:
    """A test of an example that no row names would be held by nobody's reading."""
    named = {test for document in DOCUMENTS for row in document.rows for test in row.tests}
    files = ("keras_optimizer_v2", "keras_state", "keras_addons", "tf_keras", "mxnet2")
    for file in (f"documents/test_{name}.py" for name in files):
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert {f"{file}::{name}" for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)} <= named


def with_row(document: Document, name: str, **changes: Any) -> list[str]:
    """The faults where the rows of that name are changed."""
    rows = tuple(replace(row, **changes) if row.name == name else row for row in document.rows)
    assert rows != document.rows
    return faults([replace(document, rows=rows) if d is document else d for d in DOCUMENTS])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stages": ("epsilon_cap",)}, "epsilon_cap is no stage of keras-v2-adam"),
        ({"stages": ("paper_epsilon",)}, "paper_epsilon is no stage of keras-v2-adam"),
        ({"checks": ("one-stop",)}, "one-stop is no check"),
        ({"cases": ("keras-v2-adam/large-epsilon/none",)}, "keras-v2-adam/large-epsilon/none is no golden case"),
        ({"cases": ("keras-v2-adam/large",)}, "keras-v2-adam/large is no golden case"),
        (
            {"tests": ("adapters/test_keras_saving.py::test_none",)},
            "adapters/test_keras_saving.py::test_none is no test",
        ),
        ({"tests": ("adapters/test_none.py::test_none",)}, "adapters/test_none.py::test_none is no test"),
        ({"tests": ("gpu/test_on_a_gpu.py::test_none",)}, "gpu/test_on_a_gpu.py::test_none is no test"),
        ({"mutants": ("EpsilonTwice",)}, "EpsilonTwice is no mutant"),
        ({"findings": ("keras-epsilon",)}, "keras-epsilon is no page of docs/findings"),
        ({"kind": "option"}, "accepted: argument, method"),
        ({"says": ""}, "says nothing"),
        ({"not_yet": "epsilon"}, "and says that the reference does not take it"),
        ({"not_yet": "epsilon", "stages": ()}, "not_yet is 'epsilon', and the reference has epsilon"),
        ({"stages": (), "checks": (), "cases": (), "tests": ()}, "nothing holds it"),
    ],
    ids=str,
)
def test_a_row_that_is_not_true_is_seen(changes: dict[str, Any], says: str) -> None:
    assert any(says in text for text in with_row(KERAS, "epsilon", **changes))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.title)
def test_a_row_that_is_gone_is_seen(document: Document) -> None:
    """Of every argument, method and argument of a method but those that a row of the base class holds as well."""
    arguments = {("argument", name) for s in document.signatures for name in (*s.arguments, *s.keywords)}
    methods = {("method", name) for s in document.signatures for name, text in s.members.items() if text}
    methods |= {("method", name) for s in document.signatures for name in s.named}
    of_methods = {("method's argument", name) for s in document.signatures for name in s.of_methods}
    assert methods
    assert of_methods
    assert arguments | methods | of_methods <= {(row.kind, row.name) for row in document.rows}
    for row in document.rows:
        if (row.kind, row.name) in arguments | methods | of_methods:
            left = replace(document, rows=tuple(r for r in document.rows if r is not row))
            found = faults([left if d is document else d for d in DOCUMENTS])
            assert f"{document.title}: {row.kind} {row.name} has no row" in found


def test_an_argument_of_a_method_that_is_nobody_s_is_seen() -> None:
    row = Row("method's argument", "update(momentum)", "is nobody's", tests=MXNET.rows[0].tests)
    found = faults([replace(MXNET, rows=(*MXNET.rows, row))])
    assert found == [f"{MXNET.title}: method's argument update(momentum) is none of its classes'"]


def test_a_row_of_what_no_class_has_is_seen() -> None:
    rows = (*MXNET.rows, Row("argument", "momentum", "is nobody's", not_yet="it is not there"))
    found = faults([replace(MXNET, rows=rows)])
    assert found == [f"{MXNET.title}: argument momentum is none of its classes'"]
    assert faults([replace(MXNET, rows=(*MXNET.rows, MXNET.rows[0]))]) == [
        f"{MXNET.title}: two rows of the same kind and name"
    ]
    assert any("is no document" in text for text in faults([ADDONS]))


def test_a_stage_for_what_the_reference_does_not_take_is_seen() -> None:
    says = "has stages, and is no hyper-parameter of the reference"
    found = with_row(MXNET, "aggregate_num", stages=("rescale",), not_yet="")
    assert found == [f"{MXNET.title}: argument aggregate_num: {says}"]


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["faults"] == []
    assert [d["title"] for d in said["documents"]] == [d.title for d in DOCUMENTS]
    monkeypatch.setattr("conformance.documents.__main__.DOCUMENTS", (replace(TF_KERAS, rows=TF_KERAS.rows[1:]),))
    assert main([]) == 1
    assert "argument learning_rate has no row" in capsys.readouterr().err


# --- The table of the signatures, without a framework -------------------------------------------------------


def claimed(entry: Entry) -> Claim:
    found = getattr(importlib.import_module(entry.module), entry.cls).claim
    assert isinstance(found, Claim)
    return found


FRAMEWORKS = [entry for entry in ADAPTERS.values() if entry.distribution != "adam-conformance"]


@pytest.mark.parametrize("entry", FRAMEWORKS, ids=lambda e: e.name)
def test_every_hyper_parameter_that_an_adapter_claims_is_one_of_its_class(entry: Entry) -> None:
    """What Lookahead does not take, the optimizer inside does; a schedule is an argument's value."""
    claim = claimed(entry)
    values_of = {"schedule": "learning_rate", "weight_decay_schedule": "weight_decay"}
    reach = frozenset[str]()
    for signature in of_dialect(claim.dialect):
        if signature.environment in entry.environments:
            reach |= taken(signature)
    inside = claim.dialect.removeprefix("tfa-lookahead-")
    for signature in TABLE:
        if inside != claim.dialect and {inside, f"tfa-{inside}"} & {*signature.dialects}:
            reach |= taken(signature)
    assert {values_of.get(name, name) for name in claim.hyperparameters} <= reach


def test_every_dialect_of_the_table_has_its_adapter() -> None:
    spoken = {(environment, claimed(e).dialect) for e in FRAMEWORKS for environment in e.environments}
    assert {(s.environment, dialect) for s in TABLE for dialect in s.dialects} == spoken
    assert all((s.environment, s.base) in SIGNATURES for s in TABLE if s.base)


def test_every_environment_compares_its_classes() -> None:
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert {s.environment for s in TABLE} == {"keras", "keras3", "mxnet", "mxnet1", "torch", "optax"}
    assert "[testenv:{keras, keras3, mxnet, mxnet1, torch, optax}]" in tox
    assert re.search(r"^tests = .*--environment {env_name} .*tests/documents/test_signatures\.py", tox, re.MULTILINE)


def test_a_signature_is_read_as_python_reads_it() -> None:
    text = "(a, b=1e-07, c=None, *rest, d, e=(0.9, 0.999), **others)"
    none = signatures.REQUIRED
    assert signatures.parsed(text) == {"a": none, "b": 1e-7, "c": None, "d": none, "e": (0.9, 0.999)}

    def read(a, b=1e-07, c=None, *rest, d, e=(0.9, 0.999), **others):  # type: ignore[no-untyped-def]
        """Of that signature."""

    assert signatures.shown(read) == text
    assert signatures.parsed("(self, a=<Mode.AUTO: 0>, b='x')") == {"self": none, "a": "Mode.AUTO", "b": "x"}
