"""The adapters of the Keras environment against the real packages: Keras 2.15 and TF-Addons 0.23."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from adapters.contract import (
    Arithmetic,
    Array,
    Gradient,
    Hyperparameters,
    Implementation,
    Precision,
    Problem,
    Rows,
    Schedule,
    State,
)
from adapters.keras_v2 import Fused, NonFused
from adapters.tf_keras_adam import TfKeras
from adapters.tfa_rectified import Rectified
from conformance import oracle

ADAPTERS: dict[str, Any] = {a.name: a for a in (Fused, NonFused, TfKeras, Rectified)}
NAMES = sorted(ADAPTERS)
DTYPES: tuple[Precision, ...] = ("float32", "float64")


@cache
def adapter(name: str) -> Any:
    return ADAPTERS[name]()


def array(*values: object, dtype: str = "float32") -> Array:
    return np.array(values, dtype)


def rows(indices: Sequence[int], values: Array) -> Rows:
    return Rows(np.array(indices, np.int64), values)


def trajectory(implementation: Any, problem: Problem) -> list[State]:
    run = implementation.start(problem.parameters, problem.hyperparameters)
    return [run.step(gradients) for gradients in problem.gradients]


def same(a: State, b: State) -> bool:
    """Bit for bit, NaN and the sign of zero included."""

    def bits(state: State) -> list[object]:
        arrays = [*state.parameters, *state.m, *state.v, *(state.v_max or ())]
        return [state.t, state.v_max is None, *((x.shape, x.dtype, x.tobytes()) for x in arrays)]

    return bits(a) == bits(b)


def draw(
    seed: int, shapes: Sequence[tuple[int, ...]], dtype: Precision = "float32", steps: int = 4, **hyper: Any
) -> Problem:
    """Dense, sparse and absent gradients over six decades."""
    rng = np.random.default_rng(seed)

    def gradient(shape: tuple[int, ...], kind: int) -> Gradient:
        scale = 10.0 ** rng.integers(-3, 3)
        if kind == 1 and len(shapes) > 1:
            return None
        if kind == 2 and shape:
            indices = rng.integers(0, shape[0], size=3)
            return Rows(indices, (scale * rng.normal(size=(3, *shape[1:]))).astype(dtype))
        return (scale * rng.normal(size=shape)).astype(dtype)

    return Problem(
        dtype=dtype,
        hyperparameters=Hyperparameters(**hyper),
        parameters=tuple(np.asarray(rng.normal(size=s), dtype) for s in shapes),
        gradients=tuple(
            tuple(
                np.asarray(g) if np.isscalar(g) else g for g in (gradient(s, (k + i) % 4) for i, s in enumerate(shapes))
            )
            for k in range(steps)
        ),
    )


# --- What it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_is_an_implementation_of_the_contract(name: str) -> None:
    assert isinstance(adapter(name), Implementation)
    assert adapter(name).contract_version == 1


@pytest.mark.parametrize("name", NAMES)
def test_observed_operations_are_those_it_says(name: str) -> None:
    identity = adapter(name).identity()
    assert identity.required <= identity.observed
    assert not identity.excluded & identity.observed
    package, version = ("tensorflow-addons", "0.23.0") if "tfa" in name else ("keras", "2.15.0")
    assert (identity.framework, identity.version) == (package, version)


@pytest.mark.parametrize(("name", "real"), list(permutations(NAMES, 2)))
def test_another_class_behind_an_adapter_is_seen(name: str, real: str) -> None:
    impostor = ADAPTERS[name]()
    impostor.optimizer = _taking_known_arguments(adapter(real).optimizer)
    identity = impostor.identity()
    assert identity.required - identity.observed or identity.excluded & identity.observed


def test_nonfused_without_xla_is_seen() -> None:
    tf = adapter("keras-v2-nonfused").tensorflow
    tf.config.run_functions_eagerly(True)
    try:
        identity = NonFused().identity()
    finally:
        tf.config.run_functions_eagerly(False)
    assert identity.required - identity.observed
    assert "dense: AssignSubVariableOp" in identity.excluded & identity.observed


def test_fused_and_nonfused_run_what_their_names_say() -> None:
    fused, nonfused = adapter("keras-v2-fused").identity(), adapter("keras-v2-nonfused").identity()
    assert "dense: ResourceApplyAdam" in fused.observed
    assert "amsgrad: ResourceApplyAdamWithAmsgrad" in fused.observed
    assert not any("Xla" in operation for operation in fused.observed)
    assert not any("ResourceApply" in operation for operation in nonfused.observed)


DECAYING = Schedule("inverse_time", decay_steps=2, decay_rate=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_claimed_hyperparameter_matters_and_no_other(name: str) -> None:
    changed: dict[str, Any] = {
        "learning_rate": 0.02,
        "beta_1": 0.8,
        "beta_2": 0.99,
        "epsilon": 1e-2,
        "amsgrad": True,
        "l2": 0.1,
        "weight_decay": 0.1,
        "rescale_grad": 0.5,
        "clip_gradient": 0.1,
        "sma_threshold": 7.0,
        "decay": 0.5,
        "clipvalue": 0.5,
        "clipnorm": 0.5,
        "global_clipnorm": 0.5,
        "schedule": DECAYING,
        "weight_decay_schedule": DECAYING,
        "total_steps": 9,
        "warmup_proportion": 0.5,
        "min_lr": 0.005,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 2,
        "exclude_from_weight_decay": (0,),
        "constraint": "unit_norm",
    }
    beside: dict[str, dict[str, Any]] = {
        "ema_momentum": {"ema_overwrite_frequency": 2},
        "ema_overwrite_frequency": {"ema_momentum": 0.5},
        "exclude_from_weight_decay": {"weight_decay": 0.1},
        "weight_decay_schedule": {"weight_decay": 0.1},
        "warmup_proportion": {"total_steps": 9},
        "min_lr": {"total_steps": 9},
    }
    gradients = tuple((array(1.0, 3.0) * 10.0**-k,) for k in range(7))

    def end(**hyper: Any) -> State:
        h = Hyperparameters(**{"learning_rate": 0.01, **hyper})
        problem = Problem(dtype="float32", hyperparameters=h, parameters=(array(1.0, 2.0),), gradients=gradients)
        return trajectory(adapter(name), problem)[-1]

    claimed = adapter(name).claim.hyperparameters

    def acts(k: str) -> bool:
        given = {k: v for k, v in beside.get(k, {}).items() if k in claimed}
        return not np.array_equal(end(**given, **{k: changed[k]}).parameters, end(**given).parameters)

    assert {k for k in changed if acts(k)} == claimed


def _taking_known_arguments(optimizer: Any) -> Any:
    """`optimizer` without the arguments that only another class knows, or knows as None."""

    def construct(**arguments: Any) -> Any:
        known = inspect.signature(optimizer).parameters
        return optimizer(**{k: v for k, v in arguments.items() if k in known and v is not None})

    return construct


# --- Arrays in and out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_the_caller_are_neither_written_nor_kept(name: str, dtype: Precision) -> None:
    # Aligned and large enough for TensorFlow to share the memory, were it to.
    theta, g = (_aligned(np.full(4096, x), dtype) for x in (1.0, 0.5))
    slices = rows([1, 0, 1], _aligned(np.ones((3, 64)), dtype))
    table = _aligned(np.ones((64, 64)), dtype)
    run = adapter(name).start((theta, table), Hyperparameters(learning_rate=0.1))
    first = run.step((g, slices))
    for given, expected in ((theta, 1.0), (g, 0.5), (slices.values, 1.0), (table, 1.0)):
        assert (given == expected).all()
    assert slices.indices.tolist() == [1, 0, 1]

    # Nor do the states that come out share anything with what goes on inside.
    kept = [x.copy() for x in (*first.parameters, *first.m, *first.v)]
    for given in (theta, g, table, slices.values, *first.parameters, *first.m, *first.v):
        given[...] = np.nan
    second = run.step((np.full(4096, 0.5, dtype), rows([1], np.ones((1, 64), dtype))))
    for values in (second.parameters, second.m, second.v):
        assert all(np.isfinite(x).all() for x in values)
    assert all(np.isfinite(x).all() for x in kept)
    assert all(x.flags.owndata and x.flags.writeable for x in (*second.parameters, *second.m, *second.v))


def _aligned(values: Array, dtype: str) -> Array:
    buffer = np.zeros(values.size * 8 + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    out = buffer[start : start + values.size * np.dtype(dtype).itemsize].view(dtype).reshape(values.shape)
    out[...] = values
    return out


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (2, 1, 3, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_shapes(name: str, dtype: Precision, shape: tuple[int, ...]) -> None:
    run = adapter(name).start((np.ones(shape, dtype),), Hyperparameters(amsgrad=True))
    state = run.step((np.ones(shape, dtype),))
    for (values,) in (state.parameters, state.m, state.v, state.v_max):
        assert isinstance(values, np.ndarray)
        assert (values.shape, values.dtype.name) == (shape, dtype)
    assert (state.parameters[0] < 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_without_gradient_stays_and_starts_late_at_the_global_count(name: str) -> None:
    run = adapter(name).start((array(1.0, 1.0), array(1.0)), Hyperparameters(learning_rate=0.1))
    first = run.step((array(1.0, 1.0), None))
    assert first.parameters[1].tolist() == [1.0]
    assert (first.m[1].tolist(), first.v[1].tolist()) == ([0.0], [0.0])
    assert first.v_max is None
    second = run.step((None, array(1.0)))
    for values, before in ((second.parameters, first.parameters), (second.m, first.m), (second.v, first.v)):
        assert np.array_equal(values[0], before[0])  # no decay of moments, no movement by momentum
    assert second.t == (2, 2)
    # t = 2 with moments that have seen one gradient: 0.1 f(2) m / sqrt(v); RectifiedAdam 0.1 m / (1 - 0.9^2)
    step = 0.1 * 0.1 / 0.19 if "tfa" in name else 0.1 * np.sqrt(1 - 0.999**2) / 0.19 * 0.1 / np.sqrt(0.001)
    np.testing.assert_allclose(second.parameters[1], 1 - step, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_at_all_is_refused_by_the_framework(name: str) -> None:
    run = adapter(name).start((array(1.0),), Hyperparameters())
    with pytest.raises(ValueError, match="No gradients provided"):
        run.step((None,))


@pytest.mark.parametrize("name", NAMES)
def test_the_constraint_non_neg_refuses_float64(name: str) -> None:
    """It multiplies by a mask of the backend's float32."""
    run = adapter(name).start((np.ones(2),), Hyperparameters(constraint="non_neg"))
    with pytest.raises(Exception, match="float"):
        run.step((np.ones(2),))


