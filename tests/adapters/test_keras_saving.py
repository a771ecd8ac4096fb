"""What Keras 2.15 and TF-Addons 0.23 lose when they are saved or changed in other ways than the adapters'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.keras_v2 import Fused
from adapters.tensorflow_support import import_tensorflow, import_tensorflow_addons
from adapters.tf_keras_adam import TfKeras
from adapters.tfa_rectified import Rectified
from conformance.laws import while_on
from conformance.subjects import subjects

ONES = [1.0, 1.0]


def legacy() -> Any:
    import_tensorflow()
    from keras.src.optimizers.legacy import adam

    return adam.Adam


def newer() -> Any:
    return import_tensorflow().keras.optimizers.Adam


def variable(value: float = 1.0) -> Any:
    tf = import_tensorflow()
    return tf.Variable(np.full(2, value, np.float32))


def step(optimizer: Any, *pairs: tuple[Any, Any]) -> None:
    tf = import_tensorflow()
    optimizer.apply_gradients([(None if g is None else tf.constant(g), v) for g, v in pairs])


def test_the_weights_of_keras_1_are_accepted_with_their_maxima() -> None:
    """3n + 1 arrays for an optimizer without AMSGrad, as Keras 1 wrote them: the last n are left out."""
    a, b = variable(), variable(2.0)
    one = legacy()(0.1)
    for _ in range(3):
        step(one, (ONES, a), ([2.0, -1.0], b))
    copies = [variable(), variable()]
    other = legacy()(0.1)
    step(other, (ONES, copies[0]), (ONES, copies[1]))
    other.set_weights([*one.get_weights(), np.ones(2), np.ones(2)])
    for kept, v in zip(copies, (a, b), strict=True):
        kept.assign(v)
    for optimizer, pair in ((one, (a, b)), (other, copies)):
        step(optimizer, (ONES, pair[0]), ([2.0, -1.0], pair[1]))
    assert int(other.iterations.numpy()) == 4
    for kept, v in zip(copies, (a, b), strict=True):
        assert kept.numpy().tobytes() == v.numpy().tobytes()


def test_set_weights_gives_the_moments_to_the_wrong_slots_where_a_gradient_came_late() -> None:
    """The order is that of creation: m and v of each variable by themselves, or every m and then every v."""
    a, b = variable(), variable()
    one = legacy()(0.1)
    step(one, (ONES, a), (None, b))
    step(one, (ONES, a), ([2.0, 2.0], b))
    other = legacy()(0.1)
    step(other, (ONES, a), (ONES, b))
    other.set_weights(one.get_weights())
    np.testing.assert_array_equal(other.get_slot(b, "m"), one.get_slot(a, "v"))
    np.testing.assert_array_equal(other.get_slot(a, "v"), one.get_slot(b, "m"))


def test_a_learning_rate_that_is_assigned_between_a_restore_and_the_first_step_is_lost(tmp_path: Path) -> None:
    """It is restored when the first step creates the variable."""
    tf = import_tensorflow()
    v, one = variable(), legacy()(0.1)
    step(one, (ONES, v))
    path = tf.train.Checkpoint(optimizer=one, v=v).write(str(tmp_path / "checkpoint"))
    w, other = variable(), legacy()(0.3)
    tf.train.Checkpoint(optimizer=other, v=w).read(path)
    other.learning_rate = 0.7
    step(other, (ONES, w))
    assert float(other.learning_rate.numpy()) == np.float32(0.1)


def test_what_the_newer_optimizer_saves_of_its_own_has_no_learning_rate() -> None:
    v, one, store = variable(), newer()(0.1), dict[str, Any]()
    step(one, (ONES, v))
    one.save_own_variables(store)
    other = newer()(0.3)
    other.build([v])
    other.load_own_variables(store)
    assert int(other.iterations.numpy()) == 1
    assert float(other.learning_rate.numpy()) == np.float32(0.3)


def test_an_epsilon_of_zero_is_the_default_for_the_constructor_and_zero_for_an_assignment() -> None:
    one, other = legacy()(0.1, epsilon=0.0), legacy()(0.1)
    other.epsilon = 0.0
    assert (one.epsilon, other.epsilon) == (1e-7, 0.0)


FROZEN = {"legacy": {"epsilon"}, "newer": {"beta_1", "beta_2", "epsilon", "weight_decay"}}
"""Python attributes, which a traced function has read once."""


SEEN = {"legacy": {"learning_rate", "beta_1", "beta_2"}, "newer": {"learning_rate"}}
"""Variables."""


@pytest.mark.parametrize(
    ("base", "name"), [(base, name) for base in SEEN for name in sorted(SEEN[base] | FROZEN[base])]
)
def test_a_traced_function_does_not_see_every_change(base: str, name: str) -> None:
    tf = import_tensorflow()

    def after_a_change(*, traced: bool) -> Any:
        v, optimizer = variable(), {"legacy": legacy, "newer": newer}[base]()(0.1)
        g = tf.constant([1.0, -2.0])

        def train() -> None:
            optimizer.apply_gradients([(g, v)])

        function = tf.function(train) if traced else train
        function()
        setattr(optimizer, name, 0.5)
        function()
        function()
        return v.numpy()

    alike = np.allclose(after_a_change(traced=True), after_a_change(traced=False), rtol=1e-5)
    assert alike != (name in FROZEN[base])


def test_decay_that_is_given_to_rectified_adam_later_never_acts_though_its_configuration_has_it() -> None:
    rectified = import_tensorflow_addons().optimizers.RectifiedAdam
    v, w = variable(), variable()
    one, other = rectified(0.1), rectified(0.1, weight_decay=0.5)
    one.weight_decay = 0.5
    for _ in range(2):
        step(one, ([0.0, 0.0], v))
        step(other, ([0.0, 0.0], w))
    assert float(one.get_config()["weight_decay"]) == 0.5
    np.testing.assert_array_equal(v, [1.0, 1.0])
    np.testing.assert_allclose(w, [0.95**2] * 2, rtol=1e-6)


# Under a schedule and a warm-up


def lying(claimed: type[Any], *names: str, unless: dict[str, str]) -> Any:
    """The adapter, whose claim says that a load brings these back."""
    implementation = claimed()
    save = implementation.claim.procedures["save"]
    save = replace(save, hyperparameters=save.hyperparameters | {*names}, unless=unless)
    implementation.claim = replace(implementation.claim, procedures={**implementation.claim.procedures, "save": save})
    return implementation


WRONG = {
    "a rate beside a schedule": (Fused, (), {}),
    "decay of the rate": (Fused, ("decay",), {"learning_rate": "schedule"}),
    "what clips": (Fused, ("clipnorm",), {"learning_rate": "schedule"}),
    "the average's momentum": (TfKeras, ("ema_momentum",), {"learning_rate": "schedule"}),
    "weight decay beside its schedule": (Rectified, (), {"learning_rate": "schedule"}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_claim_of_more_than_a_checkpoint_brings_back_is_refuted(wrong: str) -> None:
    """As the claim is, `tox -m gate` holds it."""
    cls, names, unless = WRONG[wrong]
    implementation = lying(cls, *names, unless=unless)
    drawn = subjects(implementation, "settings", 40, 0)
    assert any(while_on.saved(implementation, problem).findings for problem in drawn)


def test_a_claim_without_the_warm_up_that_a_checkpoint_brings_back_is_refuted() -> None:
    implementation = Rectified()
    save = implementation.claim.procedures["save"]
    less = replace(save, hyperparameters=save.hyperparameters - {"total_steps", "warmup_proportion", "min_lr"})
    implementation.claim = replace(implementation.claim, procedures={**implementation.claim.procedures, "save": less})
    (problem,) = (p for p in subjects(implementation, "settings", 40, 0) if p.hyperparameters.total_steps)
    assert while_on.saved(implementation, problem).findings


ASSIGNED = {
    "amsgrad": (False, True),
    "sma_threshold": (5.0, 1e9),
    "warmup_proportion": (0.5, 1.0),
    "min_lr": (0.0, 0.05),
    "clipnorm": (None, 1e-3),
}
"""Of RectifiedAdam, in one direction and in the other."""


@pytest.mark.parametrize("name", ASSIGNED)
@pytest.mark.parametrize("back", [False, True])
def test_what_is_assigned_to_rectified_adam_is_as_if_it_was_built_so(name: str, back: bool) -> None:
    built, assigned = ASSIGNED[name][::-1] if back else ASSIGNED[name]
    rectified = import_tensorflow_addons().optimizers.RectifiedAdam
    v, w = variable(), variable()
    one = rectified(0.1, total_steps=4, **{name: built})
    setattr(one, name, assigned)
    other = rectified(0.1, total_steps=4, **{name: assigned})
    for k in range(7):
        for optimizer, x in ((one, v), (other, w)):
            step(optimizer, ([1.0 if k else 8.0, -1.0], x))
    assert v.numpy().tobytes() == w.numpy().tobytes()
    assert v.numpy().tobytes() != variable().numpy().tobytes()
