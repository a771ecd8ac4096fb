"""Two implementations on one problem, compared with each other and not only each with the oracle.

The production code is compared with every live framework of its dialect that is here. An error that it
shared with the oracle would show, and so would an adapter that looks right because it runs what it is
compared with, as PyTorch's fused test once did (pytorch#91228): that one is refused.

With E the bound of a free-running trajectory (`reference.bound`) and ref_a the float64 trajectory for the
hyper-parameters as a receives them, the triangle inequality gives

    |(a - b) - (ref_a - ref_b)|  =  |(a - ref_a) - (b - ref_b)|  <=  E_a + E_b

The problem's hyper-parameters are rounded to float32 first: frameworks that round them receive what the
others receive, the two float64 trajectories are the same numbers, and |a - b| <= E_a + E_b remains. Where they
still differ, an ambiguous branch of the rectification has been decided differently by a and b.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

import reference
from adapters.contract import (
    HYPERPARAMETERS,
    QUANTITIES,
    Array,
    Claim,
    GradientKind,
    Identity,
    Implementation,
    Problem,
    Schedule,
    State,
)
from adapters.registry import ADAPTERS, Entry
from conformance import oracle, problems
from conformance.load import CannotTest, Missing, load
from conformance.observe import answered

PRODUCTION = "adam-conformance"
"""Distribution of the implementations that are compared with the live ones unasked."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A problem, and who is compared on it."""

    counterpart: Implementation
    problem: Problem


# Who is compared with whom


def counterparts(name: str, environments: Sequence[str] = ()) -> tuple[dict[str, Implementation], list[str]]:
    """The live implementations that the adapter called `name` is compared with, by name; who is left out, and why.

    Those of the environments, all of which must be there; without environments, those that are importable.
    Nobody for anything but the production code.

    Raises `CannotTest` for one that the environments promise and that cannot be had.
    """
    entry = ADAPTERS.get(name)
    if entry is None or entry.distribution != PRODUCTION:
        return {}, []
    claim = claim_of(entry)
    found: dict[str, Implementation] = {}
    left_out = []
    for other in ADAPTERS.values():
        here = not environments or bool(set(environments) & set(other.environments))
        if other.distribution == PRODUCTION or not here or not _one_formula(claim, claim_of(other)):
            continue
        if in_common(claim, claim_of(other)) is None:
            left_out.append(f"direct comparison with {other.name} (no gradients that both claim)")
            continue
        try:
            found[other.name] = load(other.name)
        except Missing:
            if environments:
                raise
            left_out.append(f"direct comparison with {other.name} (not installed here)")
    if not found and not left_out:
        left_out.append(f"direct comparison (no live {claim.dialect} in this environment)")
    return found, left_out


def in_common(one: Claim, other: Claim) -> Claim | None:
    """What both claim; None if no problem lies inside both claims."""
    gradients, hyperparameters = one.gradients & other.gradients, one.hyperparameters & other.hyperparameters
    if one.dialect != other.dialect:
        gradients &= _ALIKE
        hyperparameters -= _UNLIKE
    dtypes = tuple(dtype for dtype in one.dtypes if dtype in other.dtypes)
    if not dtypes or not gradients & {"dense", "rows"} or not _one_formula(one, other):
        return None
    return Claim(
        dialect=one.dialect,
        hyperparameters=hyperparameters,
        dtypes=dtypes,
        gradients=gradients,
        both_decays=one.both_decays and other.both_decays,
    )


_ALIKE: frozenset[GradientKind] = frozenset({"dense", "none"})
_UNLIKE = frozenset({"ema_momentum", "ema_overwrite_frequency"})
"""What `computes_as` says no more of."""


def alike(kinds: Set[str], hyperparameters: Set[str]) -> bool:
    """Whether two dialects of which one computes as the other do so with these gradients and hyper-parameters."""
    return kinds <= _ALIKE and not hyperparameters & _UNLIKE


def _one_formula(one: Claim, other: Claim) -> bool:
    return reference.dialect(one.dialect).computes_as(reference.dialect(other.dialect))


def claim_of(entry: Entry) -> Claim:
    """The claim of an adapter whose framework may be missing."""
    claim: Claim = getattr(importlib.import_module(entry.module), entry.cls).claim
    return claim


# On what


def pairs(implementation: Implementation, counterpart: Implementation, number: int, seed: int) -> list[Pair]:
    """`number` problems inside both claims. Raises `CannotTest` where there are none, or both are the same code."""
    claim = in_common(implementation.claim, counterpart.claim)
    if claim is None:
        raise CannotTest(
            f"counterpart of {implementation.name} is {counterpart.name}, a {counterpart.claim.dialect} that claims"
            f" {', '.join(sorted(counterpart.claim.gradients))}; accepted: a {implementation.claim.dialect}"
            f" that claims some of {', '.join(sorted(implementation.claim.gradients))}"
        )
    refuse_same_code(implementation, counterpart)
    return [Pair(counterpart=counterpart, problem=problem) for problem in _drawn(claim, number, seed)]