@pytest.mark.parametrize("name", ["tf-keras", "tfa-rectified-adam"])
def test_weight_decay_spares_parameters_without_gradient(name: str) -> None:
    h = Hyperparameters(learning_rate=0.1, weight_decay=0.5)
    state = adapter(name).start((array(1.0), array(1.0, 1.0)), h).step((array(0.0), None))
    np.testing.assert_allclose(state.parameters[0], 0.95, rtol=1e-6)
    assert state.parameters[1].tolist() == [1.0, 1.0]


# --- Sparse gradients -------------------------------------------------------------------------------------

TABLE = np.arange(1, 9, dtype=np.float32).reshape(4, 2)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_duplicate_rows_are_summed_and_order_is_nothing(name: str, amsgrad: bool) -> None:
    h = Hyperparameters(learning_rate=0.1, amsgrad=amsgrad)
    values = array([1, 2], [3, 4], [8, 16], [1, 1])
    forms = (rows([2, 0, 2, 1], values), rows([0, 1, 2], array([3, 4], [1, 1], [9, 18])))
    states = []
    for form in forms:
        run = adapter(name).start((TABLE,), h)
        run.step((np.ones_like(TABLE),))
        states.append(run.step((form,)))
    assert same(*states)


@pytest.mark.parametrize("name", NAMES)
def test_which_rows_a_sparse_gradient_moves(name: str) -> None:
    run = adapter(name).start((TABLE,), Hyperparameters(learning_rate=0.1))
    first = run.step((np.ones_like(TABLE),))
    second = run.step((rows([3, 1], np.ones((2, 2), np.float32)),))
    np.testing.assert_allclose(second.m[0][:, 0], [0.09, 0.19, 0.09, 0.19], rtol=1e-6)  # every row decays
    moved = (second.parameters[0] != first.parameters[0]).any(axis=1)
    assert moved.tolist() == [False, True, False, True] if "tfa" in name else moved.all()


