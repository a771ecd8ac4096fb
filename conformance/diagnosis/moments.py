"""Explanations in the moments: how m, v and AMSGrad's maximum are formed and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import reference
from conformance.diagnosis import directions
from conformance.diagnosis.candidate import Variant, swapped
from conformance.diagnosis.forms import of, varies
from reference import stages as s
from reference.bias_correction import one_minus_power
from reference.bound_rules import RULES, Errors
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64, Namespace
from reference.rounding import C, Rounding
from reference.stages import Stage, Working

Formula = Callable[[Working, Hyperparameters], Any]


def m_is(formula: Formula) -> Stage:
    """A stage that forms m."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.m = formula(p, h)

    return stage


def v_is(formula: Formula) -> Stage:
    """A stage that forms v."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.v = formula(p, h)

    return stage


def v_max_is(formula: Formula) -> Stage:
    """A stage that forms v_max."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        if h.amsgrad:
            p.v_max = formula(p, h)

    return stage


def of_first(d: reference.Dialect, words: str, formula: Formula) -> Variant:
    """The dialect with another m."""
    stage = m_is(formula)
    made = swapped(d, {s.first_moment: stage})
    made["rules"][stage] = _first_rule
    return Variant(words=words, **made)


def of_second(d: reference.Dialect, words: str, formula: Formula) -> Variant:
    """The dialect with another v."""
    stage = v_is(formula)
    made = swapped(d, {s.second_moment: stage})
    made["rules"][stage] = _second_rule
    return Variant(words=words, **made)


def _first_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    """The usual one, and the roundings of what may be larger than the usual m."""
    RULES[s.first_moment](before, after, e, h, a)
    e.m = e.m + C * a.u * abs(after.m)


def _second_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    RULES[s.second_moment](before, after, e, h, a)
    e.v = e.v + C * a.u * abs(after.v)


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """All of them, the simplest first."""
    yield from _first(d)
    yield from _second(d)
    yield from _maximum(d)


def _first(d: reference.Dialect) -> Iterator[Variant]:
    for words, formula in (
        ("m is reset in every step: m = (1 - beta_1) g", lambda p, h: (1 - h.beta_1) * p.g),
        ("m is the gradient: m = g", lambda p, h: p.g + 0.0),
        ("1 - beta_1 is missing: m = beta_1 m + g", lambda p, h: h.beta_1 * p.m + p.g),
        ("beta_1 and 1 - beta_1 are exchanged in m", lambda p, h: (1 - h.beta_1) * p.m + h.beta_1 * p.g),
        ("m does not decay: m = m + (1 - beta_1) g", lambda p, h: p.m + (1 - h.beta_1) * p.g),
        ("m is never updated", lambda p, h: p.m + 0.0),
        ("beta_2 in the place of beta_1 in m", lambda p, h: h.beta_2 * p.m + (1 - h.beta_2) * p.g),
        ("m = beta_1 m m + (1 - beta_1) g", lambda p, h: h.beta_1 * p.m * p.m + (1 - h.beta_1) * p.g),
        ("m subtracts: m = beta_1 m - (1 - beta_1) g", lambda p, h: h.beta_1 * p.m - (1 - h.beta_1) * p.g),
        ("m is formed of g^2", lambda p, h: h.beta_1 * p.m + (1 - h.beta_1) * p.g * p.g),
        ("m is formed of the sign of g", lambda p, h: h.beta_1 * p.m + (1 - h.beta_1) * np.sign(p.g)),
        ("beta_1 decays m twice", lambda p, h: h.beta_1**2 * p.m + (1 - h.beta_1) * p.g),
        ("beta_1^t in the place of beta_1 in m", lambda p, h: h.beta_1**p.t * p.m + (1 - h.beta_1**p.t) * p.g),
    ):
        yield of_first(d, words, formula)


