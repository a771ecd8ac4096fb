"""The reference in float32 conforms, its mutants are rejected, and what is not rejected must be no mistake."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suite_cli import ROOT

import reference
from conformance.checks import CHECKS
from conformance.mutants.partly import Partly
from conformance.mutants.tokens import float32, order, overlay, pool, search
from conformance.mutants.tokens import reference as aim
from conformance.mutants.tokens.changes import Vocabulary, changes
from conformance.mutants.tokens.coordinates import HYPERPARAMETERS
from conformance.mutants.tokens.fields import Fields, functions_of, of_function
from conformance.mutants.tokens.gate import Outcome, every
from conformance.mutants.tokens.mutant import Class, Mutant, Verdict, mutants_of, stale
from conformance.mutants.tokens.proofs import Proof
from conformance.mutants.tokens.reference_proofs import PROOFS
from conformance.problems import draw, general
from conformance.subjects import SETS, subjects


def command(*arguments: object) -> tuple[int, str]:
    """Exit code, and both streams in one line."""
    words = [sys.executable, "-m", "conformance.mutants", *map(str, arguments)]
    done = subprocess.run(words, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())


def changes_in(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["changes"]
    return found


# The reference in float32


@pytest.mark.parametrize("dialect", reference.DIALECTS)
def test_the_reference_in_float32_conforms(dialect: str) -> None:
    implementation = float32.implementation(dialect)
    shown = [
        (name, k, subject, [c for c in CHECKS if c.problems == name and c.applies(implementation.claim)])
        for name in SETS
        for k, subject in enumerate(subjects(implementation, name, 40, 0))
    ]
    outcome = every(implementation, shown, ["identity", "informative"])
    assert (outcome.killed, outcome.where) == ("", "")
    assert 0.1 < outcome.effect < 1, "the largest fraction of the bound that was used"


@pytest.mark.parametrize("dialect", reference.DIALECTS)
def test_every_array_of_every_stage_is_float32_and_every_scalar_pythons(dialect: str) -> None:
    implementation = float32.implementation(dialect)
    seen = set()

    def watch(_number: int, _stage: object, _before: object, after: Any) -> None:
        values = [getattr(after, f.name) for f in fields(after) if f.name not in ("rows", "whole")]
        seen.update(value.dtype.name for value in values if isinstance(value, np.ndarray))
        assert not any(isinstance(value, np.generic) for value in values), "would widen an array"

    implementation.watch = watch
    for problem in draw(general(implementation.claim), 20, 1):
        run = implementation.start(problem.parameters, problem.hyperparameters)
        for gradients in problem.gradients:
            run.step(gradients)
    assert seen == {"float32"}


# Changes


STEP = """\
def step(p, h):
    p.first = h.a
    if h.flag:
        p.first = 2 * p.first
    p.second = h.b
    touch(p)
    return p
"""


def test_the_order_of_what_is_done_to_fields_is_changed() -> None:
    found = {(c.before, c.after) for c in changes(STEP, ("step",), Vocabulary(objects=("p",))) if c.rule == "order"}
    first, condition, second = "p.first = h.a", "if h.flag: p.first = 2 * p.first", "p.second = h.b"
    assert found == {
        (f"{first} {condition}", f"{condition} {first}"),
        (f"{second} touch(p)", f"touch(p) {second}"),
    }


HANDED_ON = """\
def root(p):
    return p.v if p.v_max is None else p.v_max

def scale(q, h):
    q.size *= h
    grow(q)

def grow(p):
    p.other, p.m = 1, 2

def step(p, h):
    p.size = h.a
    p.denominator = root(p)
    p.v_max = h.b
    scale(p, h)
    p.other = 3
