"""The direction of a step with something changed: what is divided by what, for every form that a dialect here has.

All of them are one formula, lr (a m + b g) / (sqrt(v_hat + epsilon_root) + epsilon), with a and b of its own for each
form, with v_hat = v / (1 - beta_2^t) or, of epsilon hat, with v and a factor sqrt(1 - beta_2^t).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

import reference
from reference import stages as s
from reference.bias_correction import (
    momentum,
    one_minus_momentum,
    one_minus_momentum_product,
    one_minus_power,
    rectification,
    sma,
)
from reference.bound_rules import RULES, Errors, Rule
from reference.bound_scalars import branch_is_ambiguous, correction_errors
from reference.hyperparameters import Hyperparameters
from reference.namespace import FLOAT64, Namespace, quotient
from reference.rounding import C, Rounding
from reference.stages import Stage, Working

Of = Callable[[Working, Hyperparameters], Any]
Added = Callable[[Any, Any, Any], Any]
"""Of epsilon, sqrt(1 - beta_2^t) and the root."""
Bias = Callable[[Any, Any], tuple[Any, Any]]
Correct = Callable[[Any], Any]
"""What is made of 1 - beta_1^t where it divides."""
Shares = Callable[[Working, Hyperparameters, Correct], tuple[Any, Any]]
"""a and b of a m + b g."""


def bias_1(p: Working, h: Hyperparameters, later: int = 0) -> Any:
    """1 - beta_1^t, or of a later t; of an earlier one, which is 1 at least."""
    return one_minus_power(h.power_beta_1, max(p.t + later, 1), FLOAT64)


def bias_2(p: Working, h: Hyperparameters, later: int = 0) -> Any:
    """1 - beta_2^t likewise."""
    return one_minus_power(h.power_beta_2, max(p.t + later, 1), FLOAT64)


def m_alone(p: Working, h: Hyperparameters, correct: Correct) -> tuple[Any, Any]:
    """m / (1 - beta_1^t)."""
    return 1 / correct(bias_1(p, h)), 0.0


def nesterov(p: Working, h: Hyperparameters, correct: Correct) -> tuple[Any, Any]:
    """optax's."""
    return h.beta_1 / correct(bias_1(p, h, 1)), (1 - h.beta_1) / correct(bias_1(p, h))


def schedule(p: Working, h: Hyperparameters, correct: Correct) -> tuple[Any, Any]:
    """torch NAdam's."""
    now, later = scheduled(h, p.t), scheduled(h, p.t + 1)
    return later.mu / correct(later.rest), now.share / correct(now.rest)


@dataclass(frozen=True)
class Scheduled:
    """NAdam's momentum of a step: mu_t, 1 - mu_t, 1 - mu_1 mu_2 ... mu_t."""

    mu: float
    share: float
    rest: float


def scheduled(h: Hyperparameters, t: int) -> Scheduled:
    """Of step t."""
    return _scheduled(float(h.power_beta_1), float(h.momentum_decay), t)


@lru_cache(maxsize=4096)
def _scheduled(beta_1: float, decay: float, t: int) -> Scheduled:
    of = (beta_1, decay, t, FLOAT64)
    return Scheduled(*(float(f(*of)) for f in (momentum, one_minus_momentum, one_minus_momentum_product)))


@dataclass(frozen=True)
class Form:
    """What a stage's direction is made of."""

    paper: bool
    """Whether v is corrected before its root is taken."""
    rule: Rule
    plain: Rule
    """Of the same denominator below m alone."""
    shares: Shares = m_alone
    root: bool = False
    """Whether epsilon_root stands below the root."""
    corrected: bool = False
    """Whether v_max holds what has been corrected already."""


