"""`python -m conformance run`: implementations under all checks, each in a process of its own."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from adapters.registry import ADAPTERS
from conformance import deviations, ndjson, provenance, table
from conformance.given import Given
from conformance.process import ChildEnd, kill_all, run_child, stopped
from conformance.progress import Reporter
from conformance.verdict import ExitCode, Result, Verdict, exit_code, judge

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run."""

    adapters: tuple[str, ...]
    named: bool
    """Whether the adapters were asked for, so that a missing one is a failure."""
    environment: str | None
    profile: str
    problems: int
    seed: int
    checks: tuple[str, ...] = ()
    """Names of checks; empty for all."""
    counterparts: tuple[str, ...] = ()
    """Whom every adapter is compared with directly; empty for the live ones of its dialect."""
    only: int | None = None
    """Number of the one problem to run in each set, None for all."""
    jobs: int = 1
    time_limit: float
    diagnose: bool = True
    """Whether to look for what a failing implementation computes instead."""
    deviations: Path = deviations.DEFAULT_FILE
    given: Mapping[str, Given] = field(default_factory=dict)
    """Those of the adapters that are optimizer classes given on the command line, by name."""


@dataclass
class Run:
    """What came of it."""

    header: dict[str, Any]
    results: list[Result]
    missing: list[Result] = field(default_factory=list)
    """Adapters that were not asked for and cannot be tested here."""
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[deviations.Deviation] = field(default_factory=list)
    """Declared deviations of implementations that are not in this run, where the file is a caller's own."""

    @property
    def code(self) -> ExitCode:
        """Exit code of the run."""
        if not self.results:
            return ExitCode.COULD_NOT_TEST
        return exit_code(result.verdict for result in self.results)


def declared(plan: Plan) -> Sequence[deviations.Deviation]:
    """The plan's deviations. Raises `deviations.DeviationsError`."""
    entries = deviations.read(plan.deviations)
    deviations.check_implementations(plan.deviations, entries, (*ADAPTERS, *plan.adapters), provenance.version_of)
    return entries


def run(plan: Plan, reporter: Reporter) -> Run:
    """Run a plan to its end. Raises `deviations.DeviationsError` before anything has run."""
    entries = declared(plan)
    header = _header(plan)
    complaints: list[str] = []

    def one(adapter: str) -> Result:
        expected = {check for entry in entries if entry.implementation == adapter for check in entry.checks}
        result = judge(adapter, child(plan, adapter, reporter, expected))
        all_of = {"all_problems": plan.only is None, "all_checks": not plan.checks}
        complaints.extend(deviations.apply(result, entries, provenance.version_of, **all_of))
        if not stopped():
            reporter.end(adapter, str(result.verdict), result.seconds)
        return result

    results = in_parallel(one, plan.adapters, plan.jobs)
    absent = [r for r in results if not plan.named and r.missing]
    kept = [r for r in results if r not in absent]
    header["expected"] = [r.adapter for r in kept]
    ours = deviations.is_ours(plan.deviations)
    elsewhere = [entry for entry in entries if entry.implementation not in plan.adapters and not ours]
    return Run(header=header, results=kept, missing=absent, complaints=sorted(complaints), elsewhere=elsewhere)


def refusal(plan: Plan, refused: Sequence[Result]) -> Run:
    """A run in which nothing has run, because of what `conformance.probe.refused` says."""
    return Run(header=_header(plan) | {"expected": [r.adapter for r in refused]}, results=[*refused])


def look(plan: Plan, adapter: str, reporter: Reporter) -> Result:
    """Construct one adapter, run no check: conforms means here that it is there."""
    end = child(replace(plan, checks=("none",)), adapter, reporter)
    result = judge(adapter, end)
    if any(event["event"] == "claim" for event in end.events) and result.verdict is Verdict.COULD_NOT_TEST:
        result.verdict, result.reason = Verdict.CONFORMS, ""
    return result


def child(plan: Plan, adapter: str, reporter: Reporter, declared: Collection[str] = ()) -> ChildEnd:
    """Run one adapter's child; declared: checks that may fail without a diagnosis."""
    order = {
        "parent": os.getpid(),
        "adapter": adapter,
        "problems": plan.problems,
        "seed": plan.seed,
        "checks": list(plan.checks),
        "only": plan.only,
        "environments": plan.environment.split("+") if plan.environment else [],
        "counterparts": list(plan.counterparts),
        "given": plan.given[adapter].order() if adapter in plan.given else None,
        "declared": sorted(declared),
        "diagnose": plan.diagnose,
    }
    return run_child(order, time_limit=plan.time_limit, on_event=lambda event: reporter.event(adapter, event))


def in_parallel(one: Callable[[str], Answer], adapters: Sequence[str], jobs: int) -> list[Answer]:
    """Results in the order of `adapters`; an interrupt kills the children."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            futures = [pool.submit(one, adapter) for adapter in adapters]
            return [future.result() for future in futures]
        except BaseException:
            kill_all()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def write_reports(done: Run, *, ndjson_file: Path | None, report: Path | None) -> list[Path]:
    """Write what was asked for; the paths written."""
    text = "\n".join(ndjson.lines(done.header, done.results, done.complaints, done.code)) + "\n"
    files = {ndjson_file: text} if ndjson_file is not None else {}
    if report is not None:
        files[report / "report.ndjson"] = text
        files[report / "report.md"] = table.markdown(done.results, title(done.header), done.complaints)
        for result in done.results:
            files |= reproducers(result, report)
    for path, content in files.items():
        ndjson.write(path, content)
    return list(files)


def reproducers(result: Result, report: Path) -> dict[Path, str]:
    """The files that show what failed, as they are to stand in the folder of the report."""
    told = result.diagnosis or {}
    own = {report / reproducer_of(result.adapter): told["reproducer"]} if told.get("reproducer") else {}
    return own | {report / reproducer_of(result.adapter, check): s for check, s in told.get("scripts", {}).items()}


def reproducer_of(adapter: str, check: str = "") -> Path:
    """Where the reproducer of an adapter stands, below the folder of the report; check: of which, if of one."""
    return Path("reproducers", f"{re.sub(r'[^A-Za-z0-9]+', '_', f'{adapter} {check}').strip('_')}.py")


def title(header: dict[str, Any]) -> str:
    """One line that says what was run."""
    where = f", environment {header['environment']}" if header["environment"] else ""
    return f"Conformance: {header['problems']} problems (profile {header['profile']}), seed {header['seed']}{where}"


def _header(plan: Plan) -> dict[str, Any]:
    return {
        "run_id": uuid.uuid4().hex,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": provenance.commit(),
        "tree": provenance.tree_hash(),
        "environment": plan.environment,
        "profile": plan.profile,
        "problems": plan.problems,
        "seed": plan.seed,
        "checks": list(plan.checks),
        "only": plan.only,
        "versions": provenance.versions(),
        "machine": provenance.machine(),
    }
