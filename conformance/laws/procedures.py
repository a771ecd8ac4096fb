"""What the laws of procedures share: optional members that are asked, and hyper-parameters other than the given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Claim, Gradient, Hyperparameters, Implementation, Problem, Schedule, State
from conformance import oracle
from conformance.findings import Outcome
from conformance.laws.related import Comparison, on_values
from conformance.observe import ImplementationFailed, guarded, stepped, told
from reference import dialect, stages

LONGEST = 10
"""Steps of a problem that are run, to keep the cost small."""
OFF: dict[str, Any] = {"l2": 0.0, "weight_decay": 0.0, "clip_gradient": None, "decay": 0.0}
OFF |= dict.fromkeys(("clipvalue", "clipnorm", "global_clipnorm", "schedule", "weight_decay_schedule"))
OFF["lr_scheduler"] = None
OFF["total_steps"] = 0
"""Hyper-parameters that one value switches off."""
_DECAYING = Schedule("polynomial", decay_steps=5, end_learning_rate=float(np.float32(0.1234567)), power=2.0)
_CALLERS_OWN = Schedule("inverse_root", decay_steps=2)
_FROM_THE_START: dict[str, Any] = {"ema_momentum": None, "ema_overwrite_frequency": None, "constraint": None}
_FROM_THE_START |= {"exclude_from_weight_decay": ()}
"""What is not there from the start comes by no change."""
OTHERS: dict[str, tuple[Any, Any]] = {
    "learning_rate": (float(np.float32(0.01234567)), float(np.float32(0.1234567))),
    "beta_1": (0.8, 0.5),
    "beta_2": (float(np.float32(0.9876543)), float(np.float32(0.9123456))),
    "epsilon": (1e-3, 1e-2),
    "adaptive_epsilon": (True, False),
    "l2": (0.1, 1e-4),
    "weight_decay": (0.5, 0.01),
    "rescale_grad": (0.5, 1.0),
    "clip_gradient": (0.5, 10.0),
    "sma_threshold": (6.0, 4.5),
    "epsilon_root": (1e-3, 1.0),
    "momentum_decay": (0.1, 1.0),
    "sync_period": (3, 2),
    "slow_step_size": (0.8, 0.1),
    "ema_momentum": (float(np.float32(0.1234567)), 0.5),
    "ema_overwrite_frequency": (3, 2),
    "exclude_from_weight_decay": ((0,), ()),
    "constraint": ("non_neg", "max_norm"),
    "decay": (float(np.float32(0.1234567)), 1.0),
    "clipvalue": (float(np.float32(0.1234567)), 1e-2),
    "clipnorm": (float(np.float32(0.1234567)), 1e-2),
    "global_clipnorm": (float(np.float32(0.1234567)), 1e-2),
    "schedule": (_DECAYING, _CALLERS_OWN),
    "weight_decay_schedule": (_DECAYING, _CALLERS_OWN),
    "lr_scheduler": (Schedule("mxnet_factor", step=1, factor=0.7), Schedule("mxnet_factor", step=2, factor=0.3)),
    "total_steps": (8, 4),
    "warmup_proportion": (float(np.float32(0.1234567)), 0.5),
    "min_lr": (float(np.float32(0.1234567)), 1e-2),
}
"""As those that problems are drawn from; two of many digits, which a configuration must not round.

What a parameter has by its index is not among them: `conformance.laws.indices` is for that.
"""


def claims(procedure: str) -> Any:
    """Whether a claim has the procedure."""

    def applies(claim: Claim) -> bool:
        return procedure in claim.procedures

    return applies


def reach(implementation: Implementation, procedure: str) -> frozenset[str]:
    """The hyper-parameters that the procedure is claimed for."""
    return implementation.claim.procedures[procedure].hyperparameters


def brought_back(implementation: Implementation, saved: Hyperparameters, new: Hyperparameters) -> frozenset[str]:
    """The hyper-parameters that a load is claimed to bring back into an object that was built with `new`."""
    return implementation.claim.procedures["save"].brought_back(saved, new)


def value(name: str, than: Any) -> Any:
    """A value of a hyper-parameter other than `than`."""
    first, second = OTHERS[name]
    return second if than == first else first


def other(h: Hyperparameters, names: frozenset[str]) -> Hyperparameters:
    """`h` with other values of `names`; what is off stays off."""
    absent = OFF | _FROM_THE_START
    on = [name for name in names & OTHERS.keys() if name not in absent or getattr(h, name) != absent[name]]
    return replace(h, **{name: value(name, getattr(h, name)) for name in on})


def unlike(claim: Claim, h: Hyperparameters, names: frozenset[str]) -> tuple[Hyperparameters, ...]:
    """`h` with each kind of decay that it has not, none among them, and with AMSGrad if it is without, or without.

    As far as `names` go. At least one; the values are others as well.
    """
    decays = [name for name in ("l2", "weight_decay") if name in names]
    none = dict.fromkeys(decays, 0.0)
    ways = [none, *({**none, name: value(name, getattr(h, name))} for name in decays)]
    is_on = [name for name in ("l2", "weight_decay") if getattr(h, name)]
    ways = [way for way in ways if [name for name in decays if way[name]] != is_on] if {*is_on} <= names else []
    amsgrad: dict[str, Any] = {"amsgrad": not h.amsgrad} if "amsgrad" in names - claim.nonzero else {}
    return tuple(replace(other(h, names), **way, **amsgrad) for way in ways or [{}])


def unlike_in_one(claim: Claim, h: Hyperparameters, names: frozenset[str]) -> list[Hyperparameters]:
    """For each of `names` that is on, `h` with another value of it alone; as much of each kind of decay alone."""
    found = [other(h, frozenset({name})) for name in sorted(names - {"amsgrad"})]
    if "amsgrad" in names - claim.nonzero:
        found.append(replace(h, amsgrad=not h.amsgrad))
    if {"l2", "weight_decay"} <= names:
        much = h.l2 or h.weight_decay or value("l2", 0.0)
        found += [replace(h, l2=much, weight_decay=0.0), replace(h, l2=0.0, weight_decay=much)]
    return [one for one in found if one != h]


def changeable(implementation: Implementation, problem: Problem) -> frozenset[str]:
    """What may change between steps: no betas of whose powers a product is carried."""
    names = reach(implementation, "change")
    return names - {"beta_1", "beta_2"} if implementation.arithmetic(problem.dtype).power_form == "product" else names


def after_default(implementation: Implementation, problem: Problem) -> Problem:
    """The problem with another epsilon than 0 where a constructor takes 0 for its default, which a change need not."""
    h = problem.hyperparameters
    if h.epsilon or stages.zero_epsilon_is_default not in dialect(implementation.claim.dialect).stages:
        return problem
    return replace(problem, hyperparameters=replace(h, epsilon=value("epsilon", 0.0)))


def exact(implementation: Implementation, problem: Problem) -> Problem:
    """The problem with beta_1 = 0 where a product of momenta is carried in another precision than the parameters'.

    A load may cast that product, which `saved.momenta_continue` alone is for.
    """
    return without_momenta(implementation, problem) if casts_momenta(implementation, problem) else problem


def without_momenta(implementation: Implementation, problem: Problem) -> Problem:
    """The problem with beta_1 = 0 where there is a product of momenta, which then is 0 in every format."""
    if "momentum_decay" not in implementation.claim.hyperparameters:
        return problem
    return replace(problem, hyperparameters=replace(problem.hyperparameters, beta_1=0.0))


def casts_momenta(implementation: Implementation, problem: Problem) -> bool:
    """Whether a product of momenta is carried in another precision than the parameters'."""
    carried = implementation.arithmetic(problem.dtype).momentum_product
    return "momentum_decay" in implementation.claim.hyperparameters and carried != problem.dtype


