"""What real frameworks returned on the golden cases: ``golden/recorded/DIALECT/IMPLEMENTATION.json``.

Whoever has a framework writes them (`conformance.record`), and whoever has it no more is compared with them. A file
says of every case of its dialect, in every dtype of the implementation, either what came out or why it was not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from golden import floats
from golden.case import Case, Expected, GoldenError
from golden.kinds import get, is_a
from golden.layout import HASH, VERSION, content_hash
from reference import DIALECTS, Rounding

RECORDED = Path(__file__).resolve().parent / "recorded"
STORED = ("recordings", "IMPLEMENTATION.json")
"""What such a folder holds, in the words of `golden.files.stored`."""
FORMAT = "adam-conformance recorded"
DTYPES = ("float32", "float64")
_ROLES = frozenset({"bfloat16", "float16", "float32", "float64", "pow", "product", "rounded", "sum", "lerp"})
_QUANTITIES = ("parameters", "m", "v", "v_max", "slow", "average")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What one implementation returned on one case."""

    id: str
    """Of the case."""
    dtype: str
    states: tuple[Expected, ...]
    """After the steps that the case states; without tolerance."""
    deviation: str | None = None
    """The id of the declared deviation because of which it is out of its bound; None: it is within it."""


@dataclass(frozen=True, kw_only=True)
class NotAsked:
    """A case that the implementation was not given."""

    id: str
    dtype: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """All that one implementation returned, and how it was made."""

    dialect: str
    implementation: str
    distribution: str
    """That ships it."""
    version: str
    operations: tuple[str, ...]
    """That were seen running in a step."""
    versions: Mapping[str, str]
    platform: Mapping[str, str]
    arithmetic: Mapping[str, Mapping[str, str]]
    """By dtype, the precision of each role."""
    recordings: tuple[Recording, ...]
    not_asked: tuple[NotAsked, ...]
    orphans: tuple[str, ...] = ()
    """Ids that no case has."""

    def rounding(self, dtype: str) -> Rounding:
        """The rounding model of its arithmetic. `GoldenError` for a role that there is not."""
        roles = self.arithmetic[dtype]
        try:
            return Rounding(**{f.name: roles[f.name] for f in fields(Rounding)})  # type: ignore[arg-type]
        except (KeyError, ValueError) as error:
            raise GoldenError(f"{self.implementation}: arithmetic of {dtype} has no usable {error}") from error


# From JSON


def parse(data: Mapping[str, Any], path: Path, cases: Mapping[str, Case]) -> Recorded:
    """A file's content, beside the cases of its dialect by their ids. Raises `GoldenError` naming file, id and key."""
    where = str(path)
    dialect, name = get(data, "dialect", str, where), get(data, "implementation", str, where)
    if dialect not in DIALECTS:
        raise GoldenError(f"{where}: dialect is {floats.shortened(dialect)}; accepted: {', '.join(DIALECTS)}")
    if (path.parent.name, path.stem) != (dialect, name):
        raise GoldenError(f"{where} says that it is {dialect}/{name}.json; accepted: the name of the file")
    framework = get(data, "framework", dict, where)
    arithmetic = {
        dtype: _texts(roles, f"{where}: arithmetic.{dtype}")
        for dtype, roles in get(data, "arithmetic", dict, where).items()
    }
    for dtype, roles in arithmetic.items():
        if dtype not in DTYPES or not _ROLES.issuperset(roles.values()):
            raise GoldenError(f"{where}: arithmetic.{dtype[:20]} is not usable; accepted: roles of {', '.join(DTYPES)}")
    recordings, orphans = [], []
    for k, each in enumerate(get(data, "recordings", list, where)):
        at = f"{where}: recordings[{k}]"
        id_ = get(is_a(each, dict, at), "id", str, at)
        if id_ in cases:
            recordings.append(_recording(each, cases[id_], arithmetic.keys(), f"{at} ({floats.shortened(id_)})"))
        else:
            orphans.append(id_)
    not_asked = []
    for k, each in enumerate(get(data, "not_asked", list, where)):
        at = f"{where}: not_asked[{k}]"
        texts = {key: get(is_a(each, dict, at), key, str, at) for key in ("id", "dtype", "why")}
        not_asked.append(NotAsked(**texts))
        if texts["id"] not in cases:
            orphans.append(texts["id"])
    return Recorded(
        dialect=dialect,
        implementation=name,
        distribution=get(framework, "distribution", str, where),
        version=get(framework, "version", str, where),
        operations=tuple(is_a(text, str, where) for text in get(framework, "operations", list, where)),
        versions=_texts(get(data, "versions", dict, where), f"{where}: versions"),
        platform=_texts(get(data, "platform", dict, where), f"{where}: platform"),
        arithmetic=arithmetic,
        recordings=tuple(recordings),
        not_asked=tuple(not_asked),
        orphans=tuple(orphans),
    )


