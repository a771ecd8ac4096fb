"""Is the folder of recordings what it should be? Names, schema, hashes, and every case in every dtype exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from golden import files
from golden.case import Case, GoldenError
from golden.recordings import FORMAT, STORED, Recorded, parse
from golden.report import RECORDED_SCHEMA, Complaint, Kind, Report, check_hash, check_schema, check_schema_itself


def linted_recorded(
    folder: Path, cases: Mapping[str, Case], report: Report
) -> Iterator[tuple[Path, Recorded, Mapping[str, Case]]]:
    """Every file that can be read, with the cases of its dialect; `report` has what is wrong when all have been taken.

    cases: all that there are, by id. Where one of their files cannot be used nothing is looked at: whatever was
    recorded of it would seem to be an orphan. Raises `GoldenError` if there is no such folder, or no file in it.
    """
    paths, strays = files.stored(folder, *STORED)
    for stray in strays:
        kind = Kind.WRONG if stray.left_over else Kind.UNUSABLE
        report.complaints.append(Complaint(kind=kind, file=str(stray.path), message=str(stray)))
    if any(complaint.kind == Kind.UNUSABLE for complaint in report.complaints):
        return
    report.complaints += check_schema_itself(RECORDED_SCHEMA)
    for path in paths:
        report.recorded += 1
        of_dialect = {id_: case for id_, case in cases.items() if case.dialect == path.parent.name}
        try:
            data = files.read_json(path, FORMAT)
            recorded = parse(data, path, of_dialect)
            check_schema(data, path, RECORDED_SCHEMA)
            for dtype in recorded.arithmetic:
                recorded.rounding(dtype)
        except GoldenError as error:
            report.complaints.append(Complaint(kind=Kind.UNUSABLE, file=str(path), message=str(error)))
            continue
        report.recordings += len(recorded.recordings)
        report.complaints += check_hash(data, path)
        report.complaints += _every_case_once(recorded, of_dialect, path)
        yield path, recorded, of_dialect


def _every_case_once(recorded: Recorded, cases: Mapping[str, Case], path: Path) -> Iterator[Complaint]:
    """A case that is not claimed is named, not silently left out."""
    for id_ in dict.fromkeys(recorded.orphans):
        text = f"{path}: {id_[:120]} is an orphan: there is no such case; accepted: none, record again"
        yield Complaint(kind=Kind.WRONG, file=str(path), id=id_, message=text)
    met = Counter((one.id, one.dtype) for one in recorded.recordings)
    met += Counter((one.id, one.dtype) for one in recorded.not_asked)
    for dtype in recorded.arithmetic:
        missing = [id_ for id_ in cases if not met[id_, dtype]]
        if missing:
            text = (
                f"{path}: {len(missing)} cases in {dtype} are neither recorded nor named as not asked, the first"
                f" {missing[0]}; accepted: every case of the dialect, record again"
            )
            yield Complaint(kind=Kind.WRONG, file=str(path), id=missing[0], message=text)
    for (id_, dtype), times in met.items():
        if times > 1:
            text = f"{path}: {id_[:120]} stands there {times} times in {dtype[:20]}; accepted: once"
            yield Complaint(kind=Kind.WRONG, file=str(path), id=id_, message=text)
