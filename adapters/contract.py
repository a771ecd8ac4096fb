"""The contract between the suite and an implementation of Adam: frozen data and two Protocols.

What else an implementation may do, and need not, is in `adapters.procedures`: save and load, a configuration's round
trip, changed hyper-parameters, parameter groups.

Everything that crosses it is NumPy or plain Python; nothing of a framework does. Dialects and dtypes
cross as strings. Arrays are C-contiguous, except for whoever claims other layouts. A bfloat16 array travels as
float32 values that are exactly representable, tagged by ``Problem.dtype``.

An implementation is any object with the members of `Implementation`; it need not inherit from
anything here. docs/architecture.md has a complete example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from adapters.hyperparameters import HYPERPARAMETERS as HYPERPARAMETERS
from adapters.hyperparameters import ContractError as ContractError
from adapters.hyperparameters import Hyperparameters as Hyperparameters
from adapters.hyperparameters import Schedule as Schedule

CONTRACT_VERSION = 1
"""Raised when an implementation written against this file would have to change."""

Array = NDArray[Any]
Precision = Literal["bfloat16", "float16", "float32", "float64"]
GradientKind = Literal["dense", "none", "rows", "duplicate rows", "unsorted rows", "empty rows"]
Layout = Literal["transposed", "channels-last", "strided", "misaligned", "expanded", "reversed"]

PRECISIONS: tuple[Precision, ...] = ("bfloat16", "float16", "float32", "float64")
GRADIENT_KINDS: tuple[GradientKind, ...] = (
    "dense",
    "none",
    "rows",
    "duplicate rows",
    "unsorted rows",
    "empty rows",
)
LAYOUTS: tuple[Layout, ...] = ("transposed", "channels-last", "strided", "misaligned", "expanded", "reversed")
"""How an array may lie in memory other than C-contiguous. transposed: the axes in the reverse order. channels-last:
axis 1 innermost. strided: there is memory between the elements that is none of theirs. misaligned: it begins one
element after a multiple of 16 bytes. expanded: elements of the first axis share memory; gradients only. reversed:
backwards."""

PROCEDURES: tuple[str, ...] = (
    "save",
    "rewind",
    "configuration",
    "change",
    "groups",
    "late groups",
    "saved groups",
    "changed groups",
    "state",
    "mixed dtypes",
    "empty steps",
    "finalize",
    "replicas",
    "unaggregated replicas",
    "transformers",
    "tensors",
    "callables",
    "weights",
)
"""What an implementation may do beside steps, all of it optional: see `Procedure`."""

CONSTRAINED_ROWS = "row-sparse gradients of constrained parameters (refused)"
NON_NEG_FLOAT64 = "the constraint non_neg of float64 parameters (refused)"
"""In `Claim.not_claimed` of whoever refuses them."""
RATE_OF_ANOTHER_KIND = "a load where the saved learning rate is a number and the new one a schedule, or the reverse"
"""In `Claim.not_claimed` of whoever loads no state then."""
STATE_STAYS = "a load of what was saved before there was state, into an object that has some (its state stays)"
"""In `Claim.not_claimed` of whose load leaves what it does not find, and says so."""
SCHEDULE_STAYS = "a number assigned in the place of a schedule (refused)"
"""In `Claim.not_claimed` of whoever refuses it."""


@dataclass(frozen=True)
class Rows:
    """A row-sparse gradient: ``values[k]`` belongs to row ``indices[k]`` of the parameter's first axis.

    indices: int64, shape ``[k]``, possibly with duplicates, unsorted, or empty, as the claim says.
    values: the problem's dtype, shape ``[k, *parameter.shape[1:]]``.
    """

    indices: NDArray[np.int64]
    values: Array


Gradient = Array | Rows | None
"""None: this parameter has no gradient in this step."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Hyper-parameters, initial parameters and a gradient sequence ``gradients[step][parameter]``."""

    dtype: Precision
    hyperparameters: Hyperparameters
    parameters: tuple[Array, ...]
    gradients: tuple[tuple[Gradient, ...], ...]

    def __post_init__(self) -> None:
        if self.dtype not in PRECISIONS:
            raise ContractError("dtype", self.dtype, ", ".join(PRECISIONS))
        for i, theta in enumerate(self.parameters):
            _array(f"parameters[{i}]", theta, self.dtype, theta.shape if isinstance(theta, np.ndarray) else ())
        for k, step in enumerate(self.gradients):
            check_gradients(self.parameters, step, f"gradients[{k}]")


