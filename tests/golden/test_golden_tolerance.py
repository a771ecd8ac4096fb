"""The tolerance of the files: the power of two next above the bound, which every correct float64 keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance import oracle
from conformance.mutants import ARITHMETICS, TWINS
from conformance.mutants.arithmetics import Folded, RunningProducts, SwitchingLerp, Textbook
from conformance.mutants.formula import EpsilonInsideRoot
from conformance.mutants.twin import Twin
from conformance.replay import replays, run
from golden import Case, GoldenError, cases_of
from golden.tolerance import REPLAY, from_exponents, power_above, to_exponents, with_tolerance
from golden.trajectory import trajectory
from golden.verify import DOUBLE


@pytest.mark.parametrize(
    ("bound", "power"),
    [(0.0, 0.0), (1.0, 1.0), (1.0000001, 2.0), (0.75, 1.0), (0.5, 0.5), (3e-320, 2.0**-1061), (2.0**-1074, 2.0**-1074)],
)
def test_the_power_is_the_smallest_that_is_not_below(bound: float, power: float) -> None:
    assert power_above(bound) == power
    assert bound <= power <= 2 * bound or bound == 0
    (back,) = to_exponents({"m": (np.array([power]),)})["m"]
    assert from_exponents(back, (1,)) == power


def test_what_float64_does_not_certify_has_no_tolerance() -> None:
    (case, *_) = (c for c in cases_of("torch-adam") if c.id.endswith("/plain"))
    huge = tuple(tuple(np.full(g.shape, 1e200) for g in step) for step in case.gradients)
    with pytest.raises(GoldenError, match=r"plain cannot be certified: in step 1 the bound of float64 is infinite"):
        with_tolerance(replace(case, gradients=huge))


@pytest.mark.parametrize("dialect", ["torch-adam", "keras-v2-adam", "tfa-rectified-adam", "mxnet2-adam-lazy"])
def test_it_is_the_bound_and_covers_the_form_that_the_page_prints(dialect: str) -> None:
    """A power function and sums err less than a running product and lerps."""
    for case in (c for c in cases_of(dialect) if "/first-steps/" in c.id):
        for (stored, _, loose), (_, _, tight) in zip(trajectory(case, REPLAY), trajectory(case, DOUBLE), strict=True):
            for name, limits in (("parameters", "theta"), ("m", "m"), ("v", "v")):
                pairs = zip(stored.tolerance[name], getattr(loose, limits), getattr(tight, limits), strict=True)
                for power, bound, smaller in pairs:
                    assert np.all((bound <= power) & (power <= 2 * bound))
                    assert np.all(smaller <= bound)


FORMS = (Textbook, Folded, RunningProducts, SwitchingLerp)
"""beta^t by a power function and as a running product; averages as sums and as lerps; the quotient in three ways."""


def float64_throughout(implementation: Twin) -> bool:
    if "float64" not in implementation.claim.dtypes:
        return False
    a = oracle.rounding(implementation.arithmetic("float64"))
    formats = {a.compute, a.powers, a.step_size, a.storage, a.schedule, a.momentum_product}
    return formats == {"float64"} and a.power_form != "rounded"


def worst(implementation: Twin) -> float:
    """Of its own replay in float64, as a fraction of the tolerance; a thousand steps of `FORMS` alone."""
    found = 0.0
    cases = [r for r in replays(implementation) if r.problem.dtype == "float64"]
    for replay in (r for r in cases if r.case.steps < 1000 or type(implementation) in FORMS):
        states, _ = run(implementation, replay)
        for expected in replay.case.expected:
            for name, arrays in expected.quantities():
                got = getattr(states[expected.step - 1], name)
                found = max(found, *map(_fraction, got, arrays, expected.tolerance[name]))
    return found


def _fraction(got: Any, value: Any, tolerance: Any) -> float:
    with np.errstate(all="ignore"):
        off = np.abs(np.asarray(got, dtype=np.float64) - value)
        return float(np.max(np.where(off > 0, off / tolerance, 0.0), initial=0.0))


CORRECT = [one for one in (*TWINS, *ARITHMETICS) if float64_throughout(one())]


@pytest.mark.parametrize("one", CORRECT, ids=lambda one: one.__name__)
def test_correct_arithmetic_in_float64_is_within(one: type[Twin]) -> None:
    assert 0 < worst(one()) < 1


def test_several_forms_of_the_formula_are_among_them() -> None:
    assert set(FORMS) <= set(CORRECT)
    assert len({one.claim.dialect for one in CORRECT}) >= 5


def test_a_wrong_formula_is_far_out() -> None:
    assert worst(EpsilonInsideRoot()) > 1e6


def test_a_case_is_given_the_tolerance_that_is_stored() -> None:
    def exponents(case: Case) -> list[Any]:
        return [to_exponents(e.tolerance) for e in case.expected]

    for case in cases_of("optax-adam"):
        assert exponents(with_tolerance(case)) == exponents(case)
