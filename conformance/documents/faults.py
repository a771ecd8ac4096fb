"""Where the table is not complete or not true: what it lacks, and what it names that is not there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from adapters.signatures import SIGNATURES, Signature
from conformance import checks
from conformance.documents.row import KINDS, Document, Row
from conformance.mutants import MUTANTS
from golden.files import cases_of
from reference import DIALECTS

ROOT = Path(__file__).parents[2]


def faults(documents: Sequence[Document]) -> list[str]:
    """One sentence for each; none where the table is whole."""
    by_title = {document.title: document for document in documents}
    found: list[str] = []
    for document in documents:
        at = f"{document.title}: "
        if document.repeats and document.repeats not in by_title:
            found.append(f"{at}repeats {document.repeats!r}, which is no document")
        found += [at + text for text in _incomplete(document, by_title.get(document.repeats))]
        for row in document.rows:
            found += [f"{at}{row.kind} {row.name}: {text}" for text in (*_form(row), *_untrue(row, document))]
    return found


def _incomplete(document: Document, repeated: Document | None) -> Iterator[str]:
    """Arguments and public members without a row, rows of what is none, and two rows of the same."""
    rows = {(row.kind, row.name) for row in document.rows}
    others = {(row.kind, row.name) for row in repeated.rows} if repeated else set()
    if len(rows) < len(document.rows):
        yield "two rows of the same kind and name"
    arguments, members, of_methods = set[str](), set[tuple[str, str]](), set[str]()
    for signature in document.signatures:
        arguments |= {*signature.arguments, *signature.keywords}
        members |= {("method" if text else "attribute", name) for name, text in signature.members.items()}
        members |= {("method", name) for name in signature.named}
        of_methods |= {*signature.of_methods}
    for name in sorted(arguments):
        if ("argument", name) not in rows:
            yield f"argument {name} has no row"
    for kind, name in sorted(members):
        if (kind, name) not in rows:
            yield f"{kind} {name} has no row"
    for name in sorted(of_methods):
        if ("method's argument", name) not in rows:
            yield f"method's argument {name} has no row"
    for kind, name in sorted(rows):
        if kind == "method's argument" and name not in of_methods:
            yield f"method's argument {name} is none of its classes'"
    inherited = {name for signature in document.signatures for name in _of_base(signature)}
    for kind, name in sorted(rows):
        if kind == "argument" and name not in arguments | inherited:
            yield f"argument {name} is none of its classes'"
    for name in sorted(inherited - arguments):
        if ("argument", name) not in rows | others:
            yield f"argument {name} of the base class has no row"


def _of_base(signature: Signature) -> Iterator[str]:
    base = SIGNATURES.get((signature.environment, signature.base))
    if base is not None:
        yield from (*base.arguments, *base.keywords)


def _form(row: Row) -> Iterator[str]:
    if row.kind not in KINDS:
        yield f"accepted: {', '.join(KINDS)}"
    if not row.says:
        yield "says nothing"
    if not (row.stages or row.checks or row.cases or row.tests or row.not_yet):
        yield "nothing holds it, and not_yet does not say so"
    if row.stages and row.not_yet:
        yield "has a stage of the reference, and says that the reference does not take it"


def _untrue(row: Row, document: Document) -> Iterator[str]:
    dialects = [DIALECTS[name] for name in document.dialects]
    stages = {stage.__name__ for dialect in dialects for stage in dialect.stages}
    yield from (f"{name} is no stage of {', '.join(document.dialects)}" for name in row.stages if name not in stages)
    yield from (f"{name} is no check" for name in row.checks if name not in checks.NAMES)
    yield from (f"{name} is no golden case" for name in row.cases if not _stored(name))
    yield from (f"{name} is no test" for name in row.tests if name not in tests(name.partition("::")[0]))
    yield from (f"{name} is no mutant" for name in row.mutants if name not in {m.__name__ for m in MUTANTS})
    yield from (
        f"{name} is no page of docs/findings"
        for name in row.findings
        if not (ROOT / "docs" / "findings" / f"{name}.md").is_file()
    )
    if row.kind == "argument":
        means = {name for signature in document.signatures for name in signature.stands_for(row.name)}
        known = means & {name for dialect in dialects for name in dialect.hyperparameters}
        if row.not_yet and known:
            yield f"not_yet is {row.not_yet!r}, and the reference has {', '.join(sorted(known))}"
        if (
            row.stages and not known and row.name not in ("lazy_update", "use_ema")
        ):  # which choose, a dialect and an average
            yield "has stages, and is no hyper-parameter of the reference"


def _stored(name: str) -> bool:
    """An id, or what some begin with."""
    return name in golden_ids() or (name.endswith("/") and any(case.startswith(name) for case in golden_ids()))


@cache
def golden_ids() -> frozenset[str]:
    """Of every stored case."""
    return frozenset(case.id for dialect in DIALECTS for case in cases_of(dialect))


@cache
def tests(file: str) -> frozenset[str]:
    """``FILE::FUNCTION`` of every test in a file under tests/ that tox runs; none where there is no such file."""
    path = ROOT / "tests" / file
    if not path.is_file() or not _run(file):
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(f"{file}::{node.name}" for node in body if isinstance(node, ast.FunctionDef))


@cache
def _run(file: str) -> bool:
    """Whether a command of tox names it, or its pattern of an environment's name."""
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    generic = Path(file).name.startswith("test_") and file.endswith("_environment.py")
    return f"tests/{file}" in tox or (generic and "tests/adapters/test_{env_name}_environment.py" in tox)
