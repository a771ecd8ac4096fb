"""MXNet's learning-rate schedulers: the reference's formulas, and every weight at the rate that the documents give.

Of the latter the oracle's own scheduler has no part: the framework's runs inside the adapter's own run, and the oracle
is given, in each step, the rate of each weight, as multipliers of a learning rate of 1, the products of which are
exact. Run in the environments of both versions.
"""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import reference
from adapters import mxnet1, mxnet2
from adapters.contract import Array, Gradient, Hyperparameters, Problem, Schedule, State
from adapters.mxnet_schedulers import scheduler as made
from conformance import oracle
from conformance.checks import fraction_of
from conformance.edges_schedulers import WITH_BEGIN
from reference.running import Running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mxnet

SECOND = mxnet.__version__.startswith("2.")
PATHS: dict[str, Any] = {
    path.name: path for path in ((mxnet2.Fused, mxnet2.Step, mxnet2.Lazy) if SECOND else (mxnet1.Standard, mxnet1.Lazy))
}
BASE, STEPS = 0.1, 9
Formula = Callable[[int], float]
"""Of num_update, the largest count of any weight so far."""


@dataclass(frozen=True)
class Scheduler:
    """One of the framework's, and its documented formula behind warm-up."""

    cls: str
    numbers: dict[str, Any]
    formula: Formula

    def make(self, **more: Any) -> Any:
        return getattr(mxnet.lr_scheduler, self.cls)(base_lr=BASE, **self.numbers, **more)


