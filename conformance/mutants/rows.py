"""Mutants of row-sparse gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.contract import Array, Rows
from conformance.mutants.twin import Slot, Work, write
from conformance.mutants.twins import Keras3Twin, KerasV2Twin, Mxnet2LazyTwin, RectifiedTwin, TfKerasTwin


class DuplicatesSquaredOneByOne(KerasV2Twin):
    """Values of a row that is named twice are squared one by one, then summed.

    Frameworks that scatter (1 - beta_2) g^2 without summing first. Exposed by duplicate rows, in v.
    """

    name = "mutant-duplicates-squared-one-by-one"

    def square(self, w: Work) -> Any:
        if not isinstance(w.gradient, Rows):
            return w.g * w.g
        total = np.zeros_like(w.g)
        for row, value in zip(w.gradient.indices.tolist(), w.gradient.values, strict=True):
            total[row] += value * value
        return total


class DuplicatesSummedBeforeTheSquare(Keras3Twin):
    """Values of a row that is named twice are summed, then squared.

    tf_keras, in the dialect of Keras 3. Exposed by duplicate rows, in v.
    """

    name = "mutant-duplicates-summed-before-the-square"

    def square(self, w: Work) -> Any:
        return w.g * w.g


class LastDuplicateWins(TfKerasTwin):
    """Of a row that is named twice, only the last value counts.

    What an indexed assignment does. Exposed by duplicate rows, in m.
    """

    name = "mutant-last-duplicate-wins"

    def sum_duplicates(self, rows: NDArray[np.int64], values: Array) -> tuple[NDArray[np.int64], Array]:
        last = {row: k for k, row in enumerate(rows.tolist())}
        return np.array(list(last), dtype=np.int64), values[np.array(list(last.values()), dtype=np.int64)]


class OnlyNeighboursSummed(KerasV2Twin):
    """Of a row that is named twice, the values are summed if they stand side by side; else the last sum counts.

    Segment sums of rows that nobody has sorted; MXNet 2 takes them for sorted as well. Exposed by unsorted
    duplicates alone.
    """

    name = "mutant-only-neighbours-summed"

    def sum_duplicates(self, rows: NDArray[np.int64], values: Array) -> tuple[NDArray[np.int64], Array]:
        total: dict[int, Array] = {}
        before = None
        for row, value in zip(rows.tolist(), values, strict=True):
            total[row] = total[row] + value if row == before else value
            before = row
        named = sorted(total)
        shape = (len(named), *values.shape[1:])
        return np.array(named, dtype=np.int64), np.array([total[row] for row in named], values.dtype).reshape(shape)


class RowsTakenForSorted(KerasV2Twin):
    """Rows are sorted and their values stay where they are, so that unsorted rows get each other's values.

    MXNet 2's kernels of the standard update. Exposed by rows in any other order.
    """

    name = "mutant-rows-taken-for-sorted"

    def sum_duplicates(self, rows: NDArray[np.int64], values: Array) -> tuple[NDArray[np.int64], Array]:
        if len(set(rows.tolist())) < len(rows):
            return KerasV2Twin.sum_duplicates(self, rows, values)
        return np.sort(rows), values


class RowsStick(Mxnet2LazyTwin):
    """After a row-sparse gradient, a dense one moves the rows alone that it has named.

    A list of rows that is kept in a buffer and not cleared. Exposed by a dense gradient after rows.
    """

    name = "mutant-rows-stick"

    def store(self, slot: Slot, w: Work) -> None:
        kept: dict[str, Any] = vars(slot)
        if w.rows is not None:
            kept["rows"] = w.rows
        elif "rows" in kept:
            w.rows = kept["rows"]
            self.take_rows(w)
        Mxnet2LazyTwin.store(self, slot, w)


class DuplicatesDecayTwice(KerasV2Twin):
    """A row that is named n times has n momentum updates.

    Caffe2. Exposed by duplicate rows, in m, from the second step on.
    """

    name = "mutant-duplicates-decay-twice"

    def first_moment(self, w: Work) -> Any:
        if not isinstance(w.gradient, Rows):
            return KerasV2Twin.first_moment(self, w)
        kept, new = w.element(self.beta_1(w)), w.element(w.scalar(1) - self.beta_1(w))
        m, seen = kept * w.m, set[int]()
        for row, value in zip(w.gradient.indices.tolist(), w.gradient.values, strict=True):
            m[row] = (kept * m[row] if row in seen else m[row]) + new * value
            seen.add(row)
        return m


class UntouchedRowsDecay(Mxnet2LazyTwin):
    """m decays in all rows, though the update is lazy.

    The difference between lazy_update on and off, whose default MXNet changed. Exposed by a row that one step
    names and the next does not.
    """

    name = "mutant-untouched-rows-decay"

    def store(self, slot: Slot, w: Work) -> None:
        if w.rows is not None:
            write(slot.m, w.element(self.beta_1(w)) * slot.m)
        Mxnet2LazyTwin.store(self, slot, w)


class AllRowsMove(RectifiedTwin):
    """All rows of the parameter move, not only those that are named.

    The sparse step of Keras, in TF-Addons' dialect. Exposed by a row that one step names and the next does not,
    and by weight_decay.
    """

    name = "mutant-all-rows-move"

    def moving_rows(self, w: Work) -> Any:
        return ...