@pytest.mark.parametrize("name", NAMES)
def test_empty_rows_are_a_step(name: str) -> None:
    empty = rows([], np.zeros((0, 2), np.float32))
    run = adapter(name).start((TABLE,), Hyperparameters(learning_rate=0.1))
    assert np.array_equal(run.step((empty,)).parameters[0], TABLE)
    before = run.step((np.ones_like(TABLE),))
    after = run.step((empty,))
    assert after.t == (3,)
    np.testing.assert_allclose(after.m[0], 0.9 * before.m[0], rtol=1e-6)
    assert (after.parameters[0] == before.parameters[0]).all() == ("tfa" in name)


def test_rectified_shrinks_only_the_rows_that_a_sparse_gradient_names() -> None:
    h = Hyperparameters(learning_rate=0.1, weight_decay=0.5)
    zero = rows([2, 2], np.zeros((2, 2), np.float32))
    rectified = adapter("tfa-rectified-adam").start((TABLE,), h).step((zero,)).parameters[0]
    np.testing.assert_allclose(rectified / TABLE, array([1], [1], [0.95], [1]) * np.ones(2), rtol=1e-6)
    tf_keras = adapter("tf-keras").start((TABLE,), h).step((zero,)).parameters[0]
    np.testing.assert_allclose(tf_keras, 0.95 * TABLE, rtol=1e-6)


