"""Problems: the same for the same seed, inside the claim, and varied enough to tell."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import fields, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from suite_cli import ROOT

from adapters.contract import GRADIENT_KINDS, HYPERPARAMETERS, Array, Claim, Gradient, Hyperparameters, Problem, Rows
from conformance import edges, problems
from conformance.laws.indices import BY_INDEX
from conformance.laws.settings import CLIPS
from conformance.mutants.twins import KerasV2Twin, Mxnet2LazyTwin, RectifiedTwin, TfKerasTwin, TorchTwin
from reference.bias_correction import rectification, sma
from reference.namespace import FLOAT64

BESIDE = {"ema_momentum", "ema_overwrite_frequency", "exclude_from_weight_decay", "constraint"}
RATES = {"schedule", "weight_decay_schedule", "total_steps", "warmup_proportion", "min_lr"}
EVERYTHING = Claim(
    dialect="none in particular", hyperparameters=frozenset(HYPERPARAMETERS), gradients=frozenset(GRADIENT_KINDS)
)
LITTLE = Claim(
    dialect="none in particular",
    hyperparameters=frozenset({"learning_rate"}),
    dtypes=("float64",),
    gradients=frozenset({"dense"}),
)
UNIQUE_ROWS = replace(EVERYTHING, gradients=frozenset({"dense", "rows"}))
CLAIMS = {
    "everything": EVERYTHING,
    "little": LITTLE,
    "unique-rows": UNIQUE_ROWS,
    "nothing-but-rows": replace(EVERYTHING, gradients=frozenset({"rows"})),
    **{twin.name: twin.claim for twin in (KerasV2Twin, TfKerasTwin, Mxnet2LazyTwin, RectifiedTwin, TorchTwin)},
}
ENOUGH = 300


def general(claim: Claim, number: int = ENOUGH, seed: int = 0) -> list[Problem]:
    return problems.draw(problems.general(claim), number, seed)


drawn_once = cache(general)
"""For tests that only look."""


def digest(drawn: list[Problem]) -> str:
    """Of everything that a problem holds."""
    found = hashlib.sha256()
    for problem in drawn:
        found.update(repr((problem.dtype, problem.hyperparameters)).encode())
        for array in arrays(problem):
            found.update(repr((array.dtype, array.shape)).encode() + array.tobytes())
        found.update(repr([[sorted(kinds(g)) for g in step] for step in problem.gradients]).encode())
    return found.hexdigest()


def arrays(problem: Problem) -> list[Array]:
    found = list(problem.parameters)
    for gradient in gradients(problem):
        if isinstance(gradient, Rows):
            found += [gradient.indices, gradient.values]
        elif gradient is not None:
            found.append(gradient)
    return found


def gradients(problem: Problem) -> list[Gradient]:
    return [gradient for step in problem.gradients for gradient in step]


def kinds(gradient: Gradient) -> set[str]:
    """All kinds that a claim must name for this gradient."""
    if gradient is None:
        return {"none"}
    if not isinstance(gradient, Rows):
        return {"dense"}
    indices = gradient.indices.tolist()
    special = {
        "empty rows": not indices,
        "duplicate rows": len(set(indices)) < len(indices),
        "unsorted rows": indices != sorted(indices),
    }
    return {kind for kind, is_so in special.items() if is_so} or {"rows"}


# The same for the same seed


def test_the_same_seed_draws_the_same_bytes() -> None:
    assert digest(general(EVERYTHING, 50, 7)) == digest(general(EVERYTHING, 50, 7))


def test_another_seed_draws_other_problems() -> None:
    digests = {digest(general(EVERYTHING, 20, seed)) for seed in range(5)}
    assert len(digests) == 5


@pytest.mark.parametrize("salt", ["1", "2"])
def test_the_problems_do_not_depend_on_the_process(salt: str) -> None:
    assert drawn_elsewhere(PYTHONHASHSEED=salt) == digest(general(EVERYTHING, 50, 7))


def test_the_problems_do_not_depend_on_other_modules_that_are_imported(tmp_path: Path) -> None:
    """Hypothesis draws from the constants of all local modules: an adapter's source would choose its problems."""
    (tmp_path / "adapter_with_constants.py").write_text("NUMBERS = (123456789, 987654321, 555555555, 777777777)\n")
    program = "import adapter_with_constants"
    assert drawn_elsewhere(program, PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}") == drawn_elsewhere()


