"""Whatever the files hold: a clear error and exit 2; nothing runs, nothing is unpickled, memory is bounded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from golden_copies import PLAIN, ROOT, copied, golden
from hostile import FILE, SPECIAL, rewritten
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import replay
from conformance.load import CannotTest
from conformance.mutants.twins import KerasV2Twin
from conformance.subjects import GOLDEN, subjects
from golden import CASES, GoldenError, cases_of

COMMANDS = ("verify", "lint", "show", "list", "diff", "export")


def line(command: str, folder: Path) -> list[str]:
    """What is typed."""
    words = {
        "verify": ["--partial"],
        "lint": ["--partial"],
        "show": [PLAIN],
        "list": [],
        "diff": [str(folder), str(CASES), "--only", "torch-adam/first-steps"],
        "export": [str(folder.parent / "out.npz")],
    }[command]
    return [command, "--folder", str(folder), *words]


# Known tricks, under a limit of memory

LIMITED = """
import resource, sys
from pathlib import Path
from golden.__main__ import main
from golden.lint import lint
import mpmath, numpy.lib.format, zipfile
lint(Path({good!r}), partial=True)  # whatever is imported late has been
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + {room}, held + {room}))
ran = []
def hook(event, arguments):
    if event in ("exec", "compile", "import", "marshal.loads", "pickle.find_class", "os.system", "os.exec",
                 "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"):
        ran.append((event, str(arguments)[:100]))
sys.addaudithook(hook)
for words in {lines}:
    sys.stdout.flush()
    print("\\0", main(words), *ran, flush=True)
    ran.clear()
"""
ROOM = 400 * 2**20


def good(folder: Path) -> str:
    return str(copied(folder / "good" / "cases"))


def limited(script: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=300, check=False,
    )  # fmt: skip


def test_hostile_folders_are_refused_by_every_command(tmp_path: Path) -> None:
    """In one process, because its start is what takes long."""
    lines, keys = [], []
    for k, (name, spoil) in enumerate(SPECIAL.items()):
        folder = copied(tmp_path / str(k) / "cases")
        spoil(folder / FILE)
        for command in COMMANDS:
            lines.append(line(command, folder))
            keys.append((name, command))
    done = limited(LIMITED.format(room=ROOM, lines=lines, good=good(tmp_path)))
    assert done.returncode == 0, done.stdout[-3000:]
    found = re.findall(r"([^\0]*)\0 (.*)\n", done.stdout)
    assert len(found) == len(keys)
    wrong = {key: (said, ended) for key, (said, ended) in zip(keys, found, strict=True) if not _refused(said, ended)}
    assert wrong == {}
    assert list(tmp_path.rglob("executed")) + list(tmp_path.rglob("out.npz")) + list(Path.cwd().glob("executed")) == []


def _refused(said: str, ended: str) -> bool:
    """With exit code 2, having run nothing; in lines that a terminal shows as they are."""
    clear = any(words in said for words in ("; accepted: ", "is not JSON of this format", "cannot be read"))
    return ended == "2" and clear and all(len(text) < 900 and text.isprintable() for text in said.splitlines())


@pytest.mark.parametrize("name", SPECIAL)
def test_a_hostile_folder_is_not_replayed(tmp_path: Path, name: str) -> None:
    folder = copied(tmp_path / "cases")
    SPECIAL[name](folder / FILE)
    with pytest.raises(GoldenError):
        cases_of("torch-adam", folder)


@pytest.mark.parametrize(
    ("name", "limit"), [("gigabytes", "files.MAX_BYTES"), ("gigabytes of numbers", "layout.MAX_NUMBERS")]
)
def test_without_the_limits_of_the_format_memory_would_not_do(tmp_path: Path, name: str, limit: str) -> None:
    """Else the limit of memory would show nothing."""
    folder = copied(tmp_path / "cases")
    SPECIAL[name](folder / FILE)
    script = LIMITED.format(room=ROOM // 4, lines=[line("lint", folder)], good=good(tmp_path))
    done = limited(script.replace("ran = []", f"ran = []\nfrom golden import files, layout\n{limit} = 2**40"))
    assert "MemoryError" in done.stdout
    assert "\0 3" in done.stdout


def test_who_would_unpickle_is_seen(tmp_path: Path) -> None:
    """Planted; and what the pickle asks for is done, so that its absence elsewhere shows something."""
    folder = copied(tmp_path / "cases")
    SPECIAL["pickle"](folder / FILE)
    script = LIMITED.format(room=ROOM, lines=[str(folder / FILE)], good=good(tmp_path))
    done = limited(script.replace("main(words)", "__import__('pickle').load(open(words, 'rb'))"))
    assert "'pickle.find_class'" in done.stdout
    assert len(list(tmp_path.rglob("executed"))) == 1


def test_a_name_that_is_no_text_can_be_said(tmp_path: Path) -> None:
    """Files may be called by any bytes."""
    folder = copied(tmp_path / "cases")
    (folder / "torch-adam" / os.fsdecode(b"\xff.json")).write_text("{")
    (folder / os.fsdecode(b"\xfe")).mkdir()
    words = [sys.executable, "-m", "golden", "lint", "--partial", "--folder", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert "udcff.json is not JSON of this format" in done.stdout


def test_the_suite_could_not_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is exit code 2, where a golden file cannot be used."""
    folder = tmp_path / "cases"
    shutil.copytree(CASES / "keras-v2-adam", folder / "keras-v2-adam")
    monkeypatch.setattr(replay, "_cases", lambda dialect: cases_of(dialect, folder))
    assert subjects(KerasV2Twin(), GOLDEN, 1, 0)
    (folder / "keras-v2-adam" / "spike.json").write_text("{")
    with pytest.raises(CannotTest, match=r"spike\.json is not JSON"):
        subjects(KerasV2Twin(), GOLDEN, 1, 0)


