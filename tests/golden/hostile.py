"""Folders that no regenerate left: what somebody may hand to the commands, by name.

Each spoils a folder that holds torch-adam's first steps, and leaves nothing for the commands to use there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golden.files import MAX_BYTES
from golden.layout import HASH, content_hash

FILE = Path("torch-adam/first-steps.json")


def rewritten(path: Path, change: Callable[[dict[str, Any]], None], text: Callable[[Any], str] = json.dumps) -> None:
    """The file with another content, and a hash that fits."""
    data = json.loads(path.read_text())
    change(data)
    data[HASH] = content_hash(data)
    path.write_text(text(data))


def _bytes(content: bytes) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes(content), None)[1]


def _case(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda path: rewritten(path, lambda data: (change(data["cases"][0]), None)[1])


def _file(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda path: rewritten(path, lambda data: (change(data), None)[1])


def _sparse(path: Path) -> None:
    """64 GiB that take no place on the disk."""
    with path.open("r+b") as file:
        file.truncate(2**36)


def _link(path: Path) -> None:
    outside = path.parents[2] / "outside.json"
    path.rename(outside)
    path.symlink_to(outside)


def _linked_folder(path: Path) -> None:
    outside = path.parents[2] / "outside"
    path.parent.rename(outside)
    path.parent.symlink_to(outside)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pickle(path: Path) -> None:
    """Would make a file beside it, if somebody took it for a pickle."""
    path.write_bytes(b"cos\nsystem\n(S'touch " + bytes(path.parent / "executed") + b"'\ntR.")


def _generators(number: int) -> Callable[[dict[str, Any]], None]:
    """Many cases, each of a million numbers that are made and not stored."""

    def change(data: dict[str, Any]) -> None:
        first = data["cases"][0]
        first["parameters"] = [{"shape": [], "values": ["0x1p+0"]}] * 6
        first["gradients"] = {"generator": "xorshift32", "seed": 1, "steps": 20000, "exponents": [0] * 6}
        arrays = [["0x0p+0"]] * 6
        first["expected"] = [
            {"step": 1, "t": [1] * 6, "parameters": arrays, "parameters_decimal": [["0"]] * 6}
            | {"m": arrays, "v": arrays, "v_max": None}
            | {"tolerance": {name: [[None]] * 6 for name in ("parameters", "m", "v")}}
        ]
        data["cases"] = [first | {"id": f"torch-adam/first-steps/n{k}"} for k in range(number)]
        data["notes"] = {flag: data["notes"][flag] for flag in first["flags"]}

    return change


SPECIAL: dict[str, Callable[[Path], None]] = {
    "empty": _bytes(b""),
    "no JSON": _bytes(b"{" * 100),
    "deep lists": _bytes(b"[" * 500_000),
    "deep value": _file(lambda data: data.update({"$schema": json.loads("[" * 900 + "]" * 900)})),
    "deep schedule": _case(lambda case: case["hyperparameters"].update(l2=json.loads("[" * 900 + "]" * 900))),
    "many keys": _bytes(b'{"format": "adam-conformance golden", "version": 1,' + b",".join(
        b'"%d":0' % k for k in range(90_000)) + b', "7": 0}'),
    "many errors": _case(lambda case: case["gradients"].update(stored=[[[1] * 300_000]])),
    "many values": _case(lambda case: case["parameters"].__setitem__(0, {"shape": [3], "values": ["0x0p+0"] * 90_000})),
    "many flags": _case(lambda case: case.update(flags=["tail"] * 90_000 + ["luck"])),
    "long name": _case(lambda case: case.update(id="torch-adam/first-steps/" + "a" * 900_000 + "/")),
    "long flag": _case(lambda case: case.update(flags=["a" * 900_000])),
    "long key": _case(lambda case: case["hyperparameters"].update({"a" * 900_000: 1})),
    "huge integer": _bytes(b'{"version": ' + b"9" * 1_000_000 + b"}"),
    "large": _bytes(b" " * (MAX_BYTES + 1)),
    "gigabytes": _sparse,
    "gigabytes of numbers": _file(_generators(400)),
    "huge shape": _case(lambda case: case["parameters"][0].update(shape=[10**300])),
    "huge product": _case(lambda case: case["parameters"][0].update(shape=[4096] * 8)),
    "negative shape": _case(lambda case: case["parameters"][0].update(shape=[-3])),
    "negative row": _case(lambda case: case["gradients"]["stored"][0].__setitem__(0, {"rows": [-1], "values": []})),
    "huge row": _case(lambda case: case["gradients"]["stored"][0].__setitem__(0, {"rows": [2**80], "values": []})),
    "id that leads elsewhere": _case(lambda case: case.update(id="torch-adam/first-steps/../../../etc/passwd")),
    "huge step": _case(lambda case: case["expected"][-1].update(step=10**40)),
    "huge seed": _case(lambda case: case.update(gradients={
        "generator": "xorshift32", "seed": 2**32, "steps": 8, "exponents": [0, 0]})),
    "huge steps": _case(lambda case: case.update(gradients={
        "generator": "xorshift32", "seed": 1, "steps": 10**30, "exponents": [0, 0]})),
    "decimal float": _case(lambda case: case["parameters"][0]["values"].__setitem__(0, "1.5")),
    "not a number": _case(lambda case: case["parameters"][0]["values"].__setitem__(0, "nan")),
    "hex without exponent": _case(lambda case: case["parameters"][0]["values"].__setitem__(0, "0x1.8")),
    "hex that overflows": _case(lambda case: case["parameters"][0]["values"].__setitem__(0, "0x1p+9999")),
    "hex and more": _case(lambda case: case["parameters"][0]["values"].__setitem__(0, "0x1p+0\n")),
    "newer version": _file(lambda data: data.update(version=2)),
    "another format": _file(lambda data: data.update(format="pickle")),
    "unknown dialect": _file(lambda data: data.update(dialect="jax-adam")),
    "dialect elsewhere": _file(lambda data: data.update(dialect="../torch-adam")),
    "unknown flag": _case(lambda case: case.update(flags=["luck"])),
    "notes of nothing": _file(lambda data: data.update(notes={flag: [] for flag in data["notes"]})),
    "escape sequence": _case(lambda case: case.update(source="\x1b]0;title\x07")),
    "half a character": _case(lambda case: case.update(description="\ud800")),
    "flag of half a character": _case(lambda case: case.update(flags=["\ud800"])),
    "code": _case(lambda case: case["hyperparameters"].update(l2="__import__('os').system('touch executed')")),
    "pickle": _pickle,
    "a link": _link,
    "a folder that is a link": _linked_folder,
    "a device": _device,
    "a pipe": _pipe,
    "a folder": _folder,
}  # fmt: skip
