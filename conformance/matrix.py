"""`python -m conformance matrix`: the runs of several environments merged into one table, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.registry import ADAPTERS, ENVIRONMENTS, of_environment
from conformance import checks, ndjson, provenance
from conformance.ndjson import Report, ReportError
from conformance.verdict import ExitCode, Result, exit_code

DEFAULT_FOLDER = provenance.ROOT / ".reports"


@dataclass
class Matrix:
    """The merged results, and what is wrong with the reports."""

    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Reports that cannot be used, each with the environment to run."""
    complaints: list[str] = field(default_factory=list)
    title: str = ""

    @property
    def code(self) -> ExitCode:
        """What could not be merged comes first: a matrix with a hole proves nothing about the rest."""
        if self.problems:
            return ExitCode.COULD_NOT_TEST
        return exit_code(result.verdict for result in self.results)


def default_files(environments: Sequence[str] = ENVIRONMENTS) -> tuple[Path, ...]:
    """Where the tox environments write their reports."""
    return tuple(DEFAULT_FOLDER / f"{environment}.ndjson" for environment in environments)


def merge(files: Sequence[Path], environments: Sequence[str] = ENVIRONMENTS) -> Matrix:
    """Merge reports; every one of `environments` must have one, whole, of this very tree, in one profile."""
    matrix = Matrix()
    reports: dict[str, Report] = {}
    tree = provenance.tree_hash()
    for path in files:
        guess = path.stem if path.stem in environments else None
        try:
            report = ndjson.read(path)
        except ReportError as error:
            matrix.problems.append(f"{error}; run {_command(guess)}")
            reports.setdefault(guess or str(path), Report(path, {}, (), ()))
            continue
        environment = report.header.get("environment")
        problem = _problem(report, environment, tree, environments)
        if problem is None and environment in reports:
            problem = f"environment {environment} has two reports: {reports[environment].path} and {path}"
        if problem is not None:
            matrix.problems.append(f"{problem}; run {_command(environment if environment in environments else None)}")
        reports[str(environment)] = report
    for environment in environments:
        if environment not in reports:
            matrix.problems.append(f"there is no report of environment {environment}; run {_command(environment)}")
    _agree(matrix, list(reports.values()))
    for environment in environments:
        if environment in reports:
            matrix.results += [_named(result, environment) for result in reports[environment].results]
            matrix.complaints += reports[environment].complaints
    return matrix


def _problem(report: Report, environment: object, tree: str, environments: Sequence[str]) -> str | None:
    if environment not in environments:
        return f"{report.path} is of environment {environment!r}; accepted: {', '.join(environments)}"
    if report.header.get("tree") != tree:
        return f"{report.path} is stale: the sources have changed since it was written"
    expected = set(of_environment(str(environment)))
    present = {result.adapter for result in report.results}
    if expected - present:
        return f"{report.path} lacks {', '.join(sorted(expected - present))}"
    if report.header["problems"] < checks.INFORMATIVE.problems:
        few = f"{report.header['problems']} problems; accepted: at least {checks.INFORMATIVE.problems}"
        return f"{report.path} is of {few}, so that the informative share was judged"
    if report.header.get("checks"):
        return f"{report.path} holds only the checks {', '.join(report.header['checks'])}; accepted: all"
    if report.header.get("only") is not None:
        return f"{report.path} holds only problem {report.header['only']}; accepted: all"
    return None


def _agree(matrix: Matrix, reports: Sequence[Report]) -> None:
    """One matrix has one profile and one seed."""
    kinds = {
        (r.header["profile"], r.header["problems"], r.header["seed"]): r.header["environment"]
        for r in reports
        if r.header
    }
    if len(kinds) > 1:
        each = "; ".join(f"{env}: profile {p}, {n} problems, seed {s}" for (p, n, s), env in kinds.items())
        matrix.problems.append(f"the reports are of different runs ({each}); run tox run -m gate")
    if kinds:
        profile, problems, seed = next(iter(kinds))
        matrix.title = f"Conformance matrix: profile {profile}, {problems} problems per implementation, seed {seed}"


def _named(result: Result, environment: str) -> Result:
    """An adapter that runs in several environments is a row in each, so its environment is part of its name."""
    entry = ADAPTERS.get(result.adapter)
    several = entry is not None and len(entry.environments) > 1
    return replace(result, adapter=f"{result.adapter} ({environment})") if several else result


def _command(environment: str | None) -> str:
    return f"tox run -e {environment}" if environment else "tox run -m gate"
