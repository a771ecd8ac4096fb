"""Explanations in the step itself: where epsilon stands, what is corrected for bias, what is divided by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Into, Variant, swapped
from conformance.diagnosis.forms import (
    Added,
    Correct,
    bias_1,
    bias_2,
    direction,
    form_of,
    m_alone,
    nesterov,
    of,
    plain_direction,
    rectified,
    scheduled,
    second_of,
    varies,
)
from reference import stages as s
from reference.bound_rules import Errors, Rule
from reference.bound_scalars import correction_errors
from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.rounding import C, Rounding
from reference.stages import Stage, Working


def is_paper(d: reference.Dialect) -> bool:
    """Whether its epsilon is the paper's."""
    return form_of(d).paper


def with_direction(
    words: str, d: reference.Dialect, *, also: dict[Stage, Into] | None = None, **changed: Any
) -> Variant:
    """The dialect with a changed direction."""
    return Variant(words=words, **swapped(d, also or {}), direction=changed)


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """All of them, the simplest first; none where the dialect's own is of no form that is known."""
    if not varies(d):
        return
    yield from _epsilons(d)
    yield from _corrections(d)
    yield from _numerators(d)
    yield from _denominators(d)
    yield from _sizes(d)
    if form_of(d).root:
        yield from _roots(d)
    if s.nesterov in d.stages:
        yield from _nesterovs(d)
    if s.nesterov_schedule in d.stages:
        yield from _schedules(d)
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
    text = "epsilon is multiplied by the learning rate"
    yield with_direction(text, d, added=none, outside=lambda p, h: p.learning_rate * p.epsilon)
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

    if form_of(d).shares is m_alone:
        for of_m, words in ((True, "m"), (False, "v")):
            for more, sign in ((1, "+ 1"), (-1, "- 1")):
                since = "" if more > 0 else ", from t = 2 on"
                text = f"bias correction of {words} by t {sign} where t belongs{since}"
                yield with_direction(text, d, later=(more, 0) if of_m else (0, more))

    def single(b_1: Any, b_2: Any) -> tuple[Any, Any]:
        return float(np.float32(b_1)), float(np.float32(b_2))

    yield with_direction("1 - beta^t is rounded to float32", d, bias=single)


def _numerators(d: reference.Dialect) -> Iterator[Variant]:
    def averaged_again(p: Working, h: Hyperparameters) -> Any:
        return h.beta_1 * p.m + (1 - h.beta_1) * p.g

    def corrected(p: Working, h: Hyperparameters) -> Any:
        b_1, b_next = 1 - h.power_beta_1**p.t, 1 - h.power_beta_1 ** (p.t + 1)
        return b_1 * (h.beta_1 * p.m / b_next + (1 - h.beta_1) * p.g / b_1)

    def unscaled(p: Working, h: Hyperparameters) -> Any:
        return p.g * (1 - h.power_beta_1**p.t)

    yield with_direction("the sign of the step is turned: theta grows along m", d, size=lambda p, h: -1.0)
    yield with_direction("no momentum: the step uses g instead of m", d, numerator=unscaled)
    yield with_direction(
        "no momentum: the step uses g, divided by 1 - beta_1^t, instead of m", d, numerator=lambda p, h: p.g
    )
    if form_of(d).shares is m_alone:
        yield with_direction(
            "Nesterov momentum: the step uses beta_1 m + (1 - beta_1) g instead of m", d, numerator=averaged_again
        )
        yield with_direction("Nesterov momentum as NAdam corrects it, instead of m", d, numerator=corrected)
    else:
        yield with_direction("no Nesterov momentum: the step uses m alone, as Adam's", d, shares=m_alone)
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
        p.direction = p.learning_rate * np.sign(what(p))

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
        if words == "v":
            text = "the step uses v of the step before, corrected by its own t - 1"
            yield Variant(words=text, **made, direction={"later": (0, -1)})


def _denominators(d: reference.Dialect) -> Iterator[Variant]:
    if "amsgrad" in d.hyperparameters:
        text = "amsgrad is ignored: its maximum is kept, and the step uses v"
        yield with_direction(text, d, second=lambda p, h: p.v)
    if s.amsgrad_maximum in d.stages:
        unkept: dict[Stage, Into] = {s.amsgrad_maximum: None}
        text = "the maximum of AMSGrad is used and not stored"
        yield with_direction(text, d, also=unkept, second=_larger)
        text = "amsgrad is ignored: no maximum is formed, and the step uses v"
        yield with_direction(text, d, also=unkept, second=lambda p, h: p.v)
    yield with_direction("no square root of v", d, power=1.0)
    yield with_direction("m is divided by abs(g) instead of the root of v", d, second=lambda p, h: p.g**2)
    yield with_direction("the step uses m^2 instead of v", d, second=lambda p, h: p.m**2)
    text = "v is centred by m^2: sqrt(v - m^2) (as RMSprop's centered)"
    yield with_direction(text, d, second=lambda p, h: np.maximum(second_of(p, h) - p.m**2, 0))
    yield with_direction("v is averaged over each parameter", d, second=lambda p, h: _mean(second_of(p, h)))


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


