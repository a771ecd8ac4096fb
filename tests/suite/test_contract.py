"""The contract refuses what it does not allow: the message names argument, value and what is accepted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from adapters.contract import (
    GRADIENT_KINDS,
    HYPERPARAMETERS,
    PRECISIONS,
    PROCEDURES,
    Arithmetic,
    Claim,
    ContractError,
    Hyperparameters,
    Problem,
    Procedure,
    Rows,
    Schedule,
    check_gradients,
)

NOT_NEGATIVE = ("learning_rate", "epsilon", "l2", "weight_decay", "rescale_grad", "sma_threshold", "decay")
CLIPS = ("clip_gradient", "clipvalue", "clipnorm", "global_clipnorm")
NOT_NUMBERS = (math.nan, math.inf, -math.inf, True, "0.1", [0.1], np.zeros(2))
THETA = (np.zeros((3, 2), dtype=np.float32), np.zeros((), dtype=np.float32))


def refused(argument: str, accepted: str, make: Any, *arguments: Any, **keywords: Any) -> str:
    """The message, after a look at its parts."""
    with pytest.raises(ContractError) as caught:
        make(*arguments, **keywords)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.argument == argument
    assert message.startswith(f"{argument} is ")
    assert f"; accepted: {accepted}" in message
    return message


RawRows: Any = Rows
"""Without the type checker's opinion."""


def rows(indices: Any, values: Any, *, dtype: Any = np.int64) -> Rows:
    return Rows(indices=np.asarray(indices, dtype=dtype), values=np.asarray(values, dtype=np.float32))


# Hyper-parameters


@pytest.mark.parametrize("value", [-1e-9, -1, *NOT_NUMBERS], ids=repr)
@pytest.mark.parametrize("name", [*NOT_NEGATIVE, *CLIPS])
def test_a_number_below_zero_or_no_finite_number_is_refused(name: str, value: object) -> None:
    accepted = "None or a finite number >= 0" if name in CLIPS else "a finite number >= 0"
    assert repr(value) in refused(name, accepted, Hyperparameters, **{name: value})


@pytest.mark.parametrize("value", [-0.1, 1, 1.0, 2, *NOT_NUMBERS], ids=repr)
@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
def test_a_beta_outside_0_to_1_is_refused(name: str, value: object) -> None:
    assert repr(value) in refused(name, "a number in [0, 1)", Hyperparameters, **{name: value})


@pytest.mark.parametrize("value", [0, 1, None, "yes"], ids=repr)
@pytest.mark.parametrize("name", ["amsgrad", "adaptive_epsilon"])
def test_a_switch_that_is_no_bool_is_refused(name: str, value: object) -> None:
    assert repr(value) in refused(name, "True or False", Hyperparameters, **{name: value})


def test_there_is_one_norm() -> None:
    refused("global_clipnorm", "None where clipnorm is a number", Hyperparameters, clipnorm=1.0, global_clipnorm=2.0)


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "6", math.nan], ids=repr)
def test_an_overwrite_frequency_that_does_not_count_is_refused(value: object) -> None:
    said = refused(
        "ema_overwrite_frequency", "None or a whole number >= 1", Hyperparameters, ema_overwrite_frequency=value
    )
    assert repr(value) in said


@pytest.mark.parametrize("value", [-0.1, 1.5, *NOT_NUMBERS], ids=repr)
def test_an_ema_momentum_that_is_no_share_is_refused(value: object) -> None:
    assert repr(value) in refused("ema_momentum", "None or a number in [0, 1]", Hyperparameters, ema_momentum=value)


@pytest.mark.parametrize("value", [[0], (-1,), (0.0,), (True,), 0, None], ids=repr)
def test_exclusions_that_number_no_parameters_are_refused(value: object) -> None:
    said = refused(
        "exclude_from_weight_decay",
        "a tuple of numbers of parameters",
        Hyperparameters,
        exclude_from_weight_decay=value,
    )
    assert repr(value) in said


