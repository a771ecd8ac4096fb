"""No false alarm about a correct implementation that declares truthfully how it computes; the command would say so."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from suite_cli import ROOT, run

from conformance import problems
from conformance.mutants import ARITHMETICS, TWINS, alarms
from conformance.mutants.arithmetics import DoubleInside, FlushesSubnormals, PowersInFloat32, TorchFused, fma
from conformance.mutants.twin import Twin
from conformance.mutants.twins import Mxnet2Twin, TorchTwin
from conformance.observe import observe

TOO_TIGHT = "tests/suite/too_tight.py:PowersInDouble"


def command(*options: object) -> tuple[int, dict[str, Any], str]:
    """Exit code, what `--json` says, and what is said to people."""
    words = [sys.executable, "-m", "conformance.mutants.alarms", "--json", *map(str, options)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout), " ".join(done.stderr.split())


@pytest.mark.parametrize("implementation", ARITHMETICS, ids=lambda x: x.__name__)
def test_a_correct_implementation_in_other_arithmetic_conforms(implementation: type[Twin]) -> None:
    name = alarms.path_of(implementation)
    ended = run(name, options=("--profile", "smoke"))
    assert (ended.code, ended.implementation(name)["verdict"]) == (0, "conforms")


def test_the_command_counts_and_says_that_none_was_rejected() -> None:
    names = [alarms.path_of(DoubleInside), alarms.path_of(TorchTwin)]
    code, said, text = command("--problems", 40, "--least", 80, "--adapter", names[0], "--adapter", names[1])
    assert (code, said["problems"], said["rejected"], said["implementations"]) == (0, 80, [], 2)
    assert 0.1 < said["worst_fraction"] < 1
    assert "80 problems over 2 correct implementations" in text
    assert "none rejected" in text


def test_a_correct_implementation_that_is_rejected_fails_the_command() -> None:
    good = alarms.path_of(TorchTwin)
    code, said, text = command("--problems", 40, "--least", 0, "--adapter", good, "--adapter", TOO_TIGHT)
    assert (code, said["rejected"], said["exit_code"]) == (1, [TOO_TIGHT], 1)
    assert f"rejected: {TOO_TIGHT}" in text


def test_too_few_problems_prove_nothing() -> None:
    code, said, text = command("--problems", 1, "--adapter", alarms.path_of(TorchTwin))
    assert (code, said["rejected"]) == (2, [])
    assert "too few: 1 problems; accepted: at least 20000" in text


def test_what_cannot_be_had_is_no_pass() -> None:
    code, said, _ = command("--problems", 1, "--least", 0, "--adapter", "no/such/file.py:Adam")
    assert (code, said["not_tested"]) == (2, ["no/such/file.py:Adam"])


def test_everything_has_more_problems_than_are_needed() -> None:
    """20 000 in other arithmetic alone."""
    assert 2000 * len(ARITHMETICS) >= alarms.LEAST
    found = alarms.everything(("keras", "mxnet", "torch"))
    assert {"keras-v2-nonfused", "mxnet2-step", "torch-fused", "fused-adam-torch"} < set(found)
    assert {alarms.path_of(x) for x in (*TWINS, *ARITHMETICS)} < set(found)


def test_no_problem_is_counted_twice() -> None:
    drawn = problems.draw(problems.general(TorchTwin.claim), 500, 0)
    distinct = {
        (p.dtype, p.hyperparameters, *(a.tobytes() for g in (p.parameters, *p.gradients) for a in g if a is not None))
        for p in drawn
    }
    assert len(distinct) == len(drawn) == 500


# What makes each of them another arithmetic


@pytest.mark.parametrize("implementation", ARITHMETICS, ids=lambda x: x.__name__)
def test_each_computes_other_bits_than_the_twin_it_varies(implementation: type[Twin]) -> None:
    """Else it would be the twin once more."""
    twin = next(base for base in implementation.__mro__ if base in TWINS)
    assert implementation.claim == twin.claim
    drawn = problems.draw(problems.general(twin.claim), 60, 0)
    assert any(_bits(implementation(), p) != _bits(twin(), p) for p in drawn)


def _bits(implementation: Any, problem: Any) -> list[bytes]:
    return [a.tobytes() for s in observe(implementation, problem).states for a in (*s.parameters, *s.m, *s.v)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_once(dtype: type) -> None:
    random = np.random.Generator(np.random.Philox(7))
    a, b, c = (random.standard_normal(200).astype(dtype) for _ in range(3))
    c[:100] = -(a * b)[:100]  # nothing is left but what the product's own rounding loses
    found = fma(a, b, c)
    for x, y, z, got in zip(a, b, c, found, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        neighbours = [float(np.nextafter(got, dtype(to))) for to in (-np.inf, np.inf)]
        assert all(abs(Fraction(float(got)) - exact) <= abs(Fraction(n) - exact) for n in neighbours)


def test_subnormals_are_flushed() -> None:
    drawn = problems.draw(problems.general(Mxnet2Twin.claim), 60, 0)
    states = [s for p in drawn for s in observe(FlushesSubnormals(), p).states]
    found = [np.abs(a) for s in states for a in (*s.m, *s.v)]
    assert not any(((a > 0) & (a < np.finfo(a.dtype).tiny)).any() for a in found)


def test_the_others_are_what_they_are_called() -> None:
    assert PowersInFloat32().arithmetic("float64").powers == "float32"
    assert TorchFused().arithmetic("float32") == TorchTwin().arithmetic("float32")
