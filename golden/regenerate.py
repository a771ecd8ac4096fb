"""Make the files from the catalogue and the reference; a value that is stored is not changed by accident."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from golden import catalogue, files, layout, promote
from golden.case import GoldenError
from golden.changes import Change, changes
from reference import DIALECTS

Make = Callable[[], layout.File]


@dataclass
class Regenerated:
    """What became of the folder."""

    written: list[str] = field(default_factory=list)
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)
    """Changed values that `allow_change` would have let through, by file; and what is no golden file, or an orphan."""
    removed: list[str] = field(default_factory=list)
    """Temporaries of a run that was killed."""


def regenerate(folder: Path, *, allow_change: bool, only: str = "*", say: Callable[[str], None] = print) -> Regenerated:
    """Write every file whose content differs, each atomically; without `allow_change` none whose values differ.

    New cases are written either way. only: the ``DIALECT/TOPIC`` that this pattern of the shell matches, and nothing
    else is looked at. Raises `GoldenError` where nothing matches, and where another run is at work in the folder.
    """
    to_make = list(made(folder, only))
    if not to_make:
        raise GoldenError(f"--only is {only!r}, which matches nothing; accepted: DIALECT/TOPIC, * and ? being any")
    done = Regenerated()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        stored, strays = files.entries(folder)
        for stray in strays:
            if stray.left_over:
                stray.path.unlink()
                say(f"removed {stray.path}, left over by a run that was killed")
                done.removed.append(str(stray.path))
            else:
                done.refused.append(str(stray))
        in_the_way = {stray.path for stray in strays}
        for k, (name, make) in enumerate(to_make, 1):
            path = folder / f"{name}.json"
            what = "refused"
            if in_the_way.isdisjoint({path, path.parent}):
                what = _one(path, make(), done, allow_change=allow_change, say=say, exists=path in stored)
            say(f"{k}/{len(to_make)} {name}: {what}")
        expected = {folder / f"{name}.json" for name, _ in to_make}
        for path in sorted(set(stored) - expected):
            if fnmatchcase(f"{path.parent.name}/{path.stem}", only):
                done.refused.append(f"{path} is an orphan: no topic of the catalogue makes it; remove it")
    return done


def _one(
    path: Path, file: layout.File, done: Regenerated, *, allow_change: bool, say: Callable[[str], None], exists: bool
) -> str:
    text = format_text(file)
    if exists and _stored_text(path) == text:
        done.unchanged += 1
        return "unchanged"
    found = list(_changes(path, file)) if exists else []
    for change in found:
        say(change.message)
    lost = sum(change.of_values for change in found)
    if lost and not allow_change:
        done.refused.append(f"{path}: {lost} changes of stored values; accepted with --allow-change")
        return "refused"
    files.write(path, text)
    done.written.append(str(path))
    return "written"


def format_text(file: layout.File) -> str:
    """The text of a file."""
    return files.render(layout.to_json(file)) + "\n"


def made(folder: Path, only: str = "*") -> Iterator[tuple[str, Make]]:
    """By ``DIALECT/TOPIC`` what makes the file: that of the catalogue, and what `folder` has of promoted cases."""
    for dialect in DIALECTS.values():
        for file, at_steps in catalogue.files(dialect, only):
            yield f"{dialect.name}/{file.topic}", partial(_computed, file, at_steps)
        path = folder / dialect.name / f"{files.PROMOTED}.json"
        if path.exists() and fnmatchcase(f"{dialect.name}/{files.PROMOTED}", only):
            yield f"{dialect.name}/{files.PROMOTED}", partial(promote.again, path)


def _computed(file: layout.File, at_steps: Mapping[str, Sequence[int]]) -> layout.File:
    from golden.fifty_digits import with_expected  # needs mpmath

    return replace(file, cases=tuple(with_expected(case, at_steps[case.id]) for case in file.cases))


def _stored_text(path: Path) -> str | None:
    """None for what cannot be read."""
    try:
        return files.read_text(path)
    except GoldenError:
        return None


def _changes(path: Path, file: layout.File) -> Iterator[Change]:
    """What would not be as it was."""
    try:
        stored = layout.parse(files.read_json(path), path)
    except GoldenError as error:
        name = f"{file.dialect}/{file.topic}"
        yield Change(file=name, what="gone", message=f"what is stored cannot be compared: {error}")
        return
    yield from changes(stored, file)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Nobody else regenerates the folder meanwhile: whose temporaries are removed is no longer alive."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise GoldenError(f"{folder} is being regenerated already; accepted: one run at a time") from error
    else:
        yield
    finally:
        os.close(descriptor)
