"""The GPU driver under Triton's interpreter: bit for bit the CPU driver's, and what it sends and launches."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from engines import OPTIONS, Model, Spec, T, address, array, gradients, same
from hypothesis import given, settings
from hypothesis import strategies as st

from fused_adam import cpu_kernels, layout, planner, triton_kernels
from fused_adam.cpu_driver import CpuDriver
from fused_adam.engine import Engine, Tensor
from fused_adam.layout import Variant
from fused_adam.triton_driver import INTERPRETED, TritonDriver
from fused_adam.triton_kernels import BLOCK, formula_bits

assert INTERPRETED, "these tests run with TRITON_INTERPRET=1"
CPU = torch.device("cpu")
DTYPES = ("float32", "float64")


@pytest.fixture
def driver() -> TritonDriver:
    return TritonDriver(CPU)


@pytest.fixture(scope="module")
def unfused() -> Iterator[CpuDriver]:
    """The CPU driver without fused multiply-add, as the interpreter computes: the results agree in every bit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cpu_kernels.OPTIONS, "fastmath", set())
        yield CpuDriver()


@pytest.fixture
def launches() -> Iterator[list[dict[str, Any]]]:
    """Every launch, as Triton's own hook sees it."""
    seen: list[dict[str, Any]] = []

    def hook(*arguments: Any, **constants: Any) -> None:
        seen.append({"segments": len(arguments[0]), **constants})

    triton_kernels.step_segments.add_pre_run_hook(hook)
    yield seen
    triton_kernels.step_segments.pre_run_hooks.remove(hook)


SPECS = st.builds(
    Spec,
    size=st.sampled_from([0, 1, 2, 33, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 3]),
    dtype=st.sampled_from(DTYPES),
    group=st.integers(0, len(OPTIONS) - 1),
    offset=st.sampled_from([0, 0, 1]),
)


# Agreement


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(SPECS, min_size=1, max_size=5), st.sets(st.integers(0, 14)), st.booleans(), st.integers(0, 2**32 - 1))
def test_the_bits_of_the_cpu_driver(
    unfused: CpuDriver, specs: list[Spec], absent: set[int], together: bool, seed: int
) -> None:
    models = [Model(d, specs, seed=seed, together=together) for d in (TritonDriver(CPU), unfused)]
    random = np.random.default_rng(seed)
    for k in range(3):
        given_gradients = gradients(specs, random, [i - 5 * k for i in absent])
        for model in models:
            model.step(given_gradients)
        assert same(models[0].state(), models[1].state())
    assert models[0].keeps_within()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("group", range(len(OPTIONS)))
def test_every_formula_on_both_paths(unfused: CpuDriver, driver: TritonDriver, group: int, dtype: str) -> None:
    specs = [Spec(2 * BLOCK + 7, dtype, group), Spec(BLOCK, dtype, group, offset=1)]
    models = [Model(d, specs) for d in (driver, unfused)]
    for model in models:
        model.arrays[0][0][5] = np.inf  # 0 theta would be NaN
    random = np.random.default_rng(1)
    for _ in range(3):
        values = gradients(specs, random)
        for model in models:
            model.step(values)
    assert same(models[0].state(), models[1].state())
    assert models[0].engine.ran == {"triton interpreter cpu", *(r for r in models[1].engine.ran if "cpu" not in r)}


def test_the_comparison_sees_one_bit(unfused: CpuDriver, driver: TritonDriver) -> None:
    specs = [Spec(5)]
    models = [Model(d, specs) for d in (driver, unfused)]
    for model in models:
        model.step([np.ones(5, np.float32)])
    assert same(models[0].state(), models[1].state())
    models[0].arrays[0][3].view(np.uint32)[4] ^= 1
    assert not same(models[0].state(), models[1].state())


PLANTED = (
    ("mask is ignored in the tail", "row, i < count)", "row, i < block)"),
    ("the mean is the sum of other terms", "* (gradient - mean)", "* (gradient + mean)"),
    ("the maximum is not stored", "        tl.store(v_max, second, mask)\n", ""),
    ("the next tensor's row", "tl.load(moving + tensors + tensor)", "tl.load(moving + tensors)"),
    ("the first element of a segment", "p_at = p.to(pointer) + first", "p_at = p.to(pointer)"),
    ("a term of the wrong formula", "formula & DECAY_INSIDE != 0", "formula & AMSGRAD != 0"),
)


@pytest.mark.parametrize(("right", "wrong"), [(r, w) for _, r, w in PLANTED], ids=[name for name, *_ in PLANTED])
def test_a_planted_fault_differs(
    unfused: CpuDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, right: str, wrong: str
) -> None:
    monkeypatch.setattr("fused_adam.triton_driver.step_segments", kernels_with(tmp_path, right, wrong).step_segments)
    specs = [Spec(2 * BLOCK), Spec(BLOCK + 9, group=1), Spec(3, group=2)]
    models = [Model(d, specs) for d in (TritonDriver(CPU), unfused)]
    random = np.random.default_rng(1)
    for _ in range(2):
        values = gradients(specs, random)
        for model in models:
            model.step(values)
    assert not (models[0].keeps_within() and same(models[0].state(), models[1].state()))


