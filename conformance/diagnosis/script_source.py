"""What the script of a broken law is made of: its frame, its helpers, and how an optimizer is used there."""

from __future__ import annotations

import re

from adapters.contract import Implementation
from conformance.diagnosis.reproducer import imported

TEMPLATE = '''"""{title}

{description}.
{wanted}.
Exit code: 1 while it is not, 0 where it is.
"""

{imports}import os
import sys
{zlib}
import numpy as np

sys.path.insert(0, os.getcwd())  # where the optimizer was found
DTYPE = {dtype!r}
{source}

def array(shape, numbers, dtype={numpy!r}):
    return np.array([float.fromhex(number) for number in numbers.split()], dtype).reshape(shape)

{helpers}
def main():
{calls}
    print("obtained", repr(obtained), "expected", repr(expected), "+-", {bound!r})
    both_nan = obtained != obtained and expected != expected
    return int(not (abs(obtained - expected) <= {bound!r} or obtained == expected or both_nan))


if __name__ == "__main__":
    sys.exit(main())
'''

_LAID = '''
def laid(values, strides, beside):
    """The values with these strides, so many bytes after a multiple of 16, and 3.0 between them."""
    reach = [(n - 1) * stride for n, stride in zip(values.shape, strides)]
    low, size = sum(r for r in reach if r < 0), values.itemsize
    room = np.full((sum(map(abs, reach)) + size + 64) // size, 3.0, values.dtype)
    first = (-room.ctypes.data % 16 + beside - low) // size
    view = np.lib.stride_tricks.as_strided(room[first:], values.shape, strides)
    view[...] = values
    return view

'''

_GAPS = '''
def gaps(x):
    """What lies between the elements of an array in memory and is none of them."""
    x = x[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in x.strides)]
    length = 1 + sum((n - 1) * stride for n, stride in zip(x.shape, x.strides)) // x.itemsize
    own = np.zeros(length, bool)
    np.lib.stride_tricks.as_strided(own, x.shape, [stride // x.itemsize for stride in x.strides])[...] = True
    return np.lib.stride_tricks.as_strided(x, (length,), (x.itemsize,))[~own]

'''

_PACKED = """
def packed(shape, dtype, text):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype).reshape(shape).copy()

"""

HELPERS = {"packed": _PACKED, "laid": _LAID, "gaps": _GAPS}

_ADAPTER = """{path}
from adapters.contract import Hyperparameters, Rows, Schedule, State
from {module} import {name}

implementation = {name}({arguments})


class Run:
    def __init__(self, run):
        self.run, self.state = run, None


def start(groups):
    more = {{"dtype": DTYPE}} if DTYPE == "bfloat16" else {{}}
    return Run(implementation.start(*groups[0], **more) if len(groups) == 1 else implementation.start_groups(groups))


def step(run, gradients):
    run.state = run.run.step([Rows(np.array(g[0]), g[1]) if isinstance(g, tuple) else g for g in gradients])


def read(run, quantity, i):
    return np.array(getattr(run.state, quantity)[i], "float64")


def view(run, i):
    return run.state.parameters[i]


def save(run):
    return run.run.save()


def resume(groups, saved):
    more = {{"dtype": DTYPE}} if DTYPE == "bfloat16" else {{}}
    one = len(groups) == 1
    return Run(implementation.resume(*groups[0], saved, **more) if one else implementation.resume_groups(groups, saved))


def load(run, saved):
    run.run.load(saved)


def configuration(run):
    return run.run.configuration()


def configured(parameters, configuration):
    return Run(implementation.configured(parameters, configuration))


def change(run, settings):
    run.run.change(settings)


def change_group(run, group, settings):
    run.run.change_group(group, settings)


def add_group(run, parameters, settings):
    run.run.add_group(parameters, settings)


def put(run, state):
    run.run.put(State(**{{name: None if group is None else tuple(group) for name, group in state.items()}}))

"""


def source_of(implementation: Implementation) -> str:
    """Python that defines start, step, read and the procedures, each of a run.

    An adapter may say it itself, as ``script()``, in the framework's own terms, with ``script_settings(hyperparameters,
    new=...)``: what it constructs with, or else what a group holds. Else its own file is used, and the folder
    ``adapters``.
    """
    own = getattr(implementation, "script", None)
    return str(own()) if own is not None else _ADAPTER.format(**imported(implementation))


def used_of(source: str, lines: str) -> str:
    """The source without the functions that neither the lines nor its other functions call."""
    blocks = source.split("\n\n\n")

    def used(block: str) -> bool:
        name = re.match(r"def (\w+)", block)
        others = "".join(other for other in blocks if other is not block) + lines
        return name is None or re.search(rf"\b{name[1]}\(", others) is not None

    return "\n\n\n".join(filter(used, blocks))
