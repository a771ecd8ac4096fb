"""Copies of golden files that tests may spoil, and the command line as a function."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golden import CASES
from golden.__main__ import main
from golden.layout import HASH, content_hash

ROOT = Path(__file__).resolve().parents[2]
FIRST = Path("torch-adam/first-steps.json")
PLAIN = "torch-adam/first-steps/plain"


def copied(folder: Path, *files: Path) -> Path:
    """`folder`, which now holds those golden files."""
    for file in files or (FIRST,):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CASES / file, folder / file)
    return folder


def edit(path: Path, change: Callable[[dict[str, Any]], None], *, rehash: bool = True) -> None:
    """Change the content of a file, hash and all, as somebody would who knows the format."""
    data = json.loads(path.read_text())
    change(data)
    if rehash:
        data[HASH] = content_hash(data)
    path.write_text(json.dumps(data))


def golden(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``python -m golden``; white space is one space."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        code = int(str(stopped.code))
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())