@dataclass(frozen=True, kw_only=True)
class State:
    """Parameters and optimizer state after a step: one entry per parameter, each of its shape and dtype.

    Where a parameter has a master copy (`Claim.masters`), `parameters` are the copies, and they, m and v are float32;
    `weights` are the parameters themselves, which are of the problem's dtype. None without.

    v_max is None without AMSGrad, and 0 of a parameter whose group is without where another group has it. slow,
    Lookahead's slow weights, is None without a sync_period, and average, Keras' moving average of the parameters,
    without ema_momentum. t is the number of steps that the bias correction of this parameter has seen: the optimizer's
    count where the dialect has one count for all. A parameter whose state the framework has not created yet has
    m = v = 0, and its own value for slow weights and average.
    """

    parameters: tuple[Array, ...]
    m: tuple[Array, ...]
    v: tuple[Array, ...]
    v_max: tuple[Array, ...] | None
    t: tuple[int, ...]
    slow: tuple[Array, ...] | None = None
    weights: tuple[Array, ...] | None = None
    average: tuple[Array, ...] | None = None


QUANTITIES: tuple[str, ...] = ("parameters", "m", "v", "v_max", "slow", "average")
"""The arrays of a state, by name; of the last three, one that is not there is None."""

Trajectory = tuple[State, ...]
"""The state after every step of a problem, first step first."""


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How an implementation computes, role by role; the rounding bound follows from this alone.

    Declared per problem dtype. "Received" is the precision that a hyper-parameter is rounded to on
    its way in, before anything is computed with it; the oracle is given it rounded the same way.
    """

    storage: Precision
    """Parameters, gradients and state: the problem's dtype, but float32 where there is a master copy of it."""
    compute: Precision
    """The element formula."""
    learning_rate: Precision = "float64"
    """Received, as min_lr and warmup_proportion are."""
    moment_betas: Precision = "float64"
    """beta_1 and beta_2 as the moments receive them."""
    power_betas: Precision = "float64"
    """beta_1 and beta_2 as the bias correction (and the rectification) receives them."""
    powers: Precision = "float64"
    """beta^t and what is formed from it: 1 - beta^t, the length sma_t, the rectification."""
    power_form: Literal["pow", "product", "rounded"] = "pow"
    """beta^t by a power function; as a product that is carried from step to step; or by a power function of a beta
    that is rounded to `powers` for it and for nothing else."""
    momentum_product: Precision = "float64"
    """The product of NAdam's momentum schedule, which is carried from step to step."""
    step_size: Precision = "float64"
    """The step size as it reaches the element formula."""
    epsilon: Precision = "float64"
    """Received."""
    decay: Precision = "float64"
    """l2 and weight_decay, received."""
    rate_decay: Precision = "float64"
    """The hyper-parameter decay, received."""
    schedule: Precision = "float64"
    """The numbers of a schedule, received, and what is formed from them."""
    rescale_grad: Precision = "float64"
    """Received."""
    clip_gradient: Precision = "float64"
    """Received."""
    clips: Precision = "float64"
    """clipvalue, clipnorm and global_clipnorm, received."""
    sma_threshold: Precision = "float64"
    """Received."""
    slow_step_size: Precision = "float64"
    """Received."""
    ema_momentum: Precision = "float64"
    """Received."""
    first_moment: Literal["sum", "lerp"] = "sum"
    """beta_1 m + (1 - beta_1) g (also a lerp that switches sides at 1/2), or m + (1 - beta_1) (g - m)."""
    second_moment: Literal["sum", "lerp"] = "sum"
    """beta_2 v + (1 - beta_2) g^2, or v + (1 - beta_2) (g^2 - v)."""

    def __post_init__(self) -> None:
        for f in fields(self):
            accepted: tuple[str, ...] = PRECISIONS
            if f.name == "power_form":
                accepted = ("pow", "product", "rounded")
            elif f.name.endswith("_moment"):
                accepted = ("sum", "lerp")
            if getattr(self, f.name) not in accepted:
                raise ContractError(f"arithmetic.{f.name}", getattr(self, f.name), ", ".join(accepted))


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """How a framework does something that is no step, in words, and with which hyper-parameters.

    hyperparameters: of "save", those that a load brings back, whatever the new object was built with (the others are
    the new object's); of "change", those that may change between steps; of "groups", those that a parameter group may
    have of its own; of "tensors" and "callables", those that may be given so. None of "configuration", which holds all,
    nor of "rewind", "late groups", "saved groups", "changed groups", "state", "weights", "mixed dtypes", "empty steps",
    "finalize", "transformers" and of replicas. amsgrad, which decides what state there is, of "groups" alone;
    sync_period from one number to another, as whether it is None decides that too.
    """

    how: str
    """The framework's own, as in "state_dict, torch.save, torch.load, load_state_dict"."""
    hyperparameters: frozenset[str] = frozenset()
    unless: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Of "save": one of `hyperparameters`, and the one beside which it is the new object's, on in the saved or the new
    one: a rate is no number where there is a schedule of it."""

    def brought_back(self, saved: Hyperparameters, new: Hyperparameters) -> frozenset[str]:
        """Of "save": what a load of the one into an object that was built with the other brings back."""
        usual = Hyperparameters()
        on = {name for name in self.unless.values() for h in (saved, new) if getattr(h, name) != getattr(usual, name)}
        return self.hyperparameters - {name for name, other in self.unless.items() if other in on}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What an implementation says it is. The suite draws problems inside the claim and nowhere else."""

    dialect: str
    hyperparameters: frozenset[str]
    dtypes: tuple[Precision, ...] = ("float32", "float64")
    gradients: frozenset[GradientKind] = frozenset({"dense", "none"})
    not_claimed: tuple[str, ...] = ()
    """The framework's own arguments that this adapter does not take yet; listed in every report."""
    layouts: frozenset[Layout] = frozenset()
    """Layouts in which it takes parameters and gradients. Its tensors lie in memory as the given arrays do, and so do
    the parameters of every `State`, with what lies between their elements: `adapters.memory.copied` copies so."""
    masters: frozenset[Precision] = frozenset()
    """Dtypes whose parameters have a float32 master copy, which steps are of; a parameter is the copy, rounded."""
    nonzero: frozenset[str] = frozenset()
    """Hyper-parameters that it takes with no value that is 0 or False."""
    both_decays: bool = False
    """Whether it takes l2 and weight_decay above 0 together; torch has one argument for the two."""
    clips_together: bool = False
    """Whether it takes clipvalue and one of the norms together; Keras 3 refuses to."""
    procedures: Mapping[str, Procedure] = field(default_factory=dict, hash=False)
    """By name, out of `PROCEDURES`; those that are absent are listed in every report as not claimed."""

    def __post_init__(self) -> None:
        if not isinstance(self.dialect, str):
            raise ContractError("claim.dialect", self.dialect, "the name of a dialect")
        for name, kind in (
            ("hyperparameters", frozenset),
            ("gradients", frozenset),
            ("layouts", frozenset),
            ("dtypes", tuple),
            ("not_claimed", tuple),
            ("nonzero", frozenset),
            ("masters", frozenset),
        ):
            _strings(f"claim.{name}", getattr(self, name), kind)
        _subset("claim.hyperparameters", self.hyperparameters, HYPERPARAMETERS)
        _subset("claim.nonzero", self.nonzero, tuple(sorted(self.hyperparameters)))
        _subset("claim.dtypes", self.dtypes, PRECISIONS)
        _subset("claim.masters", self.masters, tuple(p for p in ("bfloat16", "float16") if p in self.dtypes))
        _subset("claim.gradients", self.gradients, GRADIENT_KINDS)
        _subset("claim.layouts", self.layouts, LAYOUTS)
        if not self.dtypes:
            raise ContractError("claim.dtypes", self.dtypes, f"at least one of {', '.join(PRECISIONS)}")
        decays = {"l2", "weight_decay"} <= self.hyperparameters
        if self.both_decays is not False and not (self.both_decays is True and decays):
            accepted = "False, or True where l2 and weight_decay are claimed"
            raise ContractError("claim.both_decays", self.both_decays, accepted)
        if self.clips_together is not False and not (
            self.clips_together is True and "clipvalue" in self.hyperparameters
        ):
            raise ContractError(
                "claim.clips_together", self.clips_together, "False, or True where clipvalue is claimed"
            )
        if not {"dense", "rows"} & self.gradients:
            raise ContractError("claim.gradients", set(self.gradients), "dense or rows among them")
        _procedures(self.procedures, self.hyperparameters)

    def without(self) -> tuple[str, ...]:
        """What is not claimed: `not_claimed`, the procedures that are absent, what they do not reach."""
        absent = tuple(name for name in PROCEDURES if name not in self.procedures)
        reach = {"save": "brought back by save", "change": "changed between steps", "groups": "of a group's own"}
        partly = tuple(
            f"{name} {words}"
            for procedure, words in reach.items()
            if procedure in self.procedures
            for name in sorted(self.hyperparameters - {"amsgrad"} - self.procedures[procedure].hyperparameters)
        )
        beside = tuple(
            f"{name} brought back by save beside {other}"
            for name, other in sorted(self.procedures["save"].unless.items() if "save" in self.procedures else ())
        )
        return (*self.not_claimed, *(f"procedure {name}" for name in absent), *partly, *beside)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which code ran. `observed` comes from the framework's own dispatch or profiler during real steps."""

    framework: str
    """Distribution name, for example ``tensorflow-cpu``."""
    version: str
    required: frozenset[str]
    """Operations without which this is another code path."""
    excluded: frozenset[str] = frozenset()
    """Operations that belong to another code path."""
    observed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("framework", "version"):
            if not isinstance(getattr(self, name), str):
                raise ContractError(f"identity.{name}", getattr(self, name), "text")
        for name in ("required", "excluded", "observed"):
            _strings(f"identity.{name}", getattr(self, name), frozenset)


