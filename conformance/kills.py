"""What the golden cases reject by themselves, and what each case is for: ``python -m conformance.kills``.

By mutant: the hand-written ones, and with ``--target reference`` every small change of the reference's own lines
(`conformance.mutants.tokens`), run in float32. By case (``--cases``): how many mutants it rejects, which of them no
other case of its file does, and where there is none, why it stays (`golden.keeps`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import reference
from adapters.contract import Implementation
from conformance import checks, mutants
from conformance.mutants.tokens import float32, overlay, pool
from conformance.mutants.tokens.mutant import Mutant, mutants_of
from conformance.mutants.tokens.reference import REFERENCE
from conformance.observe import ImplementationFailed
from conformance.options import positive
from conformance.replay import replays
from golden import cases_of, keeps

(GOLDEN,) = (check for check in checks.CHECKS if check.name == "golden")
_LONG = 100
"""Steps of a case that is asked only about what the shorter ones of its dialect let through."""
_LONGEST = 3000
"""Steps of a case that is asked at all: what 10 000 are for, shorter ones show of a mutant."""
_SECONDS = 300.0
"""For one change of the reference."""

Kills = Mapping[str, frozenset[str]]
"""By mutant the ids of the cases that reject it."""


def killed_by(implementation: Implementation) -> list[str] | None:
    """The ids of the cases that reject an implementation; long ones only where no shorter one does. None: all raise.

    A case on which it raises rejects what answers others, as the gate does (exit code 1).
    """
    found: dict[str, None] = {}
    ran = False
    for replay in sorted(replays(implementation, _LONGEST), key=lambda one: one.case.steps):
        if replay.case.steps >= _LONG and found:
            break
        try:
            rejected = bool(GOLDEN.judge(implementation, replay).findings)
            ran = True
        except ImplementationFailed:
            rejected = True
        if rejected:
            found[replay.case.id] = None
    return list(found) if ran else None


def of_classes(only: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every hand-written mutant whose name `only` is found in."""
    for mutant in mutants.MUTANTS:
        if re.search(only, mutant.name):
            yield mutant.name, frozenset(killed_by(mutant()) or ())


# The reference's own


def of_reference(only: str = "", jobs: int = 1) -> Iterator[tuple[str, frozenset[str]]]:
    """Every small change of the reference that is a mistake, and runs, in the dialects that it reaches."""
    every = mutants_of(REFERENCE.targets)
    reasons = REFERENCE.reasons(every)
    chosen = [mutant for mutant in every if re.search(only, str(mutant)) and mutant.key not in reasons]
    for dialect in dict.fromkeys(d for mutant in chosen for d in REFERENCE.reached(mutant, REFERENCE.adapters)):
        assert killed_by(float32.implementation(dialect)) == []  # and the children start with its bounds in memory
    with tempfile.TemporaryDirectory() as folder:
        judge = partial(_changed, mutants=chosen, folder=Path(folder))
        with pool.in_children(judge, range(len(chosen)), jobs=jobs, seconds=_SECONDS) as answers:
            for number, answer in answers:
                if isinstance(answer, frozenset):
                    yield str(chosen[number]), answer


def _changed(number: int, mutants: Sequence[Mutant], folder: Path) -> frozenset[str] | None:
    """In a child; None for what raises on every case."""
    mutant = mutants[number]
    overlay.lay(mutant.module, mutant.change.apply(mutant.source), folder / str(number))
    by_dialect = [killed_by(float32.implementation(name)) for name in REFERENCE.reached(mutant, REFERENCE.adapters)]
    if all(ids is None for ids in by_dialect):
        return None
    return frozenset(id_ for ids in by_dialect for id_ in ids or ())


# Of a case


