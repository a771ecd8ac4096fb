"""The adapters of Keras 3 and of the package tf_keras against the real ones: tensorflow 2.21, keras 3, tf_keras."""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from adapters import keras3, tf_keras_adam
from adapters.contract import Array, Gradient, Hyperparameters, Implementation, Precision, Rows, Schedule, State
from conformance import checks
from conformance.given import Given
from conformance.load import load
from conformance.subjects import subjects

ADAPTERS: dict[str, Any] = {a.name: a for a in (keras3.Adam, keras3.AdamW, tf_keras_adam.Package)}
NAMES = sorted(ADAPTERS)
KERAS3 = ("keras3-adam", "keras3-adamw")
DTYPES: tuple[Precision, ...] = ("float32", "float64")
SETTINGS = (
    Hyperparameters(),
    Hyperparameters(learning_rate=0.0123, beta_1=0.83, beta_2=0.9917, epsilon=3.3e-3, weight_decay=0.37, amsgrad=True),
)


@cache
def adapter(name: str) -> Any:
    return ADAPTERS[name]()


def rows(*indices: int, values: Array) -> Rows:
    return Rows(np.array(indices, np.int64), values)


def one(name: str, gradient: Gradient, theta: Array, steps: int = 1, **hyper: Any) -> State:
    run = adapter(name).start([theta], Hyperparameters(**hyper))
    return [run.step([gradient]) for _ in range(steps)][-1]


# --- What it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_is_an_implementation_of_the_contract(name: str) -> None:
    assert isinstance(adapter(name), Implementation)


def recognised(claimed: Any, observed: frozenset[str]) -> bool:
    return claimed.required <= observed and not claimed.excluded & observed


@pytest.mark.parametrize("name", NAMES)
def test_observed_operations_are_those_of_this_adapter_and_of_no_other(name: str) -> None:
    identities = {other: adapter(other).identity() for other in NAMES}
    seen = identities[name].observed
    assert [other for other in NAMES if recognised(identities[other], seen)] == [name]
    assert (identities[name].framework, identities[name].version) == {
        "tf-keras-package": ("tf-keras", "2.21.0"),
    }.get(name, ("keras", "3.15.1"))


@pytest.mark.parametrize("name", KERAS3)
def test_another_optimizer_behind_keras_3_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ADAPTERS[name]()
    optimizers = wrong.keras.optimizers
    other = {"Adam": optimizers.AdamW, "AdamW": optimizers.Adam}[wrong.cls]
    monkeypatch.setattr(optimizers, wrong.cls, lambda **given: other(**given | {"weight_decay": 0.1}))
    identity = wrong.identity()
    assert identity.required - identity.observed == {f"keras.src.optimizers.{name[7:]}.{wrong.cls}"}


@pytest.mark.parametrize("kind", ["fused", "Nadam", "Adamax"])
def test_another_optimizer_behind_tf_keras_is_seen(kind: str) -> None:
    import tf_keras

    wrong = ADAPTERS["tf-keras-package"]()
    real = tf_keras.optimizers.legacy.Adam if kind == "fused" else getattr(tf_keras.optimizers, kind)
    left_out = {"weight_decay", "adaptive_epsilon"} | ({"use_ema"} if kind == "fused" else {"amsgrad"})

    class Stranger(real):  # type: ignore[misc, valid-type]
        def __init__(self, **given: Any) -> None:
            super().__init__(**{k: v for k, v in given.items() if k not in left_out})

    wrong.optimizer = Stranger
    identity = wrong.identity()
    assert identity.required - identity.observed or identity.excluded & identity.observed


def test_a_keras_on_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter("keras3-adam").keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match="the backend of Keras is jax, accepted: tensorflow"):
        keras3.Adam()


def test_the_adapter_of_keras_2_refuses_to_start() -> None:
    with pytest.raises(ImportError, match="is not that of Keras 2"):
        tf_keras_adam.TfKeras()


@pytest.mark.parametrize("name", NAMES)
def test_every_claimed_hyperparameter_matters(name: str) -> None:
    changed: dict[str, Any] = {
        "learning_rate": 0.02,
        "beta_1": 0.7,
        "beta_2": 0.9,
        "epsilon": 0.1,
        "amsgrad": True,
        "weight_decay": 0.1,
        "adaptive_epsilon": True,
        "clipvalue": 0.5,
        "clipnorm": 0.5,
        "global_clipnorm": 0.5,
        "schedule": Schedule("inverse_time", decay_steps=2, decay_rate=0.5),
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 2,
        "exclude_from_weight_decay": (0,),
        "constraint": "unit_norm",
    }
    beside: dict[str, dict[str, Any]] = {
        "ema_momentum": {"ema_overwrite_frequency": 2},
        "ema_overwrite_frequency": {"ema_momentum": 0.5},
        "exclude_from_weight_decay": {"weight_decay": 0.1},
    }
    claimed = adapter(name).claim.hyperparameters
    assert claimed == set(changed) - (set() if name == "tf-keras-package" else {"adaptive_epsilon"})

    def last(**hyper: Any) -> bytes:
        run = adapter(name).start([np.ones(2)], Hyperparameters(**{"epsilon": 0.01, **hyper}))
        run.step([np.array([3.0, -2.0])])
        return bytes(run.step([np.array([0.01, 0.02])]).parameters[0].tobytes())

    for hyper in sorted(claimed):
        assert last(**beside.get(hyper, {})) != last(**beside.get(hyper, {}), **{hyper: changed[hyper]}), hyper


