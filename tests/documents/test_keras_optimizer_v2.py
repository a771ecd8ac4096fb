"""What the documents of Keras' Adam, NonFusedAdam and OptimizerV2 show, run on Keras 2.15."""

from __future__ import annotations

import json
import math
import subprocess
import sys
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


@pytest.mark.parametrize("name", NAMES)
def test_slots_are_named_in_the_order_of_their_creation(name: str) -> None:
    """Every m, every v, and every vhat with amsgrad."""
    x, y = variable(1.0), variable(1.0, 2.0)
    for amsgrad, names in ((False, ["m", "v"]), (True, ["m", "v", "vhat"])):
        optimizer = CLASSES[name](amsgrad=amsgrad)
        optimizer.apply_gradients([(tf.ones_like(v), v) for v in (x, y)])
        assert optimizer.get_slot_names() == names
        slots = [optimizer.get_slot(v, slot) for slot in names for v in (x, y)]
        assert all(a is b for a, b in zip(optimizer.weights, [optimizer.iterations, *slots], strict=True))
        with pytest.raises(KeyError):
            optimizer.get_slot(x, "momentum")


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_makes_the_same_optimizer(name: str) -> None:
    given = {"learning_rate": 0.25, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.125, "amsgrad": True, "decay": 0.5}
    optimizer = CLASSES[name](name="Mine", **given)
    assert optimizer.get_config() == {"name": "Mine", **given}
    assert CLASSES[name].from_config(optimizer.get_config()).get_config() == {"name": "Mine", **given}


@pytest.mark.parametrize("name", NAMES)
def test_lr_is_the_learning_rate_under_its_old_name(name: str) -> None:
    """As an argument it wins over learning_rate; as an attribute and in a configuration it is the same."""
    with pytest.warns(UserWarning, match="`lr` argument is deprecated"):
        optimizer = CLASSES[name](learning_rate=0.5, lr=0.25)
    assert optimizer.get_config()["learning_rate"] == optimizer.lr == 0.25
    assert CLASSES[name].from_config({"name": "Mine", "lr": 0.25}).get_config()["learning_rate"] == 0.25


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
    """m is half of 1 + 3, by two replicas of a process with two logical devices; outside them a step is refused."""
    command = [sys.executable, str(Path(__file__).with_name("two_replicas.py"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {"summed": 2.0, "by the caller": 2.0, "outside": "RuntimeError"}


def test_a_constraint_acts_after_the_step_and_not_on_sparse_gradients() -> None:
    x = variable(1.0, constraint=lambda theta: tf.clip_by_value(theta, 0.0, 0.875))
    moved(Adam(learning_rate=0.5), x, -1.0)
    assert value(x) == 0.875
    table = variable(1.0, 1.0, constraint=lambda theta: theta)
    rows = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]), tf.constant([2]))
    with pytest.raises(RuntimeError, match="constraint function on a sparse variable"):
        Adam().apply_gradients([(rows, table)])


# --- State ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "slots"), [("RMSprop", 1), ("Adam", 2)])
def test_weights_are_the_count_and_the_slots_and_can_be_set(name: str, slots: int) -> None:
    """A Dense layer of 10 on 20 inputs: RMSprop, as in the document, has three weights; Adam has five."""
    optimizer = getattr(tf.keras.optimizers.legacy, name)()
    model = tf.keras.models.Sequential([tf.keras.layers.Dense(10)])
    model.compile(optimizer, loss="mse")
    model.fit(np.arange(100).reshape(5, 20), np.zeros(5), verbose=0)
    weights = optimizer.get_weights()
    assert len(weights) == 1 + 2 * slots
    assert int(weights[0]) == 1
    given = [np.array(10), *([np.ones([20, 10]), np.zeros([10])] * slots)]
    optimizer.set_weights(given)
    assert int(optimizer.iterations.numpy()) == 10
    assert optimizer.iterations.dtype == tf.int64
    assert optimizer.iterations.name == f"{name}/iter:0"
    for kept, expected in zip(optimizer.get_weights(), given, strict=True):
        np.testing.assert_array_equal(kept, expected)
    with pytest.raises(ValueError, match="weight list of length 1"):
        optimizer.set_weights([1])
    with pytest.raises(ValueError, match="not compatible with provided weight shape"):
        optimizer.set_weights([given[0], *([np.ones([2]), np.zeros([10])] * slots)])


def test_slots_and_weights_can_be_added() -> None:
    """A slot is named after its variable; `add_weight` makes a variable that is none of `weights`."""
    x, optimizer = variable(1.0, 2.0, name="x"), Adam(name="Mine")
    moved(optimizer, x, [1.0, 1.0])
    slot = optimizer.add_slot(x, "extra", initializer="ones")
    assert optimizer.get_slot(x, "extra") is slot
    assert (slot.name, value(slot).tolist()) == ("x/extra:0", [1.0, 1.0])
    assert optimizer.add_slot(x, "wide", shape=[3]).shape == (3,)
    assert optimizer.get_slot_names() == ["m", "v", "extra", "wide"]
    added = optimizer.add_weight("count", [2], dtype=tf.int64, initializer="ones")
    assert (value(added).tolist(), added.trainable) == ([1, 1], True)
    assert [v.name for v in optimizer.variables()] == [v.name for v in optimizer.weights]
    assert [v.name for v in optimizer.weights] == [
        "Mine/iter:0",
        "Mine/x/m:0",
        "Mine/x/v:0",
        "x/extra:0",
        "x/wide:0",
    ]