SCHEDULERS = {
    "factor": Scheduler("FactorScheduler", {"step": 2, "factor": 0.7}, lambda n: BASE * 0.7 ** ((n - 1) // 2)),
    "factor-stopped": Scheduler(
        "FactorScheduler",
        {"step": 1, "factor": 0.5, "stop_factor_lr": 0.02},
        lambda n: max(0.02, BASE * 0.5 ** (n - 1)),
    ),
    "multi-factor": Scheduler(
        "MultiFactorScheduler",
        {"step": [2, 3, 7], "factor": 0.3},
        lambda n: BASE * 0.3 ** sum(n > passed for passed in (2, 3, 7)),
    ),
    "poly": Scheduler(
        "PolyScheduler",
        {"max_update": 7, "pwr": 2, "final_lr": 0.01},
        lambda n: 0.01 + (BASE - 0.01) * (1 - min(n, 7) / 7) ** 2,
    ),
    "cosine": Scheduler(
        "CosineScheduler",
        {"max_update": 6, "final_lr": 0.02},
        lambda n: 0.02 + (BASE - 0.02) * (1 + math.cos(math.pi * min(n, 6) / 6)) / 2,
    ),
}
WARM_UPS: dict[str, tuple[dict[str, Any], Formula]] = {
    "linear": ({"warmup_steps": 4, "warmup_begin_lr": 0.02}, lambda n: 0.02 + (BASE - 0.02) * n / 4),
    "constant": ({"warmup_steps": 3, "warmup_begin_lr": 0.03, "warmup_mode": "constant"}, lambda _: 0.03),
}


def warmed(name: str, warm_up: str) -> tuple[Any, Formula]:
    """A scheduler with warm-up, and its formula; Poly and Cosine count from the end of the warm-up."""
    scheduler, (numbers, before) = SCHEDULERS[name], WARM_UPS[warm_up]
    w = numbers["warmup_steps"]
    after = {
        "poly": lambda n: 0.01 + (BASE - 0.01) * (1 - (min(n, 7) - w) / (7 - w)) ** 2,
        "cosine": lambda n: 0.02 + (BASE - 0.02) * (1 + math.cos(math.pi * (min(n, 6) - w) / (6 - w))) / 2,
    }.get(name, scheduler.formula)
    return scheduler.make(**numbers), lambda n: before(n) if n < w else after(n)


def run_of(name: str, scheduler: Any, parameters: Sequence[Array], begin: int = 0) -> Any:
    """The adapter's run over an optimizer that has the scheduler, whose rate is left to it."""
    adapter = PATHS[name]()
    optimizer = mxnet.optimizer.Adam(
        learning_rate=None, lr_scheduler=scheduler, epsilon=1e-3, begin_num_update=begin, **adapter.arguments
    )
    return adapter.run(mxnet, optimizer, [mxnet.nd.array(theta, dtype=theta.dtype) for theta in parameters])


def problem(dtype: Any = "float32", begin: int = 0) -> Problem:
    """Two weights, of which the first lags behind, and then is the only one."""
    random = np.random.default_rng(5)
    parameters = tuple(random.normal(size=n).astype(dtype) for n in (3, 4))
    gradients: list[tuple[Gradient, ...]] = [
        tuple(random.normal(size=n).astype(dtype) for n in (3, 4)) for _ in range(STEPS)
    ]
    gradients[1] = None, gradients[1][1]
    gradients[2] = None, gradients[2][1]
    gradients[5] = gradients[5][0], None
    h = Hyperparameters(learning_rate=1.0, epsilon=1e-3, begin_num_update=begin)
    return Problem(dtype=dtype, hyperparameters=h, parameters=parameters, gradients=tuple(gradients))


def rates(p: Problem, formula: Formula) -> list[tuple[float, ...]]:
    """Of every step and weight: the weights count one after the other, and num_update is the largest count so far."""
    begin = p.hyperparameters.begin_num_update
    counts, num_update, found = [begin] * len(p.parameters), begin, []
    for gradients in p.gradients:
        now = [0.0] * len(counts)
        for i, g in enumerate(gradients):
            if g is not None:
                counts[i] += 1
                num_update = max(num_update, counts[i])
                now[i] = formula(num_update)
        found.append(tuple(now))
    return found


def worst(name: str, p: Problem, states: Sequence[State], given: Sequence[tuple[float, ...]]) -> float:
    """The largest error of any quantity as a fraction of its bound, of single steps and of the free run."""
    adapter = PATHS[name]
    changed = [replace(p.hyperparameters, lr_mult=one) for one in given]
    walk = oracle.walk(adapter.claim.dialect, adapter().arithmetic(p.dtype), p, states, changed, both=True)
    return max(
        float(np.max(fraction_of(obtained, value, bound)))
        for step in walk
        for i in range(len(p.parameters))
        for quantities in (step.from_observed(i), step.free_running(i))
        for _, obtained, value, bound in quantities
    )


def states_of(run: Any, p: Problem) -> list[State]:
    return [run.step(gradients) for gradients in p.gradients]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", PATHS)
def test_every_weight_moves_at_the_rate_of_num_update(name: str, scheduler: str, dtype: str) -> None:
    p = problem(dtype)
    states = states_of(run_of(name, SCHEDULERS[scheduler].make(), p.parameters), p)
    formula = SCHEDULERS[scheduler].formula
    assert worst(name, p, states, rates(p, formula)) <= 1
    assert worst(name, p, states, rates(p, lambda n: formula(n + 1))) > 1, "seen to fail: counted from 1 more"
    assert worst(name, p, states, rates(p, lambda _: BASE)) > 1, "and without a scheduler"


@pytest.mark.parametrize("warm_up", WARM_UPS)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", PATHS)
def test_warm_up_comes_first(name: str, scheduler: str, warm_up: str) -> None:
    p = problem()
    made, formula = warmed(scheduler, warm_up)
    states = states_of(run_of(name, made, p.parameters), p)
    assert worst(name, p, states, rates(p, formula)) <= 1
    assert worst(name, p, states, rates(p, SCHEDULERS[scheduler].formula)) > 1, "seen to fail"


@pytest.mark.parametrize("name", PATHS)
def test_a_weight_that_lags_behind_is_asked_for_before_the_others_count(name: str) -> None:
    """Its own count is no part of it, and the largest one is the last step's still: the order of weights matters."""
    p, formula = problem(), SCHEDULERS["poly"].formula
    given = rates(p, formula)
    assert given[3] == (formula(3), formula(4))
    states = states_of(run_of(name, SCHEDULERS["poly"].make(), p.parameters), p)
    together = [tuple(max(one) if rate else 0.0 for rate in one) for one in given]
    assert worst(name, p, states, given) <= 1 < worst(name, p, states, together)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", PATHS)
def test_num_update_begins_at_begin_num_update(name: str, scheduler: str) -> None:
    p = problem(begin=2)
    states = states_of(run_of(name, SCHEDULERS[scheduler].make(), p.parameters, begin=2), p)
    assert [state.t for state in states][:3] == [(3, 3), (3, 4), (3, 5)]
    assert worst(name, p, states, rates(p, SCHEDULERS[scheduler].formula)) <= 1


@pytest.mark.parametrize("begin", [0, 3, 10])
@pytest.mark.parametrize("given", [given for given, _ in WITH_BEGIN], ids=str)
def test_the_reference_gives_what_the_scheduler_gives(given: Schedule, begin: int) -> None:
    """Asked update by update, as an optimizer does; 60 products of factors are within the error that is granted."""
    h = Hyperparameters(learning_rate=BASE, lr_scheduler=given)
    live, formula = made(mxnet, h), reference.Schedule(given.name, given.numbers)
    x = Running(2.0**-52)
    rates = [live(n) for n in range(begin + 1, begin + 61)]

    def gives_them(ahead: int) -> bool:
        expected = (x.number(formula.at(begin + n + ahead, x.number(BASE), x, begin)) for n in range(1, 61))
        pairs = zip(rates, expected, strict=True)
        return all(abs(rate - e.value) <= e.error + 60 * 2.0**-52 * e.value for rate, e in pairs)

    assert gives_them(0)
    assert begin or not gives_them(1), "seen to fail: one update ahead"


@pytest.mark.parametrize("name", PATHS)
def test_a_scheduler_that_is_not_changed_goes_on(name: str) -> None:
    """A change of anything else leaves it as it is; a new rate is a new scheduler, and none is the learning rate."""
    h = Hyperparameters(learning_rate=BASE, lr_scheduler=Schedule("mxnet_poly", max_update=7))
    run = PATHS[name]().start([np.ones(2, np.float32)], h)
    run.step([np.ones(2, np.float32)])
    first = run._optimizer.lr_scheduler
    run.change(replace(h, l2=0.5))
    assert run._optimizer.lr_scheduler is first
    run.change(replace(h, learning_rate=0.5))
    assert run._optimizer.lr_scheduler.base_lr_orig == 0.5
    run.change(replace(h, lr_scheduler=None))
    assert (run._optimizer.lr_scheduler, run._optimizer.learning_rate) == (None, BASE)


@pytest.mark.parametrize("scheduler", ["poly", "cosine"])
def test_who_begins_behind_the_last_update_keeps_the_first_rate(scheduler: str) -> None:
    """Poly and Cosine keep what they gave last, which before the first call is base_lr and not final_lr."""
    assert SCHEDULERS[scheduler].make()(8) == BASE
    used = SCHEDULERS[scheduler].make()
    assert [used(n) for n in (7, 8, 100)][1:] == [used(7) if scheduler == "poly" else BASE] * 2


@pytest.mark.parametrize("given", ["mxnet_poly", "mxnet_cosine"])
@pytest.mark.parametrize("name", PATHS)
def test_why_an_assignment_behind_the_last_update_is_not_claimed(name: str, given: str) -> None:
    """It is asked first by the next step, and gives base_lr then; before the last update it is as from the start."""
    one, h = [np.ones(2, np.float32)], Hyperparameters(learning_rate=BASE)
    new = replace(h, lr_scheduler=Schedule(given, max_update=5, final_lr=0.01))
    for before, rate in ((4, 0.01), (5, BASE)):
        run = PATHS[name]().start(one, h)
        for _ in range(before):
            run.step(one)
        run.change(new)
        run.step(one)
        assert run._optimizer.lr_scheduler.base_lr == pytest.approx(rate)
    assert any(text.startswith("PolyScheduler and CosineScheduler assigned") for text in PATHS[name].claim.not_claimed)


@pytest.mark.parametrize(
    ("given", "counts", "kept"),
    [
        (Schedule("mxnet_factor", step=2, factor=0.5), (10, 1), BASE / 32),
        (Schedule("mxnet_multi_factor", steps=(2,), factor=0.5), (10, 1), BASE / 2),
        (Schedule("mxnet_poly", max_update=5, pwr=1.0), (10,), BASE * 4 / 5),
        (Schedule("mxnet_cosine", max_update=5), (10,), BASE * (1 + math.cos(math.pi / 5)) / 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", PATHS)
def test_why_a_state_beside_a_scheduler_is_not_claimed(
    name: str, given: Schedule, counts: tuple[int, ...], kept: float
) -> None:
    """What has been multiplied stays so when the count is put back; who was not asked at max_update stops before."""
    one = [np.ones(2, np.float32)]
    run = PATHS[name]().start(one, Hyperparameters(learning_rate=BASE, lr_scheduler=given))
    for count in counts:
        run.put(replace(run.step(one), t=(count,)))
    run.step(one)
    assert run._optimizer.lr_scheduler.base_lr == pytest.approx(kept)
    assert any(text.startswith("a state put beside an lr_scheduler") for text in PATHS[name].claim.not_claimed)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", PATHS)
def test_a_saved_scheduler_goes_on(name: str, scheduler: str) -> None:
    """It is pickled with the optimizer, with what it has divided already: the loaded run has the same bits.

    What does not save the optimizer begins with the first rate, and divides again from there.
    """
    p = problem()
    run = run_of(name, SCHEDULERS[scheduler].make(), p.parameters)
    for gradients in p.gradients[:4]:
        run.step(gradients)
    saved = run.save()
    resumed = run_of(name, SCHEDULERS["factor"].make(), p.parameters)
    resumed.load(saved)
    for gradients in p.gradients[4:]:
        wanted, found = run.step(gradients), resumed.step(gradients)
        assert wanted.t == found.t
        for a, b in zip(wanted.parameters, found.parameters, strict=True):
            assert a.tobytes() == b.tobytes()
    used = pickle.loads(pickle.dumps(run._optimizer.lr_scheduler))
    assert used(STEPS) == pytest.approx(SCHEDULERS[scheduler].formula(STEPS), rel=1e-12)


def test_factors_are_divided_on_the_way_and_do_not_come_back() -> None:
    """Asked for an earlier update, Factor and MultiFactor give the last rate; Poly and Cosine form it anew."""
    for name, scheduler in SCHEDULERS.items():
        used = scheduler.make()
        late, early = used(6), used(1)
        assert early == (late if "factor" in name else pytest.approx(scheduler.formula(1), rel=1e-12))


def test_a_learning_rate_overwrites_base_lr_which_some_schedulers_do_not_read() -> None:
    """Factor and MultiFactor go from it; Poly and Cosine, and every warm-up, keep the scheduler's own."""
    for name, scheduler in SCHEDULERS.items():
        used = scheduler.make()
        optimizer = mxnet.optimizer.Adam(learning_rate=0.5, lr_scheduler=used)
        assert used.base_lr == 0.5
        optimizer.num_update = 1
        assert optimizer.learning_rate == (0.5 if "factor" in name else pytest.approx(scheduler.formula(1), rel=1e-12))
        up = scheduler.make(warmup_steps=2)
        mxnet.optimizer.Adam(learning_rate=0.5, lr_scheduler=up)
        assert up(1) == BASE / 2


@pytest.mark.parametrize(
    ("cls", "numbers", "error", "says"),
    [
        ("FactorScheduler", {"step": 0}, ValueError, "greater or equal than 1"),
        ("FactorScheduler", {"step": 1, "factor": 1.5}, ValueError, "no more than 1"),
        ("MultiFactorScheduler", {"step": [3, 2]}, ValueError, "increasing integer list"),
        ("MultiFactorScheduler", {"step": [0]}, ValueError, "greater or equal than 1"),
        ("PolyScheduler", {"max_update": 0}, ValueError, "strictly positive"),
        ("CosineScheduler", {"max_update": 0}, ValueError, "strictly positive"),
        ("PolyScheduler", {"max_update": 5, "warmup_steps": -1}, ValueError, "positive or 0"),
        ("PolyScheduler", {"max_update": 5, "warmup_begin_lr": 1.0}, ValueError, "has to be higher"),
        ("PolyScheduler", {"max_update": 5, "warmup_mode": "square"}, ValueError, "linear and constant"),
    ],
)
def test_what_a_scheduler_refuses(cls: str, numbers: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        getattr(mxnet.lr_scheduler, cls)(**numbers)