@runtime_checkable
class Run(Protocol):
    """One optimizer over one list of parameters."""

    def step(self, gradients: Sequence[Gradient]) -> State:
        """Apply one step and return the state as it then is. Must not write to `gradients`."""
        ...


@runtime_checkable
class Implementation(Protocol):
    """One code path that claims a dialect.

    The constructor takes no arguments and imports the framework; it may raise ImportError.
    """

    contract_version: int
    name: str
    claim: Claim

    def identity(self) -> Identity:
        """Run one step under the framework's dispatch or profiler and say what was seen."""
        ...

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        """How it computes on parameters of this dtype."""
        ...

    def start(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> Run:
        """A new optimizer over copies of `parameters`, state empty, t = 0. Must not keep or write the arrays.

        Whoever claims bfloat16 takes ``dtype="bfloat16"`` as well, which the suite passes with such parameters alone.
        """
        ...


def check_count(parameters: Sequence[object], gradients: Sequence[Gradient]) -> None:
    """Raise `ContractError` unless there is one gradient, or None, per parameter."""
    if len(gradients) != len(parameters):
        raise ContractError(
            "len(gradients)", len(gradients), f"{len(parameters)}, one per parameter (None for no gradient)"
        )


def check_gradients(parameters: Sequence[Array], gradients: Sequence[Gradient], name: str = "gradients") -> None:
    """Raise `ContractError` unless `gradients` fit `parameters` in number, shape, dtype and row range."""
    if len(gradients) != len(parameters):
        raise ContractError(
            f"len({name})", len(gradients), f"{len(parameters)}, one per parameter (None for no gradient)"
        )
    for i, (theta, g) in enumerate(zip(parameters, gradients, strict=True)):
        if g is None or (isinstance(g, np.ndarray) and g.dtype == theta.dtype and g.shape == theta.shape):
            continue  # without a word, as a run asks this of every gradient
        at = f"{name}[{i}]"
        if not isinstance(g, Rows):
            _array(at, g, theta.dtype.name, theta.shape)
            continue
        if theta.ndim == 0:
            raise ContractError(at, "Rows", "an array or None: a 0-d parameter has no rows")
        if not (isinstance(g.indices, np.ndarray) and g.indices.dtype == np.int64 and g.indices.ndim == 1):
            raise ContractError(f"{at}.indices", g.indices, "an int64 array of one dimension")
        _array(f"{at}.values", g.values, theta.dtype.name, (len(g.indices), *theta.shape[1:]))
        if g.indices.size and not (g.indices.min() >= 0 and g.indices.max() < theta.shape[0]):
            raise ContractError(f"{at}.indices", g.indices.tolist(), f"row numbers from 0 to {theta.shape[0] - 1}")


def _strings(name: str, values: Any, kind: Any) -> None:
    if not isinstance(values, kind) or any(not isinstance(value, str) for value in values):
        raise ContractError(name, values, f"a {kind.__name__} of names")


def _subset(name: str, values: Any, accepted: tuple[str, ...]) -> None:
    for value in values:
        if value not in accepted:
            raise ContractError(name, value, ", ".join(accepted))


def _procedures(procedures: Any, known: frozenset[str]) -> None:
    if not isinstance(procedures, Mapping):
        raise ContractError("claim.procedures", procedures, "a mapping from names to Procedure")
    _subset("claim.procedures", procedures, PROCEDURES)
    for name, procedure in procedures.items():
        at = f"claim.procedures[{name!r}]"
        if not isinstance(procedure, Procedure):
            raise ContractError(at, procedure, "a Procedure")
        if not isinstance(procedure.how, str) or not procedure.how:
            raise ContractError(f"{at}.how", procedure.how, "the framework's procedure in words")
        _strings(f"{at}.hyperparameters", procedure.hyperparameters, frozenset)
        of_it = known if name == "groups" else known - {"amsgrad"}
        _subset(f"{at}.hyperparameters", procedure.hyperparameters, tuple(sorted(of_it)))
        if not isinstance(procedure.unless, Mapping):
            raise ContractError(f"{at}.unless", procedure.unless, "a mapping from hyper-parameters to hyper-parameters")
        _subset(f"{at}.unless", procedure.unless, tuple(sorted(procedure.hyperparameters)))
        _subset(f"{at}.unless", procedure.unless.values(), tuple(sorted(known)))
    if "late groups" in procedures and "groups" not in procedures:
        raise ContractError("claim.procedures", sorted(procedures), '"groups" too where "late groups" is')
    if "rewind" in procedures and "save" not in procedures:
        raise ContractError("claim.procedures", sorted(procedures), '"save" too where "rewind" is')
    if "saved groups" in procedures and not {"save", "groups"} <= procedures.keys():
        raise ContractError("claim.procedures", sorted(procedures), '"save" and "groups" too where "saved groups" is')
    if "changed groups" in procedures and not {"change", "groups"} <= procedures.keys():
        accepted = '"change" and "groups" too where "changed groups" is'
        raise ContractError("claim.procedures", sorted(procedures), accepted)


def _array(name: str, value: object, dtype: str, shape: tuple[int, ...]) -> None:
    travels_as = "float32" if dtype == "bfloat16" else dtype
    if not isinstance(value, np.ndarray):
        raise ContractError(name, type(value).__name__, "a NumPy array")
    if value.dtype.name != travels_as:
        raise ContractError(f"{name}.dtype", value.dtype.name, travels_as)
    if value.shape != shape:
        raise ContractError(f"{name}.shape", value.shape, str(shape))
