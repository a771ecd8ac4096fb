"""Every refusal names the argument, its value and what would be accepted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reference import DIALECTS, Hyperparameters, Rounding, dialect, initial_state, step

NOT_A_NUMBER, INFINITE = math.nan, math.inf
NOT_NEGATIVE = ["learning_rate", "epsilon", "l2", "weight_decay", "rescale_grad", "sma_threshold"]
NOT_NEGATIVE += ["epsilon_root", "momentum_decay"]
ROWS_1 = np.array([1])
ONE_ROW = np.ones((1, 2))


def refused(call: Callable[[], object], *parts: str) -> None:
    """`call` raises a ValueError whose message has every part."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the parts are the match
        call()
    for part in (*parts, "accepted: "):
        assert part in str(caught.value)


@pytest.mark.parametrize("value", [-1e-3, -1, NOT_A_NUMBER, INFINITE, -INFINITE, np.float32("nan")])
@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_numbers_are_finite_and_not_negative(name: str, value: Any) -> None:
    refused(lambda: Hyperparameters(**{name: value}), f"{name} is {value!r}", "a finite number >= 0")


@pytest.mark.parametrize("value", [-0.1, 1.0, 1, 1.5, NOT_A_NUMBER, INFINITE, -INFINITE])
@pytest.mark.parametrize("name", ["beta_1", "beta_2", "power_beta_1", "power_beta_2"])
def test_betas_are_from_0_to_below_1(name: str, value: Any) -> None:
    refused(lambda: Hyperparameters(**{name: value}), f"{name} is {value!r}", "a number in [0, 1)")


@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
def test_betas_are_not_none(name: str) -> None:
    nothing: Any = None
    refused(lambda: Hyperparameters(**{name: nothing}), f"{name} is None", "a number in [0, 1)")


@pytest.mark.parametrize("name", ["clip_gradient", "clipvalue", "clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("value", [-0.5, NOT_A_NUMBER, INFINITE])
def test_what_clips_is_none_or_not_negative(name: str, value: Any) -> None:
    refused(
        lambda: Hyperparameters(**{name: value}),
        f"{name} is {value!r}",
        "None or a finite number >= 0",
    )


def test_there_is_one_norm() -> None:
    refused(
        lambda: Hyperparameters(clipnorm=1.0, global_clipnorm=2.0),
        "global_clipnorm is 2.0",
        "None where clipnorm is a number",
    )


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, True, NOT_A_NUMBER, "6"])
def test_sync_period_is_none_or_counts(value: Any) -> None:
    refused(lambda: Hyperparameters(sync_period=value), f"sync_period is {value!r}", "None or a whole number >= 1")


@pytest.mark.parametrize("value", [-0.1, 1.001, NOT_A_NUMBER, INFINITE, None, "0.5"])
def test_slow_step_size_is_a_share(value: Any) -> None:
    refused(lambda: Hyperparameters(slow_step_size=value), f"slow_step_size is {value!r}", "a number in [0, 1]")


@pytest.mark.parametrize("values", [{"learning_rate": 0.0, "beta_1": 0.0, "beta_2": 0, "epsilon": 0}])
@pytest.mark.parametrize("clip", [None, 0.0, 0])
def test_the_edges_are_accepted(values: dict[str, Any], clip: float | None) -> None:
    h = Hyperparameters(**values, clip_gradient=clip)
    assert h.power_beta_1 == 0
    assert h.power_beta_2 == 0


@pytest.mark.parametrize("name", ["adam", "", "Keras-v2-adam", "torch_adam"])
def test_an_unknown_dialect_lists_the_known_ones(name: str) -> None:
    refused(lambda: dialect(name), f"dialect is {name!r}", *DIALECTS)


@pytest.mark.parametrize("value", [0.5, [0.5], (0.5, -1.0), (NOT_A_NUMBER,), (INFINITE,), ("1",), None])
@pytest.mark.parametrize("name", ["lr_mult", "wd_mult"])
def test_multipliers_are_a_tuple_of_numbers(name: str, value: Any) -> None:
    refused(lambda: Hyperparameters(**{name: value}), f"{name} is {value!r}", "one finite number >= 0 per parameter")


@pytest.mark.parametrize("value", [-1, 1.0, True, None, "3"])
def test_a_count_begins_at_a_whole_number(value: Any) -> None:
    text = f"begin_num_update is {value!r}"
    refused(lambda: Hyperparameters(begin_num_update=value), text, "a whole number >= 0")


GIVEN: dict[str, Any] = {
    "adaptive_epsilon": True,
    "amsgrad": True,
    "l2": 0.1,
    "weight_decay": 0.1,
    "rescale_grad": 0.5,
    "clip_gradient": 1.0,
    "sma_threshold": 6.0,
    "epsilon_root": 0.1,
    "momentum_decay": 0.5,
    "sync_period": 3,
    "slow_step_size": 0.25,
    "decay": 0.5,
    "clipvalue": 1.0,
    "clipnorm": 1.0,
    "global_clipnorm": 1.0,
    "lr_mult": (0.5,),
    "wd_mult": (0.5,),
    "begin_num_update": 7,
    "ema_momentum": 0.5,
    "ema_overwrite_frequency": 2,
    "exclude_from_weight_decay": (0,),
    "constraint": "non_neg",
}