"""


def test_what_a_function_of_the_module_does_to_an_object_is_known() -> None:
    """root(p) reads v and v_max and writes nothing; scale(p, h) reads size and writes size, other and m."""
    found = {c.before for c in changes(HANDED_ON, ("step",), Vocabulary(objects=("p",))) if c.rule == "order"}
    assert found == {"p.denominator = root(p) p.v_max = h.b", "scale(p, h) p.other = 3"}


def test_the_fields_of_a_stage() -> None:
    known = functions_of(ast.parse(overlay.source_of("reference.stages").read_text()))
    assert of_function("second_moment", known) == Fields(frozenset({"g", "square", "v"}), frozenset({"v"}))
    assert of_function("gather_rows", known).writes == {"whole", "theta", "m", "v", "v_max"}
    anything = Fields(reads=frozenset({"anything"}))
    assert of_function("rectified", known).meet(anything), "what it is handed as a function is not looked into"
    assert not of_function("second_moment", known).meet(anything)


def test_stages_that_share_nothing_may_stand_in_either_order_and_no_others() -> None:
    proved = {(p.scope, before) for p in order.proofs(mutants_of(aim.REFERENCE.targets)) for before, _ in p.changes}
    assert ("_TABLE.torch-radam", "s.first_moment, s.second_moment,") in proved
    assert ("_TABLE.mxnet1-adam-lazy", "s.gather_rows, s.rescale,") in proved
    assert ("_MOMENTS", "_MOMENTS = (s.first_moment, s.second_moment, s.amsgrad_maximum)") in proved
    together = [{*before.rstrip(",").split(", ")} for scope, before in proved if scope != "_MOMENTS"]
    assert {"s.rescale", "s.clip"} not in together
    assert {"s.decay_theta", "s.l2"} not in together
    assert {"s.epsilon_as_given", "s.epsilon_hat"} not in together


@pytest.mark.parametrize("last", ["*c", "*c,"])
def test_each_element_of_a_sequence_is_left_out(last: str) -> None:
    source = f"make(stages=(a, b, {last}), others=(a, b))\nname = make(stages=(a, b, {last}))\n"
    found = [c.after for c in changes(source, ("name",), Vocabulary(sequences=("stages",))) if c.rule == "left out"]
    end = last[2:]
    assert found == [
        f"name = make(stages=(b, {last}))",
        f"name = make(stages=(a, {last}))",
        f"name = make(stages=(a, b{end or ','}))",
    ]


def test_a_module_that_its_package_imports_by_itself_is_replaced_too(tmp_path: Path) -> None:
    source = overlay.source_of("reference.bias_correction").read_text()

    def changed(_: None) -> float:
        overlay.lay("reference.bias_correction", source.replace("(1 + beta_2)", "(3 + beta_2)"), tmp_path)
        return float(float32.implementation("torch-adam").runs.bound_scalars.sma_inf(0.5))

    with pool.in_children(changed, [None], jobs=1, seconds=60) as answers:
        assert [answer for _, answer in answers] == [7.0]


def test_every_reason_belongs_to_a_change() -> None:
    made = mutants_of(aim.REFERENCE.targets)
    known = {m.key for m in made}
    listed = [key for proof in PROOFS for key in proof.keyed()]
    assert [key for key in listed if key not in known] == []
    assert len(set(listed)) == len(listed)
    derived = {key for proof in aim.REFERENCE.derived(made) for key in proof.keyed()}
    assert derived.isdisjoint(listed), "what is proved need not be listed"


# The search


def _effect_of(dialect: str, module: str, old: str, new: str, folder: Path) -> search.Effect:
    source = overlay.source_of(module).read_text()
    assert source.count(old) == 1

    def changed(_: None) -> search.Effect:
        overlay.lay(module, source.replace(old, new), folder)
        return aim.effect((dialect,), 0)

    with pool.in_children(changed, [None], jobs=1, seconds=120) as answers:
        ((_, answer),) = answers
    assert isinstance(answer, search.Effect), answer
    return answer


@pytest.mark.parametrize(
    ("dialect", "module", "old", "new"),
    [
        ("keras-v2-adam", "reference.stages", "else x.number(1e-7)", "else x.number(2e-7)"),
        ("tfa-rectified-adam", "reference.stages", "p.rho_t >= h.sma_threshold", "p.rho_t >= h.sma_threshold + 0.5"),
        ("tfa-rectified-adam", "reference.bias_correction", "prec=120", "prec=10"),
        ("keras-v2-adam", "reference.schedules", "sum(k > boundary for", "sum(k >= boundary for"),
        ("mxnet1-adam", "reference.schedules_mxnet", "max(begin + 1, warmup_steps)", "max(begin + 2, warmup_steps)"),
    ],
)
def test_the_search_finds_a_large_effect_that_is_seldom_seen(
    dialect: str, module: str, old: str, new: str, tmp_path: Path
) -> None:
    effect = _effect_of(dialect, module, old, new, tmp_path)
    assert effect.fraction > 2
    assert effect.where


def test_every_hyper_parameter_is_drawn() -> None:
    assert {name for d in reference.DIALECTS.values() for name in d.hyperparameters} == HYPERPARAMETERS.keys()


def test_the_search_finds_nothing_where_nothing_was_changed(tmp_path: Path) -> None:
    line = "return (1 + beta_2) / (1 - beta_2)"
    effect = _effect_of("tfa-rectified-adam", "reference.bias_correction", line, f"{line}  # as it is", tmp_path)
    assert (effect.fraction, effect.differs) == (0.0, False)
    assert effect.tried > 100


# The command

FEW = ("--target", "reference", "--profile", "smoke", "--adapter", "torch-adam")


def test_changes_are_rejected_by_checks_and_one_is_no_mistake(tmp_path: Path) -> None:
    wrong = (r"second_moment: .*\(1 \+ h.beta_2", r'torch-adam.*="optimizer')
    only = "|".join((*wrong, r"torch-adam: s.decay_theta, s.l2", r"torch-adam: \*_MOMENTS, s.epsilon"))
    code, said = command(*FEW, "--only", only, "--json", tmp_path / "found.json", "--markdown", tmp_path / "found.md")
    assert code == 0, said
    assert "| target | mutants | killed | equivalent |" in (tmp_path / "found.md").read_text()
    found = {(c["class"], c["killed"]) for c in changes_in(tmp_path / "found.json")}
    assert found == {("killed", "one-step"), ("killed", "step-count"), ("equivalent", "")}


def test_a_survivor_fails_the_command_and_its_largest_effect_is_shown(tmp_path: Path) -> None:
    """A wrong moment where only steps are counted."""
    only = r"first_moment: .*- \(1 - h.beta_1"
    code, said = command(*FEW, "--only", only, "--check", "step-count", "--json", tmp_path / "found.json")
    assert code == 1, said
    assert "survived: reference.stages:" in said
    (found,) = changes_in(tmp_path / "found.json")
    assert found["class"] == "survived"
    assert found["found"] > 1


def test_classes_are_rejected_in_float32(tmp_path: Path) -> None:
    options = ("--target", "classes", "--only", "NonFusedMinusEpsilon|RoundsDown", "--profile", "smoke")
    code, said = command(*options, "--json", tmp_path / "found.json")
    assert code == 0, said
    found = {c["scope"]: c for c in changes_in(tmp_path / "found.json")}
    assert {name: c["killed"] for name, c in found.items()} == {
        "NonFusedMinusEpsilon": "one-step",
        "RoundsDown": "law-sign",
    }
    assert all(c["needed"] > 0 for c in found.values())
    assert not any("float" in c["where"] for c in found.values())


def test_a_class_that_is_wrong_in_a_narrow_format_alone_is_rejected_there(tmp_path: Path) -> None:
    options = ("--target", "classes", "--only", "CountReportedRightly|GapsDecay|DecayStaysOff", "--profile", "smoke")
    code, said = command(*options, "--json", tmp_path / "found.json")
    assert code == 0, said
    found = {c["scope"]: (c["killed"], c["where"].partition(", in ")[2]) for c in changes_in(tmp_path / "found.json")}
    assert found == {
        "CountReportedRightly": ("law-many-steps", "float16"),
        "GapsDecay": ("law-strided", ""),
        "DecayStaysOff": ("law-switched-on", ""),
    }


def test_a_run_that_is_ended_leaves_what_it_had_found(tmp_path: Path) -> None:
    """The second of two changes is never found: the first one's verdict is in the file, and that it is not all."""
    made = mutants_of(aim.REFERENCE.targets)[:2]
    partly = Partly(tmp_path / "found.json")
    partly.begin("reference", [Verdict(m, Outcome(), None) for m in made])
    partly.found(0, Outcome(killed="one-step", kind="check"))
    partly.write()
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["complete"], [c["class"] for c in found["changes"]]) == (False, ["killed"])
    partly.found(1, Outcome())
    partly.write(survived=1)
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["complete"], [c["class"] for c in found["changes"]]) == (True, ["killed", "survived"])