@dataclass(frozen=True, kw_only=True)
class Earned:
    """What one case is for."""

    id: str
    killed: int
    """Mutants that it rejects."""
    alone: tuple[str, ...]
    """Of those, the ones that no other case of its file rejects."""
    as_in: str = ""
    """Else the id of the same problem in another dialect that has some: few dialects have many mutants."""
    reason: str = ""
    """Why it stays where there is neither; empty where nobody has said so."""

    @property
    def why(self) -> str:
        """What it has its place for, in words; empty where it has none."""
        if self.alone:
            return f"alone {len(self.alone)}, such as {self.alone[0]}"
        return f"as in {self.as_in}" if self.as_in else self.reason


def earned(kills: Kills, ids: Sequence[str]) -> list[Earned]:
    """Of every case what it is for."""
    alone = {id_: _alone(kills, id_) for id_ in ids}
    earning: dict[str, str] = {}
    for id_ in ids:
        if alone[id_]:
            earning.setdefault(id_.partition("/")[2], id_)
    return [
        Earned(
            id=id_,
            killed=sum(id_ in by for by in kills.values()),
            alone=alone[id_],
            as_in="" if alone[id_] else earning.get(id_.partition("/")[2], ""),
            reason=keeps.reason(id_),
        )
        for id_ in ids
    ]


def _alone(kills: Kills, id_: str) -> tuple[str, ...]:
    """Mutants that this case rejects, and no other of its file."""
    file = id_.rpartition("/")[0]
    by_it = [mutant for mutant, ids in kills.items() if id_ in ids]
    return tuple(m for m in by_it if not any(i != id_ and i.rpartition("/")[0] == file for i in kills[m]))


# Asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Print; 0, or 1 if a case is for nothing and nobody has said why it stays."""
    options = _options(arguments)
    found: dict[str, frozenset[str]] = {}
    for target in options.target or ["classes"]:
        made = of_classes(options.only) if target == "classes" else of_reference(options.only, options.jobs)
        for mutant, ids in made:
            found[mutant] = ids
            if not (options.json or options.cases or (options.missed and ids)):
                print(f"{mutant:40} {len(ids):3} cases{f', such as {min(ids)}' if ids else ''}", flush=True)
    if not found:
        print(f"error: --only is {options.only!r}, which is found in no mutant", file=sys.stderr)
        return 2
    killed, number = sum(map(bool, found.values())), len(found)
    if options.missed:
        found = {mutant: ids for mutant, ids in found.items() if not ids}
    rows = earned(found, [case.id for dialect in reference.DIALECTS for case in cases_of(dialect)])
    code = int(options.cases and any(not row.why for row in rows))
    if options.json:
        by_case = [vars(row) for row in rows]
        print(
            json.dumps({"mutants": {m: sorted(ids) for m, ids in found.items()}, "cases": by_case, "exit_code": code})
        )
        return code
    for row in rows if options.cases else ():
        print(f"{row.id:60} {row.killed:4} killed; {row.why or 'NOTHING, and no reason'}")
    print(f"{killed} of {number} mutants")
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.kills",
        description="Which mutants the golden cases reject by themselves, and what each case is for.",
        epilog="exit codes: 0 done; 1 with --cases, a case is for nothing and golden/keeps.py does not say why;"
        " 2 the command line is wrong, or names no mutant",
    )
    parser.add_argument("--json", action="store_true", help="everything for programs on standard output")
    parser.add_argument("--cases", action="store_true", help="by case instead of by mutant")
    parser.add_argument("--missed", action="store_true", help="of the mutants, only what no case rejects")
    text = "hand-written mutants, or changes of the reference; may be repeated (classes)"
    parser.add_argument("--target", action="append", choices=("classes", "reference"), help=text)
    parser.add_argument("--only", default="", metavar="REGEX", help="mutants whose name, or line, it is found in")
    parser.add_argument("--jobs", type=positive, default=2, metavar="N", help="processes at a time (%(default)s)")
    options = parser.parse_args(arguments)
    if options.cases and options.missed:
        parser.error("--cases is given with --missed; accepted: one of them")
    try:
        re.compile(options.only)
    except re.error as error:
        parser.error(f"--only is {options.only!r}: {error}; accepted: a regular expression")
    return options


if __name__ == "__main__":
    sys.exit(main())
