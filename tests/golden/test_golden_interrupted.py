"""A regenerate that is killed: every file is wholly old or wholly new, left-overs are named, a rerun completes."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_copies import copied, edit, golden

from golden import CASES, files
from golden.lint import lint
from golden.regenerate import regenerate

TOPIC = "sign-alternation"
ONLY = f"[mo]*/{TOPIC}"
"""Seven files."""
FILES = sorted(path.relative_to(CASES) for path in CASES.glob(f"{ONLY}.json"))
NEW = {file: (CASES / file).read_bytes() for file in FILES}
STATED = [k / 20 for k in range(20)]
"""Parts of the way through all writes."""
_RANDOM = random.Random(6)
RANDOM = [_RANDOM.random() for _ in range(12)]
Event = int | str | tuple[str, int] | None
FORK = multiprocessing.get_context("fork")


def old_files(folder: Path) -> dict[Path, bytes]:
    """In `folder` every file of the topic, with another sentence than it will have."""
    copied(folder, *FILES)
    for file in FILES:
        edit(folder / file, lambda data: data["cases"][0].update(description="what it said before"))
    return {file: (folder / file).read_bytes() for file in FILES}


def killed(folder: Path, event: Event, events: Any, only: str) -> None:
    """Regenerate, and die at that one of what Python's profiler sees inside writes: calls and returns, C's too.

    event: its number; or the name of the function of C that is about to be called; or how many events after the one of
    that name.
    """
    name, after = event if isinstance(event, tuple) else (event, 0)
    met = None

    def look(_: object, what: str, of: Any) -> None:
        nonlocal met
        events.value += 1
        if met is None and name in (events.value, of.__name__ if what == "c_call" else 0):
            met = events.value
        if met is not None and events.value >= met + after:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(path: Path, text: str, write: Callable[[Path, str], None] = files.write) -> None:
        sys.setprofile(look)
        write(path, text)
        sys.setprofile(None)

    files.write = watched
    regenerate(folder, allow_change=False, only=only, say=lambda _: None)


def in_a_child(folder: Path, event: Event, only: str = ONLY) -> tuple[int | None, int]:
    """Exit code and events."""
    events = FORK.Value("l", 0)
    child = FORK.Process(target=killed, args=(folder, event, events, only))
    child.start()
    child.join(60)
    return child.exitcode, int(events.value)


@pytest.fixture(scope="module")
def all_events(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Of a run that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    old_files(folder)
    code, events = in_a_child(folder, None)
    assert code == 0
    assert {file: (folder / file).read_bytes() for file in FILES} == NEW
    assert events > 20 * len(FILES)
    return events


@pytest.mark.parametrize("share", [*STATED, *RANDOM], ids=lambda share: f"{share:.3f}")
def test_killed_at(tmp_path: Path, all_events: int, share: float) -> None:
    old = old_files(tmp_path)
    event = 1 + int(share * all_events)
    assert in_a_child(tmp_path, event) == (-signal.SIGKILL, event)

    found = {file: (tmp_path / file).read_bytes() for file in FILES}
    assert all(found[file] in (old[file], NEW[file]) for file in FILES)
    written = [file for file in FILES if found[file] == NEW[file]]
    assert abs(len(written) - share * len(FILES)) <= 1, "killed where it was meant to be"

    left = {str(path) for path in tmp_path.rglob(".*")}
    assert {str(path) for path in tmp_path.rglob("*") if path.is_file()} == left | {str(tmp_path / f) for f in FILES}
    named = {
        c.file for c in lint(tmp_path, partial=True).complaints if "left over by a write that was killed" in c.message
    }
    assert named == left

    again = regenerate(tmp_path, allow_change=False, only=ONLY, say=lambda _: None)
    assert set(again.removed) == left
    assert (len(again.written), again.unchanged, again.refused) == (len(FILES) - len(written), len(written), [])
    assert {file: (tmp_path / file).read_bytes() for file in FILES} == NEW
    assert lint(tmp_path, partial=True).complaints == []
    assert len(list(tmp_path.rglob("*.*"))) == len(FILES)


@pytest.mark.parametrize(("before", "left"), [("mkdir", []), ("write", [0]), ("fsync", [1]), ("replace", [1])])
def test_what_is_left_over_is_one_file_at_most(tmp_path: Path, before: str, left: list[int]) -> None:
    """Nothing, one that is empty, or one that is whole: the kills are where they should be."""
    old_files(tmp_path)
    assert in_a_child(tmp_path, before)[0] == -signal.SIGKILL
    assert [len(path.read_bytes()) > 0 for path in tmp_path.rglob(".*.tmp")] == left


def test_nothing_of_a_file_is_written_in_its_place(tmp_path: Path) -> None:
    """One file, killed at every event from when its content is on the disk."""
    path, only, found = tmp_path / FILES[0], str(FILES[0].with_suffix("")), []
    old = old_files(tmp_path)[FILES[0]]
    while True:
        path.write_bytes(old)
        code, _ = in_a_child(tmp_path, ("fsync", len(found)), only)
        found.append(path.read_bytes())
        assert found[-1] in (old, NEW[FILES[0]])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        for left in tmp_path.rglob(".*.tmp"):
            left.unlink()
    assert 20 < found.index(NEW[FILES[0]]) < len(found) - 1, "some before it is replaced, and some after"


def test_a_write_that_does_not_replace_at_once_would_be_noticed(
    tmp_path: Path, all_events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the file itself is written, as one would at first."""

    def write(path: Path, text: str) -> None:
        with path.open("w") as file:
            for at in range(0, len(text), 100):
                file.write(text[at : at + 100])
                file.flush()

    monkeypatch.setattr(files, "write", write)
    old = old_files(tmp_path)
    code, _ = in_a_child(tmp_path, 60)
    assert code == -signal.SIGKILL
    found = {file: (tmp_path / file).read_bytes() for file in FILES}
    assert any(found[file] not in (old[file], NEW[file]) for file in FILES)


def test_two_at_once_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the second would remove the temporary that the first is writing."""
    folder = copied(tmp_path, *FILES)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        code, _, err = golden(capsys, "regenerate", "--only", ONLY, "--folder", folder)
    finally:
        os.close(descriptor)
    assert code == 2
    assert f"{folder} is being regenerated already; accepted: one run at a time" in err
    assert golden(capsys, "regenerate", "--only", ONLY, "--folder", folder)[0] == 0


def test_what_is_no_temporary_is_not_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path / "cases", *FILES)
    notes, link = folder / "mxnet1-adam" / "notes.tmp", folder / "mxnet1-adam" / ".x.json.tmp"
    notes.write_text("mine")
    link.symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("mine too")
    code, out, _ = golden(capsys, "regenerate", "--only", ONLY, "--folder", folder)
    assert code == 1
    assert "2 refused" in out
    assert notes.read_text() == "mine"
    assert link.is_symlink()
    assert (tmp_path / "outside").read_text() == "mine too"


def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dialect that is a link to elsewhere."""
    folder, outside = tmp_path / "cases", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "torch-adam").symlink_to(outside)
    code, out, _ = golden(capsys, "regenerate", "--only", f"torch-adam/{TOPIC}", "--folder", folder)
    assert code == 1
    assert f"1/1 torch-adam/{TOPIC}: refused" in out
    assert list(outside.iterdir()) == []
