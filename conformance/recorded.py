"""An implementation beside what frameworks once returned, where they are no more: ``python -m conformance.recorded``.

golden/recorded holds what real frameworks returned on the golden cases. With E the bound of a free-running trajectory
(`reference.bound`) for each of the two arithmetics, both are within it of the same 50-digit trajectory, whence

    |obtained - recorded|  <=  E_implementation + E_recorded

for every element of parameters and state after every stated step; t must be equal. Cases are those inside the claim
that were recorded, of every dialect that is the same formula on them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

import reference
from adapters.contract import Identity, Implementation, Precision, State
from conformance import direct, oracle, replay
from conformance.checks import judged
from conformance.findings import Finding, Outcome
from conformance.load import CannotTest, load
from conformance.observe import ContractBreach, ImplementationFailed, answered, guarded
from conformance.options import UsageError, classes, implementation_options
from conformance.replay import Replay
from golden import GoldenError, cases_of, files
from golden.layout import HASH, content_hash
from golden.recordings import FORMAT, RECORDED, STORED, Recorded, Recording, parse
from golden.trajectory import named


@dataclass(frozen=True, kw_only=True)
class Beside:
    """An implementation beside one other's recordings."""

    implementation: str
    recorded: str
    framework: str
    """Of the recordings, with its version."""
    cases: int
    outcome: Outcome


@dataclass
class Answer:
    """Of one implementation: beside whom it was put, and whom it was not, with the reason."""

    beside: list[Beside] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


# Which


def recordings(dialect: str, folder: Path = RECORDED) -> list[Recorded]:
    """Those of all dialects that compute as `dialect` does on some problem. Raises `GoldenError` as `parse` does."""
    found = []
    of = reference.dialect(dialect)
    paths, strays = files.stored(folder, *STORED)
    if strays:
        raise GoldenError(str(strays[0]))
    for path in paths:
        if path.parent.name in reference.DIALECTS and of.computes_as(reference.dialect(path.parent.name)):
            data = files.read_json(path, FORMAT)
            if data.get(HASH) != content_hash(data):
                raise GoldenError(f"{path}: {HASH} is not that of the content; run python -m golden verify")
            found.append(parse(data, path, {case.id: case for case in cases_of(path.parent.name)}))
    return found


def in_common(implementation: Implementation, recorded: Recorded) -> Iterator[tuple[Replay, Recording]]:
    """The recordings inside a claim; of another dialect, those on which both are one formula."""
    cases = {case.id: case for case in cases_of(recorded.dialect)}
    dtypes: Mapping[str, Precision] = {dtype: dtype for dtype in implementation.claim.dtypes}
    same = implementation.claim.dialect == recorded.dialect
    for recording in recorded.recordings:
        case = cases[recording.id]
        alike = same or direct.alike(case.gradient_kinds, case.hyperparameters.given())
        if alike and recording.deviation is None and recording.dtype in dtypes:
            found = replay.in_dtype(implementation, case, dtypes[recording.dtype])
            if isinstance(found, Replay):
                yield found, recording


# The comparison


def against(implementation: Implementation, folder: Path = RECORDED) -> Answer:
    """An implementation beside all recordings that there are of its formula.

    Whoever is known by an operation that the other was seen running is not compared with it: that would be itself.
    Raises `GoldenError` for a file that cannot be used.
    """
    answer = Answer()
    mine = answered(implementation.identity, Identity)
    for other in recordings(implementation.claim.dialect, folder):
        name = f"{other.implementation} ({other.distribution} {other.version})"
        shared = sorted(mine.required & set(other.operations))
        pairs = list(in_common(implementation, other))
        if shared:
            answer.left_out.append(f"{name}: the same code, it was seen running {', '.join(shared)}")
        elif not pairs:
            answer.left_out.append(f"{name}: no case that both take")
        else:
            merged = Outcome()
            for found, recording in pairs:
                merged.add(_judged(implementation, other, found, recording))
            answer.beside.append(
                Beside(
                    implementation=implementation.name,
                    recorded=other.implementation,
                    framework=f"{other.distribution} {other.version}",
                    cases=len({found.case.id for found, _ in pairs}),
                    outcome=merged,
                )
            )
    return answer