# --- A used optimizer is a new one ------------------------------------------------------------------------

SEQUENCE = (
    draw(0, [(2,), (3, 2)], learning_rate=0.1),
    draw(1, [(2,), (3, 2)], learning_rate=0.03, beta_1=0.7, beta_2=0.95, epsilon=1e-2),
    draw(2, [(3, 2), (2,), ()], learning_rate=0.1, epsilon=0.0),
    draw(3, [(3, 2)], learning_rate=0.1, epsilon=1.0, amsgrad=True),
    draw(4, [(3, 2), (4,)], learning_rate=0.0, amsgrad=True),
    draw(5, [(3, 2), (4,)], learning_rate=1, beta_1=0, beta_2=0, epsilon=3e-5),
    draw(6, [(2,), (3, 2)], "float64", learning_rate=0.1, epsilon=1e-30),
    draw(7, [(2,), (3, 2)], learning_rate=1e-40, beta_1=1 - 1e-9),
    draw(8, [(2,), (3, 2)], learning_rate=0.1),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_used_adapter_gives_what_a_new_one_gives_bit_for_bit(name: str) -> None:
    used = ADAPTERS[name]()
    for problem in SEQUENCE:
        for reused, fresh in zip(trajectory(used, problem), trajectory(ADAPTERS[name](), problem), strict=True):
            assert same(reused, fresh)


def test_nonfused_does_reuse() -> None:
    used = NonFused()
    optimizers = set()
    for problem in SEQUENCE:
        run = used.start(problem.parameters, problem.hyperparameters)
        optimizers.add((problem.hyperparameters.amsgrad, id(run._bench.optimizer)))
        del run
    assert len(optimizers) == 2  # one per amsgrad flag


def test_nonfused_overlapping_runs_share_nothing() -> None:
    used, problem = NonFused(), SEQUENCE[0]
    trajectory(used, problem)  # leaves one optimizer idle, which only one of them may have
    runs = [used.start(problem.parameters, problem.hyperparameters) for _ in range(3)]
    for k, gradients in enumerate(problem.gradients):
        states = [run.step(gradients) for run in runs]
        assert states[0].t == (k + 1, k + 1)
        assert same(states[0], states[1])
        assert same(states[0], states[2])


def test_nonfused_keeps_no_optimizer_that_failed_nor_more_than_its_limit() -> None:
    used = NonFused()
    run = used.start((array(1.0),), Hyperparameters())
    with pytest.raises(ValueError, match="No gradients provided"):
        run.step((None,))
    del run
    gc.collect()
    assert not used.idle[False]
    many = [used.start((array(1.0),), Hyperparameters()) for _ in range(7)]
    del many
    gc.collect()
    assert len(used.idle[False]) == 4


def test_nonfused_beyond_float32_is_refused_by_new_and_used_alike() -> None:
    used = NonFused()
    used.start((array(1.0),), Hyperparameters()).step((array(1.0),))
    with pytest.raises(ValueError, match="out of range"):
        used.start((array(1.0),), Hyperparameters(learning_rate=1e39)).step((array(1.0),))


# --- Known deviation --------------------------------------------------------------------------------------


def test_nonfused_variables_of_equal_shape_share_the_moments_of_the_first() -> None:
    """keras/src/optimizers/legacy/adam.py, NonFusedAdam._resource_apply_dense_impl: the function traced for the
    first [2] variable serves the second one too, and has captured the slots of the first.
    """
    parameters = (array(1.0, 1.0), array(1.0, 1.0))
    gradients = (array(1.0, 1.0), array(-2.0, -2.0))
    ends = {}
    for name in ("keras-v2-nonfused", "keras-v2-fused"):
        run = adapter(name).start(parameters, Hyperparameters(learning_rate=0.1))
        for _ in range(3):
            state = run.step(gradients)
        ends[name] = state
    nonfused, fused = ends["keras-v2-nonfused"], ends["keras-v2-fused"]
    np.testing.assert_allclose([x[0] for x in nonfused.parameters], [0.915, 1.141], atol=5e-4)
    np.testing.assert_allclose([x[0] for x in fused.parameters], [0.700, 1.300], atol=5e-4)
    assert nonfused.m[1].tolist() == [0.0, 0.0]
    assert nonfused.v[1].tolist() == [0.0, 0.0]


# --- The declared arithmetic ------------------------------------------------------------------------------


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_the_declared_arithmetic_is_what_runs(name: str, dtype: Precision, amsgrad: bool) -> None:
    """One step at a time from the state just seen, in NumPy, 100 steps: equal bit for bit, and for the
    non-fused class, where XLA fuses multiply and add, to a few roundings.
    """
    worst = _departure(name, dtype, adapter(name).arithmetic(dtype), amsgrad=amsgrad)
    assert worst <= (4 if name == "keras-v2-nonfused" else 0)


@pytest.mark.parametrize("role", ["moment_betas", "first_moment", "second_moment"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["keras-v2-fused", "tf-keras", "tfa-rectified-adam"])
def test_other_moments_would_be_seen(name: str, dtype: Precision, role: str) -> None:
    assert _departure(name, dtype, _with_other(adapter(name).arithmetic(dtype), role), amsgrad=False) > 0


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *product(NAMES, ("learning_rate", "moment_betas", "power_betas")),
        ("tf-keras", "decay"),
        ("tfa-rectified-adam", "decay"),
    ],
)
def test_hyperparameters_received_otherwise_would_be_seen_in_float64(name: str, role: str) -> None:
    other = _with_other(adapter(name).arithmetic("float64"), role)
    assert _departure(name, "float64", other, amsgrad=False) > 1e4


