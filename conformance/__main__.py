"""The command line: ``python -m conformance run | adapters | matrix | explain | plot``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

import reference
from adapters.registry import ADAPTERS, of_environment
from conformance import alone, checks, declare, deviations, explain, headroom, matrix, probe, provenance, run, table
from conformance.deviations import DeviationsError
from conformance.ending import EndedBySignal, ended_by_signals
from conformance.findings import to_json
from conformance.ndjson import lines, write
from conformance.options import UsageError, classes, parser
from conformance.plot.command import plot
from conformance.problems import PROFILES
from conformance.progress import progress
from conformance.verdict import ExitCode, Result, Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    commands = {"run": _run, "adapters": _adapters, "matrix": _matrix, "explain": _explain_dialects, "plot": _plot}
    options = parser(commands).parse_args(arguments)
    try:
        with ended_by_signals():
            return int(options.command(options))
    except (DeviationsError, UsageError, OSError) as error:
        table.console(stderr=True).print(f"[red]error:[/] {escape(str(error))}")
        return ExitCode.COULD_NOT_TEST
    except EndedBySignal as ended:
        table.console(stderr=True).print(f"{ended}; nothing was written")
        return ended.exit_code
    except Exception:
        table.console(stderr=True).print_exception()
        return ExitCode.SUITE_FAILED


def _run(options: argparse.Namespace) -> int:
    profile = PROFILES[options.profile]
    environments = tuple(dict.fromkeys(options.environment or ()))
    named = [name for environment in environments for name in of_environment(environment)]
    named += options.adapter or []
    given = {one.name: one for one in classes(options)}
    named += given
    problems = options.problems or profile.problems
    if options.problem is not None and options.problem >= problems:
        raise UsageError(f"--problem is {options.problem}; accepted: 0 to {problems - 1}, the run's problems")
    _check_deviations(options)
    plan = run.Plan(
        adapters=tuple(dict.fromkeys(named)) or tuple(ADAPTERS),
        named=bool(named),
        environment="+".join(environments) or None,
        profile=options.profile,
        problems=problems,
        seed=options.seed,
        checks=tuple(options.check or ()),
        counterparts=tuple(dict.fromkeys(options.counterpart or ())),
        only=options.problem,
        jobs=options.jobs,
        time_limit=options.time_limit,
        diagnose=not options.no_diagnosis,
        deviations=options.deviations,
        given=given,
    )
    run.declared(plan)
    console = table.console(stderr=options.json)
    with progress(console) as reporter:
        refused = probe.refused(plan, reporter)
        done = run.refusal(plan, refused) if refused else run.run(plan, reporter)
    if options.report is not None:
        for result in done.results:
            alone.try_files(result)
    console.print(table.terminal(done.results, run.title(done.header)))
    _explain(console, done.results, done.complaints)
    if refused:
        console.print(f"nothing has run: {len(refused)} of {len(plan.adapters)} cannot be tested")
    elif plan.problems < checks.INFORMATIVE.problems or plan.only is not None:
        console.print(f"not judged: the informative share, of fewer than {checks.INFORMATIVE.problems} problems")
    for note in headroom.notes(done.header, done.results):
        console.print(escape(note))
    for entry in done.elsewhere:
        console.print(escape(f"not in this run: {entry.implementation}, of which {options.deviations} has {entry.id}"))
    for result in done.missing:
        console.print(f"missing: {escape(result.reason)}")
    if not done.results:
        console.print("nothing could be tested: no adapter's framework is installed here")
    for path in run.write_reports(done, ndjson_file=options.ndjson, report=options.report):
        console.print(escape(f"wrote {path}"))
    if options.write_deviations:
        _declare(console, options.write_deviations, plan, done)
    if options.json:
        print("\n".join(lines(done.header, done.results, done.complaints, done.code)))
    return done.code


def _check_deviations(options: argparse.Namespace) -> None:
    """Nothing that was declared is lost. Raises `UsageError`."""
    file: Path | None = options.write_deviations
    if file is None:
        if options.force:
            raise UsageError("--force is given; accepted: together with --write-deviations, which it lets overwrite")
        return
    if file.exists() and not options.force:
        raise UsageError(f"--write-deviations is {file}, which exists; accepted: with --force")
    if file.exists() and file.resolve() != options.deviations.resolve() and deviations.read(file):
        accepted = f"another file, or with --deviations {file}, whose entries stay then"
        raise UsageError(f"--write-deviations is {file}, which declares something; accepted: {accepted}")


def _declare(console: Console, path: Path, plan: run.Plan, done: run.Run) -> None:
    unfinished = [f"{result.adapter} {result.verdict}" for result in done.results if not result.complete]
    if unfinished or not done.results:
        why = ", ".join(unfinished) or "nothing could be tested"
        console.print(f"[magenta]wrote no deviations[/] to {escape(f'{path}: {why}, which is no deviation')}")
        return
    declared = deviations.read(plan.deviations)
    if deviations.is_ours(plan.deviations) and not deviations.is_ours(path):  # nothing of ours that is not in the run
        declared = tuple(entry for entry in declared if entry.implementation in plan.adapters)
    all_of = {"all_problems": plan.only is None, "all_checks": not plan.checks}
    found, refused = declare.entries(done.results, declared, plan.given, provenance.version_of, **all_of)
    write(path, declare.toml(found))
    said = f"wrote {path}: {len(found)} deviations; say why and since when, then run with --deviations {path}"
    console.print(escape(said))
    for text in refused:
        console.print(f"[magenta]cannot be declared:[/] {escape(text)}")


def _matrix(options: argparse.Namespace) -> int:
    environments = options.environments
    merged = matrix.merge(options.files or matrix.default_files(environments), environments)
    console = table.console(stderr=options.json)
    console.print(table.terminal(merged.results, merged.title or "Conformance matrix"))
    _explain(console, merged.results, merged.complaints)
    for problem in merged.problems:
        console.print(f"[magenta]could not be judged:[/] {escape(problem)}")
    meaning = merged.code.name.lower().replace("_", " ")
    console.print(f"{len(merged.results)} implementations: {meaning} (exit code {int(merged.code)})")
    if options.markdown:
        write(options.markdown, table.markdown(merged.results, merged.title, [*merged.complaints, *merged.problems]))
        console.print(escape(f"wrote {options.markdown}"))
    if options.json:
        rows = [dict(zip(table.HEADINGS, table.cells(r), strict=True)) | to_json(r.measures()) for r in merged.results]
        answer = {"implementations": rows, "problems": merged.problems, "slowest": table.slowest(merged.results)}
        print(json.dumps(answer | {"exit_code": int(merged.code)}))
    return merged.code


def _adapters(options: argparse.Namespace) -> int:
    console = table.console(stderr=options.json)
    plan = run.Plan(
        adapters=tuple(ADAPTERS),
        named=False,
        environment=None,
        profile="smoke",
        problems=1,
        seed=0,
        jobs=options.jobs,
        time_limit=120,
    )
    with progress(console) as reporter:
        results = run.in_parallel(lambda name: run.look(plan, name, reporter), plan.adapters, plan.jobs)
    states = {Verdict.CONFORMS: "here", Verdict.COULD_NOT_TEST: "missing"}
    rows = []
    for result in results:
        entry = ADAPTERS[result.adapter]
        state = states.get(result.verdict, "broken")
        rows.append(
            {"adapter": result.adapter, "environments": entry.environments, "state": state, "why": result.reason}
        )
        why = f": {escape(result.reason)}" if result.reason else f", claims {result.dialect}"
        environments = ", ".join(entry.environments) or "none"
        console.print(f"{result.adapter:32} tox environment {environments:20} {state}{why}")
    if options.json:
        print(json.dumps(rows))
    return ExitCode.CONFORMS


def _explain_dialects(options: argparse.Namespace) -> int:
    explained = explain.explain(reference.dialect(options.A), reference.dialect(options.B))
    if options.json:
        print(json.dumps(to_json(explained)))
    else:
        explain.show(explained, table.console())
    return ExitCode.CONFORMS


def _plot(options: argparse.Namespace) -> int:
    console = table.console(stderr=options.json)
    return plot(options, lambda text: console.print(escape(text), soft_wrap=True))


def _explain(console: Console, results: Sequence[Result], complaints: Sequence[str]) -> None:
    for result in results:
        for text in table.explain(result):
            console.print(f"[bold]{escape(result.adapter)}[/]: {escape(text)}", soft_wrap=True)
    for result in results:
        for text in table.beside(result):
            console.print(f"[bold]{escape(result.adapter)}[/]: {escape(text)}", soft_wrap=True)
    for complaint in complaints:
        console.print(f"[red]deviations:[/] {escape(complaint)}", soft_wrap=True)
    slow = table.slowest(results)
    if slow:
        console.print(f"the slowest {len(slow)} checks:", *map(escape, slow), sep="\n  ", soft_wrap=True)
    count = sum(len(result.not_claimed) for result in results)
    if count:
        console.print(f"not claimed: {count} framework arguments, listed in the reports; never a pass")


if __name__ == "__main__":
    sys.exit(main())
