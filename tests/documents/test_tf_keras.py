"""What the document of tf_keras' Adam says, argument by argument, run on tf_keras 2.21."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from judged import Rate, judge

from adapters.contract import Array, Hyperparameters
from adapters.tf_keras_adam import Package

ADAPTER = Package()
Adam, tf = ADAPTER.optimizer, ADAPTER.tensorflow


def variable(*values: float, **how: Any) -> Any:
    return tf.Variable(np.asarray(values[0] if len(values) == 1 else values, np.float32), **how)


def value(x: Any) -> Array:
    return np.asarray(x.numpy())


def stepped(optimizer: Any, x: Any, *gradients: Any) -> list[Array]:
    observed = []
    for gradient in gradients:
        optimizer.apply_gradients([(tf.constant(gradient, tf.float32), x)])
        observed.append(value(x))
    return observed


def first_moment(*gradients: list[float], **given: Any) -> list[list[float]]:
    """After one step with beta_1 = 0.5: half of what is left of the gradients."""
    variables = [variable(*([1.0] * len(g))) for g in gradients]
    optimizer = Adam(beta_1=0.5, **given)
    optimizer.apply_gradients([(tf.constant(g), v) for g, v in zip(gradients, variables, strict=True)])
    return [value(m).tolist() for m in optimizer._momentums]


@pytest.mark.parametrize("given", [{}, {"amsgrad": True}, {"epsilon": 0.5}, {"epsilon": 0.5, "adaptive_epsilon": True}])
def test_steps_are_the_formula(given: dict[str, Any]) -> None:
    x, gradients, observed = variable(10.0), [], []
    optimizer = Adam(learning_rate=0.1, **given)
    for _ in range(10):
        gradients.append(value(x))
        optimizer.minimize(lambda: x * x / 2.0, [x])
        observed.append(value(x))
    judge(ADAPTER, Hyperparameters(learning_rate=0.1, **given), value(variable(10.0)), gradients, observed)


def test_a_rate_may_be_a_tensor_or_a_schedule_and_a_callable_is_read_once() -> None:
    """The document says of the callable that it returns the value to use; it is called when Adam is made."""
    asked: list[float] = []

    def rate() -> float:
        asked.append(0.5 ** (1 + len(asked)))
        return asked[-1]

    import tf_keras

    schedule = tf_keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [0.5, 0.25, 0.125])
    for given, rates in (
        (tf.constant(0.25), [0.25] * 3),
        (schedule, [0.5, 0.25, 0.125]),
        (rate, [0.5] * 3),
    ):
        observed = stepped(Adam(given), variable(1.0), 1.0, 1.0, 1.0)
        one = value(variable(1.0))
        judge(ADAPTER, Hyperparameters(), one, [one] * 3, observed, map(Rate, rates))
    assert asked == [0.5]


def test_betas_may_be_tensors_and_no_callables_and_epsilon_is_a_number() -> None:
    """A callable is documented, and fails in the first step."""
    optimizer = Adam(beta_1=tf.constant(0.5), beta_2=tf.constant(0.75))
    stepped(optimizer, variable(1.0), 1.0)
    assert [float(slots[0]) for slots in (optimizer._momentums, optimizer._velocities)] == [0.5, 0.25]
    for given in ({"beta_1": lambda: 0.5}, {"beta_2": lambda: 0.5}, {"epsilon": None}):
        with pytest.raises(ValueError, match="unsupported type"):
            stepped(Adam(**given), variable(1.0), 1.0)


def test_a_beta_that_is_a_tensor_is_rounded_before_1_is_less_by_it() -> None:
    def ends(beta: Any, dtype: str = "float32") -> list[float]:
        x, optimizer = tf.Variable(np.ones(2, dtype)), Adam(0.1, beta_1=beta)
        for g in (0.3, -0.7, 0.9):
            optimizer.apply_gradients([(tf.constant([g, 2 * g * g], dtype), x)])
        return [float(number) for number in value(optimizer._momentums[0])]

    assert ends(tf.constant(0.9)) == ends(float(np.float32(0.9))) != ends(0.9)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be a double tensor"):
        ends(tf.constant(0.9), "float64")


def test_weight_decay_shrinks_before_the_step_by_rate_and_decay() -> None:
    """A gradient of 0 leaves the decay alone; excluded variables keep what they have. None and 0 decay nothing."""
    x, y = variable(1.0, name="x"), variable(1.0, name="y")
    optimizer = Adam(learning_rate=0.5, weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_list=[y])
    optimizer.apply_gradients([(tf.constant(0.0), x), (tf.constant(0.0), y)])
    assert [float(x), float(y)] == [0.875, 1.0]
    for nothing in (None, 0.0):
        assert stepped(Adam(learning_rate=0.5, weight_decay=nothing), variable(1.0), 0.0) == [1.0]


@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        (["bias"], {"bias"}),
        (["^b"], {"bias"}),
        (["k.rnel", "norm"], {"kernel", "layer_norm"}),
        (["norm$"], set()),
        ([""], {"kernel", "bias", "layer_norm"}),
    ],
)
def test_variables_are_excluded_from_decay_by_what_a_pattern_finds_in_their_name(
    patterns: list[str], excluded: set[str]
) -> None:
    """Anywhere in it, as a regular expression, the ":0" behind it included."""
    variables = {name: variable(1.0, name=name) for name in ("kernel", "bias", "layer_norm")}
    optimizer = Adam(learning_rate=0.5, weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_names=patterns)
    optimizer.apply_gradients([(tf.constant(0.0), x) for x in variables.values()])
    assert {name for name, x in variables.items() if float(x) == 1.0} == excluded
    assert {float(x) for x in variables.values()} <= {1.0, 0.875}


def test_clipping_takes_one_of_its_arguments() -> None:
    """The norm of each, the norm of all, the value from both sides; two of them: norms come before values."""
    gradients = ([3.0, -4.0], [12.0, 0.0])
    for given, expected in (
        ({"clipnorm": 2.5}, [[0.75, -1.0], [1.25, 0.0]]),
        ({"global_clipnorm": 6.5}, [[0.75, -1.0], [3.0, 0.0]]),
        ({"clipvalue": 2.0}, [[1.0, -1.0], [1.0, 0.0]]),
        ({"clipnorm": 2.5, "clipvalue": 0.5}, [[0.75, -1.0], [1.25, 0.0]]),
        ({"global_clipnorm": 6.5, "clipvalue": 0.5}, [[0.75, -1.0], [3.0, 0.0]]),
        ({"clipnorm": 0.0, "clipvalue": 0.0}, [[1.5, -2.0], [6.0, 0.0]]),
    ):
        assert first_moment(*gradients, **given) == expected, given
    with pytest.raises(ValueError, match="At most one of `clipnorm` and `global_clipnorm`"):
        Adam(clipnorm=1.0, global_clipnorm=1.0)


class Averaged:
    """Steps of 0.5 down from 8 with momentum 0.5: every number is exact but for epsilon, so it is read, not told."""

    def __init__(self, **given: Any) -> None:
        self.x = variable(8.0)
        self.optimizer = Adam(learning_rate=0.5, use_ema=True, ema_momentum=0.5, **given)
        self.average = np.float32(8.0)

    def step(self) -> tuple[float, float]:
        """The value that the step has left, and the average that belongs to it."""
        stepped(self.optimizer, self.x, 1.0)
        (average,) = self.optimizer._model_variables_moving_average
        return float(self.x), float(average)


def test_the_average_starts_at_the_initial_value_and_is_written_at_the_end_when_it_is_asked_for() -> None:
    run, average = Averaged(), np.float32(8.0)
    for _ in range(3):
        left, found = run.step()
        average = np.float32(0.5) * average + np.float32(0.5) * np.float32(left)
        assert found == float(average) != left
    run.optimizer.finalize_variable_values([run.x])
    assert float(run.x) == float(average)


def test_the_average_overwrites_the_variable_every_so_many_steps() -> None:
    run = Averaged(ema_overwrite_frequency=2)
    assert [left == average for left, average in (run.step() for _ in range(4))] == [False, True, False, True]


def test_without_use_ema_nothing_is_averaged_and_fit_writes_the_average_at_its_end() -> None:
    import tf_keras

    plain = Adam(ema_momentum=0.5, ema_overwrite_frequency=1)
    x = variable(1.0)
    stepped(plain, x, 1.0)
    before = float(x)
    plain.finalize_variable_values([x])
    assert float(x) == before
    assert not hasattr(plain, "_model_variables_moving_average")

    model = tf_keras.Sequential([tf_keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(Adam(0.1, use_ema=True, ema_momentum=0.5), loss="mse")
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=2, epochs=2, verbose=0)
    (average,) = model.optimizer._model_variables_moving_average
    assert value(average).tolist() == model.get_weights()[0].tolist() != [[1.0]]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"use_ema": True, "ema_momentum": 1.5}, ValueError, "`ema_momentum` must be in the range"),
        ({"use_ema": True, "ema_overwrite_frequency": 1.5}, ValueError, "`ema_overwrite_frequency` must be an integer"),
        ({"decay": 0.5}, ValueError, "decay is deprecated"),
        ({"gradient_aggregator": None}, ValueError, "gradient_aggregator is deprecated"),
        ({"gradient_transformers": None}, ValueError, "gradient_transformers is deprecated"),
        ({"momentum": 0.5}, TypeError, "momentum is not a valid argument"),
    ],
    ids=str,
)
def test_arguments_that_are_refused(given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Adam(**given)


def test_further_arguments_are_taken_and_do_nothing() -> None:
    """mesh None; lr, of which a warning says that it is deprecated, leaves the learning rate where it was."""
    assert float(Adam(lr=0.5, mesh=None).learning_rate) == np.float32(0.001)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_on_a_mesh_of_one_device_steps_are_the_same_and_variables_must_be_of_it(amsgrad: bool) -> None:
    """A real mesh: DTensors in the place of variables and gradients, bit for bit as without."""
    dtensor = tf.experimental.dtensor
    mesh = dtensor.create_mesh([("batch", 1)], devices=["CPU:0"])

    def on_mesh(values: Any) -> Any:
        return dtensor.copy_to_mesh(tf.constant(values, tf.float32), dtensor.Layout.replicated(mesh, rank=1))

    start, gradients = [1.0, -2.0, 3.0], ([1.0, 0.5, -2.0], [8.0, -0.25, 0.0], [0.125, 1.0, 1.0])
    spread, plain = dtensor.DVariable(on_mesh(start)), tf.Variable(start)
    one, other = Adam(0.1, amsgrad=amsgrad, weight_decay=0.5, mesh=mesh), Adam(0.1, amsgrad=amsgrad, weight_decay=0.5)
    for g in gradients:
        one.apply_gradients([(on_mesh(g), spread)])
        other.apply_gradients([(tf.constant(g), plain)])
    (whole,) = dtensor.unpack(spread.read_value())
    np.testing.assert_array_equal(whole, plain)
    assert not np.array_equal(plain, start)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Neither layout nor DTensor"):
        Adam(0.1, mesh=mesh).apply_gradients([(tf.constant(gradients[0]), tf.Variable(start))])


def test_jit_compile_is_off_where_there_is_no_gpu() -> None:
    assert not tf.config.list_physical_devices("GPU")
    assert Adam().jit_compile is Adam(jit_compile=True).jit_compile is False


def test_the_name_is_that_of_the_slots() -> None:
    optimizer = Adam(name="Mine", amsgrad=True)
    assert (Adam().name, optimizer.name) == ("Adam", "Mine")
    stepped(optimizer, variable(1.0, name="x"), 1.0)
    assert [v.name for v in optimizer.variables] == ["iteration:0", "Mine/m/x:0", "Mine/v/x:0", "Mine/vhat/x:0"]


def test_a_step_may_have_a_name_and_its_loss_a_tape() -> None:
    """The name says nothing of slots and numbers, nor, on one device, does it whether somebody has summed gradients.

    A loss that is a tensor needs its tape.
    """
    found = []
    for name in (None, "other"):
        x, optimizer = variable(1.0, name="x"), Adam(0.5)
        with tf.GradientTape() as tape:
            loss = x * x
        optimizer.minimize(loss, [x], tape=tape)
        optimizer.apply_gradients([(tf.constant(3.0), x)], name=name, skip_gradients_aggregation=name is not None)
        found.append((float(x), [v.name for v in optimizer.variables]))
    assert found[0] == found[1]
    with pytest.raises(ValueError, match="`tape` is required"):
        Adam().minimize(tf.constant(1.0), [variable(1.0)])


def test_the_parts_of_a_step_can_be_called() -> None:
    """The moments of what `build` is given, then one variable and its gradient: the bits of a whole step."""
    x, y = variable(1.0, 2.0), variable(1.0, 2.0)
    stepped(Adam(0.5), x, [3.0, -1.0])
    parts = Adam(0.5)
    parts.build([y])
    parts.update_step(tf.constant([3.0, -1.0]), y)
    assert value(x).tolist() == value(y).tolist() != [1.0, 2.0]
    with pytest.raises(KeyError):
        parts.update_step(tf.constant(1.0), variable(1.0))


def test_a_configuration_makes_the_same_optimizer() -> None:
    given = {
        "learning_rate": 0.25,
        "beta_1": 0.5,
        "beta_2": 0.75,
        "epsilon": 0.125,
        "amsgrad": True,
        "weight_decay": 0.5,
        "clipnorm": 2.0,
        "use_ema": True,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 3,
        "name": "Mine",
    }
    configuration = Adam(**given).get_config()
    assert {name: configuration[name] for name in given} == given
    assert Adam.from_config(configuration).get_config() == configuration


def test_a_sparse_gradient_moves_every_row() -> None:
    """Rows that it does not name go on by their momentum."""
    x = variable(1.0, 1.0)
    optimizer = Adam(learning_rate=0.5)
    stepped(optimizer, x, [1.0, 1.0])
    before = value(x)
    optimizer.apply_gradients([(tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]), tf.constant([2])), x)])
    assert (value(x) < before).all()