def _with_other(arithmetic: Arithmetic, role: str) -> Arithmetic:
    other = {"float32": "float64", "float64": "float32", "lerp": "sum", "sum": "lerp"}
    changes: dict[str, Any] = {role: other[getattr(arithmetic, role)]}
    return replace(arithmetic, **changes)


def _departure(name: str, dtype: Precision, arithmetic: Arithmetic, *, amsgrad: bool) -> float:
    """Largest difference of m, v, v_max or theta from the emulation, in roundings of what entered them."""
    h = Hyperparameters(
        learning_rate=0.0123,
        beta_1=0.87,
        beta_2=0.9931,
        epsilon=3e-5,
        amsgrad=amsgrad,
        weight_decay=0.013 if "weight_decay" in adapter(name).claim.hyperparameters else 0.0,
    )
    rng = np.random.default_rng(7)
    theta = rng.normal(size=(5, 3)).astype(dtype)
    m = v = v_max = np.zeros_like(theta)
    run = adapter(name).start((theta,), h)
    step = _rectified_step if "tfa" in name else _adam_step
    worst = 0.0
    for t in range(1, 101):
        g = (10.0 ** rng.integers(-3, 3) * rng.normal(size=theta.shape)).astype(dtype)
        expected = step(arithmetic, h, theta, m, v, v_max, g, t)
        state = run.step((g,))
        (seen_theta,), (seen_m,), (seen_v,) = state.parameters, state.m, state.v
        seen_max = state.v_max[0] if state.v_max is not None else expected[3]
        scales = (theta, np.maximum(abs(m), abs(g)), np.maximum(v, g * g), np.maximum(v_max, g * g))
        for seen, want, scale in zip((seen_theta, seen_m, seen_v, seen_max), expected, scales, strict=True):
            moved = np.maximum(np.maximum(abs(seen), abs(want)), abs(scale))
            worst = max(worst, float(np.max(abs(seen - want) / np.spacing(moved))))
        theta, m, v, v_max = seen_theta, seen_m, seen_v, seen_max
    return worst