@pytest.mark.parametrize("name", NAMES)
def test_integers_are_numbers(name: str) -> None:
    theta, g = np.ones(2, np.float32), np.full(2, 0.5, np.float32)
    integers = one(name, g, theta, learning_rate=1, beta_1=0, beta_2=0, epsilon=1, weight_decay=1)
    floats = one(name, g, theta, learning_rate=1.0, beta_1=0.0, beta_2=0.0, epsilon=1.0, weight_decay=1.0)
    np.testing.assert_array_equal(integers.parameters[0], floats.parameters[0])


# --- The contract -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
def test_arrays_of_the_caller_are_neither_written_nor_kept(name: str, dtype: Precision) -> None:
    theta = np.arange(6, dtype=dtype).reshape(3, 2)
    dense, values = np.full_like(theta, 0.5), np.full_like(theta[:2], 0.25)
    indices = np.array([0, 2])
    originals = [array.copy() for array in (theta, dense, values, indices)]
    run = adapter(name).start([theta], Hyperparameters(weight_decay=0.1, amsgrad=True))
    returned = [run.step([dense]), run.step([Rows(indices, values)])]
    kept = [[array.copy() for array in (*s.parameters, *s.m, *s.v, *s.v_max)] for s in returned]
    for array, original in zip((theta, dense, values, indices), originals, strict=True):
        np.testing.assert_array_equal(array, original)
        array[...] = 0
    run.step([np.ones_like(theta)])
    for state, copies in zip(returned, kept, strict=True):
        for array, copy in zip((*state.parameters, *state.m, *state.v, *state.v_max), copies, strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (7,), (4, 2, 3)])
