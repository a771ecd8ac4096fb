"""Changes of one token: all of them are found, each is tried in a child of its own, and a survivor is reported."""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from suite_cli import ROOT

from conformance.mutants.tokens import fused, overlay, pool
from conformance.mutants.tokens.changes import Change, Vocabulary, changes
from conformance.mutants.tokens.gate import Outcome
from conformance.mutants.tokens.mutant import Class, Mutant, Verdict, mutants_of, stale
from conformance.mutants.tokens.proofs import PROOFS, Proof

SOURCE = """\
import math

WIDTH = 16  # only this number


def root(a: float, b: float, flag: bool) -> float:
    '''Words are left alone.'''
    total = a + 2 * b
    total *= 1.0
    other = math.sqrt(-total)
    if flag and not a < b:
        raise ValueError("also", a)
    store(a, other)
    return max(total, other) if flag else make(name="thing", kind="hat")


def untouched(a):
    return a + 1
"""

WORDS = Vocabulary(kinds=(("a", "b", "later"),), keywords={"kind": ('"hat"', '"paper"')}, functions=("math.sqrt",))

EXPECTED = {
    ("constant", "WIDTH = 16", "WIDTH = 15"),
    ("constant", "WIDTH = 16", "WIDTH = 17"),
    ("name", "total = a + 2 * b", "total = b + 2 * b"),
    ("operator", "total = a + 2 * b", "total = a - 2 * b"),
    ("constant", "total = a + 2 * b", "total = a + 1 * b"),
    ("constant", "total = a + 2 * b", "total = a + 3 * b"),
    ("operator", "total = a + 2 * b", "total = a + 2 / b"),
    ("name", "total = a + 2 * b", "total = a + 2 * a"),
    ("dropped", "total *= 1.0", "pass"),
    ("operator", "total *= 1.0", "total /= 1.0"),
    ("constant", "total *= 1.0", "total *= 0.0"),
    ("constant", "total *= 1.0", "total *= 2.0"),
    ("order", "total *= 1.0 other = math.sqrt(-total)", "other = math.sqrt(-total) total *= 1.0"),
    ("function", "other = math.sqrt(-total)", "other = (-total)"),
    ("sign", "other = math.sqrt(-total)", "other = math.sqrt(total)"),
    ("dropped", 'if flag and not a < b: raise ValueError("also", a)', "pass"),
    ("negation", "if flag and not a < b:", "if not (flag and not a < b):"),
    ("operator", "if flag and not a < b:", "if flag or not a < b:"),
    ("negation", "if flag and not a < b:", "if flag and a < b:"),
    ("comparison", "if flag and not a < b:", "if flag and not a <= b:"),
    ("comparison", "if flag and not a < b:", "if flag and not a > b:"),
    ("name", "if flag and not a < b:", "if flag and not b < b:"),
    ("name", "if flag and not a < b:", "if flag and not a < a:"),
    ("dropped", "store(a, other)", "pass"),
    ("name", "store(a, other)", "store(b, other)"),
}
LAST = 'return max(total, other) if flag else make(name="thing", kind="hat")'
EXPECTED |= {
    ("function", LAST, LAST.replace("max", "min")),
    ("negation", LAST, LAST.replace("if flag", "if not (flag)")),
    ("constant", LAST, LAST.replace("hat", "paper")),
}


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "conformance.mutants.tokens", *map(str, arguments)]
    variables = {**os.environ, **environment}
    return subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300, check=False)


def test_every_change_of_a_piece_of_python_is_found_and_no_other() -> None:
    found = [(c.rule, c.before, c.after) for c in changes(SOURCE, ("WIDTH", "root"), WORDS)]
    assert sorted(found) == sorted(EXPECTED)


def test_a_change_knows_its_line_and_what_it_is_in() -> None:
    (change,) = (c for c in changes(SOURCE, ("root",), WORDS) if c.new == '"paper"')
    assert (change.line, change.scope) == (14, "root.thing")


def test_every_other_name_of_a_kind_on_demand() -> None:
    words = Vocabulary(kinds=(("a", "b", "total"),), others=2)
    found = {c.after for c in changes(SOURCE, ("root",), words) if c.before == "store(a, other)" and c.rule == "name"}
    assert found == {"store(b, other)", "store(total, other)"}


def test_a_scope_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"scope is 'rot'; accepted: WIDTH, root, untouched"):
        changes(SOURCE, ("rot",), WORDS)


def test_changes_of_fused_adam_are_programs_and_the_same_every_time() -> None:
    first, second = mutants_of(fused.TARGETS), mutants_of(fused.TARGETS)
    assert first == second
    assert len(first) > 200
    programs = {(m.module, m.change.apply(m.source)) for m in first}
    assert len(programs) == len(first)
    for _, program in programs:
        ast.parse(program)
    assert {m.module for m in first} == {t.module for t in fused.TARGETS}


