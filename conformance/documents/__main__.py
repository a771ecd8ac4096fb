"""The table of the documents: ``python -m conformance.documents``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence

from conformance.documents import DOCUMENTS, Document, Row
from conformance.documents.faults import faults
from conformance.documents.row import STANDINGS

_BEFORE = """# What the documents say

Every argument, method, attribute and error in the documents of the Adams that this project is about, with the
examples that they print, and what holds it here. What a document says stands in our own words. Where the installed
package does otherwise, that is what is tested, and the last column says so.

- *reference*: the stages of the oracle that compute with it. no stage of its own: checks of the suite hold it, and no
  stage is for it. not numeric: it is no operation of a step; what it reads or puts, as `set_weights` puts the count and
  the moments, is held by the tests that stand beside it. **not yet**: it is one, and the oracle does not take it; what
  the tests hold is all that is held.
- *held by*: checks of the suite, which run on problems, golden cases (a name that ends in / is all cases that begin
  so), tests under `tests/`, and mutants that are rejected.
- Every default, and the name, order and kind of every argument, is compared with the installed class by
  `tests/documents/test_signatures.py`, in each framework's environment and in both directions; what `fused_adam` does
  without an argument is compared with it by `tests/fused_adam/test_defaults.py`. The defaults of the other frameworks
  stand with these in `adapters/signatures.py`.

This page is what `python -m conformance.documents --markdown` prints; a test compares them, and fails where an
argument of the constructor, a public member of an installed class or an argument of one has no row, and where a row
names a stage, check, case, test, mutant or page that is not there. The rows of errors, behaviours and examples are
those that were found in reading a document: no test can ask for them.
"""


def markdown(documents: Sequence[Document]) -> str:
    """docs/documents.md."""
    lines = [_BEFORE, f"| document | rows | {' | '.join(STANDINGS)} |", "| --- " * (2 + len(STANDINGS)) + "|"]
    for document in documents:
        counts = (len(document.rows), *_counts(document).values())
        lines.append(f"| {document.title} | {' | '.join(map(str, counts))} |")
    for document in documents:
        lines += ["", f"## {document.title}", "", f"{document.about}."]
        if document.repeats:
            lines += ["", f"Every row of *{document.repeats}* holds here too, as the classes inherit it."]
        lines += [
            "",
            "| what | default, or signature | the document says | reference | held by | the package |",
            "| --- " * 6 + "|",
        ]
        lines += [_line(document, row) for row in document.rows]
    return "\n".join(lines) + "\n"


def _counts(document: Document) -> dict[str, int]:
    return {standing: sum(row.standing == standing for row in document.rows) for standing in STANDINGS}


def _line(document: Document, row: Row) -> str:
    what = (
        f"{row.kind} `{row.name}`"
        if row.kind in ("argument", "method's argument", "method", "attribute")
        else f"{row.kind}: {row.name}"
    )
    reference = f"**not yet**: {row.not_yet}" if row.not_yet else ", ".join(row.stages) or row.standing
    cells = (what, document.default(row), row.says, reference, "; ".join(_held(row)), "; ".join(_package(row)))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _held(row: Row) -> Iterator[str]:
    if row.checks:
        yield ", ".join(row.checks)
    yield from (f"`{case}`" for case in row.cases)
    yield from (f"`{test}`" for test in row.tests)
    if row.mutants:
        yield f"rejects {', '.join(row.mutants)}"


def _package(row: Row) -> Iterator[str]:
    if row.differs:
        yield row.differs
    yield from (f"[finding](findings/{name}.md)" for name in row.findings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 if it is complete and everything that it names is there, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.documents",
        description="What the frameworks' documents say, argument by argument, and what holds it here.",
        epilog="exit codes: 0 the table is complete and true; 1 it lacks something, or names what is not there",
    )
    parser.add_argument("--markdown", action="store_true", help="as docs/documents.md")
    parser.add_argument("--json", action="store_true", help="every row for programs")
    options = parser.parse_args(arguments)
    found = faults(DOCUMENTS)
    if options.markdown:
        print(markdown(DOCUMENTS), end="")
    elif options.json:
        print(json.dumps({"documents": [dataclasses.asdict(d) for d in DOCUMENTS], "faults": found}))
    else:
        for document in DOCUMENTS:
            counts = ", ".join(f"{count} {standing}" for standing, count in _counts(document).items())
            print(f"{document.title}: {len(document.rows)} rows: {counts}")
    for text in found:
        print(text, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
