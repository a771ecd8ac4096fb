"""The checks: plain functions (implementation, problem) -> Outcome.

The command line, the pytest tests, the mutants and the gate all call these. A check that compares
numbers reports the error as a fraction of the derived bound; none has a tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Arithmetic, Identity, Implementation, Problem
from conformance import between, oracle, replay
from conformance import direct as two
from conformance.check import Breach as Breach
from conformance.check import Check as Check
from conformance.check import Overwritten
from conformance.describe import describe
from conformance.findings import Element, Finding, Outcome
from conformance.laws import LAWS
from conformance.observe import ContractBreach, ImplementationFailed, Observation, answered, observe
from conformance.problems import takes_epsilon_zero
from conformance.replay import Replay
from golden import tolerances

WORST_SHOWN = 3
INFORMATIVE = tolerances.informative()
"""When a comparison informs, what share must, and of how many problems: golden/tolerances.json."""


def contract(implementation: Implementation, problem: Problem) -> Outcome:
    """Every returned state has the arrays, shapes, dtypes and counts that the contract asks for."""
    observe(implementation, problem)  # raises `ContractBreach`, which is the finding
    return Outcome()


def step_count(implementation: Implementation, problem: Problem) -> Outcome:
    """t after every step is the dialect's: one per optimizer, or one per parameter."""
    states = observe(implementation, problem).states
    counts = oracle.step_counts(implementation.claim.dialect, problem)
    for k, (state, expected) in enumerate(zip(states, counts, strict=True)):
        for i, (t, should) in enumerate(zip(state.t, expected, strict=True)):
            if t != should:
                message = f"step {k + 1}: t of parameter {i} is {t}, expected {should}"
                finding = Finding(message=message, quantity="t", step=k + 1, parameter=i)
                return _one(finding, problem)
    return Outcome()


def caller_arrays(implementation: Implementation, problem: Problem) -> Outcome:
    """The arrays that the caller passed in are as they were, and returned states stay as they were."""
    observation = observe(implementation, problem)
    outcome = Outcome()
    if observation.overwritten:
        outcome.add(_one(Overwritten(message=f"the caller's {', '.join(observation.overwritten)} changed"), problem))
    if observation.changed_later:
        message = f"a returned state changed afterwards: {observation.changed_later[0]}"
        outcome.add(_one(Finding(message=message), problem))
    return outcome


def one_step(implementation: Implementation, problem: Problem) -> Outcome:
    """Every single step, from the state observed before it, is the reference's within the bound of one step."""
    return _compared(implementation, problem, "one step")


def free_running(implementation: Implementation, problem: Problem) -> Outcome:
    """The whole trajectory is the reference's own within the accumulated bound."""
    return _compared(implementation, problem, "free running")


def equal_shapes(implementation: Implementation, problem: Problem) -> Outcome:
    """Parameters of equal shape have moments of their own: the trajectory is the reference's."""
    return _compared(implementation, problem, "free running")


def clip_gradient_zero(implementation: Implementation, problem: Problem) -> Outcome:
    """clip_gradient 0 clips every gradient to zero: the trajectory is the reference's."""
    return _compared(implementation, problem, "free running")


def epsilon_zero(implementation: Implementation, problem: Problem) -> Outcome:
    """With epsilon 0, or what the dialect takes for it, after zeros and with small gradients, the trajectory is the
    reference's; a step that is not rectified divides by nothing.
    """
    return _compared(implementation, problem, "free running")


def long_run(implementation: Implementation, problem: Problem) -> Outcome:
    """Every step of a long trajectory is the reference's, from the state observed before it."""
    return _compared(implementation, problem, "one step")


def golden(implementation: Implementation, case: Replay) -> Outcome:
    """A stored case gives the stored t, and parameters and state within the bound of a free-running trajectory.

    And, where the case says so, the framework lists its state in that order.
    """
    states, listed = replay.run(implementation, case)
    outcome = judged(list(replay.compare(implementation, case, states)), case)
    for expected in case.case.expected:
        t = states[expected.step - 1].t
        if t != expected.t and not outcome.findings:
            message = f"golden, step {expected.step}: t is {t}, accepted: {expected.t}"
            outcome.findings.append(Finding(message=message, quantity="t", step=expected.step, description=str(case)))
    if case.case.state_order:
        odd = between.misplaced(case.case, case.problem.hyperparameters, states[-1], listed)
        outcome.findings += [Finding(message=message, description=str(case)) for message in odd]
    return outcome