def of_length(problem: Problem, least: int, most: int = LONGEST) -> Problem:
    """The problem with its gradients again and again, so that it has at least so many steps, and at most."""
    times = -(-least // len(problem.gradients))
    gradients = (problem.gradients * times)[: max(most, least)]
    return problem if len(gradients) == len(problem.gradients) else replace(problem, gradients=gradients)


def quieter_from(problem: Problem, k: int) -> Problem:
    """Gradients behind step k are 2^-6 times as large, so that v falls and AMSGrad's maximum is an older one."""
    quiet = on_values(lambda g: np.asarray(np.ldexp(g, -6)))
    later = tuple(tuple(quiet(g) for g in step) for step in problem.gradients[k:])
    return replace(problem, gradients=problem.gradients[:k] + later)


def first_waits(gradients: tuple[tuple[Gradient, ...], ...]) -> tuple[tuple[Gradient, ...], ...]:
    """The steps without a gradient of the first parameter, where another one has one."""
    return tuple((None, *step[1:]) if any(g is not None for g in step[1:]) else step for step in gradients)


def ask(whom: Any, procedure: str, *arguments: Any) -> Any:
    """What an optional member of an implementation or of its run answers."""
    return guarded(lambda: getattr(whom, procedure)(*arguments))


def ask_bytes(whom: Any, procedure: str) -> bytes:
    """As `ask`, for what must be bytes."""
    answer = ask(whom, procedure)
    if not isinstance(answer, bytes):
        raise ImplementationFailed(f"{procedure}() returned a {type(answer).__name__}; accepted: bytes")
    return answer


def started(implementation: Implementation, problem: Problem) -> Any:
    """A run, nothing done yet."""
    return guarded(told(implementation.start, problem), copies(problem.parameters), replace(problem.hyperparameters))


def copies(arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Copies, for whoever might keep or write them."""
    return tuple(array.copy() for array in arrays)


class Steps(Comparison):
    """A comparison that takes the steps itself."""

    def __init__(self, implementation: Implementation, problem: Problem) -> None:
        super().__init__(problem)
        self.implementation = implementation

    def take(self, run: Any, first: int, gradients: Sequence[Sequence[Gradient]]) -> tuple[State, ...]:
        """The states after `gradients`, the first of which is step `first` + 1."""
        return self.take_of(self.problem, run, first, gradients)

    def take_of(
        self, problem: Problem, run: Any, first: int, gradients: Sequence[Sequence[Gradient]]
    ) -> tuple[State, ...]:
        """As `take`, of another problem."""
        return stepped(self.implementation, run, problem, first, gradients)

    def as_reference(self, observed: Sequence[State], hyperparameters: Sequence[Hyperparameters]) -> Outcome:
        """Every step from the observed state, and the free-running trajectory, within their bounds of the reference."""
        return self.as_walk(self.problem, observed, hyperparameters)

    def as_walk(
        self,
        problem: Problem,
        observed: Sequence[State],
        hyperparameters: Sequence[Hyperparameters] | None = None,
        *,
        start: State | None = None,
        first: int = 0,
        before: int = 0,
    ) -> Outcome:
        """As `as_reference`, of a problem with as many gradients as there are states; the first is step `first` + 1.

        start: as in `oracle.walk`. before: how many parameters are before the problem's.
        """
        dialect, a = self.implementation.claim.dialect, self.implementation.arithmetic(problem.dtype)
        for s in oracle.walk(dialect, a, problem, observed, hyperparameters, start=start, both=True):
            for i in range(len(problem.parameters)):
                for quantities in (s.from_observed(i), s.free_running(i)):
                    for name, obtained, expected, bound in quantities:
                        self.within(first + s.number, before + i, name, obtained, expected, bound)
        return self.outcome