def own_schedule() -> Any:
    """In a function, where no import finds it."""

    class Halving(tf.keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __init__(self, first: float) -> None:
            self.first = first

        def __call__(self, step: Any) -> Any:
            return self.first * 0.5 ** tf.cast(step, tf.float32)

        def get_config(self) -> dict[str, float]:
            return {"first": self.first}

    return Halving


def test_a_configuration_with_a_schedule_of_ones_own_needs_its_class() -> None:
    schedule = own_schedule()
    configuration = Adam(schedule(0.5)).get_config()
    with pytest.raises((TypeError, ValueError), match="Halving"):  # at once, or where the rate is asked for
        moved(Adam.from_config(dict(configuration)), variable(1.0), 1.0)
    made = Adam.from_config(configuration, custom_objects={"Halving": schedule})
    observed = stepped(made, variable(1.0), [1.0] * 3)
    rates = map(Rate, [0.5, 0.25, 0.125])
    judge(ADAPTERS["Adam"], Hyperparameters(), value(variable(1.0)), ones(3), observed, rates)
    known = tf.keras.optimizers.schedules.ExponentialDecay(0.01, 20, 0.1)
    made = Adam.from_config(Adam(known).get_config())
    assert made.learning_rate.get_config() == known.get_config()


def test_from_config_writes_into_the_dictionary_that_it_is_given() -> None:
    """The schedule that it has made stands there afterwards, in the place of its configuration."""
    known = tf.keras.optimizers.schedules.ExponentialDecay(0.01, 20, 0.1)
    configuration = Adam(known).get_config()
    made = Adam.from_config(configuration)
    assert configuration["learning_rate"] is made.learning_rate


def test_the_configuration_of_a_callable_rate_is_a_number() -> None:
    """So that nothing is called any more, whatever the custom objects are."""
    rates = iter([0.5, 0.25])
    configuration = Adam(lambda: next(rates)).get_config()
    assert configuration["learning_rate"] == 0.5
    assert Adam.from_config(configuration).get_config()["learning_rate"] == 0.5


def test_an_optimizer_of_ones_own_overrides_what_the_document_names() -> None:
    """Sign descent: slots, dense and sparse steps, configuration."""

    class Signs(tf.keras.optimizers.legacy.Optimizer):  # type: ignore[misc]
        def __init__(self, learning_rate: float = 0.5, name: str = "Signs", **kwargs: Any) -> None:
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", learning_rate)

        def _create_slots(self, var_list: Any) -> None:
            for v in var_list:
                self.add_slot(v, "steps")

        def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
            self.get_slot(var, "steps").assign_add(tf.ones_like(var))
            return var.assign_sub(self._get_hyper("learning_rate", var.dtype) * tf.sign(grad))

        def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
            rate = self._get_hyper("learning_rate", var.dtype)
            return var.scatter_sub(tf.IndexedSlices(rate * tf.sign(grad), indices))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "learning_rate": self._serialize_hyperparameter("learning_rate")}

    x, optimizer = variable(1.0, 1.0), Signs()
    assert moved(optimizer, x, [2.0, -3.0]).tolist() == [0.5, -0.5]
    optimizer.apply_gradients([(tf.IndexedSlices(tf.constant([4.0]), tf.constant([1]), tf.constant([2])), x)])
    assert value(x).tolist() == [0.5, 1.0]
    assert value(optimizer.get_slot(x, "steps")).tolist() == [1.0, 1.0]
    assert optimizer.get_config() == {"name": "Signs", "learning_rate": 0.5}


# --- Graphs of TensorFlow 1 -----------------------------------------------------------------------------------


def test_in_a_graph_there_are_gradients_updates_and_an_operation_to_run() -> None:
    for how in ("updates", "operation"):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            x = tf.compat.v1.get_variable("x", initializer=10.0, use_resource=True)
            optimizer = Adam(learning_rate=0.1)
            gradients = optimizer.get_gradients(x * x / 2.0, [x])
            step = (
                optimizer.get_updates(x * x / 2.0, [x]) if how == "updates" else optimizer.minimize(half_square(x), [x])
            )
            session.run(tf.compat.v1.global_variables_initializer())
            assert session.run(gradients) == [10.0]
            session.run(step)
            assert f"{session.run(x):.1f}" == "9.9"
            with pytest.raises(ValueError, match="`None` for gradient"):
                optimizer.get_gradients(tf.round(x), [x])


# --- Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"clipnorm": 1.0, "global_clipnorm": 1.0}, ValueError, "Cannot accept both"),
        ({"clipnorm": -1.0}, ValueError, "Expected clipnorm >= 0"),
        ({"clipvalue": -1.0}, ValueError, "Expected clipvalue >= 0"),
        ({"decay": -1.0}, ValueError, "Expected decay >= 0"),
        ({"clipnorm": 1.0, "gradient_transformers": [list]}, ValueError, "`clipnorm` cannot be set"),
        ({"momentum": 0.5}, TypeError, "Unexpected keyword argument"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_arguments_that_are_refused(name: str, given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        CLASSES[name](**given)


def test_steps_that_are_refused() -> None:
    """Pairs that are none: TypeError. No gradient at all: ValueError."""
    for malformed in (5, [1, 2]):
        with pytest.raises(TypeError):
            Adam().apply_gradients(malformed)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        Adam().apply_gradients([(None, variable(1.0))])


def test_what_is_no_variable_is_refused_by_two_names() -> None:
    """The document says ValueError; for a tensor it is an AttributeError."""
    with pytest.raises(ValueError, match=r"not tf\.Tensor or tf\.Variable"):
        Adam().minimize(lambda: tf.constant(1.0), [3.0])
    with pytest.raises(AttributeError, match=r"Tensor\.name"):
        Adam().minimize(lambda: tf.constant(1.0), [tf.constant(1.0)])