@pytest.mark.parametrize("value", ["nonneg", "", 1, True], ids=repr)
def test_a_constraint_that_is_unknown_is_refused(value: object) -> None:
    accepted = "None, non_neg, max_norm, unit_norm, min_max_norm, clip_weights"
    said = refused("constraint", accepted, Hyperparameters, constraint=value)
    assert repr(value) in said


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "6", math.nan], ids=repr)
def test_a_sync_period_that_does_not_count_is_refused(value: object) -> None:
    assert repr(value) in refused("sync_period", "None or a whole number >= 1", Hyperparameters, sync_period=value)


@pytest.mark.parametrize("value", [-0.1, 1.5, *NOT_NUMBERS], ids=repr)
def test_a_slow_step_size_that_is_no_share_is_refused(value: object) -> None:
    assert repr(value) in refused("slow_step_size", "a number in [0, 1]", Hyperparameters, slow_step_size=value)


@pytest.mark.parametrize("name", [*NOT_NEGATIVE, "beta_1", "beta_2"])
def test_only_what_clips_may_be_none(name: str) -> None:
    accepted = "a number in [0, 1)" if name.startswith("beta") else "a finite number >= 0"
    refused(name, accepted, Hyperparameters, **{name: None})
    assert all(getattr(Hyperparameters(**{clip: None}), clip) is None for clip in CLIPS)


@pytest.mark.parametrize("name", [*NOT_NEGATIVE, *CLIPS, "beta_1", "beta_2"])
def test_zero_is_a_value_like_any_other(name: str) -> None:
    zero: dict[str, Any] = {name: 0.0}
    assert getattr(Hyperparameters(**zero), name) == 0


def test_hyper_parameters_are_frozen_and_named() -> None:
    h = Hyperparameters()
    with pytest.raises(AttributeError):
        h.beta_1 = 0.5  # type: ignore[misc]
    with pytest.raises(TypeError):
        Hyperparameters(0.1)  # type: ignore[call-arg]
    assert tuple(vars(h)) == HYPERPARAMETERS


# Gradients


@pytest.mark.parametrize(
    ("gradients", "argument", "accepted"),
    [
        ((None,), "len(gradients)", "2, one per parameter (None for no gradient)"),
        ((None, None, None), "len(gradients)", "2, one per parameter (None for no gradient)"),
        ((np.zeros((2, 3), np.float32), None), "gradients[0].shape", "(3, 2)"),
        ((np.zeros(6, np.float32), None), "gradients[0].shape", "(3, 2)"),
        ((np.zeros((3, 2)), None), "gradients[0].dtype", "float32"),
        (([[0.0, 0.0]] * 3, None), "gradients[0]", "a NumPy array"),
        ((None, 0.0), "gradients[1]", "a NumPy array"),
        ((None, np.float32(0)), "gradients[1]", "a NumPy array"),
        ((None, np.zeros(1, np.float32)), "gradients[1].shape", "()"),
        ((None, rows([0], [0])), "gradients[1]", "an array or None: a 0-d parameter has no rows"),
        ((rows([3], [[0, 0]]), None), "gradients[0].indices", "row numbers from 0 to 2"),
        ((rows([-1], [[0, 0]]), None), "gradients[0].indices", "row numbers from 0 to 2"),
        ((rows([0], [[0, 0]], dtype=np.int32), None), "gradients[0].indices", "an int64 array of one dimension"),
        ((rows([0.0], [[0, 0]], dtype=float), None), "gradients[0].indices", "an int64 array of one dimension"),
        ((rows([[0]], [[0, 0]]), None), "gradients[0].indices", "an int64 array of one dimension"),
        ((rows([0, 1], [[0, 0]]), None), "gradients[0].values.shape", "(2, 2)"),
        ((rows([0], [[0, 0, 0]]), None), "gradients[0].values.shape", "(1, 2)"),
        ((RawRows(np.array([0]), np.zeros((1, 2))), None), "gradients[0].values.dtype", "float32"),
        ((RawRows([0], np.zeros((1, 2), np.float32)), None), "gradients[0].indices", "an int64 array"),
        ((RawRows(np.array([0]), [[0, 0]]), None), "gradients[0].values", "a NumPy array"),
    ],
)
def test_gradients_that_do_not_fit_are_refused(gradients: Any, argument: str, accepted: str) -> None:
    refused(argument, accepted, check_gradients, THETA, gradients)