_HAT = Form(False, RULES[s.epsilon_hat], RULES[s.epsilon_hat])
_PAPER = Form(True, RULES[s.paper_epsilon], RULES[s.paper_epsilon])
_ROOT = Form(True, RULES[s.root_epsilon], RULES[s.root_epsilon], root=True, corrected=True)
FORMS: Mapping[Stage, Form] = {
    s.epsilon_hat: _HAT,
    s.paper_epsilon: _PAPER,
    s.root_epsilon: _ROOT,
    s.rectified: _PAPER,
    s.rectified_hat: _HAT,
    s.rectified_root: _ROOT,
    s.nesterov: replace(_ROOT, rule=RULES[s.nesterov], shares=nesterov),
    s.nesterov_schedule: replace(_PAPER, rule=RULES[s.nesterov_schedule], shares=schedule),
}


def varies(d: reference.Dialect) -> bool:
    """Whether the dialect's direction is one of these."""
    return any(stage in FORMS for stage in d.stages)


def of(d: reference.Dialect) -> Stage:
    """The dialect's own direction; ValueError where it is none of these."""
    if not varies(d):
        raise ValueError(f"dialect is {d.name!r}; accepted: one whose direction has a form here")
    return next(stage for stage in d.stages if stage in FORMS)


def form_of(d: reference.Dialect) -> Form:
    """The form of the dialect's own direction."""
    return FORMS[of(d)]


def changed_direction(d: reference.Dialect, changed: Mapping[str, Any]) -> tuple[Stage, Rule]:
    """A stage in the place of the dialect's own direction, and its rounding rule; changed: arguments of `direction`."""
    form, whole = form_of(d), of(d)
    stage, rule = direction(form, **changed)
    if whole not in s.RECTIFYING:
        return stage, rule
    return rectified(stage, rule, whole=whole, plain=_plain(form, changed))


def _plain(form: Form, changed: Mapping[str, Any]) -> Of:
    """The direction where a rectified dialect does not rectify, with the same changes."""
    numerator, size = changed.get("numerator", _m), changed.get("size", _one)
    bias = changed.get("bias", _as_it_is)

    def plain(p: Working, h: Hyperparameters) -> Any:
        b_1, _ = bias(bias_1(p, h), one_minus_power(h.power_beta_2, p.t, FLOAT64))
        return p.learning_rate * size(p, h) / b_1 * numerator(p, h)

    return plain


def _m(p: Working, h: Hyperparameters) -> Any:
    return p.m


def _one(p: Working, h: Hyperparameters) -> Any:
    return 1.0


def _nothing(p: Working, h: Hyperparameters) -> Any:
    return 0.0


def _as_it_is(b_1: Any, b_2: Any) -> tuple[Any, Any]:
    return b_1, b_2


def second_of(p: Working, h: Hyperparameters) -> Any:
    """v, or v_max."""
    return p.v if p.v_max is None else p.v_max