@pytest.mark.parametrize(("name", "hyperparameter"), [(d, h) for d in DIALECTS for h in GIVEN])
def test_a_hyperparameter_is_refused_exactly_where_the_dialect_does_not_have_it(name: str, hyperparameter: str) -> None:
    d, value = dialect(name), GIVEN[hyperparameter]
    h = Hyperparameters(**{hyperparameter: value})
    state = initial_state([np.ones(2)], h)
    if hyperparameter in d.hyperparameters:
        step(d, h, state, [np.ones(2)])
    else:
        refused(lambda: step(d, h, state, [np.ones(2)]), f"{hyperparameter} is {value!r}", "nothing", name)


def one_step(gradients: list[Any], *, name: str = "keras-v2-adam", shapes: Any = ((3, 2),)) -> object:
    h = Hyperparameters()
    return step(dialect(name), h, initial_state([np.ones(shape) for shape in shapes], h), gradients)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_gradient_per_parameter(count: int) -> None:
    refused(lambda: one_step([None] * count, shapes=((2,), (2,))), f"len(gradients) is {count}", "2, one per parameter")


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (3, 2, 1), (1, 2), (0,)])
def test_a_dense_gradient_has_the_parameters_shape(shape: tuple[int, ...]) -> None:
    refused(lambda: one_step([np.ones(shape)]), f"gradients[0] has shape {shape}", "(3, 2)")


def test_the_message_counts_the_parameter() -> None:
    refused(lambda: one_step([None, np.ones(3)], shapes=((2,), (2,))), "gradients[1] has shape (3,)", "(2,)")


@pytest.mark.parametrize("shape", [(2,), (2, 2), (1, 3), (1, 2, 1)])
def test_row_values_have_one_row_per_row_number(shape: tuple[int, ...]) -> None:
    refused(lambda: one_step([(ROWS_1, np.ones(shape))]), f"gradients[0] has shape {shape}", "(1, 2)")


@pytest.mark.parametrize("row", [-1, 3, 100, -100])
@pytest.mark.parametrize("name", [name for name, d in DIALECTS.items() if d.takes_rows])
def test_rows_are_in_range(name: str, row: int) -> None:
    refused(
        lambda: one_step([(np.array([0, row]), np.ones((2, 2)))], name=name),
        "gradients[0] names rows",
        str(row),
        "0 to 2",
    )


def test_torch_adam_takes_no_rows() -> None:
    refused(lambda: one_step([(ROWS_1, ONE_ROW)], name="torch-adam"), "gradients[0] is row-sparse", "torch-adam")


@pytest.mark.parametrize(("of_state", "of_step"), [(False, True), (True, False)])
def test_amsgrad_agrees_with_the_state(of_state: bool, of_step: bool) -> None:
    state = initial_state([np.ones(2)], Hyperparameters(amsgrad=of_state))
    refused(
        lambda: step(dialect("torch-adam"), Hyperparameters(amsgrad=of_step), state, [np.ones(2)]),
        f"amsgrad is {of_step!r}",
        "v_max",
    )


@pytest.mark.parametrize(("of_state", "of_step"), [(None, 3), (3, None)])
def test_sync_period_agrees_with_the_state(of_state: int | None, of_step: int | None) -> None:
    state = initial_state([np.ones(2)], Hyperparameters(sync_period=of_state))
    refused(
        lambda: step(dialect("tfa-lookahead-keras-v2-adam"), Hyperparameters(sync_period=of_step), state, [np.ones(2)]),
        f"sync_period is {of_step!r}",
        "slow weights",
    )


@pytest.mark.parametrize("name", ["compute", "powers", "step_size"])
@pytest.mark.parametrize("value", ["float80", "", "single", "Float32"])
def test_an_unknown_format_lists_the_known_ones(name: str, value: str) -> None:
    formats = {"compute": "float32", "powers": "float32", "step_size": "float32"}
    refused(
        lambda: Rounding(**{**formats, name: value}),  # type: ignore[arg-type]
        f"{name} is {value!r}",
        "bfloat16, float16, float32, float64",
    )


# Refusals that are missing: a different exception comes, or none


def test_an_empty_list_of_rows_is_accepted() -> None:
    one_step([([], np.ones((0, 2)))])


def test_a_0_d_parameter_takes_no_rows() -> None:
    refused(lambda: one_step([([0], np.ones(1))], shapes=((),)), "gradients[0]")


def test_row_numbers_are_integers() -> None:
    refused(lambda: one_step([(np.array([1.0]), ONE_ROW)]), "gradients[0]")


@pytest.mark.parametrize("name", ["mxnet2-adam", "mxnet2-adam-lazy", "mxnet1-adam", "mxnet1-adam-lazy"])
def test_a_dialect_that_does_not_sum_duplicate_rows_refuses_them(name: str) -> None:
    refused(lambda: one_step([(np.array([1, 1]), np.ones((2, 2)))], name=name), "gradients[0]")
