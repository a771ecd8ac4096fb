"""A law of magnitudes: rates, decay, epsilon and gradients far from 1 are numbers like any other."""

from __future__ import annotations

from adapters.contract import Implementation, Problem
from conformance.findings import Outcome
from conformance.laws.related import agree, states


def magnitudes(implementation: Implementation, problem: Problem) -> Outcome:
    """Hyper-parameters and gradients of any magnitude that the format holds follow the oracle, within its bound.

    No dialect has an upper limit of a rate, of a parameter, of decay, of epsilon or of a gradient that nobody clips:
    with a rate of 2^20, and the parameters that it makes, decay that takes away half of a parameter in a step or more
    than all of it, and gradients whose squares are just below the largest float32, the formula is what it always is;
    so it is in up to five dimensions. Who limits, clamps or sanitises any of it agrees with the oracle on everything
    that is of the usual size.
    """
    return agree(implementation, problem, states(implementation, problem))
