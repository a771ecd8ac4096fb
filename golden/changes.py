"""What has changed between two files of one dialect and topic: which ids, steps and elements, and by how much."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from golden import floats, layout
from golden.case import Case, Expected
from golden.words import differences

_PROBLEM = ("hyperparameters", "parameters", "gradients", "between", "state_order")


@dataclass(frozen=True, kw_only=True)
class Element:
    """A value that has changed."""

    element: tuple[int, ...]
    """Its index."""
    old: str
    new: str
    ulps: int
    """How many float64 numbers the new one is further on."""
    relative: float
    """|new - old| / max(|new|, |old|)."""

    def __str__(self) -> str:
        shown = [f"{text} ({floats.decimal(float.fromhex(text))})" for text in (self.old, self.new)]
        return f"{list(self.element)}: {' -> '.join(shown)}, {self.ulps:+d} ulp, relative {self.relative:.3g}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that is not as it was."""

    file: str
    """``dialect/topic``."""
    what: str
    """Out of new, gone (a file, a case, or a stated step), words, problem, t, values, tolerance."""
    id: str = ""
    step: int | None = None
    quantity: str = ""
    parameter: int | None = None
    elements: tuple[Element, ...] = ()
    """Those that differ."""
    message: str

    @property
    def of_values(self) -> bool:
        """A stored id no longer stands for what it did."""
        return self.what not in ("new", "words")


def changes(old: layout.File | None, new: layout.File | None) -> Iterator[Change]:
    """From `old` to `new`; None is a file that is not there."""
    file = next(f"{one.dialect}/{one.topic}" for one in (old, new) if one is not None)
    if old is None or new is None:
        what = "new" if old is None else "gone"
        yield Change(file=file, what=what, message=f"{file}: the file is {what}")
        return
    before, after = ({case.id: case for case in one.cases} for one in (old, new))
    for what, ids in (("gone", before.keys() - after.keys()), ("new", after.keys() - before.keys())):
        for id_ in sorted(ids):
            yield Change(file=file, what=what, id=id_, message=f"{id_} is {what}")
    for at in differences(layout.to_json(old), layout.to_json(new)):
        if at.key == "expected":
            continue
        what = "problem" if at.id and at.key in _PROBLEM else "words"
        message = f"{at.id or file}: {at.place}: {at.old} -> {at.new}"
        yield Change(file=file, what=what, id=at.id, quantity=at.key, message=message)
    for id_ in sorted(before.keys() & after.keys()):
        yield from _of_case(file, before[id_], after[id_])


def _of_case(file: str, old: Case, new: Case) -> Iterator[Change]:
    before, after = ({expected.step: expected for expected in case.expected} for case in (old, new))
    for k in sorted(before.keys() | after.keys()):
        if k in before and k in after:
            yield from _of_step(file, old.id, before[k], after[k])
        else:
            what = "gone" if k in before else "new"
            yield Change(file=file, what=what, id=old.id, step=k, message=f"{old.id}, step {k} is {what}")


def _of_step(file: str, id_: str, old: Expected, new: Expected) -> Iterator[Change]:
    where = f"{id_}, step {old.step}"
    if old.t != new.t:
        message = f"{where}: t: {list(old.t)} -> {list(new.t)}"
        yield Change(file=file, what="t", id=id_, step=old.step, quantity="t", message=message)
    if bool(old.tolerance) != bool(new.tolerance):
        what = "gone" if old.tolerance else "new"
        message = f"{where}: tolerance is {what}"
        yield Change(file=file, what=what, id=id_, step=old.step, quantity="tolerance", message=message)
    before, after = dict(old.quantities()), dict(new.quantities())
    for name in sorted(before.keys() ^ after.keys()):
        what = "gone" if name in before else "new"
        yield Change(file=file, what=what, id=id_, step=old.step, quantity=name, message=f"{where}: {name} is {what}")
    for name in (name for name in before if name in after):
        if [array.shape for array in before[name]] != [array.shape for array in after[name]]:
            continue  # the problem's parameters have changed, which has been said
        both = [("values", name, before[name], after[name])]
        if old.tolerance and new.tolerance:
            both.append(("tolerance", f"tolerance of {name}", old.tolerance[name], new.tolerance[name]))
        for what, of, olds, news in both:
            for i, (a, b) in enumerate(zip(olds, news, strict=True)):
                elements = tuple(_elements(a, b))
                if not elements:
                    continue
                worst = max(elements, key=lambda element: abs(element.ulps))
                message = f"{where}: {of} of parameter {i}: {len(elements)} of {a.size} elements, most at {worst}"
                yield Change(
                    file=file,
                    what=what,
                    id=id_,
                    step=old.step,
                    quantity=name,
                    parameter=i,
                    elements=elements,
                    message=message,
                )


def _elements(old: Any, new: Any) -> Iterator[Element]:
    for at in np.argwhere(old.view(np.int64) != new.view(np.int64)):
        index = tuple(int(n) for n in at)
        a, b = float(old[index]), float(new[index])
        size = Fraction(max(abs(a), abs(b)))
        yield Element(
            element=index,
            old=floats.to_hex(a),
            new=floats.to_hex(b),
            ulps=_order(b) - _order(a),
            relative=float(abs(Fraction(b) - Fraction(a)) / size) if size else 0.0,
        )


def _order(value: float) -> int:
    """Its place among the float64 numbers, both zeros being at 0."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits) if bits >= 0 else -(int(bits) + 2**63)
