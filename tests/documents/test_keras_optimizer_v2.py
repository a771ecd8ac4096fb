"""What the documents of Keras' Adam, NonFusedAdam and OptimizerV2 show, run on Keras 2.15."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judged import SINGLE, Rate, judge
from live_keras import (
    ADAPTERS,
    CLASSES,
    Adam,
    half_square,
    minimized,
    moments,
    moved,
    ones,
    stepped,
    tf,
    value,
    variable,
)

from adapters.contract import Hyperparameters
from conformance.load import load

NAMES = sorted(CLASSES)


# --- Adam and NonFusedAdam --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_first_step_is_the_learning_rate_against_the_sign(name: str) -> None:
    """10 becomes 9.9 with learning rate 0.1, and `minimize` returns the count of steps."""
    x = variable(10.0)
    counted = CLASSES[name](learning_rate=0.1).minimize(half_square(x), [x])
    assert str(x.numpy()) == "9.9"
    assert int(counted.numpy()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_further_steps_are_the_formula(name: str) -> None:
    x = variable(10.0)
    gradients, observed = minimized(CLASSES[name](learning_rate=0.1), x, 10)
    judge(ADAPTERS[name], Hyperparameters(learning_rate=0.1), value(variable(10.0)), gradients, observed)


def test_a_rate_and_betas_may_be_tensors_and_callables() -> None:
    """The callable is called once in every step."""
    asked: list[float] = []

    def rate() -> float:
        asked.append(0.5 ** (1 + len(asked)))
        return asked[-1]

    x = variable(1.0)
    optimizer = Adam(learning_rate=rate, beta_1=lambda: 0.5, beta_2=tf.constant(0.75))
    observed = stepped(optimizer, x, [1.0, 1.0, 1.0])
    assert asked == [0.5, 0.25, 0.125]
    assert [float(slot) for slot in moments(optimizer, x)] == [1 - 0.5**3, 1 - 0.75**3]
    h = Hyperparameters(beta_1=0.5, beta_2=0.75)
    judge(ADAPTERS["Adam"], h, value(variable(1.0)), ones(3), observed, map(Rate, asked))
    observed = stepped(Adam(tf.constant(0.25)), variable(1.0), [1.0])
    judge(ADAPTERS["Adam"], Hyperparameters(learning_rate=0.25), value(variable(1.0)), ones(1), observed)


# --- The base class: minimize and its parts --------------------------------------------------------------------


def test_minimize_takes_variables_that_the_loss_creates() -> None:
    """A Sequential without an input shape: the list is a callable, called after the loss."""
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(2, activation="relu"), tf.keras.layers.Dense(1, activation="sigmoid")]
    )
    optimizer = Adam(learning_rate=0.1)
    inputs, outputs = tf.ones((3, 4)), tf.zeros((3, 1))
    losses = []
    for _ in range(3):
        optimizer.minimize(
            lambda: losses.append(tf.reduce_mean(tf.square(model(inputs) - outputs))) or losses[-1],
            lambda: model.trainable_weights,
        )
    assert int(optimizer.iterations.numpy()) == 3
    assert len(optimizer.get_weights()) == 1 + 2 * 4
    assert losses[-1] < losses[0]


def test_gradients_may_be_processed_between_tape_and_step() -> None:
    """Three parts instead of `minimize`: the moments are those of the processed gradients."""
    x, y = variable(2.0), variable(-3.0)
    optimizer = Adam(learning_rate=0.1, beta_1=0.5)
    with tf.GradientTape() as tape:
        loss = 3.0 * x * x + 2.0 * y * y
    capped = [tf.clip_by_value(g, -8.0, 8.0) for g in tape.gradient(loss, [x, y])]
    optimizer.apply_gradients(zip(capped, [x, y], strict=True))
    assert [float(moments(optimizer, v)[0]) for v in (x, y)] == [4.0, -4.0]
    given = np.array([8.0, -8.0], np.float32)
    h = Hyperparameters(learning_rate=0.1, beta_1=0.5)
    judge(ADAPTERS["Adam"], h, np.array([2.0, -3.0], np.float32), [given], [np.array([value(x), value(y)])])


def test_minimize_takes_a_tensor_with_its_tape_and_weighs_it() -> None:
    x = variable(1.0, 2.0)
    optimizer = Adam(beta_1=0.5)
    with tf.GradientTape() as tape:
        loss = x * x / 2.0
    optimizer.minimize(loss, [x], grad_loss=tf.constant([10.0, 0.0]), tape=tape)
    assert moments(optimizer, x)[0].tolist() == [5.0, 0.0]
    with pytest.raises(ValueError, match="`tape` is required"):
        optimizer.minimize(tf.constant(1.0), [x])


def test_a_learning_rate_that_is_assigned_holds_from_the_next_step_on() -> None:
    x, y = variable(1.0), variable(1.0)
    optimizer = Adam(learning_rate=0.1)
    observed = []
    for rate in (0.1, 0.05):
        optimizer.learning_rate = rate
        optimizer.minimize(lambda: 3.0 * x + 2.0 * y, [x, y])
        observed.append(np.array([value(x), value(y)]))
    gradients = [np.array([3.0, 2.0], np.float32)] * 2
    rates = [Rate(float(np.float32(rate))) for rate in (0.1, 0.05)]
    judge(ADAPTERS["Adam"], Hyperparameters(), np.ones(2, np.float32), gradients, observed, rates)


def test_threads_may_share_an_optimizer_that_they_take_turns_with() -> None:
    """Two threads, one step each in turn, give the bits of one thread."""

    def trained(threads: int) -> tuple[Any, int]:
        x, optimizer, turn = variable(10.0), Adam(learning_rate=0.1), threading.Lock()

        def steps() -> None:
            for _ in range(6 // threads):
                with turn:
                    optimizer.minimize(half_square(x), [x])

        workers = [threading.Thread(target=steps) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return x.numpy(), int(optimizer.iterations.numpy())

    assert trained(2) == trained(1)
    assert trained(1)[1] == 6


def test_a_schedule_is_asked_with_the_iterations_from_zero_on() -> None:
    """ExponentialDecay 0.01, by 0.1 every 20 steps: rate 0.01 0.1^(t / 20), t from 0.

    In float32: the power is off by 4 + |log(rate)| t / 20 roundings, the rest rounds twice.
    """
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(
        initial_learning_rate=0.01, decay_steps=20, decay_rate=0.1
    )
    x, optimizer = variable(0.5), Adam(learning_rate=schedule)
    observed = []
    for _ in range(30):
        optimizer.minimize(lambda: 3.0 * x, [x])
        observed.append(value(x))
    first, factor = float(np.float32(0.01)), float(np.float32(0.1))
    exact = [first * factor ** (t / 20) for t in range(30)]
    errors = [rate * SINGLE * (6 + abs(math.log(factor)) * t / 20) for t, rate in enumerate(exact)]
    judge(
        ADAPTERS["Adam"],
        Hyperparameters(),
        value(variable(0.5)),
        [value(variable(3.0))] * 30,
        observed,
        map(Rate, exact, errors),
    )
    assert optimizer.learning_rate is schedule


@pytest.mark.parametrize(
    "wrong",
    [lambda t: 0.5 ** (t + 2), lambda t: 0.5, lambda t: 0.5 ** (t + 1) * 1.0001],
    ids=["one late", "constant", "a little off"],
)
def test_another_schedule_is_seen(wrong: Any) -> None:
    rates = iter([0.5, 0.25, 0.125])
    observed = stepped(Adam(lambda: next(rates)), variable(1.0), [1.0] * 3)
    with pytest.raises(AssertionError):
        judge(ADAPTERS["Adam"], Hyperparameters(), *ones(1), ones(3), observed, [Rate(wrong(t)) for t in range(3)])


def test_decay_is_inverse_in_the_iterations_and_acts_on_top_of_a_schedule() -> None:
    """rate / (1 + decay t), t from 0: a product, a sum and a quotient, each of which rounds."""
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.125, 0.0625])
    for given, exact in ((0.125, [0.125, 0.125 / 1.5, 0.0625]), (schedule, [0.125, 0.125 / 1.5, 0.03125])):
        observed = stepped(Adam(learning_rate=given, decay=0.5), variable(1.0), [1.0] * 3)
        rates = [Rate(rate, 3 * SINGLE * rate) for rate in exact]
        judge(ADAPTERS["Adam"], Hyperparameters(), value(variable(1.0)), ones(3), observed, rates)


# --- Gradients on their way in --------------------------------------------------------------------------------


def test_clipping() -> None:
    """By value, from both sides; by the norm of each weight; by the norm of all: m is half of what is left.

    A norm of 5 is exact in float32, and so is what it scales where the limit is 5, 2.5, ...
    """
    for given, expected in (
        ({"clipvalue": 2.0}, [[1.0, -1.0], [1.0, 0.0]]),
        ({"clipnorm": 2.5}, [[0.75, -1.0], [1.25, 0.0]]),
        ({"global_clipnorm": 6.5}, [[0.75, -1.0], [3.0, 0.0]]),
        ({"global_clipnorm": 13.0, "clipvalue": 2.0}, [[1.0, -1.0], [1.0, 0.0]]),
    ):
        x, y, optimizer = variable(1.0, 1.0), variable(1.0, 1.0), Adam(beta_1=0.5, **given)
        optimizer.apply_gradients([(tf.constant([3.0, -4.0]), x), (tf.constant([12.0, 0.0]), y)])
        assert [moments(optimizer, v)[0].tolist() for v in (x, y)] == expected
        names = ("clipvalue", "clipnorm", "global_clipnorm")
        assert {n: getattr(optimizer, n) for n in names} == {n: given.get(n) for n in names}


@pytest.mark.parametrize(
    "name", ["keras-v2-fused", "keras-v2-nonfused", "tfa-rectified-adam", "tfa-lookahead-keras-v2-adam", "tf-keras"]
)
def test_an_empty_list_is_no_step(name: str) -> None:
    loaded: Any = load(name)
    optimizer = loaded.start(
        [np.ones(2, np.float32)], Hyperparameters(sync_period=2 if "lookahead" in name else None)
    )._bench.optimizer
    optimizer.apply_gradients([])
    assert int(optimizer.iterations.numpy()) == 0


def test_transformers_act_after_the_aggregator() -> None:
    """Both take and return pairs; m is half of 2 (3 g + 1)."""
    seen: list[str] = []

    def aggregate(pairs: Any) -> Any:
        seen.append("aggregate")
        return [(3.0 * g, v) for g, v in pairs]

    def transform(pairs: Any) -> Any:
        seen.append("transform")
        return [(2.0 * (g + 1.0), v) for g, v in pairs]

    x = variable(1.0)
    optimizer = Adam(beta_1=0.5, gradient_aggregator=aggregate, gradient_transformers=[transform])
    moved(optimizer, x, 1.0)
    assert seen == ["aggregate", "transform"]
    assert moments(optimizer, x)[0] == 4.0
    seen.clear()
    moved(optimizer, x, 1.0, experimental_aggregate_gradients=False)
    assert seen == ["transform"]


def test_gradients_are_summed_over_replicas_unless_the_caller_has_done_it() -> None:
    """m is half of 1 + 3, by two replicas of a process with two logical devices; outside them a step is refused.

    An aggregator of the caller's takes the place of the sum: it sees the gradients of its replica, may ask the others
    for theirs, and where it does not, the copies of a variable go apart. Transformers act on what it gives.
    """
    command = [sys.executable, str(Path(__file__).with_name("two_replicas.py"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {
        "summed": [2.0, 2.0],
        "by the caller": [2.0, 2.0],
        "averaged": [1.0, 1.0],
        "largest": [1.5, 1.5],
        "each by itself": [1.0, 3.0],
        "averaged, then doubled": [2.0, 2.0],
        "aggregator passed over": [2.0, 2.0],
        "outside": "RuntimeError",
    }


def test_a_constraint_acts_after_the_step_and_not_on_sparse_gradients() -> None:
    x = variable(1.0, constraint=lambda theta: tf.clip_by_value(theta, 0.0, 0.875))
    moved(Adam(learning_rate=0.5), x, -1.0)
    assert value(x) == 0.875
    table = variable(1.0, 1.0, constraint=lambda theta: theta)
    rows = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]), tf.constant([2]))
    with pytest.raises(RuntimeError, match="constraint function on a sparse variable"):
        Adam().apply_gradients([(rows, table)])
