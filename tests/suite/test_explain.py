"""`python -m conformance explain A B`: what differs is shown, what is shown differs, and how much is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import pytest
from suite_cli import conformance

from conformance import explain
from conformance.explain import ROUNDING, SETTINGS, Effect, Setting
from reference import DIALECTS, Dialect, stages

KERAS, TORCH = DIALECTS["keras-v2-adam"], DIALECTS["torch-adam"]
PAIRS = list(combinations(DIALECTS.values(), 2))


def effects(a: Dialect, b: Dialect) -> dict[str, Effect]:
    return {effect.setting.name: effect for effect in explain.explain(a, b).effects}


def seen(a: Dialect, b: Dialect) -> set[str]:
    """Names of the settings that tell two dialects apart."""
    return {name for name, effect in effects(a, b).items() if effect.largest > ROUNDING}


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda d: d.name)
def test_what_is_left_out_stands_in_both_in_the_same_order(a: Dialect, b: Dialect) -> None:
    found = [d for d in explain.differences(a, b) if d.kind != "other count"]
    for mine, other, side in ((a, b, "a"), (b, a, "b")):
        shown = [getattr(d, side).stage for d in found if getattr(d, side) is not None]
        left = [s.__name__ for s in mine.stages]
        for name in shown:
            left.remove(name)
        theirs = [getattr(d, "b" if side == "a" else "a") for d in found]
        right = [s.__name__ for s in other.stages]
        for line in theirs:
            if line is not None:
                right.remove(line.stage)
        assert left == right


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda d: d.name)
def test_a_measured_effect_has_a_difference_that_explains_it(a: Dialect, b: Dialect) -> None:
    if seen(a, b):
        assert list(explain.differences(a, b))
    assert not seen(a, a)
    assert not list(explain.differences(a, a))


def test_the_largest_effect_of_the_two_epsilons_is_the_one_worked_out_by_hand() -> None:
    """At t = 1, m_hat = g and sqrt(v) = sqrt(1 - beta_2) |g|: with r = sqrt(1 - beta_2),

    hat = r g / (r |g| + epsilon), paper = g / (|g| + epsilon); 1 - hat / paper -> 1 - r = 0.968 as g / epsilon -> 0.
    """
    assert effects(KERAS, TORCH)["epsilon 0.1 beside gradients of s = 0.001"].largest == pytest.approx(0.968, abs=1e-3)
    assert effects(KERAS, TORCH)["epsilon 0, s = 1e-6"].largest > 0.5, "keras makes 1e-7 of 0"


def test_the_order_of_clipping_and_decay_shows_where_both_act_and_nowhere_else() -> None:
    assert seen(DIALECTS["mxnet1-adam"], DIALECTS["mxnet2-adam"]) == {"clip_gradient 0.01, l2 0.1, s = 0.1"}


def test_a_lazy_dialect_differs_on_rows_alone() -> None:
    assert seen(DIALECTS["mxnet2-adam"], DIALECTS["mxnet2-adam-lazy"]) == {"two rows of six in a step, s = 1"}


def test_duplicates_are_where_keras_3_differs_from_tf_keras() -> None:
    two = DIALECTS["tf-keras-adam"], DIALECTS["keras3-adam"]
    assert seen(*two) == {"two rows of six in a step, one of them twice, s = 1"}


def test_lookahead_shows_in_the_first_step_that_synchronises() -> None:
    found = explain.explain(DIALECTS["keras-v2-adam"], DIALECTS["tfa-lookahead-keras-v2-adam"])
    assert [(d.kind, d.b and d.b.stage) for d in found.differences] == [("only in B", "lookahead")]
    assert {effect.step for effect in found.effects} == {explain.SYNC_PERIOD}


def test_one_count_for_all_shows_where_a_gradient_is_missing() -> None:
    """A planted difference: everything but the count is the same."""
    assert seen(KERAS, replace(KERAS, step_count="parameter")) == {"no gradient in every third step, s = 1"}


def test_a_planted_stage_is_shown_and_measured() -> None:
    without = replace(TORCH, stages=tuple(s for s in TORCH.stages if s is not stages.amsgrad_maximum))
    (difference,) = explain.differences(TORCH, without)
    assert (difference.kind, difference.b) == ("only in A", None)
    assert difference.a is not None
    assert difference.a.formula == "v_max <- max(v_max, v), of the raw moment"


def test_settings_are_those_that_both_can_be_given() -> None:
    names = {s.name for s in explain.shared(KERAS, TORCH)}
    assert "no gradient in every third step, s = 1" in names
    assert not any("l2" in name or "clip" in name or "rows" in name for name in names)
    assert len(explain.shared(DIALECTS["mxnet1-adam"], DIALECTS["mxnet2-adam"])) == len(
        [
            s
            for s in SETTINGS
            if not {"amsgrad", "weight_decay"} & s.hyperparameters.keys() and s.gradients != "duplicates"
        ]
    )


def test_an_effect_names_the_step_in_which_it_is_largest() -> None:
    late = Setting(name="absent", gradients="absent")  # the second step has no gradient
    assert explain.effect(KERAS, replace(KERAS, step_count="parameter"), late).step == 3


# The command


def test_for_people_and_for_programs_the_same() -> None:
    ended = conformance("explain", "keras-v2-adam", "torch-adam", variables={"COLUMNS": "200"})
    told = json.loads(conformance("explain", "keras-v2-adam", "torch-adam", "--json").out)
    assert ended.code == 0
    assert (told["a"], told["b"]) == ("keras-v2-adam", "torch-adam")
    assert told["only_b"] == ["l2", "weight_decay"]
    for difference in told["differences"]:
        for side in ("a", "b"):
            assert difference[side] is None or difference[side]["stage"] in ended.out
    for effect in told["effects"]:
        assert effect["setting"]["name"] in ended.out
        assert f"{effect['largest']:.3g}" in ended.out
    assert told["problem"] in ended.text.replace("\n", " ")


def test_the_same_dialect_twice_differs_in_nothing() -> None:
    ended = conformance("explain", "torch-adam", "torch-adam")
    assert ended.code == 0
    assert "no stage differs" in ended.out


@pytest.mark.parametrize(("words", "name"), [(("adam", "torch-adam"), "A"), (("torch-adam", "adam"), "B")])
def test_an_unknown_dialect_is_refused_with_the_known_ones(words: tuple[str, str], name: str) -> None:
    ended = conformance("explain", *words)
    assert ended.code == 2
    assert f"argument {name}: invalid choice: 'adam'" in ended.text
    for known in DIALECTS:
        assert known in ended.text
