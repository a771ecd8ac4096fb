"""Explanations in the step itself: where epsilon stands, what is corrected for bias, what is divided by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Variant, swapped
from reference import stages as s
from reference.bias_correction import one_minus_power, rectification, sma
from reference.bound import RULES, Errors, Rule, branch_is_ambiguous, correction_errors
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64, Namespace, quotient
from reference.rounding import Rounding
from reference.stages import Stage, Working

Of = Callable[[Working, Hyperparameters], Any]
Added = Callable[[Any, Any, Any], Any]
"""Of epsilon, sqrt(1 - beta_2^t) and the root."""
Bias = Callable[[Any, Any], tuple[Any, Any]]
_FORMS: Mapping[Stage, bool] = {
    s.epsilon_hat: False,
    s.paper_epsilon: True,
    s.rectified: True,
    s.rectified_hat: False,
}
"""Directions that are varied here, and whether epsilon is the paper's."""


def _m(p: Working, h: Hyperparameters) -> Any:
    return p.m


def _second(p: Working, h: Hyperparameters) -> Any:
    return p.v if p.v_max is None else p.v_max


def direction(
    paper: bool,
    *,
    added: Added = lambda e, c, root: e,
    inside: Added = lambda e, c, root: 0.0,
    numerator: Of = _m,
    second: Of = _second,
    bias: Bias = lambda b_1, b_2: (b_1, b_2),
    power: float = 0.5,
    size: Of = lambda p, h: 1.0,
) -> tuple[Stage, Rule]:
    """A stage of the form of `paper_epsilon`, or `epsilon_hat`, with something changed; and its rounding rule.

    added, inside: what stands beside the root, and below it. power: 1/2 for the root. size: factor of the rate.
    """

    def corrections(p: Working, h: Hyperparameters) -> tuple[Any, Any]:
        return bias(*(one_minus_power(beta, p.t, FLOAT64) for beta in (h.power_beta_1, h.power_beta_2)))

    def parts(p: Working, h: Hyperparameters) -> tuple[Any, Any]:
        """The root, and what stands beside it."""
        _, b_2 = corrections(p, h)
        c, v = b_2**0.5, second(p, h)
        v = v / b_2 if paper else v
        root = FLOAT64.sqrt(v + inside(p.epsilon, c, v)) if power == 0.5 else v**power
        return root, added(p.epsilon, c, root)

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        b_1, b_2 = corrections(p, h)
        root, beside = parts(p, h)
        p.step_size = h.learning_rate * size(p, h) / b_1 * (1 if paper else b_2**0.5)
        p.denominator = root + beside
        p.direction = quotient(p.step_size * numerator(p, h), p.denominator)

    usual = RULES[s.paper_epsilon if paper else s.epsilon_hat]

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        held, root = e.v_max, second(after, h)
        seen = replace(after, m=numerator(after, h), denominator=abs(after.denominator))
        if after.v_max is None:
            seen = replace(seen, v=root)
        else:  # whichever of the two it is formed of
            seen, e.v_max = replace(seen, v_max=root), np.maximum(e.v, held)
        usual(before, seen, e, h, a)
        e.v_max = held
        # What stands beside or below the root here may depend on 1 - beta^t, and may cancel it, where the usual one
        # does not.
        relative = sum(correction_errors(before.t, h, a)) + 8 * a.u
        terms = sum(map(abs, parts(after, h)))
        e.direction = e.direction + abs(after.direction) * relative * terms / seen.denominator

    return stage, rule


def rectified(
    inner: Stage, inner_rule: Rule, *, whole: Stage, numerator: Of = _m, factor: bool = True, otherwise: float = 1.0
) -> tuple[Stage, Rule]:
    """A rectified stage, `whole`, around another direction; otherwise: factor of the step that does not rectify."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.rho_t = sma(h.power_beta_2, p.t, x)
        p.rectified = bool(p.rho_t >= h.sma_threshold)
        inner(p, h, x)
        if p.rectified and factor:
            r_t = rectification(h.power_beta_2, p.t, x)
            p.step_size, p.direction = r_t * p.step_size, r_t * p.direction
        elif not p.rectified:
            if whole is s.rectified_hat:  # whose step without r_t has no sqrt(1 - beta_2^t)
                p.step_size = h.learning_rate / one_minus_power(h.power_beta_1, p.t, x)
            p.direction = otherwise * p.step_size * numerator(p, h)

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        RULES[whole](before, after, e, h, a)
        if after.rectified:
            rest = e.direction
            inner_rule(before, after, e, h, a)
            e.direction = np.maximum(e.direction, rest)
        if branch_is_ambiguous(after, h, a):
            e.direction = np.full(after.theta.shape, np.inf)

    return stage, rule


def of(d: reference.Dialect) -> Stage:
    """The dialect's own direction; ValueError where it is none of those that are varied here."""
    found = [stage for stage in d.stages if stage in _FORMS]
    if not found:
        raise ValueError(f"dialect is {d.name!r}; accepted: one whose direction is varied here")
    return found[0]


