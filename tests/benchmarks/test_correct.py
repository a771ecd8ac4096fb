"""Correctness first: every arm that is here is right, and whatever is wrong is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks import catalogue, numpy_arms, torch_arms
from benchmarks.arm import Arm, split
from benchmarks.correct import SMALL, Checker, Wrong, small_problem
from benchmarks.task import make, of_shapes
from benchmarks.workloads import Case

HERE = split(catalogue.CPU)[0]
FUSED = next(arm for arm in catalogue.CPU if arm.name == "torch fused")
NUMPY = next(arm for arm in catalogue.CPU if arm.name == "fused_adam.numpy torch-adam")
EMPTY = next(arm for arm in catalogue.CPU if arm.name == "fused_adam, empty driver")


@pytest.mark.parametrize("arm", HERE, ids=lambda arm: arm.name)
def test_arms_are_right(arm):
    small_problem(arm)


@pytest.mark.parametrize("condition", ["groups-10", "none-10"])
@pytest.mark.parametrize("arm", [arm for arm in HERE if arm.dialect], ids=lambda arm: arm.name)
def test_arms_are_right_with_groups_and_without_gradients(arm, condition):
    case = Case("100x1K", condition)
    if arm.cannot(case):
        assert arm.cannot(case) == "no parameter groups"
        return
    task = make(case)
    checker = Checker(arm, arm.start(task), task)
    checker.warm_up()
    checker.running.renew_gradients()
    checker.checked_step()


class WrongRate(torch_arms.Fused):
    def make(self, groups):
        return super().make([{**group, "lr": 1.001 * group["lr"]} for group in groups])


class WrongEpsilon(torch_arms.Fused):
    def make(self, groups):
        optimizer = super().make(groups)
        for group in optimizer.param_groups:
            group["eps"] = 1e-3
        return optimizer


class WrongElement(torch_arms.Fused):
    """One element of one tensor, and no other."""

    def __init__(self, task):
        super().__init__(task)
        step = self.optimizer.step

        def broken():
            step()
            self.parameters[-1].data.view(-1)[-1] += 1e-5

        self.step = broken


class ForgetsMoment(numpy_arms.Torch):
    def step(self):
        super().step()
        self.optimizer.m[-1].reshape(-1)[-1] *= 1.001


class StopsLater(numpy_arms.Torch):
    """Right at first, and then it computes nothing: only a check after the timing can see it."""

    steps = 0

    def step(self):
        self.steps += 1
        if self.steps <= 11:
            super().step()


class MovesAbsent(torch_arms.Fused):
    def step_and_move(self):
        self.optimizer.step()
        self.parameters[5].data += 1

    def __init__(self, task):
        super().__init__(task)
        self.step = self.step_and_move


def planted(cls, like=FUSED) -> Arm:
    return dataclasses.replace(like, name=cls.__name__, module=__name__, cls=cls.__name__)


@pytest.mark.parametrize("cls", [WrongRate, WrongEpsilon, WrongElement, ForgetsMoment])
def test_wrong_arms_are_refused_on_the_small_problem(cls):
    with pytest.raises(Wrong, match=r"step 1: \w+ of parameter \d+, element \d+, is .* expected .* \+- "):
        small_problem(planted(cls))


@pytest.mark.parametrize("cls", [WrongRate, WrongElement])
def test_wrong_arms_are_refused_on_the_workload(cls):
    task = make(Case("1x1M"))
    arm = planted(cls)
    with pytest.raises(Wrong, match="step 1: "):
        Checker(arm, arm.start(task), task).checked_step()


def test_a_parameter_without_gradient_must_not_move():
    task = make(Case("100x1K", "none-10"))
    arm = planted(MovesAbsent)
    with pytest.raises(Wrong, match="parameters of parameter 5"):
        Checker(arm, arm.start(task), task).checked_step()


def test_what_goes_wrong_later_is_seen_by_the_last_check():
    task = of_shapes(SMALL)
    arm = planted(StopsLater)
    checker = Checker(arm, arm.start(task), task)
    checker.warm_up()
    with pytest.raises(Wrong):
        checker.checked_step()


def test_a_check_that_could_not_fail_is_refused():
    """With an arithmetic so coarse that every bound swallows the movement, nothing is judged."""
    coarse = dataclasses.replace(FUSED.arithmetic(), compute="bfloat16", storage="bfloat16")
    arm = dataclasses.replace(FUSED, declared=coarse)
    with pytest.raises(Wrong, match="elements inform"):
        small_problem(arm)


def test_an_empty_driver_that_computes_is_refused():
    with pytest.raises(Wrong, match="should compute nothing"):
        small_problem(dataclasses.replace(EMPTY, cls="Ours"))


def test_a_limit_that_writes_nothing_is_refused():
    with pytest.raises(Wrong, match="the sweep wrote nothing"):
        small_problem(dataclasses.replace(catalogue.LIMIT, module="benchmarks.torch_arms", cls="EmptyOptimizer"))


def test_the_limit_reads_four_arrays_and_writes_three():
    from benchmarks.limit import Limit, serial, threaded

    limit = Limit(make(Case("100x1K", "none-10")))
    assert [a.size for a in limit.arrays] == [90_000] * 4
    for sweep in (serial, threaded):
        before = [a.copy() for a in limit.arrays]
        for a in limit.arrays:
            a += np.float32(1)
        before[1] += 1
        sweep(*limit.arrays)
        changed = [not np.array_equal(a, b) for a, b in zip(limit.arrays, before, strict=True)]
        assert changed == [True, False, True, True]
        assert np.isfinite(limit.arrays[0]).all()


def test_the_empty_driver_leaves_the_real_one_in_place():
    from benchmarks.empty_driver import empty_driver
    from fused_adam import cpu_driver

    real = cpu_driver.DRIVER
    with empty_driver():
        assert cpu_driver.DRIVER is not real
    assert cpu_driver.DRIVER is real


def test_fresh_gradients_lie_elsewhere():
    task = of_shapes(((1000,), (3,)))
    running = torch_arms.Ours(task)
    before = [p.grad.data_ptr() for p in running.parameters]
    running.renew_gradients()
    assert all(p.grad.data_ptr() != old for p, old in zip(running.parameters, before, strict=True))