def _judged(implementation: Implementation, other: Recorded, found: Replay, recording: Recording) -> Outcome:
    states, _ = replay.run(implementation, found)
    for state in recording.states:
        t = states[state.step - 1].t
        if t != state.t:
            message = f"beside {other.implementation}, step {state.step}: t is {t}, recorded is {state.t}"
            return Outcome(findings=[Finding(message=message, quantity="t", step=state.step, description=str(found))])
    return judged(list(_expected(implementation, states, found, other, recording)), found)


def _expected(
    implementation: Implementation, states: Sequence[State], found: Replay, other: Recorded, recording: Recording
) -> Iterator[oracle.Expected]:
    arithmetic = guarded(implementation.arithmetic, found.problem.dtype)
    both = zip(
        recording.states,
        replay.bounded(found.case, oracle.rounding(arithmetic)),
        replay.bounded(found.case, other.rounding(recording.dtype)),
        strict=True,
    )
    for state, (_, mine), (_, theirs) in both:
        limits, others = named(mine), named(theirs)
        for quantity, values in state.quantities():
            for i, value in enumerate(values):
                obtained = getattr(states[state.step - 1], quantity)[i]
                yield oracle.Expected(
                    comparison=f"beside {other.implementation}, as recorded",
                    step=state.step,
                    parameter=i,
                    quantity=quantity,
                    obtained=np.asarray(obtained, dtype=np.float64),
                    value=value,
                    bound=np.asarray(limits[quantity][i] + others[quantity][i]),
                    branch=(mine.branch or theirs.branch) and quantity in oracle.BRANCHES,
                )


# Asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 0 if all are within the bounds, 1 if something is not, 2 if something could not be compared."""
    options = _options(arguments)
    rows, left_out, failed = [], [], []
    given = {one.name: one for one in classes(options)}
    for name in dict.fromkeys([*(options.adapter or ()), *given]):
        try:
            answer = against(load(name, given.get(name)), options.folder)
            rows += answer.beside
            left_out += [f"{name} is not compared with {text}" for text in answer.left_out]
            if not answer.beside:
                failed.append(f"{name}: nothing was recorded that it could be compared with")
        except (CannotTest, GoldenError, ImplementationFailed, ContractBreach) as error:
            failed.append(f"{name}: {error}")
    wrong = [row for row in rows if row.outcome.findings]
    code = 2 if failed else 1 if wrong else 0
    if options.json:
        print(
            json.dumps(
                {"beside": [_row(row) for row in rows], "left_out": left_out, "failed": failed, "exit_code": code}
            )
        )
        return code
    for row in rows:
        outcome = row.outcome
        ambiguous = f", {outcome.ambiguous} ambiguous" if outcome.ambiguous else ""
        print(
            f"{row.implementation:32} {row.recorded:28} {row.framework:25} {row.cases:3} cases,"
            f" {outcome.compared:6} values, worst {outcome.worst_fraction:.3f} of both bounds{ambiguous}"
        )
    findings = [f"{finding.message} [{finding.description}]" for row in wrong for finding in row.outcome.findings]
    for text in (*left_out, *failed, *findings):
        print(text)
    return code


def _row(row: Beside) -> dict[str, object]:
    names = ("worst_fraction", "compared", "ambiguous")
    measures = {name: getattr(row.outcome, name) for name in names}
    findings = [finding.message for finding in row.outcome.findings]
    return asdict(row) | {"outcome": None} | measures | {"findings": findings}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.recorded",
        description="An implementation beside what real frameworks returned on the golden cases, within both bounds.",
        epilog="exit codes: 0 within both bounds; 1 something is not; 2 something could not be compared",
    )
    parser.add_argument("--json", action="store_true", help="the result for programs on standard output")
    implementation_options(parser)
    parser.add_argument("--folder", type=_folder, default=RECORDED, help="instead of golden/recorded")
    options = parser.parse_args(arguments)
    try:
        if not (options.adapter or classes(options)):
            parser.error("nothing is named; accepted: --adapter, or a class")
    except UsageError as error:
        parser.error(str(error))
    return options


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
