"""``golden/tolerances.json``: the constants of the rounding model, what informs, the head-room that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden import floats
from golden.case import GoldenError
from golden.files import read_json, render, write
from golden.kinds import get, is_a
from golden.layout import HASH, content_hash
from golden.report import Complaint, Kind, check_hash, check_schema, check_schema_itself
from reference.model import FILE as FILE
from reference.model import Unusable

FORMAT = "adam-conformance tolerances"


@dataclass(frozen=True, kw_only=True)
class Informative:
    """When a set of problems says something."""

    below: float
    """A comparison informs when its bound is below this share of the movement."""
    share: float
    """Of the moving elements that must inform: the mean over the problems."""
    problems: int
    """From which on a set is large enough to have a share."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of one implementation in one environment, on the general problems of the gate."""

    implementation: str
    environment: str
    package: str
    """Distribution and version."""
    worst_fraction: float
    """The largest error as a fraction of its bound."""
    informative_share: float
    reason: str
    """What the bound grants and what of it is used, in words."""


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """The file."""

    model: Mapping[str, Any]
    """The constants of the rounding model, each with its reason."""
    informative: Informative
    reasons: Mapping[str, str]
    """Of each number of `informative`."""
    drift: float
    """A change of a measured number that is told."""
    problems: int
    seed: int
    measured: tuple[Measured, ...]

    def of(self, implementation: str, environment: str) -> Measured | None:
        """What was measured of an implementation there."""
        found = (m for m in self.measured if (m.implementation, m.environment) == (implementation, environment))
        return next(found, None)


def read(path: Path = FILE) -> Tolerances:
    """Raises `GoldenError` for a file that is malformed or has been edited."""
    data, where = read_json(path, FORMAT), str(path)
    if data.get(HASH) != content_hash(data):
        raise GoldenError(f"{where}: {HASH} is not that of the content; run python -m golden verify")
    given = get(data, "informative", dict, where)
    texts = {name: get(given, name, dict, f"{where}: informative") for name in ("below", "share", "problems")}
    measured = get(data, "measured", dict, where)
    rows = get(measured, "implementations", list, f"{where}: measured")
    return Tolerances(
        model=get(data, "model", dict, where),
        informative=Informative(
            below=_number(texts["below"], f"{where}: informative.below"),
            share=_number(texts["share"], f"{where}: informative.share"),
            problems=get(texts["problems"], "value", int, f"{where}: informative.problems"),
        ),
        reasons={name: get(text, "reason", str, f"{where}: informative.{name}") for name, text in texts.items()},
        drift=_number(get(measured, "drift", dict, f"{where}: measured"), f"{where}: measured.drift"),
        problems=get(measured, "problems", int, f"{where}: measured"),
        seed=get(measured, "seed", int, f"{where}: measured"),
        measured=tuple(_measured(is_a(row, dict, where), f"{where}: measured[{k}]") for k, row in enumerate(rows)),
    )


def informative() -> Informative:
    """Of this project's file. Raises `Unusable`, an ImportError, for one that cannot be used."""
    try:
        return read().informative
    except GoldenError as error:
        raise Unusable(str(error)) from error


def _measured(row: Mapping[str, Any], where: str) -> Measured:
    return Measured(
        implementation=get(row, "implementation", str, where),
        environment=get(row, "environment", str, where),
        package=get(row, "package", str, where),
        worst_fraction=_number(get(row, "worst_fraction", dict, where), where),
        informative_share=_number(get(row, "informative_share", dict, where), where),
        reason=get(row, "reason", str, where),
    )


def _number(data: Mapping[str, Any], where: str) -> float:
    number = floats.from_hex(get(data, "hex", str, where), where)
    if data.get("decimal") != floats.decimal(number) or not 0 <= number <= 1:
        raise GoldenError(f"{where} is {data.get('decimal')}; accepted: from 0 to 1, the decimal that of hex")
    return number


def linted(path: Path = FILE) -> Iterator[Complaint]:
    """What is wrong with the file."""
    schema = path.with_suffix(".schema.json")
    try:
        yield from check_schema_itself(schema)
        data = read_json(path, FORMAT)
        check_schema(data, path, schema)
        edited = list(check_hash(data, path))
        yield from edited
        if not edited:
            read(path)
    except GoldenError as error:
        yield Complaint(kind=Kind.UNUSABLE, file=str(path), message=str(error))


def replace_measured(measured: Sequence[Measured], *, problems: int, seed: int, path: Path = FILE) -> None:
    """Write other measurements into the file; the constants stay."""
    data = read_json(path, FORMAT)
    rows = [
        {name: _plain(value) for name, value in vars(one).items()}
        for one in sorted(measured, key=lambda one: (one.environment, one.implementation))
    ]
    data = {**data, "measured": {**data["measured"], "problems": problems, "seed": seed, "implementations": rows}}
    write(path, render({**data, HASH: content_hash(data)}) + "\n")


def _plain(value: float | str) -> Any:
    return value if isinstance(value, str) else {"hex": floats.to_hex(value), "decimal": floats.decimal(value)}
