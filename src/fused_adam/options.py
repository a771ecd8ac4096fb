"""The dialects that the production optimizer speaks, and the options of one parameter group."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from fused_adam.errors import refused

_ADAM = frozenset({"learning_rate", "beta_1", "beta_2", "epsilon"})
_MXNET = _ADAM | {"l2", "rescale_grad", "clip_gradient"}
_WARM_UP = frozenset({"total_steps", "warmup_proportion", "min_lr"})


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What one framework's optimizer computes. Dense gradients."""

    name: str
    takes: frozenset[str]
    """Options that it has; another one must keep its default."""
    epsilon: Literal["hat", "paper"]
    """hat: added to sqrt(v). paper: added to sqrt(v / (1 - beta_2^t))."""
    default_epsilon: float
    zero_epsilon: float = 0.0
    """What epsilon 0 means."""
    step_count: Literal["optimizer", "parameter"] = "optimizer"
    """optimizer: one t, which advances for parameters without gradient too."""
    decay: Literal["", "before", "inside"] = ""
    """Where decoupled weight decay stands: before the step, or as a term of the update."""
    clip: Literal["", "before l2", "after l2"] = ""
    rectified: Literal["", ">=", ">"] = ""
    """How the length of the moving average is compared with sma_threshold."""


_TABLE = (
    Dialect(
        name="keras-v2-adam",
        takes=_ADAM | {"amsgrad"},
        epsilon="hat",
        default_epsilon=1e-7,
        zero_epsilon=1e-7,
    ),
    Dialect(
        name="tf-keras-adam",
        takes=_ADAM | {"amsgrad", "weight_decay", "adaptive_epsilon"},
        epsilon="hat",
        default_epsilon=1e-7,
        decay="before",
    ),
    Dialect(
        name="mxnet2-adam",
        takes=_MXNET,
        epsilon="hat",
        default_epsilon=1e-8,
        step_count="parameter",
        clip="before l2",
    ),
    Dialect(
        name="mxnet1-adam",
        takes=_MXNET,
        epsilon="hat",
        default_epsilon=1e-8,
        step_count="parameter",
        clip="after l2",
    ),
    Dialect(
        name="tfa-rectified-adam",
        takes=_ADAM | _WARM_UP | {"amsgrad", "weight_decay", "sma_threshold"},
        epsilon="paper",
        default_epsilon=1e-7,
        zero_epsilon=1e-7,
        decay="inside",
        rectified=">=",
    ),
    Dialect(
        name="torch-adam",
        takes=_ADAM | {"amsgrad", "l2", "weight_decay"},
        epsilon="paper",
        default_epsilon=1e-8,
        step_count="parameter",
        decay="before",
    ),
    Dialect(
        name="torch-radam",
        takes=_ADAM | {"l2", "weight_decay"},
        epsilon="hat",
        default_epsilon=1e-8,
        step_count="parameter",
        decay="before",
        rectified=">",
    ),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({d.name: d for d in _TABLE})

LAST_STEP = 2**53
"""Up to here a step count is the same number in float64."""

_LATER = ("mxnet2-adam-lazy", "mxnet1-adam-lazy")


def dialect(name: str) -> Dialect:
    """The dialect called `name`; ValueError naming the known ones otherwise."""
    if name in _LATER:
        known = ", ".join(DIALECTS)
        raise refused("dialect", name, f"{known}; lazy updates and row-sparse gradients are not implemented yet")
    if not isinstance(name, str) or name not in DIALECTS:
        raise refused("dialect", name, ", ".join(DIALECTS))
    return DIALECTS[name]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Hyper-parameters of one parameter group, in Keras spelling, as `make` has checked them."""

    dialect: Dialect
    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    adaptive_epsilon: bool = False
    amsgrad: bool = False
    l2: float = 0.0
    weight_decay: float = 0.0
    rescale_grad: float = 1.0
    clip_gradient: float | None = None
    sma_threshold: float = 5.0
    total_steps: int = 0
    warmup_proportion: float = 0.1
    min_lr: float = 0.0


DEFAULTS: Mapping[str, object] = MappingProxyType(
    {name: f.default for name, f in Options.__dataclass_fields__.items() if name not in ("dialect", "epsilon")}
)


def make(d: Dialect, given: Mapping[str, object], spelling: Mapping[str, str] = MappingProxyType({})) -> Options:
    """Options of dialect `d`; missing ones have their default, and epsilon the dialect's.

    spelling: what the caller calls an option, for the messages.

    Raises ValueError or TypeError, naming the argument, its value and what is accepted.
    """
    values: dict[str, object] = {"epsilon": d.default_epsilon, **DEFAULTS, **given}
    for name, value in values.items():
        if name not in _CHECKS:
            raise refused(name, value, f"nothing; {d.name} has {', '.join(sorted(d.takes))}", TypeError)
        test, accepted = _CHECKS[name]
        if not test(value):
            raise refused(spelling.get(name, name), value, accepted)
        if name not in d.takes and value != DEFAULTS[name]:
            has = ", ".join(sorted(spelling.get(n, n) for n in d.takes))
            raise refused(spelling.get(name, name), value, f"{DEFAULTS[name]!r}; {d.name} does not have it, only {has}")
    o = Options(dialect=d, **{k: _plain(v) for k, v in values.items()})  # type: ignore[arg-type]
    _check_threshold(o, spelling)
    return o


def _check_threshold(o: Options, spelling: Mapping[str, str]) -> None:
    """Refuse a threshold that lets r_t act where it is the root of a negative number.

    Its factor (sma_t - 4)(sma_t - 2) / ((sma_inf - 4)(sma_inf - 2)) is negative where 2 or 4 lies between sma_t and
    sma_inf, to which sma_t grows.
    """
    sma_inf = (1 + o.beta_2) / (1 - o.beta_2)
    least = max((pole for pole in (2, 4) if pole <= sma_inf), default=0)
    if o.sma_threshold < least:
        accepted = f"a finite number >= {least} with beta_2 {o.beta_2!r}"
        why = "the rectification is the root of a negative number below"
        raise refused(spelling.get("sma_threshold", "sma_threshold"), o.sma_threshold, f"{accepted}; {why}")


def _plain(value: object) -> object:
    if isinstance(value, bool | None):
        return value
    return int(value) if isinstance(value, int) else float(value)  # type: ignore[arg-type]


def _number(value: object) -> float | None:
    """A finite real number of Python or NumPy (also in an array of no dimension); None for anything else."""
    if type(value).__module__ == "numpy":  # text, truth values, complex numbers and objects have a float() too
        kind = getattr(getattr(value, "dtype", None), "kind", "none")
        if getattr(value, "shape", None) != () or kind not in "iuf":
            return None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _at_least(low: float) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        number = _number(value)
        return number is not None and number >= low

    return test


def _is_beta(value: object) -> bool:
    number = _number(value)
    return number is not None and 0 <= number < 1


def _is_share(value: object) -> bool:
    number = _number(value)
    return number is not None and 0 <= number <= 1


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_bound(value: object) -> bool:
    return value is None or _not_negative(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_STEP


_not_negative = _at_least(0)
_NUMBER = (_not_negative, "a finite number >= 0")
_BETA = (_is_beta, "a number in [0, 1)")
_FLAG = (_is_flag, "True or False")
_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "learning_rate": _NUMBER,
    "beta_1": _BETA,
    "beta_2": _BETA,
    "epsilon": _NUMBER,
    "adaptive_epsilon": _FLAG,
    "amsgrad": _FLAG,
    "l2": _NUMBER,
    "weight_decay": _NUMBER,
    "rescale_grad": _NUMBER,
    "clip_gradient": (_is_bound, "None or a finite number >= 0"),
    "sma_threshold": _NUMBER,
    "total_steps": (_is_count, f"an int from 0 to {LAST_STEP}"),
    "warmup_proportion": (_is_share, "a number in [0, 1]"),
    "min_lr": _NUMBER,
}
