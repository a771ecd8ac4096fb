"""Valid reports for the tests of reports: a real run of a twin, under the names of an environment's adapters."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from suite_cli import TWIN

from adapters.registry import ENVIRONMENTS, of_environment
from conformance import provenance, run
from conformance.verdict import Result


class Silent:
    """A reporter that reports nothing."""

    def event(self, adapter: str, event: dict[str, Any]) -> None:
        """Nothing."""

    def end(self, adapter: str, verdict: str, seconds: float) -> None:
        """Nothing."""


@cache
def twin_run(only: int | None = None) -> run.Run:
    """What came of a small run of a twin: of all its problems, or of one of them."""
    plan = run.Plan(
        adapters=(str(provenance.ROOT / TWIN),),
        named=True,
        environment=None,
        profile="smoke",
        problems=40,
        seed=0,
        only=only,
        time_limit=60,
    )
    return run.run(plan, Silent())


def results(environment: str) -> list[Result]:
    """The twin's result, once for each of the environment's adapters."""
    (twin,) = twin_run().results
    return [replace(twin, adapter=name) for name in of_environment(environment)]


def report(folder: Path, environment: str, found: list[Result] | None = None, /, **header: Any) -> Path:
    """Write the report of an environment as its run would; `header` replaces entries of the header."""
    found = results(environment) if found is None else found
    expected = [result.adapter for result in found]
    own = {"environment": environment, "expected": expected, "tree": provenance.tree_hash()}
    done = run.Run(header=twin_run().header | own | header, results=found)
    path = folder / f"{environment}.ndjson"
    run.write_reports(done, ndjson_file=path, report=None)
    return path


def all_reports(folder: Path) -> list[Path]:
    """One for each environment, all good."""
    return [report(folder, environment) for environment in ENVIRONMENTS]


def records_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a report."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rewrite(path: Path, records: list[dict[str, Any]]) -> None:
    """Put other lines into a report."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