def _roots(d: reference.Dialect) -> Iterator[Variant]:
    """Of epsilon_root."""

    def root(p: Working, h: Hyperparameters) -> Any:
        return h.epsilon_root

    def before_correction(p: Working, h: Hyperparameters) -> Any:
        return (p.v if p.v_max is None else p.v_max * bias_2(p, h)) + h.epsilon_root

    text = "epsilon_root is added before the bias correction: sqrt((v + epsilon_root) / (1 - beta_2^t))"
    yield with_direction(text, d, rooted=False, second=before_correction)
    text = "epsilon_root is added outside the root, beside epsilon"
    yield with_direction(text, d, rooted=False, outside=root)
    yield with_direction("epsilon_root is not used at all", d, rooted=False)
    text = "the root of epsilon_root is added beside epsilon, not epsilon_root below the root"
    yield with_direction(text, d, rooted=False, outside=lambda p, h: h.epsilon_root**0.5)


def _nesterovs(d: reference.Dialect) -> Iterator[Variant]:
    """Of optax's momentum: which power corrects what."""
    for words, of_m, of_g in (
        ("m is corrected by 1 - beta_1^t instead of 1 - beta_1^(t+1)", 0, 0),
        ("g is corrected by 1 - beta_1^(t+1) instead of 1 - beta_1^t", 1, 1),
        ("m is corrected by 1 - beta_1^t and g by 1 - beta_1^(t+1), the other way round", 0, 1),
    ):
        yield with_direction(f"Nesterov momentum: {words}", d, shares=_shares(of_m, of_g))
    text = "Nesterov momentum: g is not corrected for bias"
    yield with_direction(text, d, shares=lambda p, h, c: (h.beta_1 / c(bias_1(p, h, 1)), 1 - h.beta_1))
    text = "Nesterov momentum: the gradient's share is missing"
    yield with_direction(text, d, shares=lambda p, h, c: (h.beta_1 / c(bias_1(p, h, 1)), 0.0))


def _shares(of_m: int, of_g: int) -> Any:
    return lambda p, h, c: (h.beta_1 / c(bias_1(p, h, of_m)), (1 - h.beta_1) / c(bias_1(p, h, of_g)))


def _schedules(d: reference.Dialect) -> Iterator[Variant]:
    """Of torch NAdam's momentum mu_t and of the product P_t of all so far."""

    def shares(mu: int, product: int) -> Any:
        """Of m with mu of so much later a step, and the product likewise."""

        def two(p: Working, h: Hyperparameters, c: Correct) -> tuple[Any, Any]:
            now = scheduled(h, p.t)
            return scheduled(h, p.t + mu).mu / c(scheduled(h, p.t + product).rest), now.share / c(now.rest)

        return two

    text = "NAdam's momentum: m has mu_t instead of mu_(t+1)"
    yield with_direction(text, d, shares=shares(0, 1))
    text = "NAdam's momentum: m is corrected by mu_1 ... mu_t instead of mu_1 ... mu_(t+1)"
    yield with_direction(text, d, shares=shares(1, 0))
    text = "NAdam's momentum: m has mu_t and its product instead of mu_(t+1) and its product"
    yield with_direction(text, d, shares=shares(0, 0))

    def forgotten(p: Working, h: Hyperparameters, c: Correct) -> tuple[Any, Any]:
        now, later = scheduled(h, p.t), scheduled(h, p.t + 1)
        return later.mu / c(later.share), now.share / c(now.share)

    yield with_direction("NAdam's momentum: the product of the momenta is not kept: P_t = mu_t", d, shares=forgotten)

    def of_m_alone(p: Working, h: Hyperparameters, c: Correct) -> tuple[Any, Any]:
        later = scheduled(h, p.t + 1)
        return later.mu / c(later.rest), 0.0

    yield with_direction("NAdam's momentum: the gradient's share is missing", d, shares=of_m_alone)
    yield with_direction("NAdam's momentum has no schedule: mu_t = beta_1", d, shares=nesterov)


def _rectifications(d: reference.Dialect) -> Iterator[Variant]:
    plain = plain_direction(d)

    def never(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.direction = plain(p, h)

    def never_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        rate = before.learning_rate / bias_1(before, h)
        relative = correction_errors(before.t, h, a)[0] + 2 * C * a.u
        e.direction = rate * e.m + abs(after.direction) * relative + C * a.tiny

    made = swapped(d, {of(d): never})
    made["rules"][never] = never_rule
    yield Variant(words="no step rectifies: theta moves by learning_rate m / (1 - beta_1^t)", **made)
    usual = direction(form_of(d))
    how: dict[str, Any] = {"whole": of(d), "plain": plain}
    for words, (stage, rule) in (
        ("no rectification: the plain step in every step", usual),
        ("the factor r_t of the rectification is missing", rectified(*usual, **how, factor=False)),
        ("no step at all while it does not rectify", rectified(*usual, **how, otherwise=0.0)),
    ):
        made = swapped(d, {of(d): stage})
        made["rules"][stage] = rule
        yield Variant(words=words, **made)