def test_rows_may_be_empty_duplicate_and_unsorted() -> None:
    check_gradients(THETA, (rows(np.zeros(0), np.zeros((0, 2))), None))
    check_gradients(THETA, (rows([2, 0, 2], np.zeros((3, 2))), np.zeros((), np.float32)))


# Problem


def problem(**changed: Any) -> Problem:
    valid = {"dtype": "float32", "hyperparameters": Hyperparameters(), "parameters": THETA, "gradients": ()}
    return Problem(**{**valid, **changed})


def test_a_problem_of_unknown_dtype_is_refused() -> None:
    refused("dtype", ", ".join(PRECISIONS), problem, dtype="longdouble")


def test_a_problem_whose_parameters_are_of_another_dtype_is_refused() -> None:
    refused("parameters[1].dtype", "float64", problem, dtype="float64", parameters=(np.zeros(1), THETA[1]))
    refused("parameters[0]", "a NumPy array", problem, parameters=([0.0],))


def test_a_problem_names_step_and_parameter_of_a_gradient_that_does_not_fit() -> None:
    gradients = ((None, None), (np.zeros(3, np.float32), None))
    refused("gradients[1][0].shape", "(3, 2)", problem, gradients=gradients)


def test_bfloat16_travels_as_float32() -> None:
    problem(dtype="bfloat16", gradients=((THETA[0], None),))
    refused("parameters[0].dtype", "float32", problem, dtype="bfloat16", parameters=(np.zeros(1),))


# Claim and arithmetic


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("hyperparameters", frozenset({"learning_rate", "momentum"}), HYPERPARAMETERS),
        ("dtypes", ("float32", "complex64"), PRECISIONS),
        ("gradients", frozenset({"dense", "columns"}), GRADIENT_KINDS),
    ],
)
def test_a_claim_of_something_unknown_is_refused(name: str, value: Any, accepted: tuple[str, ...]) -> None:
    given = {"dialect": "torch-adam", "hyperparameters": frozenset({"learning_rate"}), name: value}
    message = refused(f"claim.{name}", ", ".join(accepted), Claim, **given)
    assert next(word for word in value if word not in accepted) in message


@pytest.mark.parametrize(("name", "value"), [("dtypes", ()), ("gradients", frozenset({"none"}))])
def test_a_claim_on_which_no_problem_can_be_drawn_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ContractError, match=f"claim.{name} is .*; accepted: "):
        Claim(**{"dialect": "torch-adam", "hyperparameters": frozenset({"learning_rate"}), name: value})


ADAM = {"dialect": "torch-adam", "hyperparameters": frozenset({"learning_rate", "amsgrad", "l2"})}


@pytest.mark.parametrize(
    ("argument", "accepted", "procedures"),
    [
        ("claim.procedures", ", ".join(PROCEDURES), {"rewrite": Procedure(how="backwards")}),
        ("claim.procedures", "a mapping from names to Procedure", ("save",)),
        ("claim.procedures['save']", "a Procedure", {"save": "state_dict"}),
        ("claim.procedures['save'].how", "the framework's procedure in words", {"save": Procedure(how="")}),
        (
            "claim.procedures['save'].unless",
            "a mapping from hyper-parameters to hyper-parameters",
            {"save": Procedure(how="x", unless=("l2",))},  # type: ignore[arg-type]
        ),
        ("claim.procedures['save'].unless", "", {"save": Procedure(how="x", unless={"learning_rate": "l2"})}),
        (
            "claim.procedures['save'].unless",
            "amsgrad, l2, learning_rate",
            {"save": Procedure(how="x", hyperparameters=frozenset({"l2"}), unless={"l2": "schedule"})},
        ),
        ("claim.procedures", '"groups" too', {"late groups": Procedure(how="add_param_group")}),
        *(
            (
                "claim.procedures",
                '"save" and "groups" too',
                {name: Procedure(how="x") for name in (half, "saved groups")},
            )
            for half in ("save", "groups")
        ),
        *(
            (
                "claim.procedures",
                '"change" and "groups" too',
                {name: Procedure(how="x") for name in (half, "changed groups")},
            )
            for half in ("change", "groups")
        ),
        *(
            (
                f"claim.procedures['{name}'].hyperparameters",
                f"{'amsgrad, ' if name == 'groups' else ''}l2, learning_rate",
                {name: Procedure(how="somehow", hyperparameters=frozenset({beyond}))},
            )
            for name, beyond in (
                ("save", "amsgrad"),
                ("change", "amsgrad"),
                ("save", "beta_1"),
                ("change", "beta_1"),
                ("groups", "beta_1"),
            )
        ),
    ],
)
def test_a_procedure_that_nobody_knows_or_that_reaches_beyond_the_claim_is_refused(
    argument: str, accepted: str, procedures: Any
) -> None:
    refused(argument, accepted, Claim, **ADAM, procedures=procedures)