def test_a_terminated_run_says_where_its_findings_are(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "conformance.mutants", *FEW, "--json", str(tmp_path / "found.json")]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr is not None
        while "smoke problems: " not in (line := running.stderr.readline()) and line:
            pass
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert json.loads((tmp_path / "found.json").read_text())["complete"] is False


def test_a_class_that_no_check_sees_fails_the_command() -> None:
    options = ("--target", "classes", "--only", "NonFusedMinus", "--profile", "smoke")
    code, said = command(*options, "--check", "step-count")
    assert code == 1, said
    assert "survived: conformance.mutants.formula:" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "nothing"), "invalid choice: 'nothing'"),
        (("--only", "no such line"), "--only is 'no such line', which no change matches"),
        (("--target", "reference", "--adapter", "fused-adam-torch"), "accepted for reference: keras-v2-adam"),
    ],
)
def test_what_cannot_be_done_is_refused(options: tuple[str, ...], message: str) -> None:
    code, said = command(*options)
    assert code == 2
    assert message in said


# Reasons


def verdict(cls: Any, **outcome: Any) -> Verdict:
    (change, *_) = changes("WIDTH = 16", ("WIDTH",), Vocabulary())
    proof = Proof(cls, "because", "module", "WIDTH", ((change.before, change.after),))
    return Verdict(Mutant("module", "WIDTH = 16", change), Outcome(**outcome), proof)


@pytest.mark.parametrize(
    ("cls", "outcome", "expected"),
    [
        ("equivalent", {"differs": False}, Class.EQUIVALENT),
        ("equivalent", {"differs": True}, Class.SURVIVED),
        ("below the bound", {"differs": True, "found": 0.9}, Class.BELOW),
        ("below the bound", {"differs": True, "found": 1.0}, Class.SURVIVED),
    ],
)
def test_a_reason_that_is_refuted_is_not_believed(cls: str, outcome: dict[str, Any], expected: Class) -> None:
    seen = verdict(cls, **outcome)
    assert seen.cls is expected
    assert len(stale([seen], ())) == (expected is Class.SURVIVED)