def drawn_elsewhere(before: str = "pass", **variables: str) -> str:
    program = f"""{before}
import sys
sys.path.insert(0, "tests/suite")
import test_problems as t
print(t.digest(t.general(t.EVERYTHING, 50, 7)))"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_no_problem_is_drawn_twice() -> None:
    drawn = drawn_once(EVERYTHING)
    assert len(drawn) == ENOUGH
    assert len({digest([problem]) for problem in drawn}) == ENOUGH


# Inside the claim


@pytest.mark.parametrize("set_name", problems.SETS)
@pytest.mark.parametrize("name", CLAIMS)
def test_problems_stay_inside_the_claim(name: str, set_name: str) -> None:
    claim, defaults = CLAIMS[name], Hyperparameters()
    if set_name == "clip-gradient-zero" and "clip_gradient" not in claim.hyperparameters:
        claim = replace(claim, hyperparameters=claim.hyperparameters | {"clip_gradient"})
    if set_name == "epsilon-zero":
        claim = replace(claim, hyperparameters=claim.hyperparameters | {"epsilon"})
    strategy, _ = problems.SETS[set_name]
    for problem in problems.draw(strategy(claim), 100, 1):
        assert problem.dtype in claim.dtypes
        h = problem.hyperparameters
        changed = {f.name for f in fields(h) if getattr(h, f.name) != getattr(defaults, f.name)}
        assert changed <= claim.hyperparameters
        for gradient in gradients(problem):
            assert kinds(gradient) <= claim.gradients


def test_arrays_are_finite_and_of_the_dtype_of_the_problem() -> None:
    for problem in drawn_once(EVERYTHING):
        for array in arrays(problem):
            assert array.dtype == np.int64 or array.dtype.name == problem.dtype
            assert np.isfinite(array).all()


@pytest.mark.parametrize("name", CLAIMS)
def test_every_step_has_a_gradient(name: str) -> None:
    for problem in drawn_once(CLAIMS[name]):
        assert problem.gradients
        for step in problem.gradients:
            assert any(gradient is not None for gradient in step)


def test_hyper_parameters_of_both_decays_are_never_given_together() -> None:
    for problem in general(TorchTwin.claim):
        assert not (problem.hyperparameters.l2 and problem.hyperparameters.weight_decay)


# Varied enough


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claimed_kind_dtype_and_hyper_parameter_occurs(name: str) -> None:
    claim, defaults = CLAIMS[name], Hyperparameters()
    drawn = drawn_once(claim)
    seen = {kind for problem in drawn for gradient in gradients(problem) for kind in kinds(gradient)}
    assert seen == claim.gradients
    assert {problem.dtype for problem in drawn} == set(problems.wide(claim))
    for hyperparameter in claim.hyperparameters - {*CLIPS, *BY_INDEX, *BESIDE, *RATES, "lr_scheduler"}:  # have laws
        values = {getattr(problem.hyperparameters, hyperparameter) for problem in drawn}
        assert getattr(defaults, hyperparameter) in values or hyperparameter == "sync_period"  # never off
        assert len(values) > 1


def test_every_regime_and_every_list_of_shapes_occurs(monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[problems.Draft] = []
    build = problems.build

    def kept(draft: problems.Draft, *rest: int) -> Problem:
        drafts.append(draft)
        return build(draft, *rest)

    monkeypatch.setattr(problems, "build", kept)
    general(EVERYTHING)
    assert {draft.regime for draft in drafts} == set(problems.REGIMES)
    assert {draft.shapes for draft in drafts} == set(problems.SHAPES)


def test_the_general_set_has_no_equal_shapes() -> None:
    for problem in drawn_once(EVERYTHING):
        shapes = [theta.shape for theta in problem.parameters]
        assert len(set(shapes)) == len(shapes)


def test_the_equal_shapes_set_has_equal_shapes_and_every_kind_of_gradient() -> None:
    seen: set[str] = set()
    for problem in problems.draw(problems.with_equal_shapes(EVERYTHING), 50, 0):
        shapes = [theta.shape for theta in problem.parameters]
        assert len(set(shapes)) < len(shapes)
        seen |= {kind for gradient in gradients(problem) for kind in kinds(gradient)}
    assert {"dense", "none", "rows"} <= seen


def test_rare_things_occur() -> None:
    """Zero elements, blocks of 256, learning rates 0 and above 1, unsorted duplicates, dense gradients after rows."""
    drawn = drawn_once(EVERYTHING)
    assert sum(bool((theta == 0).any()) for problem in drawn for theta in problem.parameters) > 100
    assert max(theta.size for problem in drawn for theta in problem.parameters) > 256
    assert {0.0, 3.0} <= {problem.hyperparameters.learning_rate for problem in drawn}
    assert any({"unsorted rows", "duplicate rows"} <= kinds(g) for problem in drawn for g in gradients(problem))
    series = [g for problem in drawn for g in zip(*problem.gradients, strict=True)]
    after = sum(
        isinstance(before, Rows) and isinstance(then, np.ndarray) for g in series for before, then in pairwise(g)
    )
    assert after > 50


def test_the_clip_gradient_zero_set_clips_to_zero() -> None:
    for problem in problems.draw(problems.with_clip_gradient_zero(Mxnet2LazyTwin.claim), 50, 0):
        assert problem.hyperparameters.clip_gradient == 0


def test_duplicates_of_a_row_have_values_of_their_own() -> None:
    """Otherwise "the last one wins" and "the first one wins" would look alike."""
    differing = 0
    for problem in general(replace(EVERYTHING, gradients=frozenset({"dense", "duplicate rows"})), 100):
        for gradient in gradients(problem):
            if isinstance(gradient, Rows) and "duplicate rows" in kinds(gradient) and np.any(gradient.values):
                _, first = np.unique(gradient.indices, return_index=True)
                again = np.setdiff1d(np.arange(len(gradient.indices)), first)
                same = [np.array_equal(gradient.values[k], gradient.values[0]) for k in again]
                differing += not all(same)
    assert differing > 10


# Hyper-parameters that depend on each other


def test_both_decays_come_together_where_the_claim_takes_both_and_nowhere_else() -> None:
    one = TorchTwin.claim
    both = replace(one, both_decays=True)
    assert not [p for p in general(one) if p.hyperparameters.l2 and p.hyperparameters.weight_decay]
    assert len([p for p in general(both) if p.hyperparameters.l2 and p.hyperparameters.weight_decay]) > 100
    found = [d.hyperparameters for d in (*edges.sizes(both, 300), *edges.layouts(both, 300))]
    assert any(h.l2 and h.weight_decay for h in found)


@pytest.mark.parametrize("beta_2", [0.0, 0.125, 0.3, 0.34, 0.5, 0.59, 0.61, 0.9, 0.999])
def test_from_the_least_threshold_on_the_rectification_is_a_number(beta_2: float) -> None:
    least = problems.least_threshold(beta_2)
    found = []
    for t in range(1, 60):
        rho_t = sma(beta_2, t, FLOAT64)
        r_t = rectification(beta_2, t, FLOAT64)
        assert np.isfinite(r_t) or rho_t < least
        found.append(np.isfinite(r_t))
    assert all(found) == (least == 0)


@pytest.mark.parametrize("number", [40, 300])
def test_rectified_dialects_have_problems_with_a_threshold_below_4(number: int) -> None:
    drawn = [d.hyperparameters for d in edges.betas(RectifiedTwin.claim, number)]
    low = [h for h in drawn if h.sma_threshold < 4]
    assert len(low) >= 4
    assert all(h.sma_threshold >= problems.least_threshold(h.beta_2) for h in low)
    assert not [d for d in edges.betas(TorchTwin.claim, number) if d.hyperparameters.sma_threshold != 5]
