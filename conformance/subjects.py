"""What checks are run on: drawn problems, golden cases to replay, and problems for two to be compared on."""

from __future__ import annotations

from adapters.contract import Implementation, Problem
from conformance import edges, edges_beside, edges_schedulers, edges_settings, problems
from conformance.direct import Pair, pairs
from conformance.load import CannotTest
from conformance.replay import Replay, replays
from golden import GoldenError
from golden.case import MAX_STEPS

GOLDEN = "golden"
LONGEST = 1000
"""Steps of a golden case, in every profile but the full one: 10 000 take a framework up to half a minute."""
DIRECT = "direct"
DIRECT_SHARE = 1 / 3
"""Problems per counterpart, as a share of the general set's number."""
FIXED = {**edges.SETS, **edges_beside.SETS, **edges_schedulers.SETS, **edges_settings.SETS}
SETS: tuple[str, ...] = (*problems.SETS, *FIXED, GOLDEN)
"""Of an implementation by itself."""

Subject = Problem | Replay | Pair


def subjects(implementation: Implementation, set_name: str, number: int, seed: int) -> list[Subject]:
    """The subjects of a set; number: problems in the general set, which the size of a drawn set is a share of.

    Raises `CannotTest` where a golden file cannot be used.
    """
    if set_name == GOLDEN:
        try:
            return list(replays(implementation, LONGEST if number < problems.PROFILES["full"].problems else MAX_STEPS))
        except GoldenError as error:
            raise CannotTest(str(error)) from error
    if set_name in FIXED:
        drafts = FIXED[set_name](implementation.claim, number)
        return [problems.build(draft, seed, k) for k, draft in enumerate(drafts)]
    strategy, share = problems.SETS[set_name]
    return list(problems.draw(strategy(implementation.claim), max(1, round(share * number)), seed))


def beside(implementation: Implementation, counterpart: Implementation, number: int, seed: int) -> list[Subject]:
    """The subjects of the direct comparison with one counterpart. Raises `CannotTest`, as `pairs` does."""
    return list(pairs(implementation, counterpart, max(1, round(DIRECT_SHARE * number)), seed))
