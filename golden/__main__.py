"""The command line: ``python -m golden verify | lint | diff | regenerate | show | list | export``."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_ACCEPTED = "; accepted: an environment with pip install --group golden"


def _refused(error: str, *, as_json: bool) -> int:
    """Exit code 2, on standard error for people and on standard output for programs."""
    print(f"error: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": error, "exit_code": 2}))
    return 2


try:
    from golden import diff, export, files, layout, show, tolerances
    from golden.case import Case, GoldenError
    from golden.layout import File
    from golden.lint import lint
    from golden.recordings import RECORDED
    from golden.regenerate import regenerate
    from golden.report import Report
    from golden.verify import verify
except ImportError as _error:
    _lacks = _ACCEPTED if isinstance(_error, ModuleNotFoundError) else ""
    sys.exit(_refused(f"{_error}{_lacks}", as_json="--json" in sys.argv))

_EXIT_CODES = """exit codes:
  0  everything is as it should be, and nothing was changed
  1  a value, hash or id is wrong, or a case is missing; diff has found a difference; or regenerate has changed, or
     refused to change, something
  2  something cannot be read or found, a package is missing, or the command line is wrong
  3  golden itself failed"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has read enough
        return 2
    except (GoldenError, OSError) as error:
        return _refused(str(error), as_json=options.json)
    except ModuleNotFoundError as error:
        return _refused(f"{error}{_ACCEPTED}", as_json=options.json)
    except KeyboardInterrupt:
        print("interrupted; every file is wholly old or wholly new", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        return 3


def _verify(options: argparse.Namespace) -> int:
    report = verify(options.folder, partial=options.partial, recorded=_recorded(options))
    report.complaints += tolerances.linted() if options.folder == files.CASES else ()
    worst = (
        f"worst difference {report.worst_fraction:.3f} of its bound, of a recorded value {report.worst_recorded:.3f}"
    )
    compared = f", {report.compared} values; {worst}"
    return _judge(report, compared, asdict(report), options)


def _lint(options: argparse.Namespace) -> int:
    report = lint(options.folder, partial=options.partial, recorded=_recorded(options))
    report.complaints += tolerances.linted() if options.folder == files.CASES else ()
    of_verify = ("compared", "worst_fraction", "worst_recorded", "ambiguous")
    looked_at = {key: value for key, value in asdict(report).items() if key not in of_verify}
    return _judge(report, "", looked_at, options)


def _judge(report: Report, compared: str, data: Mapping[str, object], options: argparse.Namespace) -> int:
    code = max((c.kind for c in report.complaints), default=0, key=lambda kind: {0: 0, 2: 1, 1: 2}[kind])
    if options.json:
        print(json.dumps({**data, "exit_code": int(code)}))
        return code
    for complaint in report.complaints:
        print(complaint.message)
    counts = f"{report.files} files, {report.cases} cases, {report.recordings} recordings"
    print(f"{counts}{compared}; {len(report.complaints) or 'no'} complaints")
    return code


def _recorded(options: argparse.Namespace) -> Path | None:
    """The folder of recordings: with cases from elsewhere, none unless it is named."""
    return options.recorded or (RECORDED if options.folder == files.CASES else None)


def _regenerate(options: argparse.Namespace) -> int:
    say = (lambda text: print(text, file=sys.stderr)) if options.json else print
    done = regenerate(options.folder, allow_change=options.allow_change, only=options.only, say=say)
    code = 1 if done.written or done.refused or done.removed else 0
    if options.json:
        print(json.dumps(asdict(done) | {"exit_code": code}))
        return code
    for text in done.refused:
        print(f"refused: {text}")
    print(f"{len(done.written)} written, {done.unchanged} unchanged, {len(done.refused)} refused")
    return code


def _diff(options: argparse.Namespace) -> int:
    old = options.old or str(options.folder)
    new = options.new or (str(options.folder) if options.old else diff.RECOMPUTED)
    before, after = (diff.side(text, options.folder, options.only) for text in (old, new))
    found = diff.diff(before, after, options.only)
    code = 2 if found.unreadable else 1 if found.changes else 0
    if options.json:
        print(json.dumps({"old": old, "new": new, **asdict(found), "exit_code": code}))
        return code
    for text in (*(change.message for change in found.changes), *found.unreadable):
        print(text)
    ids = len({change.id or change.file for change in found.changes})
    values = sum(len(change.elements) for change in found.changes)
    print(f"{old} -> {new}: {found.files} files, {ids} ids or files changed, {values} values")
    return code


def _export(options: argparse.Namespace) -> int:
    met: set[str] = set()
    count = export.write(_chosen(options, met), options.out)
    if options.json:
        print(json.dumps({"file": str(options.out), "cases": len(met), "entries": count, "exit_code": 0}))
        return 0
    print(f"wrote {options.out}: {len(met)} cases, {count} {'lines' if options.out.suffix == '.csv' else 'arrays'}")
    return 0


def _chosen(options: argparse.Namespace, met: set[str]) -> Iterator[export.Exported]:
    """One after the other, their ids in `met` afterwards; `GoldenError` where an id is of none, or of two."""
    patterns = options.ids or ["*/*/*"]
    for file, data in _files(options.folder, patterns):
        for case, content in zip(file.cases, data["cases"], strict=True):
            if not any(_meets(case.id, pattern) for pattern in patterns):
                continue
            if case.id in met:
                raise GoldenError(f"id {case.id} stands there twice; accepted: every id once")
            met.add(case.id)
            yield case, content
    unmet = [pattern for pattern in patterns if not any(_meets(id_, pattern) for id_ in met)]
    if unmet:
        raise GoldenError(f"id is {unmet[0]!r}; accepted: one out of `python -m golden list`, * and ? being any")


def _folder(text: str) -> Path:
    """Of an option; those of this project by one name, however they are called."""
    path = Path(text)
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a folder")
    return next((ours for ours in (files.CASES, RECORDED) if path.exists() and path.samefile(ours)), path)


def _out(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".csv", ".npz") or path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: FILE.csv or FILE.npz in a folder that exists")
    return path


def _show(options: argparse.Namespace) -> int:
    for file, data in _files(options.folder, [options.id]):
        for case, content in zip(file.cases, data["cases"], strict=True):
            if case.id == options.id:
                print(json.dumps(content) if options.json else "\n".join(show.lines(case, file)))
                return 0
    raise GoldenError(f"id is {options.id!r}; accepted: one out of `python -m golden list`")


def _list(options: argparse.Namespace) -> int:
    rows = [_row(case) for file, _ in _files(options.folder) for case in file.cases]
    if options.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(f"{row['id']:48} {row['steps']:5} steps  {row['description']}")
    print(f"{len(rows)} cases")
    return 0


def _files(folder: Path, patterns: Sequence[str] = ("*/*/*",)) -> Iterator[tuple[File, dict[str, Any]]]:
    """Those that may hold an id of the patterns."""
    paths, strays = files.stored(folder)
    for stray in strays:
        raise GoldenError(str(stray))
    for path in paths:
        if any(_meets(f"{path.parent.name}/{path.stem}", pattern.rpartition("/")[0]) for pattern in patterns):
            data = files.read_json(path)
            yield layout.parse(data, path), data


def _meets(name: str, pattern: str) -> bool:
    """Part by part, * and ? being any."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _row(case: Case) -> dict[str, object]:
    kinds = sorted(case.gradient_kinds)
    return {
        "id": case.id,
        "steps": case.steps,
        "flags": list(case.flags),
        "gradients": kinds,
        "description": case.description,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m golden",
        description="Trajectories of every dialect as files: check, make and read them.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("verify", _verify, "check every file, and recompute every value with the float64 reference"),
        ("lint", _lint, "check names, schema, hashes, ids and words of every file, and recompute nothing"),
        ("diff", _diff, "which ids, steps and elements differ between two sets of files, and by how much"),
        ("regenerate", _regenerate, "make the files from the reference at 50 digits"),
        ("show", _show, "one case, for a person"),
        ("list", _list, "all cases, a line each"),
        ("export", _export, "cases as CSV or NPZ, for people"),
    ):
        command = commands.add_parser(
            name, help=text, description=text, epilog=_EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.set_defaults(command=function)
        command.add_argument("--json", action="store_true", help="the result for programs on standard output")
        command.add_argument(
            "--folder", type=_folder, default=files.CASES, metavar="DIR", help="instead of golden/cases"
        )
    commands.choices["show"].add_argument("id", metavar="ID", help="a case, as `list` names it")
    partial = "a folder that need not have every case of the catalogue"
    for name in ("verify", "lint"):
        commands.choices[name].add_argument("--partial", action="store_true", help=partial)
        text = "what implementations returned on these cases; default: golden/recorded, with another --folder none"
        commands.choices[name].add_argument("--recorded", type=_folder, metavar="DIR", help=text)
    commands.choices["export"].add_argument("out", type=_out, metavar="OUT", help="FILE.csv or FILE.npz")
    ids = "a case, as `list` names it, * and ? being any; default: all"
    commands.choices["export"].add_argument("ids", nargs="*", default=[], metavar="ID", help=ids)
    commands.choices["export"].epilog = f"{export.CSV}\n\n{export.NPZ}\n\n{_EXIT_CODES}"
    side = f"a folder, a revision of git, or {diff.RECOMPUTED!r}: what regenerate would write now"
    commands.choices["diff"].add_argument("old", nargs="?", metavar="OLD", help=f"{side}; default: --folder")
    new = f"the same; default: --folder if OLD is given, and {diff.RECOMPUTED!r} if it is not"
    commands.choices["diff"].add_argument("new", nargs="?", metavar="NEW", help=new)
    for name in ("regenerate", "diff"):
        only = "the DIALECT/TOPIC that this matches, * and ? being any; default: all"
        commands.choices[name].add_argument("--only", default="*", metavar="PATTERN", help=only)
    allow = "change what stored ids stand for; without it such files are left as they are"
    commands.choices["regenerate"].add_argument("--allow-change", action="store_true", help=allow)
    return parser


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main())
