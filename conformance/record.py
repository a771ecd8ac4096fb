"""What the real frameworks return on the golden cases, into golden/recorded: ``python -m conformance.record``.

Every adapter of a tox environment is given every golden case inside its claim; what it returns is compared with what is
stored, within the bound of its declared arithmetic, before anything is written. Each file is written wholly or not at
all; values that are stored already are changed with ``--allow-change`` alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from packaging.specifiers import SpecifierSet

from adapters.contract import Identity, Implementation, State
from adapters.registry import ADAPTERS, ENVIRONMENTS, of_environment
from conformance import checks, deviations, direct, provenance
from conformance.load import CannotTest, load
from conformance.observe import ContractBreach, ImplementationFailed, answered
from conformance.options import writable_folder
from conformance.replay import DTYPES, LeftOut, Replay, asked, run
from golden import Case, Expected, GoldenError, cases_of, files
from golden.recordings import FORMAT, RECORDED, NotAsked, Recorded, Recording, parse, to_json

_INSTRUCTIONS = ("fma", "avx2", "avx512f")
"""Of the processor, that decide which kernels of a framework run."""


# Made


def recorded(name: str, implementation: Implementation, kept: Recorded | None = None) -> Recorded:
    """What an adapter of the registry returns. Raises `GoldenError` where that is not what golden/ stores.

    kept: what was recorded before, which is not asked for again. Refused where it was made otherwise.
    """
    identity = answered(implementation.identity, Identity)
    if identity.required - identity.observed or identity.excluded & identity.observed or not identity.required:
        raise GoldenError(f"{name} was not seen running its own operations; accepted: {sorted(identity.required)}")
    before = {(one.id, one.dtype): one for one in kept.recordings} if kept else {}
    recordings: list[Recording] = []
    not_asked: list[NotAsked] = []
    for one in asked(implementation, DTYPES):
        if isinstance(one, LeftOut):
            not_asked.append(NotAsked(id=one.case.id, dtype=one.dtype, why=one.why))
        else:
            known = before.get((one.case.id, one.problem.dtype))
            recordings.append(known or _recording(name, implementation, one))
    dtypes = [dtype for dtype in implementation.claim.dtypes if dtype in DTYPES]
    made = Recorded(
        dialect=implementation.claim.dialect,
        implementation=name,
        distribution=ADAPTERS[name].distribution,
        version=provenance.version_of(ADAPTERS[name].distribution) or identity.version,
        operations=tuple(sorted(identity.observed & identity.required)),
        versions={of: version for of, version in provenance.versions().items() if of != direct.PRODUCTION},
        platform=machine(),
        arithmetic={dtype: asdict(implementation.arithmetic(dtype)) for dtype in dtypes},
        recordings=tuple(recordings),
        not_asked=tuple(not_asked),
    )
    for what in ("distribution", "version", "operations", "versions", "platform", "arithmetic") if kept else ():
        if getattr(kept, what) != getattr(made, what):
            raise GoldenError(f"{name}: {what} is not as it was recorded before; accepted: to record without --missing")
    return made


def _recording(name: str, implementation: Implementation, replay: Replay) -> Recording:
    states, _ = run(implementation, replay)
    kept = tuple(_kept(states[expected.step - 1], expected.step) for expected in replay.case.expected)
    made = Recording(id=replay.case.id, dtype=replay.problem.dtype, states=kept)
    findings = checks.golden(implementation, replay).findings
    if not findings:
        return made
    for entry in deviations.read():
        version = provenance.version_of(entry.distribution)
        about = entry.implementation == name and "golden" in entry.checks
        if about and version and SpecifierSet(entry.versions).contains(version, prereleases=True):
            return replace(made, deviation=entry.id)
    raise GoldenError(
        f"{name} on {replay.case.id} in {replay.problem.dtype}: {findings[0].message}; accepted: what is stored, within"
        " the bound, or a deviation of this version that is declared for the check golden"
    )


def _kept(state: State, step: int) -> Expected:
    def arrays(group: Any) -> Any:
        return None if group is None else tuple(np.asarray(array, dtype=np.float64) for array in group)

    names = ("parameters", "m", "v", "v_max", "slow", "average")
    return Expected(step=step, t=tuple(state.t), **{name: arrays(getattr(state, name)) for name in names})


def machine() -> dict[str, str]:
    """What of the machine can decide a last bit: instructions, library, threads, and variables that say so."""
    try:
        has = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        has = []
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "instructions": " ".join(name for name in _INSTRUCTIONS if name in has) or "unknown",
        "libc": " ".join(platform.libc_ver()),
        "processors": str(len(os.sched_getaffinity(0))),
        **{name: value for name, value in provenance.variables().items() if name != "PYTHONHASHSEED"},
    }


# Stored


@dataclass
class Done:
    """What became of the folder."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def store(made: Recorded, folder: Path, done: Done, *, allow_change: bool) -> str:
    """Write the file unless it says the same already, or other values; what was done, in words."""
    path = folder / made.dialect / f"{made.implementation}.json"
    data = to_json(made)
    if path.exists():
        try:
            stored = files.read_json(path, FORMAT)
            kept = parse(stored, path, _by_id(made.dialect))
            differences = list(changed(kept, made))
            same = not differences and len(kept.recordings) == len(made.recordings)
            same = same and all(stored.get(key) == data[key] for key in ("framework", "arithmetic", "not_asked"))
        except GoldenError as error:
            differences, same = [f"what is stored cannot be compared: {error}"], False
        if same:
            done.unchanged.append(str(path))
            return "unchanged"
        if differences and not allow_change:
            done.refused.append(f"{path}: {len(differences)} changes of stored values, the first: {differences[0]}")
            return "refused"
    files.write(path, files.render(data) + "\n")
    done.written.append(str(path))
    return "written"


