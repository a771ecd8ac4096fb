"""What the documents of Keras' Adam and OptimizerV2 say of state, configurations, graphs and errors; run on Keras 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from judged import Rate, judge
from live_keras import (
    ADAPTERS,
    CLASSES,
    Adam,
    half_square,
    moved,
    ones,
    stepped,
    tf,
    value,
    variable,
)

from adapters.contract import Hyperparameters

NAMES = sorted(CLASSES)


# --- State ----------------------------------------------------------------------------------------------------


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


def test_a_weight_may_be_one_that_is_not_trained() -> None:
    """Of float32 zeros by default; what is read alone, on replicas, is never trained."""
    optimizer, read = Adam(), tf.VariableSynchronization.ON_READ
    kept = optimizer.add_weight("kept", [2], trainable=False, aggregation=tf.VariableAggregation.SUM)
    assert (kept.trainable, kept.dtype, value(kept).tolist()) == (False, tf.float32, [0.0, 0.0])
    assert kept.aggregation.name == "SUM"
    alone = optimizer.add_weight("alone", [2], synchronization=read)
    assert (alone.trainable, alone.synchronization) == (False, read)
    with pytest.raises(ValueError, match="ON_READ only for non-trainable"):
        optimizer.add_weight("both", [2], trainable=True, synchronization=read)


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_a_step_can_be_called(name: str) -> None:
    """Slots, scalars of a device and a dtype, then the dense or the sparse step: the bits of a whole one."""
    for rows in (False, True):
        x, y = variable(1.0, 2.0), variable(1.0, 2.0)
        whole, parts = CLASSES[name](learning_rate=0.5), CLASSES[name](learning_rate=0.5)
        g, indices = tf.constant([3.0]) if rows else tf.constant([3.0, -1.0]), tf.constant([1])
        whole.apply_gradients([(tf.IndexedSlices(g, indices, tf.constant([2])) if rows else g, x)])
        _ = parts.iterations
        parts._create_hypers()
        parts._create_slots([y])
        state: dict[Any, Any] = {(y.device, y.dtype): {}}
        parts._prepare_local(y.device, y.dtype, state)
        assert float(state[y.device, y.dtype]["lr_t"]) == 0.5
        if rows:
            parts._resource_apply_sparse(g, y, indices, apply_state=state)
        else:
            parts._resource_apply_dense(g, y, apply_state=state)
        assert value(x).tolist() == value(y).tolist() != [1.0, 2.0]
        assert parts.get_slot_names() == ["m", "v"]


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


def test_the_operation_of_a_step_has_the_name_that_it_is_given() -> None:
    """Without one, the optimizer's."""
    with tf.Graph().as_default():
        x = tf.compat.v1.get_variable("x", initializer=10.0, use_resource=True)
        optimizer = Adam(name="Mine")
        for given, found in ((None, "Mine"), ("other", "other")):
            for step in (
                optimizer.apply_gradients([(tf.constant(1.0), x)], name=given),
                optimizer.minimize(half_square(x), [x], name=given),
            ):
                assert found in step.name.split("/")[1]


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