def test_a_list_with_another_hash_seed_is_the_same() -> None:
    lists = [command("--list", PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert lists[0].returncode == 0
    assert lists[0].stdout == lists[1].stdout != ""


# Children


def accident(kind: str) -> Any:
    match kind:
        case "answers":
            return 42
        case "raises":
            raise ArithmeticError("here")
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "leaves":
            os._exit(3)
        case "hangs":
            time.sleep(3600)
    return None


def test_no_child_outlives_the_context() -> None:
    with pool.in_children(accident, ["answers", "hangs"], jobs=2, seconds=600) as answers:
        assert next(answers) == (0, 42)
        assert len(multiprocessing.active_children()) == 1
    assert multiprocessing.active_children() == []


def test_a_child_may_answer_raise_die_leave_or_hang() -> None:
    kinds = ["hangs", "answers", "raises", "dies", "leaves", "answers"]
    with pool.in_children(accident, kinds, jobs=2, seconds=2) as answers:
        ended = dict(answers)
    assert ended[1] == ended[5] == 42
    assert isinstance(ended[2], pool.Broken)
    assert "ArithmeticError: here" in ended[2].traceback
    assert ended[0] == pool.Ended("no end within 2 s")
    assert ended[3] == pool.Ended("ended by SIGKILL")
    assert ended[4] == pool.Ended("left with exit code 3")


# The command

FEW = ("--profile", "smoke", "--adapter", "fused-adam-keras-v2")
WRONG = r"mean = mean \+ one_minus_beta_1 \* \(gradient - mean\) -> mean = mean - "


def test_a_change_is_caught_by_the_ordinary_checks(tmp_path: Path) -> None:
    done = command("--only", WRONG, *FEW, "--json", tmp_path / "new" / "caught.json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((tmp_path / "new" / "caught.json").read_text())["changes"]
    assert (found["class"], found["killed"], found["kind"]) == ("killed", "one-step", "check")
    assert found["problems"] == 1


def test_a_change_survives_where_the_checks_are_blind_to_it(tmp_path: Path) -> None:
    """The same change, but only steps are counted: the command must say that it has got away."""
    options = ("--only", WRONG, *FEW, "--check", "step-count", "--json", tmp_path / "survived.json")
    done = command(*options)
    assert done.returncode == 1
    assert "survived: fused_adam.cpu_kernels:" in done.stdout
    result = json.loads((tmp_path / "survived.json").read_text())
    assert result["survived"] == 1
    (found,) = result["changes"]
    assert (found["class"], found["differs"]) == ("survived", True)


def test_a_change_that_changes_no_bit_is_seen_as_such(tmp_path: Path) -> None:
    """The maximum of two equal numbers: the run must end with the reason that is on record, not with a survivor."""
    options = ("--only", "second >= largest", *FEW, "--check", "one-step")
    done = command(*options, "--json", tmp_path / "same.json")
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "same.json").read_text())["changes"]
    assert {(c["class"], c["differs"]) for c in found} == {("equivalent", False)}


def test_nothing_is_said_where_the_unchanged_package_is_rejected_too(tmp_path: Path) -> None:
    """A package that is wrong already: that a change of it is rejected proves nothing."""
    shutil.copytree(overlay.source_of("fused_adam.scalars").parent, tmp_path / "fused_adam")
    kernels = tmp_path / "fused_adam" / "cpu_kernels.py"
    text = kernels.read_text()
    kernels.write_text(text.replace("mean = mean + one_minus_beta_1", "mean = mean - one_minus_beta_1"))
    assert kernels.read_text() != text
    options = ("--only", r"gradient \* gradient\) -> .* - one_minus_beta_2", *FEW)
    done = command(*options, PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))
    assert done.returncode == 2, done.stdout
    assert "fused-adam-keras-v2 as it is fails one-step" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "no such line"), "--only is 'no such line', which no change matches"),
        (("--only", "("), "--only is '(', which is no regular expression"),
        (("--check", "nothing"), "invalid choice: 'nothing'"),
        (("--json", "."), "--json is '.', a folder; accepted: a file"),
        (("--jobs", "0"), "'0'; accepted: a whole number from 1 on"),
    ],
)
def test_what_cannot_be_done_is_refused(options: tuple[str, ...], message: str) -> None:
    done = command(*options)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


# Reasons


def verdict(*, killed: str, kind: str, proof: Proof | None) -> Verdict:
    change = Change(start=0, end=1, new="2", rule="constant", scope="WIDTH", line=1, before="1", after="2")
    return Verdict(Mutant("module", "1", change), Outcome(killed=killed, kind=kind), proof)


REASON = Proof("equivalent", "because", "module", "WIDTH", (("1", "2"),))


@pytest.mark.parametrize(
    ("killed", "kind", "proof", "expected"),
    [
        ("one-step", "check", None, Class.KILLED),
        ("one-step", "check", REASON, Class.KILLED),
        ("test_scalars.py::test", "test", None, Class.BY_TEST),
        ("ValueError", "exception", None, Class.DOES_NOT_RUN),
        ("", "", REASON, Class.EQUIVALENT),
        ("", "", None, Class.SURVIVED),
    ],
)
def test_a_reason_is_believed_only_of_what_lives(killed: str, kind: str, proof: Proof | None, expected: Class) -> None:
    assert verdict(killed=killed, kind=kind, proof=proof).cls is expected


def test_a_reason_that_is_out_of_date_is_reported() -> None:
    assert stale([verdict(killed="", kind="", proof=REASON)], [REASON]) == []
    (line,) = stale([verdict(killed="one-step", kind="check", proof=REASON)], [REASON])
    assert line.startswith("rejected, but listed as no mistake: module:1")
    (line,) = stale([], [REASON])
    assert line == "listed, but no such change is made: module | WIDTH | 1 | 2"


def test_every_reason_belongs_to_a_change() -> None:
    known = {m.key for m in mutants_of(fused.TARGETS)}
    listed = [key for proof in PROOFS for key in proof.keyed()]
    assert [key for key in listed if key not in known] == []
    assert len(set(listed)) == len(listed)
