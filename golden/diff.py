"""Two sets of golden files side by side: folders, revisions of git, or what the reference gives now."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from golden import files, layout
from golden.case import GoldenError
from golden.changes import Change, changes
from golden.regenerate import made

RECOMPUTED = "recomputed"
_ROOT = files.CASES.parents[1]
Side = Mapping[str, Callable[[], layout.File]]
"""By ``DIALECT/TOPIC`` what reads, or makes, the file."""


@dataclass
class Difference:
    """What is not the same."""

    files: int = 0
    """Looked at."""
    changes: list[Change] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def diff(old: Side, new: Side, only: str = "*") -> Difference:
    """From `old` to `new`, file by file. Raises `GoldenError` where neither has any; only: the pattern of both."""
    if not old and not new:
        raise GoldenError(f"--only is {only!r}, which matches nothing; accepted: DIALECT/TOPIC, * and ? being any")
    found = Difference()
    for name in sorted(old.keys() | new.keys()):
        found.files += 1
        try:
            before, after = (side[name]() if name in side else None for side in (old, new))
        except GoldenError as error:
            found.unreadable.append(str(error))
            continue
        found.changes += changes(before, after)
    return found


def side(text: str, folder: Path, only: str) -> Side:
    """The files that `text` names, as far as the pattern `only` matches their ``DIALECT/TOPIC``.

    text: "recomputed", a folder, or a revision of git, which has them where this project does. `folder` says what is
    promoted, for "recomputed". Raises `GoldenError` for anything else.
    """
    if text == RECOMPUTED:
        return dict(made(folder, only))
    found = _of_folder(Path(text)) if Path(text).is_dir() else _of_revision(text)
    return {name: read for name, read in found.items() if fnmatchcase(name, only)}


def _of_folder(folder: Path) -> Side:
    paths, strays = files.stored(folder)
    if strays:
        raise GoldenError(str(strays[0]))
    return {f"{path.parent.name}/{path.stem}": partial(_read, path) for path in paths}


def _read(path: Path) -> layout.File:
    return layout.parse(files.read_json(path), path)


def _of_revision(text: str) -> Side:
    accepted = f"accepted: a folder, a revision of git, or {RECOMPUTED!r}"
    try:
        commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}").strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise GoldenError(f"side is {text!r}, which is neither here; {accepted}") from error
    return dict(_listed(commit, text))


def _listed(commit: str, text: str) -> Iterator[tuple[str, Callable[[], layout.File]]]:
    """The files of a revision, as ``ls-tree`` has them: mode, type, object and size, a tab, path."""
    place = files.CASES.relative_to(_ROOT)
    listed = [line for line in _git("ls-tree", "-r", "-l", "-z", commit, "--", f"{place}/").split("\0") if line]
    if not listed:
        raise GoldenError(f"{text!r} has no {place}; accepted: a revision that has")
    for line in listed:
        facts, _, name = line.partition("\t")
        mode, _, blob, size = facts.split()
        path = Path(name).relative_to(place)
        where = Path(f"{text}:{name}")
        if mode != "100644" or path.suffix != ".json" or len(path.parts) != 2:
            raise GoldenError(f"{where} is out of place; accepted: regular files DIALECT/TOPIC.json")
        if int(size) > files.MAX_BYTES:
            raise GoldenError(f"{where} is larger than {files.MAX_BYTES} bytes; accepted: a smaller file")
        yield str(path.with_suffix("")), partial(_blob, blob, where)


def _blob(blob: str, where: Path) -> layout.File:
    return layout.parse(files.decode(_git("cat-file", "blob", blob), where), where)


def _git(*words: str) -> str:
    line = ["git", "-C", str(_ROOT), *words]
    return subprocess.run(line, capture_output=True, check=True, text=True, encoding="utf-8", timeout=60).stdout