def _second(d: reference.Dialect) -> Iterator[Variant]:
    for words, formula in (
        ("v is reset in every step: v = (1 - beta_2) g^2", lambda p, h: (1 - h.beta_2) * p.g**2),
        ("v is the squared gradient: v = g^2", lambda p, h: p.g**2),
        ("1 - beta_2 is missing: v = beta_2 v + g^2", lambda p, h: h.beta_2 * p.v + p.g**2),
        ("v does not decay: v = v + g^2 (as AdaGrad's)", lambda p, h: p.v + p.g**2),
        ("v does not decay: v = v + (1 - beta_2) g^2", lambda p, h: p.v + (1 - h.beta_2) * p.g**2),
        ("beta_2 and 1 - beta_2 are exchanged in v", lambda p, h: (1 - h.beta_2) * p.v + h.beta_2 * p.g**2),
        ("v is never updated", lambda p, h: p.v + 0.0),
        ("beta_1 in the place of beta_2 in v", lambda p, h: h.beta_1 * p.v + (1 - h.beta_1) * p.g**2),
        ("v is formed of g, not of g^2", lambda p, h: h.beta_2 * p.v + (1 - h.beta_2) * p.g),
        ("v is formed of abs(g), not of g^2", lambda p, h: h.beta_2 * p.v + (1 - h.beta_2) * abs(p.g)),
        (
            "v is formed of g^2 + epsilon, not of g^2",
            lambda p, h: h.beta_2 * p.v + (1 - h.beta_2) * (p.g**2 + h.epsilon),
        ),
        ("v is formed of m^2, not of g^2", lambda p, h: h.beta_2 * p.v + (1 - h.beta_2) * p.m**2),
        ("v is formed of (g - m)^2 (as AdaBelief's)", lambda p, h: h.beta_2 * p.v + (1 - h.beta_2) * (p.g - p.m) ** 2),
        ("v is the maximum of beta_2 v and abs(g) (as Adamax's)", lambda p, h: np.maximum(h.beta_2 * p.v, abs(p.g))),
        ("v never shrinks: v is the maximum of v and the new v", _never_shrinks),
        (
            "v is formed of the mean of g^2 over each parameter",
            lambda p, h: h.beta_2 * p.v + (1 - h.beta_2) * np.full(p.g.shape, np.mean(p.g**2) if p.g.size else 0.0),
        ),
        ("v is v + (1 - beta_2) sign(g^2 - v) g^2 (as Yogi's)", _yogi),
        ("(1 - beta_2)^2 g^2 in the place of (1 - beta_2) g^2", _squared_factor),
        ("beta_2 decays v twice", lambda p, h: h.beta_2**2 * p.v + (1 - h.beta_2) * p.g**2),
        (
            "beta_2 v - (1 - beta_2) g^2: the square is subtracted",
            lambda p, h: h.beta_2 * p.v - (1 - h.beta_2) * p.g**2,
        ),
    ):
        yield of_second(d, words, formula)


def _never_shrinks(p: Working, h: Hyperparameters) -> Any:
    return np.maximum(p.v, h.beta_2 * p.v + (1 - h.beta_2) * p.g**2)


def _yogi(p: Working, h: Hyperparameters) -> Any:
    return p.v + (1 - h.beta_2) * np.sign(p.g**2 - p.v) * p.g**2


def _squared_factor(p: Working, h: Hyperparameters) -> Any:
    return h.beta_2 * p.v + ((1 - h.beta_2) * p.g) ** 2


def _maximum(d: reference.Dialect) -> Iterator[Variant]:
    if s.amsgrad_maximum not in d.stages or not varies(d):
        return

    def back(p: Working, h: Hyperparameters) -> Any:
        b_2 = one_minus_power(h.power_beta_2, p.t, FLOAT64)
        return p.v if p.v_max is None else p.v_max * b_2

    text = "AMSGrad's maximum is of v / (1 - beta_2^t), not of v"
    yield directions.with_direction(text, d, also={s.amsgrad_maximum: s.corrected_maximum}, second=back)

    def rooted_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        if h.amsgrad:
            v = after.v_max**2
            e.v_max = (
                np.where(v >= e.v, e.v / np.where(v > 0, 2 * after.v_max, 1), np.sqrt(v + e.v)) + C * a.u * after.v_max
            )

    def rooted(p: Working, h: Hyperparameters) -> Any:
        return np.sqrt(np.maximum(p.v_max, p.v))

    stage = v_max_is(rooted)
    text = "AMSGrad's maximum is square-rooted in place: v_max holds the root"
    squared = {"second": lambda p, h: p.v if p.v_max is None else p.v_max**2}
    found = directions.with_direction(text, d, also={s.amsgrad_maximum: stage}, **squared)
    yield _ruled(found, stage, rooted_rule)
    for words, formula in (
        ("AMSGrad takes the minimum", lambda p, h: np.minimum(p.v_max, p.v)),
        ("AMSGrad's maximum is not kept: v_max is the new v", lambda p, h: p.v + 0.0),
        ("AMSGrad's maximum decays: max(beta_2 v_max, v)", lambda p, h: np.maximum(h.beta_2 * p.v_max, p.v)),
        ("AMSGrad's maximum is of g^2, not of v", lambda p, h: np.maximum(p.v_max, p.g**2)),
    ):
        yield Variant(words=words, **swapped(d, {s.amsgrad_maximum: v_max_is(formula)}))
    own = of(d)
    late = swapped(d, {s.amsgrad_maximum: None, own: (own, s.amsgrad_maximum)})
    yield Variant(words="the step uses AMSGrad's maximum of the step before", **late)


def _ruled(variant: Variant, stage: Stage, rule: Any) -> Variant:
    variant.rules[stage] = rule  # type: ignore[index]
    return variant
