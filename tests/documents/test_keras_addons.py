"""What the document of TF-Addons' RectifiedAdam shows, Ranger too, run on TF-Addons 0.23."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from judged import judge
from live_keras import half_square, minimized, moments, moved, tf, value, variable

from adapters.contract import Hyperparameters
from adapters.tfa_lookahead import LookaheadRectified
from adapters.tfa_rectified import Rectified

RECTIFIED, LOOKAHEAD = Rectified(), LookaheadRectified()
RectifiedAdam, Lookahead = RECTIFIED.optimizer, LOOKAHEAD.optimizer


def with_lr(value: float, **how: Any) -> Any:
    """By the old name of the learning rate, as the document has it, and Keras warns."""
    with pytest.warns(UserWarning, match="`lr` argument is deprecated"):
        return RectifiedAdam(lr=value, **how)


def test_as_it_is_shown_it_is_the_formula_with_the_defaults() -> None:
    """Twelve steps: five of momentum alone, then rectified ones."""
    x = variable(10.0)
    gradients, observed = minimized(with_lr(1e-3), x, 12)
    judge(RECTIFIED, Hyperparameters(learning_rate=1e-3), value(variable(10.0)), gradients, observed)


def test_a_configuration_makes_the_same_optimizer_with_its_warm_up() -> None:
    shown = {"total_steps": 10000, "warmup_proportion": 0.1, "min_lr": 1e-5}
    optimizer = with_lr(1e-3, **shown)
    configuration = optimizer.get_config()
    assert {name: configuration[name] for name in shown} == shown
    assert configuration["learning_rate"] == 1e-3
    assert configuration["name"] == "RectifiedAdam"
    assert RectifiedAdam.from_config(dict(configuration)).get_config() == configuration


def test_ranger_is_lookahead_around_it() -> None:
    """Fourteen steps: slow weights act in the sixth and in the twelfth."""
    x = variable(10.0)
    ranger = Lookahead(RectifiedAdam(), sync_period=6, slow_step_size=0.5)
    gradients, observed = minimized(ranger, x, 14)
    h = Hyperparameters(sync_period=6, slow_step_size=0.5)
    judge(LOOKAHEAD, h, value(variable(10.0)), gradients, observed)
    assert abs(observed[5] - observed[4]) > 2 * abs(observed[4] - observed[3])


def test_the_configuration_of_ranger_holds_the_optimizer_inside() -> None:
    configuration = Lookahead(RectifiedAdam(0.25), sync_period=5, slow_step_size=0.25).get_config()
    assert configuration["optimizer"]["config"]["learning_rate"] == 0.25
    made = Lookahead.from_config(configuration)
    assert type(made._optimizer) is RectifiedAdam
    assert (made.sync_period, made.slow_step_size) == (5, 0.25)
    assert made.get_config()["optimizer"]["config"]["learning_rate"] == 0.25


def test_custom_objects_name_the_class_of_the_optimizer_inside() -> None:
    class Own(RectifiedAdam):  # type: ignore[misc, valid-type]
        """Keras has never heard of it."""

    configuration = Lookahead(Own(0.25)).get_config()
    with pytest.raises(ValueError, match="Own"):
        Lookahead.from_config(dict(configuration))
    assert type(Lookahead.from_config(configuration, custom_objects={"Own": Own})._optimizer) is Own


def test_a_step_of_ranger_may_have_a_name() -> None:
    """Which says nothing of its numbers."""
    ends = []
    for name in (None, "other"):
        x, ranger = variable(1.0), Lookahead(RectifiedAdam(0.5), sync_period=2)
        for gradient in (1.0, 3.0):
            moved(ranger, x, gradient, name=name)
        ends.append(float(x))
    assert ends[0] == ends[1] != 1.0


def test_slots_and_weights() -> None:
    """m, v and vhat; Lookahead has its own slot, slow, and its weights are its own before the inner ones."""
    x = variable(1.0)
    for amsgrad, names in ((False, ["m", "v"]), (True, ["m", "v", "vhat"])):
        optimizer = RectifiedAdam(amsgrad=amsgrad)
        optimizer.minimize(half_square(x), [x])
        assert optimizer.get_slot_names() == names
        assert len(optimizer.get_weights()) == 1 + len(names)
    ranger = Lookahead(RectifiedAdam())
    ranger.minimize(half_square(x), [x])
    assert ranger.get_slot_names() == ["slow"]
    assert [w.name.split("/")[-1] for w in ranger.weights] == ["iter:0", "slow:0", "m:0", "v:0"]


def test_weights_can_be_set_and_the_list_of_keras_1_too() -> None:
    """3 n + 1 arrays, the last n of which are left out."""
    x = variable(1.0, 2.0)
    optimizer = RectifiedAdam()
    optimizer.minimize(half_square(x), [x])
    given = [np.array(10), np.ones(2), np.full(2, 0.5)]
    for weights in (given, [*given, np.full(2, 7.0)]):
        optimizer.set_weights(weights)
        assert int(optimizer.iterations.numpy()) == 10
        assert [slot.tolist() for slot in moments(optimizer, x)] == [[1.0, 1.0], [0.5, 0.5]]


def test_weight_decay_may_be_a_schedule() -> None:
    """It is asked with the iterations, from 0 on: decay 0.5, then 0.25, at learning rate 0.125 and gradients of 0."""
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.25])
    x = variable(1.0)
    optimizer = RectifiedAdam(learning_rate=0.125, weight_decay=schedule)
    seen = []
    for _ in range(2):
        optimizer.apply_gradients([(tf.zeros_like(x), x)])
        seen.append(float(x.numpy()))
    assert seen == [1 - 0.0625, (1 - 0.0625) * (1 - 0.03125)]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"total_steps": 5.0}, TypeError, '"total_steps" must be int'),
        ({"name": 3}, TypeError, '"name" must be str'),
        ({"clipnorm": 1.0, "global_clipnorm": 1.0}, ValueError, "Cannot accept both"),
        ({"clipvalue": -1.0}, ValueError, "Expected clipvalue >= 0"),
        ({"momentum": 0.5}, TypeError, "Unexpected keyword argument"),
    ],
    ids=str,
)
def test_arguments_that_are_refused(given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        RectifiedAdam(**given)


def test_what_lookahead_refuses_to_wrap() -> None:
    assert type(Lookahead("adam")._optimizer) is tf.keras.optimizers.legacy.Adam
    with pytest.raises(ValueError, match="Unknown optimizer"):
        Lookahead("nobody")
    with pytest.raises(TypeError, match='"optimizer" must be one of'):
        Lookahead(3)


def test_clipping_is_that_of_the_base_class() -> None:
    for given, m in (({"clipvalue": 2.0}, [1.0, -1.0]), ({"clipnorm": 2.5}, [0.75, -1.0])):
        x, optimizer = variable(1.0, 1.0), RectifiedAdam(beta_1=0.5, **given)
        optimizer.apply_gradients([(tf.constant([3.0, -4.0]), x)])
        assert moments(optimizer, x)[0].tolist() == m


def test_decay_divides_the_learning_rate_by_the_iterations() -> None:
    """Gradients of 1 and beta_1 0: before it rectifies, a step is the learning rate, 0.5 / (1 + t)."""
    x = variable(1.0)
    optimizer = RectifiedAdam(learning_rate=0.5, beta_1=0.0, decay=1.0)
    seen = []
    for _ in range(2):
        optimizer.apply_gradients([(tf.ones_like(x), x)])
        seen.append(float(x.numpy()))
    assert seen == [0.5, 0.25]
