"""Statistics, order, workloads, conditions: what needs no framework."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import conditions, machine
from benchmarks.architectures import bert_base, gpt2_small, resnet_50
from benchmarks.rounds import Entrant, interleave, orders
from benchmarks.summary import quantile, ratios, spread
from benchmarks.task import BETA_1, BETA_2, EPSILON, make, of_shapes
from benchmarks.workloads import CPU, GPU, NOT_QUICK, Case, select


def test_quantiles_of_known_numbers():
    assert spread(list(range(11))) == (5, 1, 9)
    assert spread([3.0]) == (3, 3, 3)
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile([0, 10], 0.1) == pytest.approx(1)
    with pytest.raises(ValueError, match="values is empty"):
        quantile([], 0.5)


def test_ratios_are_taken_per_round():
    # The ratio of the medians would be 2; in two of three rounds the other took 4 times as long.
    assert ratios([4, 4, 1], [1, 1, 2]) == [4, 4, 0.5]
    assert spread(ratios([4, 4, 1], [1, 1, 2])).median == 4
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_every_round_has_every_arm_once_in_a_seeded_order():
    names = ["A", "B", "C", "D"]
    first = list(orders(names, 20, seed=3))
    assert first == list(orders(names, 20, seed=3))
    assert first != list(orders(names, 20, seed=4))
    assert all(sorted(order) == names for order in first)
    assert {order[0] for order in first} == set(names)


class Recorder:
    """Notes what happens to it; a step takes `seconds` on the `clock` of this test."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def step(self) -> None:
        self.log.append(self.name)

    def renew_gradients(self) -> None:
        self.log.append(f"renew {self.name}")

    def read(self, i):
        raise NotImplementedError


def entrant(name, log, before=None, seconds=1e-3):
    """One whose steps take `seconds` by its clock."""

    def clock(call):
        begin = log.count(name)
        call()
        return seconds * (log.count(name) - begin)

    counts: list[int] = []
    return Entrant(Recorder(name, log), counts.append, before, clock), counts


def test_rounds_interleave_the_arms():
    log: list[str] = []
    entrants = {name: entrant(name, log)[0] for name in "ABC"}
    interleave(entrants, 5, seed=0)
    turns = [log[k] for k in range(0, len(log), 2)]
    assert log == [name for name in turns for _ in range(2)]  # one untimed step, one timed
    assert turns == [name for order in orders("ABC", 5, seed=0) for name in order]
    assert all(len(e.seconds) == 5 for e in entrants.values())


def test_seconds_are_per_step_and_untimed_steps_are_not_in_them():
    log: list[str] = []
    e, counts = entrant("A", log, seconds=1e-3)
    e.calibrate(0.02)
    assert e.steps == 20
    e.turn()
    assert e.seconds == [pytest.approx(1e-3)]
    assert sum(counts) == log.count("A")


def test_what_comes_before_a_step_is_not_timed_and_comes_before_every_step():
    log: list[str] = []
    e, counts = entrant("A", log, before=lambda running: running.renew_gradients())
    e.calibrate(0.003)
    log.clear()
    counts.clear()
    e.turn()
    assert e.steps == 3
    assert log == ["renew A", "A"] * 3
    assert e.seconds == [pytest.approx(1e-3)]
    assert counts == [3]


@pytest.mark.parametrize(
    ("shapes", "tensors", "parameters"),
    [(resnet_50, 161, 25_557_032), (bert_base, 199, 109_482_240), (gpt2_small, 148, 124_439_808)],
)
def test_architectures(shapes, tensors, parameters):
    found = list(shapes())
    assert len(found) == tensors
    assert sum(map(math.prod, found)) == parameters


def test_the_protocol_is_covered():
    assert {case.condition for case in CPU} == {
        "hot", "cold", "fresh", "groups-10", "groups-100", "none-10", "after-torch", "wrapper",
    }  # fmt: skip
    hot = {case.workload for case in CPU if case.condition == "hot"}
    assert hot >= {"1x1K", "1x1M", "1x20M", "1x100M", "100x10K", "1000x1K", "resnet-50", "bert-base", "gpt2-small"}
    assert {"1x1G", "1000x1K"} <= {case.workload for case in GPU}
    assert Case("100x10K", "groups-100") in GPU
    assert len(set(CPU)) == len(CPU)


def test_selection():
    assert not {case.workload for case in select(CPU, quick=True)} & NOT_QUICK
    assert select(CPU, quick=False) == CPU
    assert [c.name for c in select(CPU, quick=True, workloads=["1x100M"])] == ["1x100M hot"]
    assert {c.condition for c in select(CPU, quick=True, conditions=["cold"])} == {"cold"}
    with pytest.raises(ValueError, match=r"'1x100M'.*'cold'.*accepted: 1x1K hot"):
        select(CPU, quick=False, workloads=["1x100M"], conditions=["cold"])


def test_values_are_realistic():
    task = of_shapes(((3_000_000,), (5,), (), (0, 3), (20,), (7,)), absent=True)
    assert task.gradients[5] is None
    assert task.present == (0, 1, 2, 3, 4)
    for theta, g in zip(task.parameters[:5], task.gradients[:5], strict=True):
        assert theta.shape == g.shape
        assert (theta.dtype, g.dtype) == (np.float32, np.float32)
        assert np.all(np.abs(g) >= 2.0**-10)
        assert np.all(np.isfinite(theta))
    assert np.std(task.gradients[0]) == pytest.approx(0.01, rel=0.1)


def test_groups_cover_every_parameter_once_with_rates_of_their_own():
    task = make(Case("100x10K", "groups-10"))
    assert [i for group in task.groups for i in group] == list(range(100))
    rates = [task.learning_rate(k) for k in range(100)]
    assert len(set(rates)) == 100
    for value in (*rates, BETA_1, BETA_2, 1 - BETA_1, 1 - BETA_2, EPSILON):
        assert float(np.float32(value)) == value  # the same in every precision


def test_conditions_prepare_every_step():
    log: list[str] = []
    assert conditions.before(Case("1x1K", "hot")) is None
    conditions.before(Case("1x1K", "fresh"))(Recorder("A", log))
    assert log == ["renew A"]
    conditions.before(Case("1x1K", "cold"))(Recorder("A", log))


def test_threads_are_set_before_numpy_only():
    with pytest.raises(RuntimeError, match="before numpy is imported"):
        machine.set_threads(1, {})


def test_facts_say_what_a_figure_depends_on():
    facts = machine.facts()
    assert facts["cpu"]
    assert facts["versions"]["numpy"] == np.__version__
    assert facts["memory_bytes"] > 0
