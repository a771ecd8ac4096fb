"""The kernels compiled for sm_80 and sm_90 without a GPU, and every assertion seen to fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fused_adam

KERNELS = Path(fused_adam.__file__).parent / "triton_kernels.py"
SCRIPT = Path(__file__).parent / "ptx_of.py"
BLOCK, THREADS, PATHS = 1024, 128, 2
ARRAYS_READ, ARRAYS_WRITTEN = 5, 4
WIDE = {"float32": ("v4.b32", 4), "float64": ("v2.b64", 2)}
"""A 128-bit access, and its elements."""


def faults(ptx: str, dtype: str) -> set[str]:
    """What is wrong with the PTX of a kernel."""
    width, elements = WIDE[dtype]
    short = "f32" if dtype == "float32" else "f64"
    per_thread = BLOCK // THREADS
    found = set()
    if f".reqntid {THREADS}" not in ptx:
        found.add("threads")
    for name, text, arrays in (("loads", "ld", ARRAYS_READ), ("stores", "st", ARRAYS_WRITTEN)):
        if len(re.findall(rf"\b{text}\.global\.{re.escape(width)}\b", ptx)) != arrays * per_thread // elements:
            found.add(f"128-bit {name}")
    for name in ("sqrt", "div"):
        if len(re.findall(rf"\b{name}\.rn\.{short}\b", ptx)) != PATHS * per_thread:
            found.add(f"exact {name}")
    if re.search(r"\b(sqrt|div|rcp|rsqrt)\.(approx|full)", ptx):
        found.add("approximation")
    if ".ftz" in ptx:
        found.add("flushed subnormals")
    if re.search(r"\b(min|max)\.f(32|64)\b", ptx):
        found.add("minimum or maximum that drops NaN")
    if dtype == "float32" and ".f64" in ptx:
        found.add("float64 in a float32 kernel")
    if ".local" in ptx:
        found.add("local memory")
    return found


PLANTED: tuple[tuple[str, str, str, str], ...] = (
    *(
        (f"{a}_at = tl.multiple_of({a}_at, 16)", f"{a}_at = {a}_at", dtype, "128-bit loads")
        for a in ("p", "g", "m", "v", "v_max")
        for dtype in ("float32", "float64")
    ),
    ("m_at = tl.multiple_of(m_at, 16)", "m_at = m_at", "float32", "128-bit stores"),
    ("v_max_at + i, row, None)", "v_max_at + i, row, i < count)", "float32", "128-bit loads"),
    ("tl.sqrt_rn(second)", "tl.sqrt(second)", "float32", "exact sqrt"),
    ("tl.sqrt_rn(second)", "tl.sqrt(second)", "float32", "approximation"),
    ("tl.sqrt_rn(second)", "tl.sqrt(second)", "float32", "flushed subnormals"),
    (
        "tl.div_rn(update, tl.sqrt_rn(second) + epsilon)",
        "update / (tl.sqrt_rn(second) + epsilon)",
        "float32",
        "exact div",
    ),
    (
        "mean + tl.load(row + ONE_MINUS_BETA_1) * (gradient - mean)",
        "(mean + tl.load(row + ONE_MINUS_BETA_1).to(tl.float64) * (gradient - mean)).to(tl.float32)",
        "float32",
        "float64 in a float32 kernel",
    ),
    (
        "tl.where((second > largest) | (second != second), second, largest)",
        "tl.maximum(second, largest)",
        "float32",
        "minimum or maximum that drops NaN",
    ),
    ('"num_warps": 4', '"num_warps": 8', "float32", "threads"),
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, str]:
    """PTX by (arch, dtype), and by the number of a planted fault."""
    folder = tmp_path_factory.mktemp("kernels")
    orders: dict[Any, dict[str, Any]] = {
        (arch, dtype): {"file": str(KERNELS), "dtype": dtype, "arch": arch} for arch in (80, 90) for dtype in WIDE
    }
    source = KERNELS.read_text()
    for k, (right, wrong, dtype, _) in enumerate(PLANTED):
        assert source.count(right) == 1, right
        file = folder / f"planted_{k}.py"
        file.write_text(source.replace(right, wrong))
        orders[k] = {"file": str(file), "dtype": dtype, "arch": 90}
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        input=json.dumps(list(orders.values())),
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(orders, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("dtype", list(WIDE))
@pytest.mark.parametrize("arch", [80, 90])
def test_wide_accesses_exact_operations_and_one_precision(compiled: dict[Any, str], arch: int, dtype: str) -> None:
    assert f".target sm_{arch}" in compiled[arch, dtype]
    assert faults(compiled[arch, dtype], dtype) == set()


@pytest.mark.parametrize(
    "k", range(len(PLANTED)), ids=[f"{wrong[:40]} {dtype}: {fault}" for _, wrong, dtype, fault in PLANTED]
)
def test_a_planted_fault_is_seen(compiled: dict[Any, str], k: int) -> None:
    *_, dtype, fault = PLANTED[k]
    assert fault in faults(compiled[k], dtype)