def varies(d: reference.Dialect) -> bool:
    """Whether the dialect's direction is varied here."""
    return any(stage in _FORMS for stage in d.stages)


def is_paper(d: reference.Dialect) -> bool:
    """Whether its epsilon is the paper's."""
    return _FORMS[of(d)]


def with_direction(
    words: str, d: reference.Dialect, *, also: dict[Stage, Any] | None = None, **changed: Any
) -> Variant:
    """The dialect with a changed direction."""
    stage, rule = direction(is_paper(d), **changed)
    if of(d) in s.RECTIFYING:
        stage, rule = rectified(stage, rule, whole=of(d), numerator=changed.get("numerator", _m))
    made = swapped(d, {of(d): stage, **(also or {})})
    made["rules"][stage] = rule
    return Variant(words=words, **made)


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """All of them, the simplest first; none where the dialect's own is not varied here."""
    if not varies(d):
        return
    yield from _epsilons(d)
    yield from _corrections(d)
    yield from _numerators(d)
    yield from _denominators(d)
    yield from _sizes(d)
    if of(d) in s.RECTIFYING:
        yield from _rectifications(d)


def _epsilons(d: reference.Dialect) -> Iterator[Variant]:
    instead = " instead of paper epsilon" if is_paper(d) else " instead of epsilon hat"
    if is_paper(d):
        yield with_direction(f"epsilon hat{instead}", d, added=lambda e, c, root: e / c)
        inside: tuple[Added, Added] = (lambda e, c, v: e, lambda e, c, v: e / c**2)
    else:
        yield with_direction(f"paper epsilon{instead}", d, added=lambda e, c, root: e * c)
        inside = (lambda e, c, v: e, lambda e, c, v: e * c**2)
    none: Added = lambda e, c, root: 0.0  # noqa: E731
    where = "of v / (1 - beta_2^t)" if is_paper(d) else "of v"
    other = "of v" if is_paper(d) else "of v / (1 - beta_2^t)"
    yield with_direction("epsilon is not used at all", d, added=none)
    yield with_direction("epsilon is subtracted: sqrt(v) - epsilon", d, added=lambda e, c, root: -e)
    yield with_direction(f"epsilon inside the square root, {where}", d, added=none, inside=inside[0])
    yield with_direction(f"epsilon inside the square root, {other}", d, added=none, inside=inside[1])
    yield with_direction("epsilon squared inside the square root", d, added=none, inside=lambda e, c, v: e * e)
    yield with_direction("epsilon inside the square root and beside it", d, inside=inside[0])
    yield with_direction(
        "the larger of sqrt(v) and epsilon, not their sum", d, added=lambda e, c, r: np.maximum(e - r, 0)
    )
    yield with_direction("epsilon squared beside the root", d, added=lambda e, c, root: e * e)
    yield with_direction("the square root of epsilon beside the root", d, added=lambda e, c, root: e**0.5)
    for times in (2, 0.5):
        yield with_direction(f"epsilon x {times}", d, added=lambda e, c, root, k=times: k * e)
    if is_paper(d):
        text = "epsilon scaled by sqrt(1 - beta_2^t) (adaptive)"
        yield with_direction(text, d, added=lambda e, c, root: e * c)
    else:
        yield with_direction("epsilon divided by sqrt(1 - beta_2^t)", d, added=lambda e, c, root: e / c)


def _corrections(d: reference.Dialect) -> Iterator[Variant]:
    yield with_direction("no bias correction", d, bias=lambda b_1, b_2: (1.0, 1.0))
    yield with_direction("no bias correction of m", d, bias=lambda b_1, b_2: (1.0, b_2))
    yield with_direction("no bias correction of v", d, bias=lambda b_1, b_2: (b_1, 1.0))
    yield with_direction("bias correction of m applied twice", d, bias=lambda b_1, b_2: (b_1**2, b_2))
    yield with_direction("bias correction of v applied twice", d, bias=lambda b_1, b_2: (b_1, b_2**2))
    yield with_direction("bias correction of m and v exchanged", d, bias=lambda b_1, b_2: (b_2, b_1))
    yield with_direction("bias correction of m used for v as well", d, bias=lambda b_1, b_2: (b_1, b_1))
    yield with_direction("bias correction of v used for m as well", d, bias=lambda b_1, b_2: (b_2, b_2))
    yield with_direction("bias correction of m by sqrt(1 - beta_1^t)", d, bias=lambda b_1, b_2: (b_1**0.5, b_2))
    yield with_direction("bias correction of m multiplies instead of dividing", d, bias=lambda b_1, b_2: (1 / b_1, b_2))
    yield with_direction("bias correction of v multiplies instead of dividing", d, bias=lambda b_1, b_2: (b_1, 1 / b_2))

    def single(b_1: Any, b_2: Any) -> tuple[Any, Any]:
        return float(np.float32(b_1)), float(np.float32(b_2))

    yield with_direction("1 - beta^t is rounded to float32", d, bias=single)


