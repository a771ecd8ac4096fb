"""Pickles whose arrays lie in buffers of the caller's (protocol 5): what may not be written is not written."""

from __future__ import annotations

import copy
import mmap
import pickle
import tempfile
from typing import Any

import numpy as np
import pytest

from fused_adam.numpy import Adam

BUFFERS = ("parameter", "m", "v")


def pickled() -> tuple[bytes, list[bytes]]:
    """A pickle without its arrays, and their bytes in the order of `BUFFERS`."""
    theta = np.ones(100, np.float32)
    optimizer = Adam([theta], learning_rate=0.1)
    optimizer.step([np.ones(100, np.float32)])
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(optimizer, protocol=5, buffer_callback=lambda b: buffers.append(b))
    assert len(buffers) == len(BUFFERS)
    return data, [bytes(b.raw()) for b in buffers]


def mapped(raw: bytes) -> Any:
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@pytest.mark.parametrize("immutable", [bytes, mapped])
def test_read_only_parameters_are_refused(immutable: Any) -> None:
    data, raw = pickled()
    buffers = [immutable(b) for b in raw]
    with pytest.raises(ValueError, match=r"parameters\[0\].flags.writeable is False; accepted: True"):
        pickle.loads(data, buffers=buffers)


def test_read_only_moments_are_copied() -> None:
    data, raw = pickled()
    immutable = [bytearray(raw[0]), mapped(raw[1]), bytes(raw[2])]
    kept = bytes(immutable[2])
    one, two = pickle.loads(data, buffers=immutable), pickle.loads(data, buffers=list(map(bytearray, raw)))
    for optimizer in (one, two):
        optimizer.step([np.full(100, 2, np.float32)])
    assert (one.parameters[0] == two.parameters[0]).all()
    assert (one.m[0] == two.m[0]).all()
    assert (one.v[0] == two.v[0]).all()
    assert [bytes(immutable[1]), immutable[2]] == [raw[1], kept]


def test_unaligned_moments_are_copied() -> None:
    data, raw = pickled()
    odd = [memoryview(bytearray(b"\0" + b))[1:] for b in raw[1:]]
    optimizer = pickle.loads(data, buffers=[bytearray(raw[0]), *odd])
    assert optimizer.m[0].flags.aligned
    optimizer.step([np.ones(100, np.float32)])
    assert [bytes(b) for b in odd] == raw[1:]


def test_parameters_in_one_memory_are_refused() -> None:
    optimizer = Adam([np.ones(3), np.ones(3)])
    buffers: list[Any] = []
    data = pickle.dumps(optimizer, protocol=5, buffer_callback=lambda b: buffers.append(b))
    same = bytearray(24)
    with pytest.raises(ValueError, match=r"memory of parameters.* is 'shared with parameters"):
        pickle.loads(data, buffers=[same, same, *map(bytearray, buffers[2:])])


def test_a_shallow_copy_is_refused() -> None:
    """It would share the moments and count its steps for itself."""
    with pytest.raises(TypeError, match=r"copy.copy\(optimizer\).*; accepted: copy.deepcopy\(optimizer\)"):
        copy.copy(Adam([np.ones(3)]))