@cache
def _drawn(claim: Claim, number: int, seed: int) -> tuple[Problem, ...]:
    """The same for every counterpart that claims the same: drawing takes longer than most of them compute."""
    found = problems.draw(problems.general(claim), number, seed)
    return tuple(in_float32(problem, claim.hyperparameters) for problem in found)


def in_float32(problem: Problem, names: frozenset[str] = frozenset(HYPERPARAMETERS)) -> Problem:
    """The problem with hyper-parameters that float32 holds, out of `names`: a default is absent elsewhere."""
    h = problem.hyperparameters
    given = {name: getattr(h, name) for name in names}
    rounded = {name: _rounded(x) for name, x in given.items() if isinstance(x, float | Schedule)}
    return replace(problem, hyperparameters=replace(h, **rounded))


def _rounded(x: Any) -> Any:
    if isinstance(x, Schedule):
        return Schedule(x.name, **{key: _rounded(number) for key, number in x.numbers})
    if isinstance(x, tuple):
        return tuple(map(_rounded, x))
    return float(np.float32(x)) if isinstance(x, float) else x


# Two, and not one


def refuse_same_code(one: Implementation, other: Implementation) -> None:
    """Raise `CannotTest` unless what was observed running tells the two apart.

    Names prove nothing: whoever was seen running an operation that makes the other what it is, runs the
    other's code. An implementation of which no operation is required, or whose own did not run, may be anything.
    """
    seen = [(x, answered(x.identity, Identity)) for x in (one, other)]
    for x, identity in seen:
        if not identity.required or identity.required - identity.observed or identity.excluded & identity.observed:
            raise CannotTest(
                f"{_both(one, other)}: the operations observed in {x.name} ({_listed(identity.observed)}) do not show"
                f" that it is itself; accepted: all of its own ({_listed(identity.required)}) and none of another's"
            )
    for (x, mine), (y, theirs) in (seen, seen[::-1]):
        shared = mine.required & theirs.observed
        if shared:
            raise CannotTest(
                f"{_both(one, other)}: {y.name} ({theirs.framework} {theirs.version}) was seen running"
                f" {_listed(shared)}, by which {x.name} ({mine.framework} {mine.version}) is known;"
                " accepted: two that share no such operation"
            )


def refuse_same_bits(one: str, other: str, compared: int) -> None:
    """Raise `CannotTest` for the production code and a counterpart that agree in every bit of every problem.

    An identity may lie. Two codes that form moments and epsilon in their own ways round differently somewhere.
    """
    if one in ADAPTERS and ADAPTERS[one].distribution == PRODUCTION:
        raise CannotTest(
            f"{one} cannot be compared with {other}: all {compared} numbers are the same in every bit, as those of one"
            " and the same code are; accepted: a counterpart that rounds in its own way"
        )


def refuse_shared_arrays(one: Implementation, other: Implementation, mine: State, theirs: State) -> None:
    """Raise `CannotTest` where the two returned the same memory: then one result is compared with itself."""
    for name in QUANTITIES:
        for a, b in zip(getattr(mine, name) or (), getattr(theirs, name) or (), strict=False):
            if np.may_share_memory(a, b):
                raise CannotTest(f"{_both(one, other)}: both returned the same array of {name}; accepted: two results")


def _both(one: Implementation, other: Implementation) -> str:
    return f"{one.name} cannot be compared with {other.name}"


def _listed(operations: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(operations))) or "none"


# The comparison


def compare(
    one: Implementation, other: Implementation, problem: Problem, mine: Sequence[State], theirs: Sequence[State]
) -> Iterator[oracle.Expected]:
    """What `one` obtained beside what `other` did, after every step, within the sum of both bounds."""
    for a, b in zip(_walk(one, problem, mine), _walk(other, problem, theirs), strict=True):
        branch = a.bound.branch or b.bound.branch
        for i in range(len(problem.parameters)):
            for (quantity, obtained, ref_a, e_a), (_, value, ref_b, e_b) in zip(
                a.free_running(i), b.free_running(i), strict=True
            ):
                yield oracle.Expected(
                    comparison=f"beside {other.name}",
                    step=a.number,
                    parameter=i,
                    quantity=quantity,
                    obtained=obtained,
                    value=_seen_beside(value, ref_b, ref_a),
                    bound=np.asarray(e_a + e_b),
                    branch=branch and quantity in oracle.BRANCHES,
                )


def _walk(implementation: Implementation, problem: Problem, states: Sequence[State]) -> Iterator[oracle.Step]:
    return oracle.walk(implementation.claim.dialect, implementation.arithmetic(problem.dtype), problem, states)


def _seen_beside(b: Array, ref_b: Array, ref_a: Array) -> Array:
    """b + (ref_a - ref_b): b itself where the references are the same number, an infinite one too."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(ref_a == ref_b, b, b + (ref_a - ref_b))