# Anything

ORIGINAL = json.loads((CASES / FILE).read_text())


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every value inside."""
    found = [path] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


PLACES = places(ORIGINAL)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(min_value=-(10**400), max_value=10**400)
    | st.text(max_size=8) | st.sampled_from(["0x1p+0", "0x1.8p-3", "-0x0p+0", "0x1p+1024", "inf", "torch-adam"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6,
)  # fmt: skip
REMOVE = object()
TOO_MUCH = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@given(
    edits=st.lists(st.tuples(st.sampled_from(PLACES), JUNK | st.just(REMOVE)), min_size=1, max_size=3),
    command=st.sampled_from(COMMANDS),
)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=TOO_MUCH)
def test_any_content_is_judged(capsys: pytest.CaptureFixture[str], edits: list[Any], command: str) -> None:
    """Never 3, and no line without an end; what is still of the format may be wrong, or right."""

    def change(data: dict[str, Any]) -> None:
        for path, junk in edits:
            at: Any = data
            try:
                for key in path[:-1]:
                    at = at[key]
                if junk is REMOVE:
                    del at[path[-1]]
                else:
                    at[path[-1]] = junk
            except (KeyError, IndexError, TypeError):
                continue

    _judged(capsys, command, lambda path: rewritten(path, change))


@given(
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=3),
    command=st.sampled_from(COMMANDS),
)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=TOO_MUCH)
def test_any_bytes_are_judged(capsys: pytest.CaptureFixture[str], cuts: list[Any], command: str) -> None:
    def spoil(path: Path) -> None:
        content = path.read_bytes()
        for share, length, put in cuts:
            at = int(share * len(content))
            content = content[:at] + put + content[at + length :]
        path.write_bytes(content)

    _judged(capsys, command, spoil)


def _judged(capsys: pytest.CaptureFixture[str], command: str, spoil: Any) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = copied(Path(scratch) / "cases")
        spoil(folder / FILE)
        code, out, err = golden(capsys, *line(command, folder))
        assert code in (0, 1, 2), err
        assert code != 2 or err or out
        assert all(len(text) < 100_000 for text in (out, err)) or code == 0
        assert not (folder.parent / "out.npz").exists() or code == 0
