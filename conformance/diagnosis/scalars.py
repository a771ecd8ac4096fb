"""Explanations in the hyper-parameters: exchanged, ignored, rounded, multiplied."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np

import reference
from conformance.diagnosis.candidate import Hyper, Variant
from conformance.diagnosis.directions import with_direction
from conformance.diagnosis.trail import Trail
from reference.hyperparameters import Hyperparameters

H = Hyperparameters
CONSTANTS: dict[str, tuple[float, ...]] = {
    "learning_rate": (1e-3, 1e-2, 0.1, 1.0),
    "beta_1": (0.9, 0.8, 0.99, 0.95, 0.5, 0.0, 0.999),
    "beta_2": (0.999, 0.99, 0.95, 0.9, 0.9999, 0.98, 0.0),
    "epsilon": (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-10, 1e-12, 1e-16, 1.0),
    "l2": (0.01, 1e-4),
    "weight_decay": (0.01, 1e-4),
    "sma_threshold": (4.0, 5.0, 6.0),
    "momentum_decay": (0.004, 0.0),
    "epsilon_root": (0.0, 1e-8),
    "slow_step_size": (0.5, 0.8),
}
"""Defaults that are in use somewhere."""


def set_to(name: str, value: Callable[[H], float]) -> Hyper:
    """One hyper-parameter changed; a beta in the moments and in the bias correction."""

    def change(h: H) -> H:
        new = float(np.clip(value(h), 0, np.nextafter(1, 0))) if name.startswith("beta") else value(h)
        changed: dict[str, Any] = {name: new} | ({f"power_{name}": new} if name.startswith("beta") else {})
        return replace(h, **changed)

    return change


def candidates(d: reference.Dialect) -> Iterator[Variant]:
    """All of them, the simplest first."""
    numbers = _numbers(d)
    make = partial(Variant, dialect=d)
    yield make(words="beta_1 and beta_2 are exchanged", h=_exchanged)
    for name in numbers:
        for value in CONSTANTS.get(name, ()):
            words = f"{name} is {value:g}, whatever was asked"
            yield make(words=words, h=set_to(name, _constant(value)))
    yield from _zeros(make, numbers)
    for beta in ("beta_1", "beta_2"):
        for value in CONSTANTS[beta]:
            moments = partial(_only, name=beta, value=value)
            yield make(words=f"{beta} is {value:g} in the moments, whatever was asked", h=moments)
            powers = partial(_only, name=f"power_{beta}", value=value)
            yield make(words=f"{beta} is {value:g} in the bias correction, whatever was asked", h=powers)
    yield make(
        words="learning rate above 1 is taken for 1", h=set_to("learning_rate", lambda h: min(h.learning_rate, 1.0))
    )
    yield make(words="the learning rate is squared", h=set_to("learning_rate", lambda h: h.learning_rate**2))
    yield make(words="the square root of the learning rate", h=set_to("learning_rate", lambda h: h.learning_rate**0.5))
    if d.rectifies:
        for more in (1, -1):
            words = f"rectifies from sma_threshold {'+' if more > 0 else '-'} 1 on"
            yield make(words=words, h=set_to("sma_threshold", _threshold(more)))
    if "adaptive_epsilon" in d.hyperparameters:
        yield make(words="adaptive_epsilon does nothing", h=lambda h: replace(h, adaptive_epsilon=False))
        yield make(words="adaptive epsilon, whatever was asked", h=lambda h: replace(h, adaptive_epsilon=True))


def roundings(d: reference.Dialect) -> Iterator[Variant]:
    """Hyper-parameters that arrive with fewer digits."""
    make = partial(Variant, dialect=d)
    for name in _numbers(d):
        for rounds in ("float32", "bfloat16", "float16"):
            yield make(words=f"{name} is rounded to {rounds}", h=set_to(name, partial(_rounded, name=name, to=rounds)))
        for digits in (6, 10, 4, 8):
            words = f"{name} passes through a text of {digits} digits"
            yield make(words=words, h=set_to(name, _text(name, digits)))


_NO_NUMBERS = frozenset({"adaptive_epsilon", "amsgrad", "clip_gradient", "sync_period"}) | {
    "ema_momentum",
    "ema_overwrite_frequency",
    "exclude_from_weight_decay",
    "constraint",
}
"""Or not always: None is off."""


def _numbers(d: reference.Dialect) -> list[str]:
    """Hyper-parameters that are numbers; of a rectified dialect its threshold too, where it is fixed."""
    have = [f.name for f in fields(H) if f.name in d.hyperparameters or (f.name == "sma_threshold" and d.rectifies)]
    return [name for name in have if name not in _NO_NUMBERS]


def _constant(value: float) -> Callable[[H], float]:
    return lambda h: value


def _times(name: str, factor: float) -> Callable[[H], float]:
    return lambda h: factor * float(getattr(h, name))


def _or(name: str, value: float) -> Callable[[H], float]:
    return lambda h: float(getattr(h, name)) or value


def _text(name: str, digits: int) -> Callable[[H], float]:
    return lambda h: float(f"{getattr(h, name):.{digits}g}")


def _threshold(more: int) -> Callable[[H], float]:
    return lambda h: max(float(h.sma_threshold) + more, 4.0)


def _factor(k: float) -> Callable[[Any, Any], float]:
    return lambda p, h: k


def arithmetics(d: reference.Dialect) -> Iterator[Variant]:
    """Coarser arithmetic than is declared: the dialect, with a bound that is as much wider; the narrowest first."""
    narrow = {"step_size": "float32"}
    for powers in (
        {},
        {"power_form": "product"},
        {"powers": "float32"},
        {"powers": "float32", "power_form": "rounded"},
        {"powers": "float32", "power_form": "product"},
    ):
        for roles in (powers, powers | narrow):
            if roles:
                words = f"right in coarser arithmetic; conforms if declared: --arithmetic '{json.dumps(roles)}'"
                yield Variant(words=words, dialect=d, arithmetic=roles)


def _zeros(make: Any, numbers: Sequence[str]) -> Iterator[Variant]:
    for name, values in (
        ("learning_rate", (1e-3, 1e-2)),
        ("epsilon", (1e-7, 1e-8)),
        ("beta_1", (0.9,)),
        ("beta_2", (0.999,)),
    ):
        if name in numbers:
            for value in values:
                words = f"{name} 0 becomes {value:g}"
                yield make(words=words, h=set_to(name, _or(name, value)))


def _exchanged(h: H) -> H:
    return replace(h, beta_1=h.beta_2, beta_2=h.beta_1, power_beta_1=h.power_beta_2, power_beta_2=h.power_beta_1)


def _only(h: H, *, name: str, value: float) -> H:
    changed: dict[str, Any] = {name: value}
    return replace(h, **changed)


def _rounded(h: H, *, name: str, to: str) -> float:
    value = float(getattr(h, name))
    if to == "bfloat16":
        bits = int(np.float32(value).view(np.uint32))
        return float(np.uint32((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32))
    with np.errstate(over="ignore", under="ignore"):
        rounded = float(np.dtype(to).type(value))
    return rounded if np.isfinite(rounded) else value


# Fitted to what was observed


def fitted(d: reference.Dialect, trails: Sequence[Trail]) -> Iterator[Variant]:
    """Factors and constants that the observed steps show, as the shortest decimals that they allow."""
    for k in filter(None, _near(*_update_ratios(trails))):
        yield Variant(words=f"learning rate x {k:g}", dialect=d, h=set_to("learning_rate", _times("learning_rate", k)))
        yield with_direction(f"learning rate x {k:g}, in the step and not in the decay", d, size=_factor(k))
    for name, quantity, of in (("beta_1", "m", lambda g: g), ("beta_2", "v", lambda g: g * g)):
        for value in _near(*_betas(trails, name, quantity, of)):
            if 0 <= value < 1:
                words = f"{name} is {value:g}, whatever was asked"
                yield Variant(words=words, dialect=d, h=set_to(name, _constant(value)))
                words = f"{name} is {value:g} in the moments, whatever was asked"
                yield Variant(words=words, dialect=d, h=partial(_only, name=name, value=value))


def _near(values: Any, tolerances: Any) -> Iterator[float]:
    """Decimals of few digits near the median, if most values agree with it."""
    if not len(values):
        return
    middle = float(np.median(values))
    if not np.isfinite(middle) or np.mean(np.abs(values - middle) <= 2 * tolerances + 1e-3 * abs(middle)) < 0.5:
        return
    seen = set()
    for digits in range(1, 9):
        value = float(f"{middle:.{digits}g}")
        if abs(value - middle) <= 0.02 * abs(middle) and value not in seen:
            seen.add(value)
            yield value


def _update_ratios(trails: Sequence[Trail]) -> tuple[Any, Any]:
    """Observed movement over expected movement, where the latter is well known and m and v are right."""
    ratios, tolerances = [], []
    for trail in trails:
        if trail.problem.hyperparameters.weight_decay:
            continue
        for k, step in enumerate(trail.claimed):
            for i in range(len(trail.problem.parameters)):
                before = trail.states[k].theta[i]
                with np.errstate(all="ignore"):
                    expected = step.value[i, "parameters"] - before
                    obtained = trail.states[k + 1].theta[i] - before
                    tolerance = step.bound[i, "parameters"] / np.abs(expected)
                    told = step.wrong[i, "parameters"] & (tolerance < 1e-2) & np.isfinite(obtained)
                    ratios.append((obtained / expected)[told])
                    tolerances.append(tolerance[told])
    return _joined(ratios), _joined(tolerances)


def _betas(trails: Sequence[Trail], name: str, quantity: str, of: Callable[[Any], Any]) -> tuple[Any, Any]:
    """beta from new = beta old + (1 - beta) x, where the claimed one does not explain it."""
    found, tolerances = [], []
    for trail in trails:
        h = trail.problem.hyperparameters
        if h.l2 or h.clip_gradient is not None or h.rescale_grad != 1:
            continue
        for k, step in enumerate(trail.claimed):
            for i, g in enumerate(trail.gradients[k]):
                if g is None or isinstance(g, tuple):
                    continue
                x = of(np.asarray(g, np.float64))
                old, new = getattr(trail.states[k], quantity)[i], getattr(trail.states[k + 1], quantity)[i]
                with np.errstate(all="ignore"):
                    tolerance = step.bound[i, quantity] / np.abs(old - x)
                    told = step.wrong[i, quantity] & (tolerance < 1e-2)
                    found.append(((new - x) / (old - x))[told])
                    tolerances.append(tolerance[told])
    return _joined(found), _joined(tolerances)


def _joined(parts: list[Any]) -> Any:
    return np.concatenate([np.ravel(part) for part in parts]) if parts else np.zeros(0)
