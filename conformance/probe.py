"""Before anything runs: whether all that is given can be tested.

One class, factory or file that is given says so by itself, before its first check. Of several the last would say it
after all others have run. So all are constructed first, those of one framework or file in one process, in which it is
imported once. What is refused there has the last word in a process of its own: another's traces may be in that one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from adapters.registry import ADAPTERS
from conformance import run
from conformance.child import answer, say
from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.process import run_child
from conformance.progress import Reporter
from conformance.verdict import Result, Verdict


def refused(plan: run.Plan, reporter: Reporter) -> list[Result]:
    """Those that cannot be tested, of several of which some are not this project's; the others have not run."""
    if len(plan.adapters) < 2:
        return []
    families: dict[str, list[str]] = {}
    for name in plan.adapters:
        if name in plan.given:
            families.setdefault(plan.given[name].option, []).append(name)
        elif name not in ADAPTERS:
            families.setdefault(name.rpartition(":")[0], []).append(name)
    suspects = run.in_parallel(lambda family: _suspects(plan, families[family]), [*families], plan.jobs)
    named = {name for of in suspects for name in of}
    last = [name for name in plan.adapters if name in named]
    looked = run.in_parallel(lambda name: run.look(plan, name, reporter), last, plan.jobs)
    return [result for result in looked if result.verdict is Verdict.COULD_NOT_TEST]


def _suspects(plan: run.Plan, names: Sequence[str]) -> list[str]:
    """Those that cannot be constructed after the others. One that ends the process is not refused: it crashes."""
    found, rest = [], list(names)
    while rest:
        given = {name: plan.given[name].order() for name in rest if name in plan.given}
        order = {"parent": os.getpid(), "names": rest, "given": given}
        end = run_child(order, time_limit=plan.time_limit, on_event=lambda _: None, module="conformance.probe")
        said = [event for event in end.events if event["event"] == "constructed"]
        found += [event["name"] for event in said if event["refused"]]
        rest = rest[len(said) + 1 :]
    return found


def main(argv: list[str]) -> None:
    """Arguments as of `conformance.child`: the order has the names, and what is given of them."""
    answer(argv, _construct)


def _construct(order: dict[str, Any], out: TextIO) -> None:
    for name, is_refused in _answers(order["names"], order["given"]):
        say(out, "constructed", name=name, refused=is_refused)
    say(out, "done")


def _answers(names: Iterable[str], given: dict[str, Any]) -> Iterable[tuple[str, bool]]:
    for name in names:
        try:
            load(name, Given(**given[name]) if name in given else None)
        except CannotTest:
            yield name, True
        else:
            yield name, False


if __name__ == "__main__":
    main(sys.argv[1:])
