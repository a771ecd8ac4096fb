"""What a look at golden files says: complaints, the schema's and the hash's among them. The schema needs jsonschema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

from golden import layout
from golden.case import GoldenError

SCHEMA = Path(__file__).resolve().parent / "schema.json"
RECORDED_SCHEMA = SCHEMA.with_name("recorded.schema.json")


class Kind(IntEnum):
    """What is wrong: the exit code."""

    WRONG = 1
    """Readable, and not what the reference gives, or not what was written."""
    UNUSABLE = 2
    """Cannot be read, or breaks the format."""


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """One thing that is wrong."""

    kind: Kind
    message: str
    file: str = ""
    id: str = ""
    step: int | None = None
    quantity: str = ""
    parameter: int | None = None
    element: tuple[int, ...] | None = None


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    files: int = 0
    cases: int = 0
    recorded: int = 0
    """Files of recordings."""
    recordings: int = 0
    """What implementations returned, each on a case in a dtype."""
    compared: int = 0
    """Elements recomputed, and recorded ones."""
    worst_fraction: float = 0.0
    """Largest difference of a stored value as a fraction of its bound."""
    worst_recorded: float = 0.0
    """The same, of a recorded one that no deviation excuses."""
    ambiguous: int = 0
    """Recorded elements that the range of their format decides: every result is accepted."""
    complaints: list[Complaint] = field(default_factory=list)

    def add(self, part: Report) -> None:
        """What was found in a part of it, of which the files are counted already."""
        self.compared += part.compared
        self.ambiguous += part.ambiguous
        self.worst_fraction = max(self.worst_fraction, part.worst_fraction)
        self.worst_recorded = max(self.worst_recorded, part.worst_recorded)
        self.complaints += part.complaints


def check_hash(data: Mapping[str, Any], path: Path) -> Iterator[Complaint]:
    """A complaint where the hash is not that of the content."""
    hashed, given = layout.content_hash(data), data.get(layout.HASH)
    if given != hashed:
        text = f"{path}: {layout.HASH} is {given}; accepted: {hashed}, that of the content (a hand edit?)"
        yield Complaint(kind=Kind.WRONG, file=str(path), message=text)


def check_schema_itself(schema: Path = SCHEMA) -> Iterator[Complaint]:
    """A complaint where a schema has been edited. Raises `GoldenError` where nothing can be said of any file by it."""
    yield from check_hash(_validator(schema).schema, schema)


def check_schema(data: Any, path: Path, schema: Path = SCHEMA) -> None:
    """Raise `GoldenError` at the first breach of a schema."""
    error = next(_validator(schema).iter_errors(data), None)
    if error is not None:
        message = error.message if len(error.message) <= 200 else f"{error.message[:197]}..."
        raise GoldenError(f"{path} breaks the schema at {error.json_path[:120]}: {message}")


@cache
def _validator(path: Path) -> Any:
    try:
        import jsonschema
    except ImportError as error:
        raise GoldenError(f"this needs jsonschema ({error}); accepted: pip install --group golden") from error
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
    except (OSError, ValueError, jsonschema.SchemaError) as error:
        raise GoldenError(f"{path} is no schema: {str(error).splitlines()[0]}; accepted: as git has it") from error
    return jsonschema.Draft202012Validator(schema)