def direct(implementation: Implementation, pair: two.Pair) -> Outcome:
    """The implementation and its counterpart give the same trajectory within the sum of both bounds.

    Raises `CannotTest` where both returned the same memory.
    """
    problem, counterpart = pair.problem, pair.counterpart
    mine = observe(implementation, problem)
    try:
        theirs = observe(counterpart, problem)
        for arithmetic in (implementation.arithmetic, counterpart.arithmetic):
            oracle.received(problem, answered(arithmetic, Arithmetic, problem.dtype))
    except ImplementationFailed as failure:
        raise ImplementationFailed(f"{counterpart.name}, the counterpart, raised {failure}") from failure
    except (ContractBreach, ValueError) as error:
        return _one(Finding(message=f"cannot be compared with {counterpart.name}: {error}"), problem)
    if mine.returned is not None and theirs.returned is not None:  # there was a step
        two.refuse_shared_arrays(implementation, counterpart, mine.returned, theirs.returned)
    for k, (a, b) in enumerate(zip(mine.states, theirs.states, strict=True)):
        if a.t != b.t:
            message = f"beside {counterpart.name}, step {k + 1}: t is {a.t}, the counterpart's {b.t}"
            return _one(Finding(message=message, quantity="t", step=k + 1), problem)
    return judged(list(two.compare(implementation, counterpart, problem, mine.states, theirs.states)), problem)


def identity(seen: Identity) -> Outcome:
    """The operations observed during one step are the claimed code path's, and no other's."""
    outcome = Outcome()
    for name in sorted(seen.required - seen.observed):
        message = f"operation {name!r} did not run; observed: {', '.join(sorted(seen.observed)) or 'none'}"
        outcome.findings.append(Finding(message=message))
    for name in sorted(seen.excluded & seen.observed):
        outcome.findings.append(Finding(message=f"operation {name!r} ran, which belongs to another code path"))
    if not seen.required:
        message = "no operation is required: nothing shows which code ran"
        outcome.findings.append(Finding(message=message))
    return outcome


def informative(merged: Outcome) -> Outcome:
    """Over all problems together, enough of what was compared could have failed."""
    if merged.informative_share >= INFORMATIVE.share:
        return Outcome()
    message = (
        f"informative share is {merged.informative_share:.3f}, accepted: at least {INFORMATIVE.share}"
        " (the declared arithmetic is too coarse for the problems to tell anything)"
    )
    return Outcome(findings=[Finding(message=message)])


CHECKS: tuple[Check, ...] = (
    Check(name="contract", problems="general", rule=contract),
    Check(name="step-count", problems="general", rule=step_count),
    Check(name="caller-arrays", problems="general", rule=caller_arrays),
    Check(name="one-step", problems="general", rule=one_step),
    Check(name="free-running", problems="general", rule=free_running),
    Check(name="equal-shapes", problems="equal-shapes", rule=equal_shapes),
    Check(
        name="clip-gradient-zero",
        problems="clip-gradient-zero",
        rule=clip_gradient_zero,
        applies=lambda claim: "clip_gradient" in claim.hyperparameters,
    ),
    Check(name="epsilon-zero", problems="epsilon-zero", rule=epsilon_zero, applies=takes_epsilon_zero),
    Check(name="long-run", problems="long-run", rule=long_run),
    Check(name="golden", problems="golden", rule=golden),
    Check(name="direct", problems="direct", rule=direct),
    *LAWS,
)
RUN_CHECKS: tuple[str, ...] = ("identity", "informative")
"""Checks on a run as a whole: `identity` and `informative`."""
NAMES: tuple[str, ...] = (*(c.name for c in CHECKS), *RUN_CHECKS)


def _one(finding: Finding, problem: Problem) -> Outcome:
    return Outcome(findings=[replace(finding, description=describe(problem))])


_last: tuple[Observation, dict[str, Outcome]] | None = None


