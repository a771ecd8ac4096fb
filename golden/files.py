"""The folder of golden files: read without trusting it, written wholly or not at all.

Only regular files of a bounded size are opened, links are not followed, and nothing but objects, arrays,
text, integers, true, false and null gets through.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from golden import floats
from golden.case import Case, GoldenError
from golden.layout import FORMAT, HASH, VERSION, content_hash, parse
from reference import DIALECTS

CASES = Path(__file__).resolve().parent / "cases"
MAX_BYTES = 2**20
"""Of a file."""
MAX_DEPTH = 16
"""Of lists and objects in each other."""
MAX_NUMBERS = 4_000_000
"""Gradient elements of a dialect, over all steps of all cases."""
PROMOTED = "promoted"
"""The topic that is not of the catalogue: problems that were met elsewhere."""


# Reading


def cases_of(dialect: str, folder: Path = CASES) -> tuple[Case, ...]:
    """All cases of a dialect.

    Raises `GoldenError` for a file that is malformed or has been edited, and where there is no case.
    """
    paths, strays = entries(folder)
    if strays:
        raise GoldenError(str(strays[0]))
    found: list[Case] = []
    for path in paths:
        if path.parent.name != dialect:
            continue
        data = read_json(path)
        if data.get(HASH) != content_hash(data):
            raise GoldenError(f"{path}: {HASH} is not that of the content; run python -m golden verify")
        found += parse(data, path).cases
        if sum(case.numbers for case in found) > MAX_NUMBERS:
            raise GoldenError(f"{path.parent} has over {MAX_NUMBERS} gradient elements; accepted: fewer of a dialect")
    if not found:
        raise GoldenError(f"{folder} has no case of {dialect}; accepted: at least one per dialect")
    return tuple(found)


@dataclass(frozen=True)
class Stray:
    """Something in the folder that is no golden file."""

    path: Path
    why: str
    left_over: bool = False
    """The temporary of a write that was killed."""

    def __str__(self) -> str:
        return f"{self.path} is {self.why}"


def entries(folder: Path, of: str = "golden cases", named: str = "TOPIC.json") -> tuple[list[Path], list[Stray]]:
    """The files ``folder/dialect/topic.json``, sorted, and everything else that is there; of, named: for messages."""
    if not folder.is_dir():
        raise GoldenError(f"{folder} is no folder; accepted: the folder of the {of}")
    found: list[Path] = []
    strays: list[Stray] = []
    for sub in sorted(folder.iterdir()):
        if not stat.S_ISDIR(sub.lstat().st_mode):
            strays.append(_stray(sub, f"folders named as dialects: {', '.join(DIALECTS)}"))
            continue
        for path in sorted(sub.iterdir()):
            if stat.S_ISREG(path.lstat().st_mode) and path.suffix == ".json":
                found.append(path)
            else:
                strays.append(_stray(path, f"regular files {named}"))
    return found, strays


def _stray(path: Path, accepted: str) -> Stray:
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode) and path.name.startswith(".") and path.name.endswith(".tmp"):
        return Stray(path, "left over by a write that was killed; accepted: none, regenerate removes it", True)
    return Stray(path, f"{'a link' if stat.S_ISLNK(mode) else 'out of place'}; accepted: {accepted}")


def stored(folder: Path, of: str = "golden cases", named: str = "TOPIC.json") -> tuple[list[Path], list[Stray]]:
    """As `entries`; `GoldenError` where there is no file."""
    found, strays = entries(folder, of, named)
    if not found:
        beside = f", and {strays[0]}" if strays else f"; accepted: DIALECT/{named}"
        raise GoldenError(f"{folder} has no file of {of}{beside}")
    return found, strays


def read_json(path: Path, of: str = FORMAT) -> dict[str, Any]:
    """The content of a regular file of at most `MAX_BYTES`, links not followed; `GoldenError` otherwise."""
    return decode(read_text(path), path, of)


def read_text(path: Path) -> str:
    """The text of a regular file of at most `MAX_BYTES`, links not followed; `GoldenError` otherwise."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise GoldenError(f"{path} is no regular file; accepted: a file of JSON")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise GoldenError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise GoldenError(f"{path} is larger than {MAX_BYTES} bytes; accepted: a smaller file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise GoldenError(f"{path} is not JSON of this format: {error}") from error


def decode(text: str, path: Path, of: str = FORMAT) -> dict[str, Any]:
    """An object of the format from its text; `GoldenError` naming `path` otherwise. of: what its `format` must be."""
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_float=_refuse_number, parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        raise GoldenError(f"{path} is not JSON of this format: {error}") from error
    if not isinstance(data, dict):
        raise GoldenError(f"{path} holds a {type(data).__name__}; accepted: an object")
    if _deeper_than(MAX_DEPTH, data):
        raise GoldenError(f"{path} has over {MAX_DEPTH} lists and objects in each other; accepted: fewer")
    if data.get("format") != of or data.get("version") != VERSION:
        what = f"format {floats.shortened(data.get('format'))}, version {floats.shortened(data.get('version'))}"
        raise GoldenError(f"{path} is of {what}; accepted: {of!r}, version {VERSION}")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"key {floats.shortened(name)} stands twice; accepted: every key once")
        found[name] = value
    return found


def _deeper_than(depth: int, data: Any) -> bool:
    level = [data]
    for _ in range(depth):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    return bool(level)


def _refuse_number(text: str) -> Any:
    raise ValueError(f"number {floats.shortened(text)}; accepted: integers, and hexadecimal floats as text")


# Writing


def render(data: Any, indent: str = "") -> str:
    """JSON whose innermost lists and objects stand on one line."""
    inner = indent + " "
    one_line = json.dumps(data)
    if not isinstance(data, dict | list) or len(indent) + len(one_line) <= 120 or _is_flat_list(data):
        return one_line
    if isinstance(data, dict):
        items = [f"{inner}{json.dumps(key)}: {render(value, inner)}" for key, value in data.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + render(value, inner) for value in data) + f"\n{indent}]"


def write(path: Path, text: str) -> None:
    """Write a file wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode("ascii"))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when it has been written without an error, and vanishes otherwise.

    A process that is killed meanwhile leaves it behind as ``.NAME.*.tmp``.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _is_flat_list(data: Any) -> bool:
    return isinstance(data, list) and not any(isinstance(value, dict | list) for value in data)