def test_shapes(name: str, dtype: Precision, shape: tuple[int, ...]) -> None:
    state = one(name, np.ones(shape, dtype), np.full(shape, 2.0, dtype), learning_rate=0.1)
    for array in (*state.parameters, *state.m, *state.v):
        assert (array.shape, array.dtype) == (shape, dtype)
    np.testing.assert_allclose(state.parameters[0], np.full(shape, 1.9), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_one_t_for_all_and_a_parameter_without_gradient_stays(name: str) -> None:
    ones = np.ones(2, np.float32)
    run = adapter(name).start([ones, ones], Hyperparameters(learning_rate=0.1, weight_decay=0.1))
    first = run.step([ones, None])
    assert first.t == (1, 1)
    np.testing.assert_array_equal(first.parameters[1], ones)
    np.testing.assert_array_equal(first.m[1], 0 * ones)
    second = run.step([None, ones])
    assert second.t == (2, 2)
    np.testing.assert_array_equal(second.parameters[0], first.parameters[0])
    # Its first step is corrected for t = 2.
    moved = 0.1 * math.sqrt(1 - 0.999**2) / (1 - 0.9**2) * 0.1 / math.sqrt(0.001)
    np.testing.assert_allclose(second.parameters[1], ones - 0.01 - moved, rtol=1e-4)
    with pytest.raises(ValueError, match="No gradients provided"):
        run.step([None, None])


# --- Rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), list(product(NAMES, DTYPES)))
def test_rows_are_zeros_elsewhere(name: str, dtype: Precision) -> None:
    theta = np.ones((3, 2), dtype)
    sparse, dense = (adapter(name).start([theta], Hyperparameters(weight_decay=0.5)) for _ in range(2))
    full = np.array([[2, 2], [0, 0], [1, 1]], dtype)
    for _ in range(3):
        a = sparse.step([rows(2, 0, values=full[[2, 0]])])
        b = dense.step([full])
        for x, y in zip((*a.parameters, *a.m, *a.v), (*b.parameters, *b.m, *b.v), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5 if dtype == "float32" else 1e-13)
    empty = sparse.step([rows(values=full[:0])])
    np.testing.assert_allclose(empty.m[0], 0.9 * a.m[0], rtol=1e-5)  # all rows decay


@pytest.mark.parametrize("name", NAMES)
def test_duplicates_keras_3_squares_them_one_by_one(name: str) -> None:
    """1 + 2 in a row that is named twice: v from 1 + 4 in Keras 3, from 9 in tf_keras, and in Keras 3 if dense."""
    theta, values = np.ones((3, 1)), np.array([[1.0], [2.0]])
    state = one(name, rows(1, 1, values=values), theta)
    np.testing.assert_allclose(state.m[0].ravel(), [0, 0.3, 0], rtol=1e-6)
    np.testing.assert_allclose(state.v[0].ravel(), [0, 0.005 if name in KERAS3 else 0.009, 0], rtol=1e-6)
    dense = one(name, np.array([[0.0], [3.0], [0.0]]), theta)
    np.testing.assert_allclose(dense.v[0].ravel(), [0, 0.009, 0], rtol=1e-6)


@pytest.mark.parametrize("name", KERAS3)
def test_duplicates_of_a_real_embedding(name: str) -> None:
    """The gradient of a gather whose index repeats is such a gradient: a word that occurs twice in a batch."""
    tf, keras = adapter(name).tensorflow, adapter(name).keras
    table = keras.Variable(np.ones((3, 1), np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table.value, [1, 1]) * tf.constant([[1.0], [2.0]]))
    gradient = tape.gradient(loss, table.value)
    assert isinstance(gradient, tf.IndexedSlices)
    optimizer = adapter(name).optimizer()
    optimizer.apply_gradients([(gradient, table)])
    np.testing.assert_allclose(optimizer._velocities[0].numpy().ravel(), [0, 0.005, 0], rtol=1e-5)


# --- Arithmetic -------------------------------------------------------------------------------------------


class Emulation:
    """``update_step`` as it rounds, one operation at a time; beta powers are TensorFlow's own."""

    def __init__(self, tensorflow: Any, theta: Array, h: Hyperparameters) -> None:
        self.tf, self.theta, self.h, self.t = tensorflow, theta.copy(), h, 0
        self.m, self.v, self.v_max = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)

    def step(self, g: Array) -> None:
        h, real = self.h, self.theta.dtype.type
        self.t += 1

        def cast(number: float) -> Any:
            return real(np.float32(number))

        def power(beta: float) -> Any:
            return self.tf.pow(self.tf.constant(cast(beta)), self.tf.constant(real(self.t))).numpy()

        if h.weight_decay:
            self.theta = self.theta - self.theta * cast(h.weight_decay) * cast(h.learning_rate)
        alpha = cast(h.learning_rate) * np.sqrt(real(1) - power(h.beta_2)) / (real(1) - power(h.beta_1))
        self.m = self.m + (g - self.m) * real(1 - h.beta_1)
        self.v = self.v + (g * g - self.v) * real(1 - h.beta_2)
        self.v_max = np.maximum(self.v_max, self.v) if h.amsgrad else self.v
        self.theta = self.theta - self.m * alpha / (np.sqrt(self.v_max) + real(h.epsilon))


@pytest.mark.parametrize(("name", "dtype", "hyper"), list(product(NAMES, DTYPES, SETTINGS)))
def test_dense_steps_bit_for_bit(name: str, dtype: Precision, hyper: Hyperparameters) -> None:
    random = np.random.default_rng(1)
    theta = random.normal(size=(5, 4)).astype(dtype)
    run = adapter(name).start([theta], hyper)
    emulation = Emulation(adapter(name).tensorflow, theta, hyper)
    for _ in range(30):
        g = random.normal(size=theta.shape).astype(dtype)
        state = run.step([g])
        emulation.step(g)
        np.testing.assert_array_equal(state.m[0], emulation.m)
        np.testing.assert_array_equal(state.v[0], emulation.v)
        np.testing.assert_array_equal(state.parameters[0], emulation.theta)


# --- Edges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_epsilon_0_stays_0(name: str) -> None:
    state = one(name, np.array([2.0, 0.0], np.float32), np.ones(2, np.float32), epsilon=0.0)
    assert state.parameters[0][0] < 1
    assert math.isnan(state.parameters[0][1])