def _scalars(a: Arithmetic, h: Hyperparameters, t: int) -> tuple[Any, ...]:
    """1 - beta for the moments, beta^t for the bias correction, learning rate, decay, epsilon; as declared."""
    kind = np.dtype(a.compute).type
    tf = adapter("tf-keras").tensorflow  # its pow, which is not NumPy's in the last bit

    def received(value: float, precision: Precision) -> Any:
        return kind(np.dtype(precision).type(value))

    def complement(beta: float) -> Any:
        exact = a.moment_betas == "float64"
        return kind(1 - beta) if exact else kind(1) - received(beta, a.moment_betas)

    betas = (h.beta_1, h.beta_2)
    powers = [tf.pow(tf.constant(received(b, a.power_betas)), tf.constant(kind(t))).numpy() for b in betas]
    kept = [received(b, a.moment_betas) for b in betas]
    return (
        *kept,
        *(complement(b) for b in betas),
        *powers,
        received(h.learning_rate, a.learning_rate),
        received(h.weight_decay, a.decay),
        received(h.epsilon, a.epsilon),
    )


def _moments(a: Arithmetic, b1: Any, b2: Any, c1: Any, c2: Any, m: Array, v: Array, g: Array) -> tuple[Array, Array]:
    m = m + (g - m) * c1 if a.first_moment == "lerp" else b1 * m + c1 * g
    v = v + (g * g - v) * c2 if a.second_moment == "lerp" else b2 * v + c2 * (g * g)
    return m, v


def _adam_step(
    a: Arithmetic, h: Hyperparameters, theta: Array, m: Array, v: Array, v_max: Array, g: Array, t: int
) -> tuple[Array, Array, Array, Array]:
    b1, b2, c1, c2, p1, p2, lr, decay, epsilon = _scalars(a, h, t)
    theta = theta - theta * decay * lr
    m, v = _moments(a, b1, b2, c1, c2, m, v, g)
    v_max = np.maximum(v_max, v)
    one = type(lr)(1)  # NumPy 1 makes float64 of 1 - float32
    alpha = lr * np.sqrt(one - p2) / (one - p1)
    return theta - (m * alpha) / (np.sqrt(v_max if h.amsgrad else v) + epsilon), m, v, v_max


def _rectified_step(
    a: Arithmetic, h: Hyperparameters, theta: Array, m: Array, v: Array, v_max: Array, g: Array, t: int
) -> tuple[Array, Array, Array, Array]:
    b1, b2, c1, c2, p1, p2, lr, decay, epsilon = _scalars(a, h, t)
    one, two, four = (type(lr)(x) for x in (1, 2, 4))
    m, v = _moments(a, b1, b2, c1, c2, m, v, g)
    v_max = np.maximum(v_max, v)
    m_hat = m * (one / (one - p1))
    v_hat = (v_max if h.amsgrad else v) * (one / (one - p2))
    longest = two / (one - type(lr)(np.dtype(a.power_betas).type(h.beta_2))) - one
    length = longest - two * type(lr)(t) * p2 * (one / (one - p2))
    update = m_hat
    if length >= h.sma_threshold:
        rectified = np.sqrt((length - four) / (longest - four) * (length - two) / (longest - two) * longest / length)
        update = rectified * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta - lr * (update + decay * theta), m, v, v_max


@pytest.mark.parametrize("threshold", [2.5, 0.0])
def test_where_the_rectification_is_no_number_framework_and_oracle_are_nan_together(threshold: float) -> None:
    """From the third step on, where the length of the moving average is between 2 and 4."""
    h = Hyperparameters(learning_rate=0.125, beta_2=1 - 2.0**-10, sma_threshold=threshold)
    gradients = tuple((array(1.0, -2.0, dtype="float64"),) for _ in range(6))
    theta = array(1.0, 0.5, dtype="float64")
    problem = Problem(dtype="float64", hyperparameters=h, parameters=(theta,), gradients=gradients)
    implementation = adapter("tfa-rectified-adam")
    seen = trajectory(implementation, problem)
    arithmetic = implementation.arithmetic("float64")
    walked = oracle.walk(implementation.claim.dialect, arithmetic, problem, seen)
    pairs = [(np.isnan(s.parameters[0]), np.isnan(w.expected.theta[0])) for s, w in zip(seen, walked, strict=True)]
    assert [(bool(a.all()), bool(b.all())) for a, b in pairs] == [(k >= 2, k >= 2) for k in range(6)]
