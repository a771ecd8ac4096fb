"""What a load does not bring back, by name: which quantities of the state are others after the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adapters.contract import Implementation, Problem
from conformance.laws.procedures import ask, ask_bytes, copies, exact, of_length, quieter_from, started
from conformance.laws.related import quantities
from conformance.observe import ContractBreach, ImplementationFailed, stepped

LAWS = frozenset(
    {
        "law-save-load",
        "law-load-into-other",
        "law-late-parameter",
        "law-saved-groups",
        "law-saved-momenta",
        "law-saved-settings",
        "law-large-count",
    }
)
"""Their failing asks for it."""
_STEPS = 3


def lost(implementation: Implementation, problems: Sequence[Problem]) -> str | None:
    """In words, of the first of the problems that tells; None where none does."""
    claim = implementation.claim
    if "save" not in claim.procedures:
        return None
    for problem in problems:
        # Without l2, of which m would follow theta; the maximum is older than v, so that v does not stand for it.
        h = replace(problem.hyperparameters, l2=0.0, amsgrad="amsgrad" in claim.hyperparameters)
        whole = of_length(replace(problem, hyperparameters=h), _STEPS + 1, _STEPS + 1)
        try:
            names = _others(implementation, quieter_from(exact(implementation, whole), 1))
        except (ContractBreach, ImplementationFailed):
            continue
        if names:
            return f"state not saved, or not loaded: {', '.join(names)}"
    return None


def _others(implementation: Implementation, problem: Problem) -> list[str]:
    """Moments, maxima and counts that differ after one step more; theta and its averages follow from any of them."""
    run = started(implementation, problem)
    stepped(implementation, run, problem, 0, problem.gradients[:_STEPS])
    saved = ask_bytes(run, "save")
    resumed = ask(implementation, "resume", copies(problem.parameters), replace(problem.hyperparameters), saved)
    last = problem.gradients[_STEPS:]
    (wanted,), (state,) = (stepped(implementation, one, problem, _STEPS, last) for one in (run, resumed))
    off = {"t": tuple(wanted.t) != tuple(state.t)}
    for i in range(len(problem.parameters)):
        for (name, a), (_, b) in zip(quantities(wanted, i), quantities(state, i), strict=True):
            off[name] = off.get(name, False) or not np.array_equal(a, b, equal_nan=True)
    off["v_max"] = off.get("v_max", False) and not off["v"]  # which it follows
    return [name for name in ("m", "v", "v_max", "t") if off[name]]
