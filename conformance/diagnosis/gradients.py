"""Explanations before the moments: what the gradient becomes, and what decays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Gradients, Variant, swapped
from conformance.diagnosis.counts import own as own_counts
from conformance.diagnosis.forms import bias_1
from conformance.diagnosis.trail import Trail
from reference import stages as s
from reference.bound_rules import Errors
from reference.hyperparameters import Hyperparameters
from reference.namespace import Namespace
from reference.rounding import C, Rounding
from reference.stages import Stage, Working

Formula = Callable[[Working, Hyperparameters], Any]


def g_is(formula: Formula) -> Stage:
    """A stage that forms g."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.g = formula(p, h)

    return stage


def theta_is(formula: Formula) -> Stage:
    """A stage that forms theta."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        p.theta = formula(p, h)

    return stage


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """All of them, the simplest first."""
    if s.l2 in d.stages:
        yield from _coupled(d)
    if s.decay_theta in d.stages or s.decay_direction in d.stages:
        yield from _decoupled(d)
    if s.clip in d.stages:
        yield from _clipping(d)
    yield from _rows(d)
    yield from _changed(d)
    yield from _absent(d)


# Decay


def _gradient_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    decay = before.l2 or h.weight_decay
    e.g = decay * e.theta + (1 + decay * abs(before.theta)) * e.g
    e.g = e.g + C * a.u * (abs(before.g) + abs(after.g) + abs(after.g - before.g)) + C * a.tiny


def _theta_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    error = C * a.u * (abs(after.theta - before.theta) + abs(after.theta)) + a.tiny
    e.update = e.update + error
    e.theta = e.theta + error


def _with(words: str, d: reference.Dialect, changes: dict[Stage, Any], rules: dict[Stage, Any]) -> Variant:
    made = swapped(d, changes)
    made["rules"].update(rules)
    return Variant(words=words, **made)


_RESCALED: tuple[tuple[str, Formula], ...] = (
    ("l2 is rescaled with the gradient", lambda p, h: p.g + h.rescale_grad * p.l2 * p.theta),
)
"""Where anything is."""


def _coupled(d: reference.Dialect) -> Iterator[Variant]:
    for words, formula in (
        ("l2 does nothing", lambda p, h: p.g),
        ("l2 is added with the wrong sign: g - l2 theta", lambda p, h: p.g - p.l2 * p.theta),
        (
            "l2 multiplies the gradient: g (1 + l2 theta) instead of g + l2 theta",
            lambda p, h: p.g * (1 + p.l2 * p.theta),
        ),
        ("l2 is multiplied by the learning rate", lambda p, h: p.g + p.learning_rate * p.l2 * p.theta),
        ("the decay is L1: g + l2 sign(theta)", lambda p, h: p.g + p.l2 * np.sign(p.theta)),
        ("l2 is squared", lambda p, h: p.g + p.l2**2 * p.theta),
        ("l2 is doubled", lambda p, h: p.g + 2 * p.l2 * p.theta),
        ("l2 is halved", lambda p, h: p.g + p.l2 / 2 * p.theta),
        *_RESCALED[: s.rescale in d.stages],
    ):
        stage = g_is(formula)
        yield _with(words, d, {s.l2: stage}, {stage: _gradient_rule})
    before = theta_is(lambda p, h: p.theta - p.learning_rate * p.l2 * p.theta)
    text = "l2 is applied decoupled (as AdamW's decay) instead of entering the gradient"
    yield _with(text, d, {s.l2: None, s.subtract: (before, s.subtract)}, {before: _theta_rule})
    yield _with(
        f"{text}, to the updated parameter", d, {s.l2: None, s.subtract: (s.subtract, before)}, {before: _theta_rule}
    )
    bare = theta_is(lambda p, h: p.theta - p.l2 * p.theta)
    text = "l2 is applied decoupled, and not multiplied by the learning rate"
    yield _with(text, d, {s.l2: None, s.subtract: (bare, s.subtract)}, {bare: _theta_rule})

    def term(p: Working, h: Hyperparameters) -> Any:
        return p.g + p.l2 * p.theta

    def without(p: Working, h: Hyperparameters) -> Any:
        return p.g - p.l2 * p.theta

    on, off = g_is(term), g_is(without)
    rules = {on: _gradient_rule, off: _gradient_rule}
    text = "l2 enters m and not v"
    yield _with(text, d, {s.l2: None, s.first_moment: (on, s.first_moment, off)}, rules)
    text = "l2 enters v and not m"
    yield _with(text, d, {s.l2: None, s.second_moment: (on, s.second_moment, off)}, rules)


def _decoupled(d: reference.Dialect) -> Iterator[Variant]:
    own = s.decay_theta if s.decay_theta in d.stages else s.decay_direction

    def of(formula: Formula) -> dict[Stage, Any]:
        if own is s.decay_theta:
            stage = theta_is(lambda p, h: formula(p, h) if h.weight_decay else p.theta)
            rules[stage] = _theta_rule
            return {own: None, s.subtract: (stage, s.subtract)}
        stage = _in_direction(formula)
        rules[stage] = _direction_rule
        return {own: stage}

    rules: dict[Stage, Any] = {}
    yield _with("weight_decay does nothing", d, {own: None}, {})
    yield _with(
        "decay after the step: the updated parameter decays, not the one before",
        d,
        {own: None, s.subtract: (s.subtract, s.decay_theta)},
        {},
    )
    for words, formula in (
        ("weight_decay is not multiplied by the learning rate", lambda p, h: p.theta - h.weight_decay * p.theta),
        (
            "weight_decay has the wrong sign: theta grows",
            lambda p, h: p.theta + p.learning_rate * h.weight_decay * p.theta,
        ),
        ("weight_decay is applied twice", lambda p, h: p.theta * (1 - p.learning_rate * h.weight_decay) ** 2),
        (
            "weight_decay is multiplied by the learning rate twice",
            lambda p, h: p.theta - p.learning_rate**2 * h.weight_decay * p.theta,
        ),
        ("weight_decay is halved", lambda p, h: p.theta - p.learning_rate * h.weight_decay / 2 * p.theta),
        ("weight_decay is doubled", lambda p, h: p.theta - 2 * p.learning_rate * h.weight_decay * p.theta),
        ("weight_decay is squared", lambda p, h: p.theta - p.learning_rate * h.weight_decay**2 * p.theta),
        (
            "weight_decay takes the sign of theta (L1)",
            lambda p, h: p.theta - p.learning_rate * h.weight_decay * np.sign(p.theta),
        ),
    ):
        changes = of(formula)
        yield _with(words, d, changes, rules)
    warmed = of(lambda p, h: p.theta - p.learning_rate / bias_1(p, h) * h.weight_decay * p.theta)
    yield _with("weight_decay is multiplied by learning_rate / (1 - beta_1^t), the step size", d, warmed, rules)
    bare = theta_is(lambda p, h: p.theta - h.weight_decay * p.theta if h.weight_decay else p.theta)
    text = "weight_decay is not multiplied by the learning rate, and decays the updated parameter"
    yield _with(text, d, {own: None, s.subtract: (s.subtract, bare)}, {bare: _theta_rule})
    grows = theta_is(lambda p, h: p.theta + p.learning_rate * h.weight_decay * p.theta if h.weight_decay else p.theta)
    text = "weight_decay has the wrong sign, and the updated parameter grows, not the one before"
    yield _with(text, d, {own: None, s.subtract: (s.subtract, grows)}, {grows: _theta_rule})
    only = theta_is(lambda p, h: p.theta - p.learning_rate * h.weight_decay * p.theta if p.theta.ndim > 1 else p.theta)
    text = "weight_decay spares parameters of less than two axes"
    yield _with(text, d, {own: None, s.subtract: (only, s.subtract)}, {only: _theta_rule})
    l2 = g_is(lambda p, h: p.g + h.weight_decay * p.theta)
    text = "weight_decay is coupled: an L2 term in the gradient instead of decoupled decay"
    changes = {own: None, s.first_moment: (l2, s.first_moment)}
    yield _with(text, d, changes, {l2: _gradient_rule})
    inside = g_is(lambda p, h: p.g * (1 - p.learning_rate * h.weight_decay))
    yield _with(
        "weight_decay shrinks the gradient",
        d,
        {own: None, s.first_moment: (inside, s.first_moment)},
        {inside: _gradient_rule},
    )


def _in_direction(formula: Formula) -> Stage:
    """What `formula` takes from theta, as part of the direction."""

    def stage(p: Working, h: Hyperparameters, x: Namespace) -> None:
        if h.weight_decay:
            p.direction = p.direction + (p.theta - formula(p, h))

    return stage


def _direction_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    decay = abs(after.direction - before.direction)
    e.direction = e.direction + C * a.u * (abs(before.direction) + abs(after.theta) + decay) + C * a.tiny


# The gradient itself


def _clipping(d: reference.Dialect) -> Iterator[Variant]:
    yield _with("clip_gradient does nothing", d, {s.clip: None}, {})
    text = "clip_gradient 0 is taken for no clipping"
    stage = g_is(lambda p, h: np.clip(p.g, -h.clip_gradient, h.clip_gradient) if h.clip_gradient else p.g)
    yield _with(text, d, {s.clip: stage}, {})
    yield _with("rescale_grad does nothing", d, {s.rescale: None}, {})
    half: dict[Stage, Any] = {s.clip: None, s.rescale: (s.clip, s.rescale)}
    yield _with("clipped before rescaling", d, half, {})
    above = g_is(lambda p, h: p.g if h.clip_gradient is None else np.minimum(p.g, h.clip_gradient))
    yield _with("clipped from above only", d, {s.clip: above}, {})
    by = g_is(lambda p, h: p.g / h.rescale_grad)
    yield _with("divided by rescale_grad instead of multiplied", d, {s.rescale: by}, {by: _gradient_rule})
    l2 = g_is(lambda p, h: p.g * (1 + p.l2 * p.theta))
    yield _with("clipped and then multiplied by 1 + l2 theta", d, {s.l2: l2}, {l2: _gradient_rule})
    if d.stages.index(s.clip) < d.stages.index(s.l2):
        text = "clipped after the L2 term instead of before: clip(rescale_grad g + l2 theta), as MXNet 1 does"
        yield _with(text, d, {s.clip: None, s.l2: (s.l2, s.clip)}, {})
    else:
        text = "clipped before the L2 term instead of after: clip(rescale_grad g) + l2 theta, as MXNet 2 does"
        yield _with(text, d, {s.clip: None, s.l2: (s.clip, s.l2)}, {})


def _rows(d: reference.Dialect) -> Iterator[Variant]:
    if s.scatter_rows in d.stages:
        text = "lazy: rows that the gradient does not name stay as they are"
        yield _with(text, d, {s.scatter_rows: s.gather_rows, s.subtract: (s.subtract, s.restore_rows)}, {})
    if s.gather_rows in d.stages:
        text = "not lazy: rows that the gradient does not name take a step with gradient 0"
        yield _with(text, d, {s.gather_rows: s.scatter_rows, s.restore_rows: None}, {})
    if s.named_rows_move in d.stages:
        text = "all rows move, not only those that the gradient names"
        yield _with(text, d, {s.named_rows_move: None}, {})


def _changed(d: reference.Dialect) -> Iterator[Variant]:
    for words, formula in (
        ("the gradient's sign is turned (maximize)", lambda g: -g),
        ("the gradient is clipped to [-1, 1]", lambda g: np.clip(g, -1, 1)),
        ("the gradient's norm is clipped to 1, parameter by parameter", lambda g: g / max(1.0, _norm(g))),
        ("the gradient is divided by its norm", lambda g: g / (_norm(g) or 1.0)),
        ("the gradient's mean is subtracted (gradient centralization)", lambda g: g - (g.mean() if g.size else 0.0)),
        ("the gradient is read in column-major order", lambda g: g.reshape(-1, order="F").reshape(g.shape)),
        ("the gradient is read in reverse order", lambda g: g.reshape(-1)[::-1].reshape(g.shape)),
        ("only the sign of g is used, in m and v too", np.sign),
        ("abs(g) in the place of g", np.abs),
    ):
        yield _formed(words, d, _each(formula))
    yield _formed("the norm of all gradients together is clipped to 1", d, _clipped_together)
    for words, first, now in (
        ("the gradient is averaged with that of the step before, which is 0 in the first", 0.0, 0.5),
        ("the gradient is averaged with that of the step before, but in the first", 1.0, 0.5),
        ("the gradient of the step before is used, but in the first", 1.0, 0.0),
    ):
        yield _formed(words, d, partial(_with_the_last, first=first, now=now))


def _formed(words: str, d: reference.Dialect, gradients: Gradients) -> Variant:
    """The dialect with gradients that somebody has computed, which rounds."""
    same = g_is(lambda p, h: p.g)
    first = next(stage for stage in d.stages if stage in (s.rescale, s.clip, s.l2, s.first_moment))
    made = swapped(d, {first: (same, first)})
    made["rules"][same] = _formed_rule
    return Variant(words=words, **made, gradients=gradients)


def _formed_rule(before: Working, after: Working, e: Errors, h: Hyperparameters, a: Rounding) -> None:
    e.g = e.g + C * a.u * abs(after.g) + C * a.tiny


def _clipped_together(trail: Trail, k: int) -> list[Any]:
    parts = [g[1] if isinstance(g, tuple) else g for g in trail.gradients[k] if g is not None]
    most = max(1.0, float(np.sqrt(sum(_norm(np.asarray(part)) ** 2 for part in parts))))
    return _each(lambda g: g / most)(trail, k)


def _with_the_last(trail: Trail, k: int, *, first: float, now: float) -> list[Any]:
    """now g + (1 - now) times the last one before; times `first` where there is none before."""

    def of(i: int, g: Any) -> Any:
        if g is None or isinstance(g, tuple):
            return g
        last = next((trail.gradients[j][i] for j in range(k - 1, -1, -1) if trail.present[j, i]), first * g)
        return now * np.asarray(g, np.float64) + (1 - now) * np.asarray(last, np.float64)

    return [of(i, g) for i, g in enumerate(trail.gradients[k])]


def _norm(g: Any) -> float:
    return float(np.sqrt(np.sum(np.square(g.astype(np.float64)))))


def _each(formula: Callable[[Any], Any]) -> Callable[[Trail, int], list[Any]]:
    def one(g: Any) -> Any:
        if g is None:
            return None
        if isinstance(g, tuple):
            return g[0], formula(np.asarray(g[1], np.float64))
        return formula(np.asarray(g, np.float64))

    return lambda trail, k: [one(g) for g in trail.gradients[k]]


# Gradients that are not there


def _absent(d: reference.Dialect) -> Iterator[Variant]:
    def zeros(trail: Trail, k: int) -> list[Any]:
        seen = np.atleast_1d(trail.present[: k + 1].any(axis=0))
        return _filled(trail, k, lambda i, theta: np.zeros(theta.shape) if seen[i] else None)

    def always(trail: Trail, k: int) -> list[Any]:
        return _filled(trail, k, lambda i, theta: np.zeros(theta.shape))

    def last(trail: Trail, k: int) -> list[Any]:
        return _filled(
            trail, k, lambda i, _: next((trail.gradients[j][i] for j in range(k, -1, -1) if trail.present[j, i]), None)
        )

    yield Variant(words="a parameter without gradient takes a step with gradient 0", dialect=d, gradients=zeros)
    text = "a parameter without gradient takes a step with gradient 0, and its t does not count it"
    yield Variant(words=text, dialect=d, gradients=zeros, counts=own_counts)
    text = "a parameter without gradient takes a step with gradient 0, before its first gradient too"
    yield Variant(words=text, dialect=d, gradients=always)
    yield Variant(words="a parameter without gradient takes its last one again", dialect=d, gradients=last)


def _filled(trail: Trail, k: int, make: Callable[[int, Any], Any]) -> list[Any]:
    return [
        make(i, theta) if g is None else g
        for i, (g, theta) in enumerate(zip(trail.gradients[k], trail.problem.parameters, strict=True))
    ]
