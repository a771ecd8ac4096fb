"""What checks are run on: problems that are drawn, and golden cases that are replayed."""

from __future__ import annotations

from adapters.contract import Implementation, Problem
from conformance import problems
from conformance.replay import Replay, replays

GOLDEN = "golden"
SETS: tuple[str, ...] = (*problems.SETS, GOLDEN)

Subject = Problem | Replay


def subjects(implementation: Implementation, set_name: str, number: int, seed: int) -> list[Subject]:
    """The subjects of a set; number: problems in the general set, which the size of a drawn set is a share of."""
    if set_name == GOLDEN:
        return list(replays(implementation))
    strategy, share = problems.SETS[set_name]
    return list(problems.draw(strategy(implementation.claim), max(1, round(share * number)), seed))