def kernels_with(folder: Any, right: str, wrong: str) -> Any:
    """The module of kernels with a fault in it."""
    import importlib.util
    from pathlib import Path

    source = Path(triton_kernels.__file__).read_text()
    assert source.count(right) == 1
    (folder / "planted.py").write_text(source.replace(right, wrong))
    spec = importlib.util.spec_from_file_location("planted", folder / "planted.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What is launched and sent


def test_one_launch_per_dtype_for_all_groups_and_formulas(driver: TritonDriver, launches: list[dict[str, Any]]) -> None:
    specs = [Spec(3, dtype, group) for dtype in DTYPES for group in range(len(OPTIONS))] + [Spec(BLOCK + 1), Spec(0)]
    model = Model(driver, specs)
    random = np.random.default_rng(0)
    model.step(gradients(specs, random))
    launches.clear()  # the first step compiles with an empty grid
    model.step(gradients(specs, random))
    assert [str(launch["number"]) for launch in launches] == ["fp32", "fp64"]
    assert [launch["segments"] for launch in launches] == [len(OPTIONS) + 2, len(OPTIONS)]
    launches.clear()
    model.step(gradients(specs, random, absent=range(len(OPTIONS), 2 * len(OPTIONS))))
    assert [str(launch["number"]) for launch in launches] == ["fp32"]
    launches.clear()
    model.step([None] * len(specs))
    assert launches == []


def test_pointers_are_sent_only_when_they_change(driver: TritonDriver) -> None:
    specs = [Spec(3), Spec(5), Spec(2, "float64")]
    model = Model(driver, specs)
    random = np.random.default_rng(0)
    uploads = model.engine._loaded.uploads

    def sent(values: list[Any]) -> dict[str, int]:
        before = dict(uploads)
        model.step(values)
        return {name: n - before.get(name, 0) for name, n in uploads.items() if n != before.get(name, 0)}

    assert sent(gradients(specs, random)) == {"fixed": 1, "moving": 1, "rows": 2}
    assert sent(gradients(specs, random)) == {"rows": 2}
    elsewhere = array(5, "float32")
    model.arrays[1][1] = elsewhere
    assert sent(gradients(specs, random)) == {"moving": 1, "rows": 2}
    assert sent(gradients(specs, random, absent=[0])) == {"moving": 1, "rows": 2}
    assert sent(gradients(specs, random, absent=[2])) == {"moving": 1, "rows": 1}
    moved = [array(3, "float32") for _ in range(2)]
    model.engine.place(0, *map(address, moved))
    assert sent(gradients(specs, random)) == {"fixed": 1, "moving": 1, "rows": 2}
    assert moved[0].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_full_aligned_segments_take_the_path_without_mask(
    driver: TritonDriver, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    masks: list[Any] = []
    update = triton_kernels._update
    monkeypatch.setattr(triton_kernels, "_update", lambda *a: (masks.append(a[-1] is not None), update(*a)))
    model = Model(driver, [Spec(2 * BLOCK + 1, dtype, group=1)])
    model.step([np.ones(2 * BLOCK + 1)])
    assert masks == [False, False, True]
    for k in range(5):  # one array after the other off 16 bytes
        model = Model(driver, [Spec(BLOCK, dtype, group=1)])
        p, g, m, v, x = (array(BLOCK, dtype, offset=int(j == k)) for j in range(5))
        model.arrays = [[p, g, m, v, x]]
        model.engine = Engine(driver, [Tensor(*map(address, (p, m, v, x)), BLOCK, dtype, 1)], [0], together=False)
        masks.clear()
        model.step([np.ones(BLOCK)])
        assert masks == [True]


def test_offsets_beyond_32_bits(driver: TritonDriver) -> None:
    """A tensor of 2^33 elements of which one segment has memory: its addresses begin 2^33 elements before that."""
    first = 2**33
    arrays = {name: array(BLOCK, "float32") for name in "pgmv"}
    begin = {name: address(a) - 4 * first for name, a in arrays.items()}
    tables = driver.load(planner.Plan(np.array([[0, first, BLOCK]]), first + BLOCK), ["float32"])
    arrays["g"][:] = 2
    row = np.zeros((1, layout.ROW_WIDTH))
    row[0, :5] = (0.1, 0.9, 0.1, 1, 0)
    step = planner.Step(
        pointers=np.array([[begin["p"], begin["g"], begin["m"], begin["v"], 0]]),
        row_of=np.zeros(1, np.int64),
        rows=row,
        kernels=np.array([driver.kernel(Variant("float32"))]),
        counts=np.zeros(1, np.int64),
        together=0,
    )
    driver.run(tables, step)
    assert np.allclose(arrays["m"], 0.2)
    assert np.allclose(arrays["v"], 0.4)
    assert (arrays["p"] < 0).all()


def test_many_groups_have_rows_of_their_own(driver: TritonDriver) -> None:
    n = 20
    given_options = [replace(OPTIONS[0], learning_rate=0.01 * (k + 1)) for k in range(n)]
    arrays = [[array(2, "float32") for _ in range(4)] for _ in range(n)]
    tensors = [Tensor(address(p), address(m), address(v), 0, 2, "float32", k) for k, (p, _, m, v) in enumerate(arrays)]
    engine = Engine(driver, tensors, [0] * n, together=False)
    for _, g, *_ in arrays:
        g[:] = 1
    engine.step([address(g) if k < 3 else 0 for k, (_, g, *_) in enumerate(arrays)], given_options)
    engine.step([address(g) for _, g, *_ in arrays], given_options)
    for k, (p, *_) in enumerate(arrays):
        assert np.allclose(p, -0.01 * (k + 1) * (2 if k < 3 else 1), rtol=1e-5)


def test_each_field_of_a_variant_has_a_bit() -> None:
    changed = ("rescale", "clip", "l2", "decay", "amsgrad", "divide")
    plain = Variant("float32")
    others = [
        plain._replace(**{name: value})
        for name in changed
        for value in {"clip": ("before l2", "after l2"), "decay": ("before", "inside")}.get(
            name, (not getattr(plain, name),)
        )
    ]
    assert set(changed) == set(Variant._fields) - {"dtype"}
    bits = [formula_bits(v) ^ formula_bits(plain) for v in others]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len(set(bits)) == len(others)


# Special values, interrupts, bad input


@pytest.mark.parametrize("group", range(len(OPTIONS)))
def test_nan_and_infinity_touch_only_their_own_element(driver: TritonDriver, group: int) -> None:
    def run(bad: dict[int, float]) -> list[Any]:
        model = Model(driver, [Spec(BLOCK + 8, group=group)])
        random = np.random.default_rng(0)
        for _ in range(3):
            (g,) = gradients(model.specs, random)
            for at, value in bad.items():
                g[at] = value
            model.step([g])
        return [a for a in model.state()[0] if a.any()]

    bad = {1: np.nan, BLOCK + 2: np.inf, BLOCK - 1: 1e30, BLOCK + 7: np.nan}
    for clean, dirty in zip(run({}), run(bad), strict=True):
        others = np.delete(np.arange(len(clean)), list(bad))
        assert (clean[others] == dirty[others]).all()
        assert np.isnan(dirty[[1, BLOCK + 7]]).all()


def test_a_square_that_overflows_freezes_its_element(driver: TritonDriver) -> None:
    model = Model(driver, [Spec(4)])
    before = model.arrays[0][0].copy()
    for spike in (1e25, 1, 1):
        model.step([np.array([1, 1, spike, 1], np.float32)])
    p, _, _, v, _ = model.arrays[0]
    assert np.isinf(v[2])
    assert p[2] == before[2]
    assert (p != before).tolist() == [True, True, False, True]


def test_an_interrupt_comes_after_the_moments_and_t(driver: TritonDriver) -> None:
    model = Model(driver, [Spec(3)])
    model.step([np.ones(3)])
    before = model.state()

    def hook(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    triton_kernels.step_segments.add_pre_run_hook(hook)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.step([np.ones(3)])
    finally:
        triton_kernels.step_segments.pre_run_hooks.remove(hook)
    assert model.engine.counts == [T + 2]
    assert (model.arrays[0][0] != before[0][0]).all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_gradient_at_all(driver: TritonDriver) -> None:
    for together, t in ((False, [T, T]), (True, [T + 1, T + 1])):
        model = Model(driver, [Spec(3), Spec(0)], together=together)
        before = model.state()
        model.step([None, None])
        assert model.engine.counts == t
        assert same([*model.state()[:-1], 0], [*before[:-1], 0])


@pytest.mark.parametrize("device", ["cuda:0", "meta"])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(TypeError, match=f"device is '{device}'; accepted: cpu, because TRITON_INTERPRET=1 is set"):
        TritonDriver(torch.device(device))


# Imports


def python(text: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


def test_importing_fused_adam_imports_no_triton() -> None:
    faces = "import sys, fused_adam, fused_adam.numpy; fused_adam.Adam"
    text = f"{faces}; print('triton' in sys.modules, 'fused_adam.triton_driver' in sys.modules)"
    assert python(text).split()[-1] == "False"


@pytest.mark.parametrize("package", ["torch", "triton"])
def test_what_is_missing_is_named(package: str) -> None:
    text = f"import sys; sys.modules['{package}'] = None; import fused_adam.triton_driver"
    assert re.search(f"ImportError: fused_adam on a GPU needs {package}, which cannot be imported here", python(text))


def test_without_the_interpreter_the_cpu_is_refused() -> None:
    text = "import torch; from fused_adam.triton_driver import TritonDriver; TritonDriver(torch.device('cpu'))"
    assert "device is 'cpu'; accepted: an NVIDIA GPU, cuda" in python(text)