def _compared(implementation: Implementation, problem: Problem, comparison: str) -> Outcome:
    """Both comparisons come from one pass over the trajectory; the last pass is remembered."""
    global _last
    observation = observe(implementation, problem)
    if _last is None or _last[0] is not observation:
        _last = (observation, _compare(implementation, problem, observation))
    return _last[1][comparison]


def _compare(implementation: Implementation, problem: Problem, observation: Observation) -> dict[str, Outcome]:
    names = ("one step", "free running")
    arithmetic = implementation.arithmetic(problem.dtype)
    try:
        oracle.received(problem, arithmetic)
    except ValueError as error:
        finding = Finding(message=f"the declared arithmetic does not hold the hyper-parameters: {error}")
        return {name: _one(finding, problem) for name in names}
    expected = list(oracle.compare(implementation.claim.dialect, arithmetic, problem, observation.states))
    return {name: judged([e for e in expected if e.comparison == name], problem) for name in names}


def judged(expected: Sequence[oracle.Expected], subject: Problem | Replay) -> Outcome:
    """Compare, measure, and keep the first finding: the outcome. All elements at once: most arrays here are small."""
    outcome = Outcome()
    if not expected:
        return outcome
    fraction = fraction_of(*(_joined(expected, name) for name in ("obtained", "value", "bound")))
    outcome.compared = fraction.size
    outcome.worst_fraction = float(np.max(fraction, initial=0.0))
    for ambiguous, of in ((False, [e for e in expected if not e.branch]), (True, [e for e in expected if e.branch])):
        bound = _joined(of, "bound")
        outcome.ambiguous += bound.size if ambiguous else int(np.count_nonzero(np.isinf(bound)))
    updates = [e for e in expected if e.quantity == "update"]
    moves, bound = np.abs(_joined(updates, "value")), _joined(updates, "bound")
    outcome.moving = int(np.count_nonzero(moves))
    outcome.informative = int(np.count_nonzero((moves != 0) & (bound < INFORMATIVE.below * moves)))
    if outcome.worst_fraction > 1:
        outcome.findings.append(_first_finding(expected, subject))
    outcome.weigh()
    return outcome


def _joined(expected: Sequence[oracle.Expected], name: str) -> Any:
    return np.concatenate([np.zeros(0), *(getattr(e, name).ravel() for e in expected)])


def fraction_of(obtained: Any, expected: Any, bound: Any) -> Any:
    """Error as a fraction of the bound: 0 where ambiguous or equal, infinite for an error with bound 0 or a NaN."""
    with np.errstate(all="ignore"):
        error = np.abs(obtained - expected)
        fraction = np.divide(error, bound, out=np.zeros(error.shape), where=error != 0)
    return np.where(np.isinf(bound), 0.0, np.where(np.isnan(fraction), np.inf, fraction))


def _first_finding(expected: Sequence[oracle.Expected], subject: Problem | Replay) -> Finding:
    description = describe(subject) if isinstance(subject, Problem) else str(subject)
    fractions = ((e, fraction_of(e.obtained, e.value, e.bound)) for e in expected)
    e, fraction = next((e, f) for e, f in fractions if np.max(f, initial=0.0) > 1)
    return _finding(e, fraction, description)


def _finding(e: oracle.Expected, fraction: Any, description: str) -> Finding:
    order = np.argsort(fraction, axis=None)[::-1]
    positions = [np.unravel_index(k, fraction.shape) for k in order[:WORST_SHOWN]]
    worst = tuple(
        Element(
            index=tuple(int(n) for n in at),
            obtained=float(e.obtained[at]),
            expected=float(e.value[at]),
            bound=float(e.bound[at]),
        )
        for at in positions
        if fraction[at] > 1
    )
    count = int(np.count_nonzero(fraction > 1))
    message = (
        f"{e.comparison}, step {e.step}: {e.quantity} of parameter {e.parameter} is off by"
        f" {float(np.max(fraction)):.3g} times the bound, {count} of {fraction.size} elements; worst {worst[0]}"
    )
    return Finding(
        message=message,
        quantity=e.quantity,
        step=e.step,
        parameter=e.parameter,
        worst=worst,
        description=description,
    )