def test_adaptive_epsilon_is_scaled() -> None:
    """epsilon sqrt(1 - beta_2^t), which is the paper's epsilon: g / (|g| + epsilon) for a first step."""
    g = np.array([0.5])
    state = one("tf-keras-package", g, np.ones(1), learning_rate=1.0, epsilon=0.25, adaptive_epsilon=True)
    np.testing.assert_allclose(1 - state.parameters[0], g / (g + 0.25), rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_fit_ends_with_the_average_of_a_model(name: str) -> None:
    """The weights are the average, which differs from what a model without one ends with."""
    made = adapter(name)
    keras = __import__("tf_keras") if name == "tf-keras-package" else made.keras
    ends = []
    for momentum in (0.5, None):
        model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
        h = Hyperparameters(learning_rate=0.1, ema_momentum=momentum)
        model.compile(made.optimizer(**made.arguments(h)), loss="mse")
        model.fit(np.ones((4, 1), np.float32), np.zeros((4, 1), np.float32), batch_size=2, epochs=2, verbose=0)
        ends.append(model.get_weights()[0].tolist())
        if momentum is not None:
            (average,) = model.optimizer._model_variables_moving_average
            assert np.asarray(average.numpy()).tolist() == ends[0]
    assert ends[0] != ends[1]


@pytest.mark.parametrize("name", NAMES)
def test_without_any_gradient_a_step_is_none_or_is_refused(name: str) -> None:
    """An empty list is no step. Of gradients that are all None, Keras 3 and tf_keras raise."""
    run = adapter(name).start([np.ones(2, np.float32)], Hyperparameters())
    with pytest.raises(ValueError, match="No gradients provided"):
        run.apply((None,))
    if name == "tf-keras-package":
        optimizer = run._bench.optimizer
        optimizer.apply_gradients([])
        assert int(optimizer.iterations.numpy()) == 0


def test_what_keras_3_refuses() -> None:
    optimizers = adapter("keras3-adam").keras.optimizers
    with pytest.raises(ValueError, match="should be float"):
        optimizers.Adam(learning_rate=1)
    with pytest.raises(ValueError, match="must be a float"):
        optimizers.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="Only one of `clipnorm`, `clipvalue` and `global_clipnorm`"):
        optimizers.Adam(clipnorm=1.0, clipvalue=1.0)


# --- Classes that are given ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "dialect"),
    [("tf_keras.optimizers:Adam", "tf-keras-adam"), ("tf_keras.optimizers.legacy:Adam", "keras-v2-adam")],
)
def test_a_class_of_tf_keras_is_one_of_keras_2(path: str, dialect: str) -> None:
    given = load(path, Given(option="keras-optimizer", path=path))
    assert given.claim.dialect == dialect
    for problem in subjects(given, "general", 6, 0):
        assert not checks.one_step(given, problem).findings
    seen = given.identity()
    assert (seen.framework, checks.identity(seen).findings) == ("tf_keras", [])


# --- What is saved ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERAS3)
def test_an_optimizer_that_has_not_been_built_loads_nothing(name: str) -> None:
    """It warns and returns: why the adapter builds before it loads, as ``load_model`` does."""
    keras = adapter(name).keras
    variable, store = keras.Variable(np.ones(2, np.float32)), dict[str, Array]()
    first = adapter(name).optimizer(0.5)
    first.apply_gradients([(np.ones(2, np.float32), variable)])
    first.save_own_variables(store)
    second = adapter(name).optimizer(0.25)
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        second.load_own_variables(store)
    assert (int(second.iterations.numpy()), float(second.learning_rate.numpy())) == (0, 0.25)
    second.build([variable])
    second.load_own_variables(store)
    assert (int(second.iterations.numpy()), float(second.learning_rate.numpy())) == (1, 0.5)


@pytest.mark.parametrize("name", KERAS3)
def test_a_load_brings_back_the_learning_rate_and_no_other_hyperparameter(name: str) -> None:
    theta = np.ones(2, np.float32)
    run = adapter(name).start([theta], SETTINGS[1])
    run.step([theta])
    other = Hyperparameters(amsgrad=True, beta_1=0.5, weight_decay=0.25)
    optimizer = adapter(name).resume([theta], other, run.save())._bench.optimizer
    assert float(optimizer.learning_rate.numpy()) == np.float32(SETTINGS[1].learning_rate)
    assert (optimizer.beta_1, optimizer.weight_decay) == (0.5, 0.25)


def test_a_beta_of_keras_3_may_be_a_tensor_which_has_rounded_it_and_no_callable() -> None:
    """Why neither is claimed: m is that of the number that float32 holds; a callable fails in the first step."""
    loaded: Any = adapter("keras3-adam")
    keras, tf = loaded.keras, loaded.tensorflow

    def ends(beta: Any) -> list[float]:
        x, optimizer = keras.Variable(np.ones(2, np.float32)), keras.optimizers.Adam(0.1, beta_1=beta)
        for g in (0.3, -0.7, 0.9):
            optimizer.apply_gradients([(tf.constant([g, 2 * g * g]), x)])
        return [float(number) for number in optimizer._momentums[0].numpy()]

    assert ends(tf.constant(0.9)) == ends(float(np.float32(0.9))) != ends(0.9)
    with pytest.raises(ValueError, match="unsupported type"):
        ends(lambda: 0.9)
