"""Which mutants the golden cases reject by themselves: ``python -m conformance.kills``."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.contract import Implementation
from conformance import checks, mutants
from conformance.replay import replays

(GOLDEN,) = (check for check in checks.CHECKS if check.name == "golden")


def killed_by(implementation: Implementation) -> list[str]:
    """The ids of the cases that reject an implementation."""
    found = [r.case.id for r in replays(implementation) if GOLDEN.judge(implementation, r).findings]
    return list(dict.fromkeys(found))


def lines() -> Iterator[str]:
    """A line per mutant, and the total."""
    killed = 0
    for mutant in mutants.MUTANTS:
        ids = killed_by(mutant())
        killed += bool(ids)
        yield f"{mutant.name:40} {len(ids):3} cases{f', such as {ids[0]}' if ids else ''}"
    yield f"{killed} of {len(mutants.MUTANTS)} mutants"


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
