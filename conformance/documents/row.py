"""A row of docs/documents.md: one thing that a document says, and what holds it here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from adapters.signatures import REQUIRED, SIGNATURES, Signature

Kind = Literal["argument", "method's argument", "method", "attribute", "error", "behaviour", "example"]
Standing = Literal["reference", "no stage of its own", "not numeric", "not yet"]
STANDINGS: tuple[Standing, ...] = ("reference", "no stage of its own", "not numeric", "not yet")
KINDS: tuple[Kind, ...] = ("argument", "method's argument", "method", "attribute", "error", "behaviour", "example")


@dataclass(frozen=True)
class Row:
    """What a document says of one thing."""

    kind: Kind
    name: str
    says: str
    """In our own words."""
    stages: tuple[str, ...] = ()
    """Of the reference; none where it is nothing that it computes with."""
    checks: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    """Ids of golden cases, or the beginning of some, as in ``keras-v2-adam/large-epsilon/``."""
    tests: tuple[str, ...] = ()
    """``FILE::FUNCTION`` under tests/."""
    mutants: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """Pages of docs/findings."""
    not_yet: str = ""
    """What the reference does not take; the tests are all that holds it."""
    differs: str = ""
    """Where the installed package does otherwise; what it does is what the tests hold."""

    @property
    def standing(self) -> Standing:
        """How the oracle stands to it."""
        if self.not_yet:
            return "not yet"
        if self.stages:
            return "reference"
        return "no stage of its own" if self.checks or self.cases else "not numeric"


@dataclass(frozen=True)
class Document:
    """One document, and the classes that it is about."""

    title: str
    about: str
    """Where it stands, and the versions that it is run on here."""
    environment: str
    paths: tuple[str, ...]
    """Of `adapters.signatures`."""
    dialects: tuple[str, ...]
    rows: tuple[Row, ...]
    repeats: str = ""
    """Title of the document whose rows hold for these classes too, because theirs inherit them."""

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Of its classes."""
        return tuple(SIGNATURES[self.environment, path] for path in self.paths)

    def default(self, row: Row) -> str:
        """Of an argument, and of those of a method: as the signatures have them, where they differ one by one."""
        if row.kind == "method":
            texts = [s.members.get(row.name) or s.named.get(row.name) for s in self.signatures]
            found = [f"`{text}`" for text in texts if text]
        elif row.kind == "argument":
            values = [s.arguments[row.name] for s in self.signatures if row.name in s.arguments]
            found = _defaults(values)
        elif row.kind == "method's argument":
            found = _defaults([s.of_methods[row.name] for s in self.signatures if row.name in s.of_methods])
        else:
            found = []
        return " or ".join(dict.fromkeys(found))


def _defaults(values: Iterable[object]) -> list[str]:
    return ["none" if value is REQUIRED else f"`{value!r}`" for value in values]


@dataclass
class Rows:
    """Rows of a document, written one after the other."""

    file: str
    """Of a test that is named without one."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Short names of other files."""
    rows: list[Row] = field(default_factory=list)

    def add_arguments(self, method: str, says: Mapping[str, str], **held: str) -> None:
        """Arguments of a method: what each means, and what holds them all."""
        for argument, text in says.items():
            self.add("method's argument", f"{method}({argument})", text, **held)

    def add(
        self,
        kind: Kind,
        name: str,
        says: str,
        *,
        stages: str = "",
        checks: str = "",
        cases: str = "",
        tests: str = "",
        mutants: str = "",
        findings: str = "",
        not_yet: str = "",
        differs: str = "",
    ) -> None:
        """Lists are words with spaces between; an argument of a method is called ``method(argument)``."""
        named = (("" if "::" in word else f"{self.file}::") + word for word in tests.split())
        parts = (word.partition("::") for word in named)
        at = tuple(f"{self.others.get(file, file)}::{test}" for file, _, test in parts)
        self.rows.append(
            Row(
                kind,
                name,
                says,
                stages=tuple(stages.split()),
                checks=tuple(checks.split()),
                cases=tuple(cases.split()),
                tests=at,
                mutants=tuple(mutants.split()),
                findings=tuple(findings.split()),
                not_yet=not_yet,
                differs=differs,
            )
        )
