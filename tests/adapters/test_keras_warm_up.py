"""The warm-up of TF-Addons' RectifiedAdam: the live optimizer, fused_adam, and exact fractions between them.

The oracle's warm-up is left out here: a step of it is a step at another learning rate, so the reference takes each
step at the rate that fractions give, and to its bound comes what the schedule's own roundings move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

import fused_adam.numpy
import fused_adam.options
import fused_adam.scalars
import reference
from adapters.contract import Arithmetic, Array, Hyperparameters, Precision, Problem
from adapters.fused_adam_numpy import TfaRectified
from adapters.tensorflow_support import Bench, OptimizerRun, new_variables, slot_of_optimizer_v2
from adapters.tfa_rectified import Rectified
from conformance import oracle
from golden import tolerances
from reference.rounding import unit

DIALECT = "tfa-rectified-adam"
STEPS = 25
INFORMS = tolerances.read().informative.below


def single(value: float) -> float:
    """The value that TF-Addons receives, and that both are given."""
    return float(np.float32(value))


@dataclass(frozen=True)
class WarmUp:
    total_steps: int
    warmup_proportion: float
    min_lr: float

    def rate(self, learning_rate: float, t: int, u: float) -> tuple[Fraction, float]:
        """The learning rate of step t, and the error of computing it with unit roundoff u.

        w = total_steps warmup_proportion, d = max(total_steps - w, 1), n = min(t - w, d); up to w the rate is
        learning_rate t / w, then learning_rate + (min_lr - learning_rate) / d n.

        w is off by e_w = u w, d by e_d = e_w + u d, n by at most e_n = max(e_w + u n, e_d). The first branch
        rounds w, the quotient and the product. In the second, the slope s is off by (2 u + e_d / d) s, and s n
        and the sum round once more. The branches meet at w: where w is nearer than e_w, either may be taken,
        2 e_w apart at most. (rectified_adam.py: _prepare_local)
        """
        lr, low, total = Fraction(learning_rate), Fraction(self.min_lr), self.total_steps
        w = total * Fraction(self.warmup_proportion)
        d = max(total - w, Fraction(1))
        slope = (low - lr) / d
        n = min(t - w, d)
        e_w = u * float(w)
        e_d = e_w + u * float(d)
        e_n = max(e_w + u * abs(float(n)), e_d)
        either = 2 * e_w * abs(float(slope)) if abs(t - w) <= e_w else 0.0
        if t <= w:
            exact = lr * t / w
            return exact, 3 * u * float(exact) + either
        exact = lr + slope * n
        s = abs(float(slope))
        return exact, s * float(n) * (3 * u + e_d / float(d)) + s * e_n + u * float(exact) + either


WARM_UPS = tuple(
    WarmUp(total, proportion, single(low))
    for total in (4, 10, 20, 1000)
    for proportion in (0.0, single(0.1), 0.25, single(0.3), 1.0)
    for low in (1e-5, 1e-3, 0.5)
)
HYPER = (
    Hyperparameters(learning_rate=single(0.1), beta_2=single(0.99), sma_threshold=5.5),
    Hyperparameters(
        learning_rate=single(1e-2),
        beta_1=0.5,
        beta_2=single(0.9),
        epsilon=single(1e-3),
        amsgrad=True,
        weight_decay=single(0.1),
        sma_threshold=5.5,
    ),
)
"""No rho_t is near the threshold; beta_1 0.9 as float32 has it."""


def problem(number: int, dtype: Precision) -> Problem:
    random = np.random.default_rng(number)
    h = HYPER[number % len(HYPER)]
    arrays = [np.asarray(random.standard_normal(5), dtype) for _ in range(STEPS + 1)]
    return Problem(
        dtype=dtype,
        hyperparameters=replace(h, beta_1=single(h.beta_1), epsilon=single(h.epsilon)),
        parameters=(arrays[0],),
        gradients=tuple((g,) for g in arrays[1:]),
    )


@cache
def live() -> Rectified:
    return Rectified()


def live_trajectory(p: Problem, warm: WarmUp) -> list[Array]:
    h = p.hyperparameters
    optimizer = live().optimizer(
        learning_rate=h.learning_rate,
        beta_1=h.beta_1,
        beta_2=h.beta_2,
        epsilon=h.epsilon,
        weight_decay=h.weight_decay,
        amsgrad=h.amsgrad,
        sma_threshold=h.sma_threshold,
        **vars(warm),
    )
    bench = Bench(optimizer, new_variables(live().tensorflow, p.parameters))
    run = OptimizerRun(live().tensorflow, bench, slot_of_optimizer_v2, amsgrad=h.amsgrad)
    return [run.step(g).parameters[0] for g in p.gradients]


def own_trajectory(p: Problem, warm: WarmUp) -> list[Array]:
    names = ("learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay", "amsgrad", "sma_threshold")
    given = {name: getattr(p.hyperparameters, name) for name in names}
    theta = p.parameters[0].copy()
    optimizer = fused_adam.numpy.Adam([theta], dialect=DIALECT, **given, **vars(warm))
    trajectory = []
    for gradients in p.gradients:
        optimizer.step(gradients)
        trajectory.append(theta.copy())
    return trajectory


def expected(p: Problem, warm: WarmUp, a: Arithmetic) -> Iterator[tuple[Array, Array, Array]]:
    """theta after each step, the bound of an implementation with arithmetic `a`, and what moved."""
    h, rounding = oracle.received(p, a), oracle.rounding(a)
    u = unit(a.powers)
    state = reference.initial_state(p.parameters, h)
    bound = reference.initial_bound(state)
    moved = np.zeros(p.parameters[0].shape)
    from_schedule = np.zeros_like(moved)
    for t, gradients in enumerate(p.gradients, 1):
        rate, error = warm.rate(h.learning_rate, t, u)
        before = state.theta[0]
        now = replace(h, learning_rate=float(rate))
        state, bound = reference.bounded_step(reference.dialect(DIALECT), now, rounding, state, bound, gradients)
        assert not bound.branch
        # All of the step, decay too, is proportional to the rate.
        from_schedule = from_schedule + abs(state.theta[0] - before) * error / float(rate)
        moved = moved + abs(state.theta[0] - before)
        yield state.theta[0], bound.theta[0] + from_schedule, moved


def worst(number: int, warm: WarmUp, dtype: Precision) -> tuple[float, float, float, float]:
    """Error over bound: live, fused_adam, one beside the other; and the share of elements that inform."""
    p = problem(number, dtype)
    theirs, ours = live_trajectory(p, warm), own_trajectory(p, warm)
    fractions, informs = [], []
    sides = zip(
        expected(p, warm, live().arithmetic(dtype)), expected(p, warm, TfaRectified().arithmetic(dtype)), strict=True
    )
    for a, b, ((theta, e_a, moved), (same, e_b, _)) in zip(theirs, ours, sides, strict=True):
        assert np.array_equal(theta, same)
        fractions.append(
            [float(np.max(abs(x - y) / e)) for x, y, e in ((a, theta, e_a), (b, theta, e_b), (a, b, e_a + e_b))]
        )
        informs.append(np.mean(e_a + e_b < INFORMS * moved))
    live_, own, beside = (max(column) for column in zip(*fractions, strict=True))
    return live_, own, beside, float(np.mean(informs))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_live_optimizer_fused_adam_and_the_formula_agree(dtype: Precision) -> None:
    found = np.array([worst(number, warm, dtype) for number, warm in enumerate(WARM_UPS)])
    highest = found[:, :3].max(axis=0)
    assert (highest < 1).all()
    assert found[:, 3].mean() > 0.9


def _counts_from_zero(right: Callable[..., float], o: Any, t: int) -> float:
    return right(o, t - 1)


def _ends_at_zero(right: Callable[..., float], o: Any, t: int) -> float:
    return right(replace(o, min_lr=0.0), t)


def _never_decays(right: Callable[..., float], o: Any, t: int) -> float:
    return right(replace(o, min_lr=o.learning_rate), t)


def _never_warms_up(right: Callable[..., float], o: Any, t: int) -> float:
    return float(o.learning_rate)


def _goes_on_below_the_end(right: Callable[..., float], o: Any, t: int) -> float:
    return right(o, t) - 1e-6 * max(t - o.total_steps, 0)


@pytest.mark.parametrize(
    "wrong", [_counts_from_zero, _ends_at_zero, _never_decays, _never_warms_up, _goes_on_below_the_end]
)
def test_another_schedule_is_found(wrong: Callable[..., float], monkeypatch: pytest.MonkeyPatch) -> None:
    right = fused_adam.scalars.warmed_up
    monkeypatch.setattr(fused_adam.scalars, "warmed_up", lambda o, t: wrong(right, o, t))
    _, own, beside, _ = worst(0, WarmUp(10, 0.25, single(1e-3)), "float32")
    assert own > 1
    assert beside > 1


DOCUMENTED = WarmUp(10_000, single(0.1), single(1e-5))
LOOKED_AT = (1, 2, 500, 999, 1000, 1001, 5500, 9999, 10_000, 10_001, 20_000)


def documented(t: int) -> tuple[float, float]:
    """In decimal fractions: from 0 to 1e-3 in 1000 steps, from there to 1e-5 in 9000; and what is left of that."""
    rate = 1e-3 * t / 1000 if t <= 1000 else 1e-3 - (1e-3 - 1e-5) * min(t - 1000, 9000) / 9000
    return rate, 4 * unit("float32") * 1e-3


@pytest.mark.parametrize("t", LOOKED_AT)
def test_the_documented_warm_up(t: int) -> None:
    """lr 1e-3, total_steps 10 000, warmup_proportion 0.1, min_lr 1e-5: 1000 steps upwards, 9000 downwards.

    With beta_1 = 0 and never rectified, a step at a gradient of 1 is the learning rate of that step; from theta = 0 no
    rounding is added to it. The four numbers that are given as float32 are off by half a unit of it each.
    """
    tensorflow = live().tensorflow
    learning_rate = single(1e-3)
    optimizer = live().optimizer(learning_rate=learning_rate, beta_1=0.0, sma_threshold=1e9, **vars(DOCUMENTED))
    x = tensorflow.Variable(0.0)
    optimizer.iterations.assign(t - 1)
    optimizer.apply_gradients([(tensorflow.constant(1.0), x)])
    exact, error = DOCUMENTED.rate(learning_rate, t, unit("float32"))
    assert abs(-float(x.numpy()) - float(exact)) <= error
    own = fused_adam.scalars.warmed_up(
        fused_adam.options.make(
            fused_adam.options.dialect(DIALECT), {"learning_rate": learning_rate, **vars(DOCUMENTED)}
        ),
        t,
    )
    assert abs(own - float(exact)) <= DOCUMENTED.rate(learning_rate, t, unit("float64"))[1]
    decimal, off = documented(t)
    assert abs(decimal - float(exact)) <= off + error