def _texts(data: object, where: str) -> dict[str, str]:
    return {key: is_a(value, str, f"{where}.{key}") for key, value in is_a(data, dict, where).items()}


def _recording(data: Mapping[str, Any], case: Case, dtypes: Any, where: str) -> Recording:
    dtype = get(data, "dtype", str, where)
    if dtype not in dtypes:
        raise GoldenError(f"{where}: dtype is {floats.shortened(dtype)}; accepted: {', '.join(dtypes)}, as arithmetic")
    states = [is_a(each, dict, where) for each in get(data, "states", list, where)]
    stated = [expected.step for expected in case.expected]
    if [state.get("step") for state in states] != stated:
        raise GoldenError(f"{where}: states are of other steps than the case's; accepted: {str(stated)[:60]}")
    pairs = zip(states, case.expected, strict=True)
    return Recording(
        id=case.id,
        dtype=dtype,
        states=tuple(_state(state, of, dtype, f"{where}, step {of.step}") for state, of in pairs),
        deviation=get(data, "deviation", str, where) if "deviation" in data else None,
    )


def _state(data: Mapping[str, Any], of: Expected, dtype: str, where: str) -> Expected:
    quantities = dict(of.quantities())
    found = {}
    for name in _QUANTITIES:
        if (name in data) != (name in quantities):
            accepted = f"what the case states, {', '.join(quantities)}"
            raise GoldenError(f"{where}: {name} is {'' if name in data else 'not '}there; accepted: {accepted}")
    for name, arrays in quantities.items():
        lists = get(data, name, list, where)
        if len(lists) != len(arrays):
            raise GoldenError(f"{where}: {name} has length {len(lists)}; accepted: {len(arrays)}, one per parameter")
        found[name] = tuple(
            _of_dtype(floats.from_hex_list(texts, array.shape, f"{where}: {name}[{i}]"), dtype, f"{where}: {name}[{i}]")
            for i, (texts, array) in enumerate(zip(lists, arrays, strict=True))
        )
    t = tuple(is_a(count, int, f"{where}: t") for count in get(data, "t", list, where))
    if len(t) != len(of.t):
        raise GoldenError(f"{where}: t has length {len(t)}; accepted: {len(of.t)}, one per parameter")
    return Expected(step=of.step, t=t, **{"v_max": None} | found)  # type: ignore[arg-type]


def _of_dtype(array: Any, dtype: str, where: str) -> Any:
    with np.errstate(over="ignore"):
        if not np.array_equal(array.astype(dtype).astype(np.float64), array):
            raise GoldenError(f"{where} has a value that {dtype} does not hold; accepted: those that it returned")
    return array


# To JSON


def to_json(recorded: Recorded) -> dict[str, Any]:
    """The content of a file, hash included. Raises `GoldenError` for a number that is not finite."""
    data: dict[str, Any] = {
        "$schema": "../../recorded.schema.json",
        "format": FORMAT,
        "version": VERSION,
        "made_by": {"program": "python -m conformance.record", "version": 1},
        "dialect": recorded.dialect,
        "implementation": recorded.implementation,
        "framework": {
            "distribution": recorded.distribution,
            "version": recorded.version,
            "operations": list(recorded.operations),
        },
        "versions": dict(recorded.versions),
        "platform": dict(recorded.platform),
        "arithmetic": {dtype: dict(roles) for dtype, roles in recorded.arithmetic.items()},
        "recordings": [_recording_to_json(recording) for recording in recorded.recordings],
        "not_asked": [{"id": one.id, "dtype": one.dtype, "why": one.why} for one in recorded.not_asked],
    }
    return {**data, HASH: content_hash(data)}


def _recording_to_json(recording: Recording) -> dict[str, Any]:
    marked = {} if recording.deviation is None else {"deviation": recording.deviation}
    return {
        "id": recording.id,
        "dtype": recording.dtype,
        **marked,
        "states": list(map(_state_to_json, recording.states)),
    }


def _state_to_json(state: Expected) -> dict[str, Any]:
    arrays = {name: [floats.hex_list(array) for array in group] for name, group in state.quantities()}
    return {"step": state.step, "t": list(state.t), **arrays}