def _numerators(d: reference.Dialect) -> Iterator[Variant]:
    def nesterov(p: Working, h: Hyperparameters) -> Any:
        return h.beta_1 * p.m + (1 - h.beta_1) * p.g

    def corrected(p: Working, h: Hyperparameters) -> Any:
        b_1, b_next = 1 - h.power_beta_1**p.t, 1 - h.power_beta_1 ** (p.t + 1)
        return b_1 * (h.beta_1 * p.m / b_next + (1 - h.beta_1) * p.g / b_1)

    def unscaled(p: Working, h: Hyperparameters) -> Any:
        return p.g * (1 - h.power_beta_1**p.t)

    yield with_direction("the sign of the step is turned: theta grows along m", d, numerator=lambda p, h: -p.m)
    yield with_direction("no momentum: the step uses g instead of m", d, numerator=unscaled)
    yield with_direction(
        "no momentum: the step uses g, divided by 1 - beta_1^t, instead of m", d, numerator=lambda p, h: p.g
    )
    yield with_direction(
        "Nesterov momentum: the step uses beta_1 m + (1 - beta_1) g instead of m", d, numerator=nesterov
    )
    yield with_direction("Nesterov momentum as NAdam corrects it, instead of m", d, numerator=corrected)
    yield with_direction("the step uses abs(m)", d, numerator=lambda p, h: abs(p.m))
    for words, what in (("g", lambda p: p.g), ("m", lambda p: p.m)):
        stage, rule = _signed(what)
        made = swapped(d, {of(d): stage})
        made["rules"][stage] = rule
        yield Variant(words=f"only the sign of {words} is used (sign-SGD)", **made)
    yield Variant(words="no step is taken, while the moments go on", **swapped(d, {s.subtract: None}))
    yield from _late(d)


def _signed(what: Callable[[Working], Any]) -> tuple[Stage, Rule]:
    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.direction = h.learning_rate * np.sign(what(p))

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        e.direction = 8 * a.u * abs(after.direction)

    return stage, rule


def _late(d: reference.Dialect) -> Iterator[Variant]:
    """Moments of the step before: the direction is taken before they are formed."""
    for words, moments in (
        ("m and v", (s.first_moment, s.second_moment, s.amsgrad_maximum)),
        ("m", (s.first_moment,)),
        ("v", (s.second_moment, s.amsgrad_maximum)),
    ):
        rest = dict.fromkeys(moments)
        made = swapped(d, {**rest, of(d): (of(d), *moments)})
        yield Variant(words=f"the step uses {words} of the step before", **made)


def _denominators(d: reference.Dialect) -> Iterator[Variant]:
    yield with_direction("amsgrad is ignored: its maximum is kept, and the step uses v", d, second=lambda p, h: p.v)
    unkept: dict[Stage, Any] = {s.amsgrad_maximum: None}
    text = "the maximum of AMSGrad is used and not stored"
    yield with_direction(text, d, also=unkept, second=_larger)
    text = "amsgrad is ignored: no maximum is formed, and the step uses v"
    yield with_direction(text, d, also=unkept, second=lambda p, h: p.v)
    yield with_direction("no square root of v", d, power=1.0)
    yield with_direction("m is divided by abs(g) instead of the root of v", d, second=lambda p, h: p.g**2)
    yield with_direction("the step uses m^2 instead of v", d, second=lambda p, h: p.m**2)
    text = "v is centred by m^2: sqrt(v - m^2) (as RMSprop's centered)"
    yield with_direction(text, d, second=lambda p, h: np.maximum(_second(p, h) - p.m**2, 0))
    yield with_direction("v is averaged over each parameter", d, second=lambda p, h: _mean(_second(p, h)))


def _larger(p: Working, h: Hyperparameters) -> Any:
    return p.v if p.v_max is None else np.maximum(p.v_max, p.v)


def _mean(x: Any) -> Any:
    return np.full(x.shape, x.mean() if x.size else 0.0)


def _sizes(d: reference.Dialect) -> Iterator[Variant]:
    for words, size in (
        ("learning rate / t", lambda p, h: 1 / p.t),
        ("learning rate / sqrt(t)", lambda p, h: p.t**-0.5),
        ("learning rate x beta_1^t", lambda p, h: h.power_beta_1**p.t),
        ("learning rate x (1 - beta_1)", lambda p, h: 1 - h.beta_1),
        ("learning rate / (1 - beta_1)", lambda p, h: 1 / (1 - h.beta_1)),
    ):
        yield with_direction(words, d, size=size)


def _rectifications(d: reference.Dialect) -> Iterator[Variant]:
    whole = of(d)
    usual = direction(is_paper(d))
    for words, (stage, rule) in (
        ("no rectification: the plain step in every step", usual),
        ("the factor r_t of the rectification is missing", rectified(*usual, whole=whole, factor=False)),
        ("no step at all while it does not rectify", rectified(*usual, whole=whole, otherwise=0.0)),
    ):
        made = swapped(d, {of(d): stage})
        made["rules"][stage] = rule
        yield Variant(words=words, **made)
