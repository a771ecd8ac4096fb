"""What a case must give: the reference's own lines at 50 digits, rounded once to float64.

Needs mpmath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from golden.between import carried, hyperparameters_by_step
from golden.case import Case, Expected
from golden.tolerance import with_tolerance
from reference import State, dialect, initial_state, step
from reference.fifty_digits import FiftyDigits


def with_expected(case: Case, at_steps: Sequence[int]) -> Case:
    """The case with its expected trajectory and tolerance at the steps stated, the first being 1."""
    return with_tolerance(replace(case, expected=tuple(_expected(k, state) for k, state in _states(case, at_steps))))


def _states(case: Case, at_steps: Sequence[int]) -> list[tuple[int, State]]:
    fifty, d = FiftyDigits(), dialect(case.dialect)
    state = initial_state(case.parameters, case.hyperparameters, fifty)
    found = []
    by_step = hyperparameters_by_step(case.hyperparameters, case.between, case.steps)
    for k, (h, gradients) in enumerate(zip(by_step, case.gradients, strict=True), 1):
        state = step(d, h, carried(state, case.between, k - 1), gradients, x=fifty)
        if k in at_steps:
            found.append((k, state))
    return found


def _expected(k: int, state: State) -> Expected:
    def rounded(arrays: tuple[Any, ...] | None) -> Any:
        return None if arrays is None else tuple(_rounded(array) for array in arrays)

    return Expected(
        step=k,
        t=state.t,
        parameters=rounded(state.theta),
        m=rounded(state.m),
        v=rounded(state.v),
        v_max=rounded(state.v_max),
        slow=rounded(state.slow),
        average=rounded(state.average),
    )


def _rounded(array: Any) -> Any:
    values = [nearest(number) for number in array.ravel()]
    return np.array(values, dtype=np.float64).reshape(array.shape)


def nearest(number: Any) -> float:
    """The float64 nearest to an mpmath number, by integer arithmetic: rounded once, subnormals included."""
    sign, mantissa, exponent, _ = number._mpf_
    if not mantissa and exponent:
        raise ValueError(f"number is {number}; accepted: a finite one")
    size = Fraction(int(mantissa)) * Fraction(2) ** exponent
    return float(-size if sign else size)