def test_a_load_brings_a_rate_back_unless_there_is_a_schedule_of_it_on_either_side() -> None:
    rates = frozenset({"learning_rate", "beta_1"})
    save = Procedure(how="x", hyperparameters=rates, unless={"learning_rate": "schedule"})
    without, scheduled = Hyperparameters(), Hyperparameters(schedule=Schedule("inverse_root", decay_steps=2))
    assert save.brought_back(without, without) == {"learning_rate", "beta_1"}
    for saved, new in ((scheduled, without), (without, scheduled), (scheduled, scheduled)):
        assert save.brought_back(saved, new) == {"beta_1"}
    claim = Claim(dialect="keras-v2-adam", hyperparameters=rates | {"schedule"}, procedures={"save": save})
    assert "learning_rate brought back by save beside schedule" in claim.without()


def test_what_a_claim_is_without_names_absent_procedures_and_what_the_others_do_not_reach() -> None:
    few: Any = Claim(**ADAM, not_claimed=("maximize",))  # type: ignore[arg-type]
    assert few.without() == ("maximize", *(f"procedure {name}" for name in PROCEDURES))
    rate = Procedure(how="somehow", hyperparameters=frozenset({"learning_rate"}))
    more: Any = Claim(**ADAM, procedures={"save": rate, "change": rate})  # type: ignore[arg-type]
    assert more.without() == (
        "procedure rewind",
        "procedure configuration",
        "procedure groups",
        "procedure late groups",
        "procedure saved groups",
        "procedure changed groups",
        "procedure state",
        "procedure mixed dtypes",
        "procedure empty steps",
        "procedure finalize",
        "procedure replicas",
        "procedure unaggregated replicas",
        "procedure transformers",
        "procedure tensors",
        "procedure callables",
        "procedure weights",
        "l2 brought back by save",
        "l2 changed between steps",
    )


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("storage", PRECISIONS),
        ("compute", PRECISIONS),
        ("moment_betas", PRECISIONS),
        ("power_form", ("pow", "product")),
        ("first_moment", ("sum", "lerp")),
        ("second_moment", ("sum", "lerp")),
    ],
)
@pytest.mark.parametrize("value", ["double", "", None, 32], ids=repr)
def test_an_arithmetic_of_something_unknown_is_refused(name: str, accepted: tuple[str, ...], value: Any) -> None:
    given = {"storage": "float32", "compute": "float32", name: value}
    assert repr(value) in refused(f"arithmetic.{name}", ", ".join(accepted), Arithmetic, **given)


@pytest.mark.parametrize("value", [True, None, "yes"], ids=repr)
def test_both_decays_are_for_who_claims_both(value: Any) -> None:
    accepted = "False, or True where l2 and weight_decay are claimed"
    refused(
        "claim.both_decays",
        accepted,
        Claim,
        dialect="torch-adam",
        hyperparameters=frozenset({"l2"}),
        both_decays=value,
    )
    both = frozenset({"l2", "weight_decay"})
    assert Claim(dialect="torch-adam", hyperparameters=both, both_decays=True).both_decays