def direction(
    form: Form,
    *,
    added: Added = lambda e, c, root: e,
    inside: Added = lambda e, c, root: 0.0,
    outside: Of = _nothing,
    rooted: bool = True,
    numerator: Of | None = None,
    shares: Shares | None = None,
    second: Of = second_of,
    bias: Bias = _as_it_is,
    power: float = 0.5,
    size: Of = _one,
    later: tuple[int, int] = (0, 0),
) -> tuple[Stage, Rule]:
    """A stage of a form with something changed; and its rounding rule.

    added, inside: what stands beside the root, and below it. outside: what is added beside it besides. rooted: whether
    epsilon_root stays below the root. numerator: instead of m, or of both terms. power: 1/2 for the root. size:
    factor of the rate. later: by how much the t of each bias correction is off, where m alone is used.
    """
    two = shares or (m_alone if numerator is not None else form.shares)
    own_maximum = form.corrected and second is second_of

    def corrections(p: Working, h: Hyperparameters) -> tuple[Any, Any]:
        return bias(bias_1(p, h, later[0]), bias_2(p, h, later[1]))

    def terms(p: Working, h: Hyperparameters) -> tuple[Any, Any]:
        if two is m_alone:
            return 1 / corrections(p, h)[0], 0.0
        return two(p, h, lambda b_1: bias(b_1, bias_2(p, h))[0])

    def below(p: Working, h: Hyperparameters) -> Any:
        v = second(p, h)
        return v if not form.paper or (own_maximum and p.v_max is not None) else v / corrections(p, h)[1]

    def parts(p: Working, h: Hyperparameters) -> tuple[Any, Any]:
        """The root, and what stands beside it."""
        c, v = corrections(p, h)[1] ** 0.5, below(p, h)
        v = v + h.epsilon_root if form.root and rooted else v
        root = FLOAT64.sqrt(v + inside(p.epsilon, c, v)) if power == 0.5 else v**power
        return root, added(p.epsilon, c, root) + outside(p, h)

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        root, beside = parts(p, h)
        a, b = terms(p, h)
        rate = p.learning_rate * size(p, h) * (1 if form.paper else corrections(p, h)[1] ** 0.5)
        p.step_size = rate * a
        p.denominator = root + beside
        above = p.step_size * (p.m if numerator is None else numerator(p, h))
        p.direction = quotient(above if two is m_alone else above + rate * b * p.g, p.denominator)

    usual = form.plain if two is m_alone else form.rule

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        held, root = e.v_max, second(after, h)
        seen = replace(after, denominator=abs(after.denominator))
        if numerator is not None:
            seen = replace(seen, m=numerator(after, h))
        if after.v_max is None:
            seen = replace(seen, v=root)
        elif form.corrected and not own_maximum:
            _, b_2 = corrections(after, h)
            seen, e.v_max = replace(seen, v_max=below(after, h)), np.maximum(e.v / b_2, held)
        else:  # whichever of the two it is formed of
            seen, e.v_max = replace(seen, v_max=root), np.maximum(e.v, held)
        usual(before, seen, e, h, a)
        e.v_max = held
        # What stands beside or below the root here may depend on 1 - beta^t, and may cancel it, where the usual one
        # does not.
        relative = sum(correction_errors(max(before.t + min(*later, 0), 1), h, a)) + 8 * a.u
        sizes = sum(map(abs, parts(after, h)))
        e.direction = e.direction + abs(after.direction) * relative * sizes / seen.denominator
        if two is not m_alone:  # its own shares may be larger than the usual ones, and cancel
            rate = abs(after.learning_rate * size(after, h))
            of_m, of_g = (abs(share) for share in terms(after, h))
            error = of_m * e.m + of_g * e.g + (relative + C * a.u) * (of_m * abs(after.m) + of_g * abs(after.g))
            e.direction = e.direction + rate * error / seen.denominator

    return stage, rule


def rectified(
    inner: Stage, inner_rule: Rule, *, whole: Stage, plain: Of, factor: bool = True, otherwise: float = 1.0
) -> tuple[Stage, Rule]:
    """A rectified stage, `whole`, around another direction; otherwise: factor of the step that does not rectify.

    plain: the direction where it does not rectify.
    """

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.rho_t = sma(h.power_beta_2, p.t, x)
        p.rectified = bool(p.rho_t >= h.sma_threshold)
        inner(p, h, x)
        if p.rectified and factor:
            r_t = rectification(h.power_beta_2, p.t, x)
            p.step_size, p.direction = r_t * p.step_size, r_t * p.direction
        elif not p.rectified:
            p.step_size = p.learning_rate / bias_1(p, h)
            p.direction = otherwise * plain(p, h)

    def rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
        RULES[whole](before, after, e, h, a)
        if after.rectified:
            rest = e.direction
            inner_rule(before, after, e, h, a)
            e.direction = np.maximum(e.direction, rest)
        if branch_is_ambiguous(after, h, a):
            e.direction = np.full(after.theta.shape, np.inf)

    return stage, rule


def plain_direction(d: reference.Dialect) -> Of:
    """Where the dialect does not rectify."""
    return _plain(form_of(d), {})