def changed(stored: Recorded, made: Recorded) -> Iterator[str]:
    """Recordings whose values are other ones, or that are no longer there; new ones are no change.

    Both zeros are one number: XLA makes the one or the other, by the instructions that the machine has.
    """
    new = {(one.id, one.dtype): one for one in made.recordings}
    for one in stored.recordings:
        other = new.get((one.id, one.dtype))
        where = f"{one.id} in {one.dtype}"
        if other is None:
            yield f"{where} is gone"
        elif one.deviation != other.deviation:
            yield f"{where}: deviation {one.deviation} -> {other.deviation}"
        else:
            yield from (f"{where}, {text}" for text in _values(one, other))


def _values(one: Recording, other: Recording) -> Iterator[str]:
    for a, b in zip(one.states, other.states, strict=True):
        if a.t != b.t:
            yield f"step {a.step}: t {a.t} -> {b.t}"
        for (name, olds), (_, news) in zip(a.quantities(), b.quantities(), strict=True):
            count = sum(int(np.count_nonzero(x != y)) for x, y in zip(olds, news, strict=True))
            if count:
                yield f"step {a.step}: {count} elements of {name}"


def _stored(dialect: str, name: str, folder: Path) -> Recorded | None:
    path = folder / dialect / f"{name}.json"
    return parse(files.read_json(path, FORMAT), path, _by_id(dialect)) if path.exists() else None


def _by_id(dialect: str) -> dict[str, Case]:
    return {case.id: case for case in cases_of(dialect)}


# Asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Record; 0 if nothing was written, 1 if something was or was refused, 2 if something could not be recorded."""
    options = _options(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    names = [name for environment in options.environment or () for name in of_environment(environment)]
    names = [name for name in names if ADAPTERS[name].distribution != direct.PRODUCTION] + (options.adapter or [])
    done, failed = Done(), []
    for k, name in enumerate(dict.fromkeys(names), 1):
        try:
            implementation = load(name)
            kept = _stored(implementation.claim.dialect, name, options.folder) if options.missing else None
            made = recorded(name, implementation, kept)
            said = store(made, options.folder, done, allow_change=options.allow_change)
            asked_of = f"{len(made.recordings)} recordings, {len(made.not_asked)} not asked"
            say(f"{k}/{len(names)} {name}: {said}, {asked_of}")
        except (CannotTest, GoldenError, ImplementationFailed, ContractBreach) as error:
            failed.append(f"{name}: {error}")
            say(f"{k}/{len(names)} {name} could not be recorded: {error}")
    for text in done.refused:
        say(f"refused: {text}; accepted with --allow-change")
    code = 2 if failed else 1 if done.written or done.refused else 0
    if options.json:
        print(json.dumps({**asdict(done), "failed": failed, "exit_code": code}))
    else:
        counts = {name: len(of) for name, of in {**asdict(done), "failed": failed}.items()}
        say(", ".join(f"{count} {name}" for name, count in counts.items()))
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.record",
        description="What real frameworks return on the golden cases, into golden/recorded.",
        epilog="exit codes: 0 nothing has changed; 1 something was written or refused; 2 something cannot be recorded",
    )
    parser.add_argument("--json", action="store_true", help="the result for programs on standard output")
    text = "all real frameworks of this tox environment; may be repeated"
    parser.add_argument("--environment", action="append", choices=ENVIRONMENTS, help=text)
    real = [name for name, entry in ADAPTERS.items() if entry.distribution != direct.PRODUCTION]
    parser.add_argument("--adapter", action="append", choices=real, metavar="NAME", help="this one; may be repeated")
    parser.add_argument("--folder", type=writable_folder, default=RECORDED, help="instead of golden/recorded")
    text = "ask for what is not recorded yet alone; where all else is as it was"
    parser.add_argument("--missing", action="store_true", help=text)
    text = "write other values than those that are stored; without it such files are left as they are"
    parser.add_argument("--allow-change", action="store_true", help=text)
    options = parser.parse_args(arguments)
    if not (options.environment or options.adapter):
        parser.error("nothing is named; accepted: --environment or --adapter")
    return options


if __name__ == "__main__":
    sys.exit(main())
