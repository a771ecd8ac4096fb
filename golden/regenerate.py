"""Make the files from the catalogue and the reference; a value that is stored is not changed by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from golden import catalogue, files, layout, promote
from golden.case import Case, GoldenError
from reference import DIALECTS


@dataclass
class Regenerated:
    """What became of the folder."""

    written: list[str] = field(default_factory=list)
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)
    """Changed values that `allow_change` would have let through, by id."""


def regenerate(folder: Path, *, allow_change: bool, say: Callable[[str], None] = print) -> Regenerated:
    """Write every file whose content differs, each atomically; without `allow_change` none whose values differ.

    New cases are written either way. Raises `GoldenError` for a folder that holds something else.
    """
    done = Regenerated()
    stored, strays = files.entries(folder) if folder.exists() else ([], [])
    done.refused += map(str, strays)
    expected: set[Path] = set()
    for path, made in _made(folder):
        expected.add(path)
        text = format_text(made)
        if path in stored and path.read_text(encoding="utf-8", errors="replace") == text:
            done.unchanged += 1
            continue
        changes = list(_changes(path, made)) if path in stored else []
        for change in changes:
            say(change)
        if changes and not allow_change:
            done.refused.append(f"{path}: {len(changes)} changes of stored values; accepted with --allow-change")
            continue
        files.write(path, text)
        done.written.append(str(path))
        say(f"wrote {path}")
    for path in sorted(set(stored) - expected):
        done.refused.append(f"{path} is an orphan: no topic of the catalogue makes it; remove it")
    return done


def format_text(made: layout.File) -> str:
    """The text of a file."""
    return files.render(layout.to_json(made)) + "\n"


def _made(folder: Path) -> Iterator[tuple[Path, layout.File]]:
    from golden.fifty_digits import with_expected  # needs mpmath

    for dialect in DIALECTS.values():
        for made, at_steps in catalogue.files(dialect):
            cases = tuple(with_expected(case, at_steps[case.id]) for case in made.cases)
            yield folder / dialect.name / f"{made.topic}.json", replace(made, cases=cases)
        promoted = folder / dialect.name / f"{promote.TOPIC}.json"
        if promoted.exists():
            yield promoted, promote.again(promoted)


def _changes(path: Path, made: layout.File) -> Iterator[str]:
    """What a stored id would no longer stand for."""
    try:
        stored = layout.parse(files.read_json(path), path)
    except GoldenError as error:
        yield f"cannot be compared: {error}"
        return
    now = {case.id: case for case in made.cases}
    for case in stored.cases:
        if case.id not in now:
            yield f"{case.id}: would be gone"
        else:
            yield from (f"{case.id}: {text}" for text in _differences(case, now[case.id]))


def _differences(old: Case, new: Case) -> Iterator[str]:
    if old.hyperparameters != new.hyperparameters:
        yield "hyper-parameters differ"
    if not _same(old.parameters, new.parameters) or not _same(old.gradients, new.gradients):
        yield "parameters or gradients differ"
    before = {expected.step: expected for expected in old.expected}
    after = {expected.step: expected for expected in new.expected}
    for k in sorted(set(before) - set(after)):
        yield f"step {k} would be gone"
    for k in sorted(set(before) & set(after)):
        if before[k].t != after[k].t:
            yield f"step {k}: t differs"
        arrays_after = dict(after[k].quantities())
        for name, arrays in before[k].quantities():
            worst = _worst(arrays, arrays_after.get(name))
            if worst:
                yield f"step {k}: {name} differs by up to {worst:.3g}"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if a is None or b is None:
        return a is b
    return not isinstance(a, tuple) and not isinstance(b, tuple) and np.array_equal(a, b)


def _worst(a: tuple[Any, ...], b: tuple[Any, ...] | None) -> float:
    if b is None or [x.shape for x in a] != [y.shape for y in b]:
        return float("inf")
    return max((float(np.max(np.abs(x - y), initial=0.0)) for x, y in zip(a, b, strict=True)), default=0.0)
