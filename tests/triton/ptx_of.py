"""Compiles kernels for GPUs that are not here. A process of its own, because the tests' has Triton's interpreter.

Reads a JSON list of {"file", "dtype", "arch"} on standard input, writes the list of PTX texts. `file` is the source
of a ``triton_kernels`` module.
"""

from __future__ import annotations

import importlib.util
import json
import sys

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

TYPES = {"float32": ("fp32", tl.float32), "float64": ("fp64", tl.float64)}


def ptx(file: str, dtype: str, arch: int) -> str:
    spec = importlib.util.spec_from_file_location("kernels_to_compile", file)
    kernels = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = kernels
    spec.loader.exec_module(kernels)
    name, number = TYPES[dtype]
    tables = ("segments", "fixed", "moving")
    signature = {**dict.fromkeys(tables, "*i64"), "rows": f"*{name}", "tensors": "i32"}
    source = ASTSource(
        fn=kernels.step_segments,
        signature={**signature, "number": "constexpr", "block": "constexpr"},
        constexprs={"number": number, "block": kernels.BLOCK},
        attrs={(i,): [["tt.divisibility", 16]] for i in range(4)},  # the tables, as torch allocates them
    )
    return triton.compile(source, target=GPUTarget("cuda", arch, 32), options=kernels.OPTIONS).asm["ptx"]


if __name__ == "__main__":
    assert not triton.knobs.runtime.interpret
    json.dump([ptx(**order) for order in json.load(sys.stdin)], sys.stdout)
