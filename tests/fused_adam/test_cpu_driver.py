"""The CPU driver: the same bits for any number of threads and any partition, forks, threads, the cache."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fused_adam
from fused_adam import openmp, planner
from fused_adam.cpu_driver import DRIVER, SERIAL_BELOW
from fused_adam.engine import Engine
from fused_adam.numpy import Adam

PACKAGE = Path(fused_adam.__file__).parent
SIZES = (1, 3, 7, 15, 16, 17, 1000, 16383, 16384, 16385, 160_001, 0, 33)
OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("torch-adam", {"amsgrad": True, "l2": 0.1, "weight_decay": 0.1}),
    ("mxnet2-adam", {"l2": 0.1, "rescale_grad": 0.5, "clip_gradient": 0.3}),
    ("mxnet1-adam", {"l2": 0.1, "rescale_grad": 0.5, "clip_gradient": 0.3}),
    ("tfa-rectified-adam", {"weight_decay": 0.1, "amsgrad": True}),
    ("keras-v2-adam", {}),
)


def train(dialect: str, given: dict[str, Any], dtype: str, sizes: tuple[int, ...] = SIZES, steps: int = 8) -> bytes:
    random = np.random.default_rng(0)
    parameters = [random.normal(size=n).astype(dtype) for n in sizes]
    optimizer = Adam(parameters, dialect=dialect, learning_rate=0.01, **given)
    for k in range(steps):
        gradients = [random.normal(size=n).astype(dtype) for n in sizes]
        optimizer.step([None if (k + i) % 5 == 0 else g for i, g in enumerate(gradients)])
    arrays = [*parameters, *optimizer.m, *optimizer.v, *(optimizer.v_max or ())]
    return b"".join(a.tobytes() for a in arrays) + repr(optimizer.t).encode()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("dialect", "given"), OPTIONS, ids=[d for d, _ in OPTIONS])
def test_same_bits_for_any_threads_and_partition(
    dialect: str, given: dict[str, Any], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(SIZES) > SERIAL_BELOW
    expected = train(dialect, given, dtype)
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr(DRIVER, "threads", lambda n=threads: n)
        assert train(dialect, given, dtype) == expected
    monkeypatch.setattr(DRIVER, "threads", lambda: 4)
    monkeypatch.setattr("fused_adam.cpu_driver.parts", lambda s, _: np.array([0, 1, 1, 2, len(s)]))
    assert train(dialect, given, dtype) == expected
    original = planner.plan
    monkeypatch.setattr(planner, "plan", lambda sizes, _: original(sizes, 1001))
    assert train(dialect, given, dtype) == expected


def test_every_segment_of_a_tensor_moves() -> None:
    theta = np.ones(2 * DRIVER.chunk + 7, np.float32)
    Adam([theta], learning_rate=0.5).step([np.ones_like(theta)])
    np.testing.assert_array_equal(theta, np.full_like(theta, theta[0]))
    assert theta[0] == pytest.approx(0.5)


@pytest.mark.parametrize("dialect", ["torch-adam", "torch-radam"])
def test_the_l2_term_sees_the_decayed_parameter(dialect: str) -> None:
    """m = (1 - beta_1) l2 (1 - learning_rate weight_decay) theta for g = 0: exact, all of them powers of two."""
    optimizer = Adam([np.ones(1)], dialect=dialect, learning_rate=0.5, weight_decay=0.5, l2=0.5, beta_1=0.5)
    optimizer.step([np.zeros(1)])
    assert optimizer.m[0] == 0.5 * 0.5 * (1 - 0.5 * 0.5)


def test_the_engine_says_which_driver_and_variants_ran() -> None:
    small, large = Adam([np.ones(3)]), Adam([np.ones(SERIAL_BELOW + 1, np.float32)], l2=0.1)
    small.step([np.ones(3)])
    large.step([np.ones(SERIAL_BELOW + 1, np.float32)])
    assert small.ran == {"cpu-numba serial", "float64"}
    assert large.ran == {"cpu-numba parallel" if DRIVER.threads() > 1 else "cpu-numba serial", "float32_l2"}


@pytest.mark.parametrize("n", [5, 140_000])
@pytest.mark.parametrize(("dialect", "given"), OPTIONS, ids=[d for d, _ in OPTIONS])
def test_nan_and_infinity_touch_only_their_own_element(dialect: str, given: dict[str, Any], n: int) -> None:
    def run(bad: dict[int, float]) -> np.ndarray:
        theta = np.linspace(1, 2, n).astype(np.float32)
        optimizer = Adam([theta], dialect=dialect, **given)
        for k in range(7):
            g = np.cos(np.arange(n) + k).astype(np.float32)
            for at, value in bad.items():
                g[at] = value
            optimizer.step([g])
        return theta

    bad = {1: np.nan, 2: np.inf, 3: 1e30}
    clean, dirty = run({}), run(bad)
    others = np.delete(np.arange(n), list(bad))
    assert (clean[others] == dirty[others]).all()
    assert np.isnan(dirty[1])
    assert "clip_gradient" in given or not np.isfinite(dirty[2]) or dirty[2] == np.float32(np.linspace(1, 2, n)[2])


def test_a_square_that_overflows_freezes_its_element() -> None:
    theta = np.ones(4, np.float32)
    optimizer = Adam([theta], learning_rate=0.1)
    optimizer.step([np.array([1, 1, 1e25, 1], np.float32)])
    for _ in range(3):
        optimizer.step([np.ones(4, np.float32)])
    assert theta[2] == 1
    assert np.isfinite(theta).all()


def test_subnormals_are_flushed_inside_and_the_callers_mode_is_kept() -> None:
    theta, tiny = np.ones(40_000, np.float32), np.full(40_000, 1e-40, np.float32)
    optimizer = Adam([theta])
    optimizer.step([tiny])
    assert (optimizer.m[0] == 0).all()
    assert (tiny * np.float32(1) == tiny).all()
    assert tiny[0] != 0


def test_steps_on_different_optimizers_at_once() -> None:
    dialect, given = OPTIONS[0]
    expected = train(dialect, given, "float32")
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(train(dialect, given, "float32"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == [expected] * 6


def script(text: str, **environment: str) -> str:
    """Output of a Python process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


WORK = """
import os, sys, numpy as np
from fused_adam.numpy import Adam
def work():
    theta = np.ones(200_000, np.float32)
    optimizer = Adam([theta], learning_rate=0.1)
    for k in range(3):
        optimizer.step([np.cos(np.arange(200_000) + k).astype(np.float32)])
    return theta.tobytes(), optimizer.ran
def child():
    pid = os.fork()
    if pid == 0:
        result, ran = work()
        os._exit(0 if result == expected and ran == {"cpu-numba serial", "float32"} else 3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def test_fork_after_a_step() -> None:
    text = WORK + "expected, _ = work()\nprint(child(), child(), work()[0] == expected)"
    assert script(text) == "0 0 True"


def test_fork_after_torch_has_used_the_threads() -> None:
    """They are torch's too."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed here")
    text = "import torch\n" + WORK + "torch.ones(10_000_000).add_(1)\nexpected = b''\npid = os.fork()\n"
    text += "if pid == 0: os._exit(0 if len(work()[0]) == 800_000 else 3)\n"
    text += "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    assert script(text) == "0"


def test_fork_before_the_first_step() -> None:
    text = (
        WORK
        + """
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    with os.fdopen(write, "wb") as out:
        out.write(work()[0])
    os._exit(0)
os.close(write)
with os.fdopen(read, "rb") as got:
    theirs = got.read()
os.waitpid(pid, 0)
print(theirs == work()[0])
"""
    )
    assert script(text) == "True"


def test_a_fork_waits_while_another_thread_compiles() -> None:
    """Numba's lock would stay locked in the child for ever; there is a listener in which it is held."""
    text = """
import os, signal, threading, time
import numpy as np
import fused_adam.cpu_driver
from fused_adam.numpy import Adam
from numba.core import compiler_lock, event
compiling = threading.Event()
class Pause(event.Listener):
    def on_start(self, event):
        if compiler_lock.global_compiler_lock.is_locked() and not compiling.is_set():
            compiling.set()
            time.sleep(1)
    def on_end(self, event):
        pass
event.register("numba:compiler_lock", Pause())
def work():
    theta = np.ones(3)
    Adam([theta], learning_rate=0.1).step([np.ones(3)])
    return np.allclose(theta, 0.9)
thread = threading.Thread(target=work)
thread.start()
assert compiling.wait(60)
pid = os.fork()
if pid == 0:
    signal.alarm(30)
    os._exit(0 if work() else 3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
thread.join(60)
"""
    assert script(text) == "0"


def test_a_fork_out_of_the_compiling_thread_does_not_wait_for_itself() -> None:
    text = WORK + "from fused_adam.forks import COMPILING\nexpected = b''\nwith COMPILING:\n    pid = os.fork()\n"
    text += "if pid == 0: os._exit(0 if len(work()[0]) == 800_000 else 3)\n"
    text += "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    assert script(text) == "0"


LIBRARIES = "sorted({l.split()[-1] for l in open('/proc/self/maps') if 'libgomp' in l})"


def test_one_pool_with_torch() -> None:
    """Whichever is imported first."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed here")
    first, then = "import torch\n", WORK + "work()\n"
    for text in (first + then, then + first):
        assert script(text + f"print(len({LIBRARIES}))") == "1"


def test_threads_are_those_that_torch_would_take() -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed here")
    text = "import torch\n" + WORK + "_, ran = work()\ntorch.set_num_threads(1)\n_, then = work()\n"
    text += "print('cpu-numba parallel' in ran, 'cpu-numba parallel' in then)"
    assert script(text, OMP_NUM_THREADS="2") == "True False"


def test_without_a_runtime_one_thread_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train(*OPTIONS[0], "float32")
    monkeypatch.setattr(openmp, "_LIBRARY", "no such library")
    assert openmp.find() is None
    monkeypatch.setattr(DRIVER, "runtime", None)
    assert DRIVER.threads() == 1
    assert train(*OPTIONS[0], "float32") == expected


# The cache

STEP = """
import numpy as np
from fused_adam.numpy import Adam
from fused_adam import compiling
from fused_adam.cpu_driver import DRIVER
theta = np.ones(3)
optimizer = Adam([theta], learning_rate=0.5)
optimizer.step([np.ones(3)])
kernel = next(iter(DRIVER._kernels.values()))
print(float(theta[0]).hex(), compiling.cache_folder(), kernel.cache_hits)
"""


def test_second_start_is_cached(tmp_path: Path) -> None:
    first = script(STEP, FUSED_ADAM_CACHE_DIR=str(tmp_path)).split()
    second = script(STEP, FUSED_ADAM_CACHE_DIR=str(tmp_path)).split()
    assert first[0] == second[0]
    assert Path(first[1]).is_relative_to(tmp_path)
    assert (first[2], second[2]) == ("0", "1")


def test_no_folder_for_the_cache_means_compiling_in_memory(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    value, folder, _ = script(STEP, FUSED_ADAM_CACHE_DIR=str(in_the_way)).split()
    assert (value, folder) == (script(STEP).split()[0], "None")


def test_a_broken_cache_is_no_obstacle(tmp_path: Path) -> None:
    first = script(STEP, FUSED_ADAM_CACHE_DIR=str(tmp_path)).split()
    for path in tmp_path.rglob("*.nb?"):
        path.write_bytes(b"not a pickle")
    assert script(STEP, FUSED_ADAM_CACHE_DIR=str(tmp_path)).split()[0] == first[0]


def test_an_edited_helper_is_seen(tmp_path: Path) -> None:
    """Numba's own cache does not see an edit in another file than the function's."""
    copy = tmp_path / "source" / "fused_adam"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"FUSED_ADAM_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(copy.parent)}
    before = script(STEP, **environment).split()
    layout = copy / "layout.py"
    text = layout.read_text()
    assert "STEP_SIZE = 3\nEPSILON = 4\n" in text
    layout.write_text(text.replace("STEP_SIZE = 3\nEPSILON = 4\n", "STEP_SIZE = 4\nEPSILON = 3\n"))
    after = script(STEP, **environment).split()
    assert before[1] != after[1]
    assert before[0] != after[0]


def test_an_interrupt_leaves_counts_and_moments_together() -> None:
    """t advances in the call that writes the moments."""

    class Interrupted:
        name = DRIVER.name
        kernel, load = DRIVER.kernel, DRIVER.load

        def run(self, loaded: Any, step: Any) -> str:
            DRIVER.run(loaded, step)
            raise KeyboardInterrupt

    theta = np.ones(3)
    optimizer = Adam([theta])
    optimizer.step([np.ones(3)])
    assert isinstance(optimizer._engine, Engine)
    optimizer._engine._driver = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        optimizer.step([np.ones(3)])
    assert optimizer.t == (2,)
    optimizer._engine._driver = DRIVER
    optimizer.step([np.ones(3)])
    other = np.ones(3)
    again = Adam([other])
    for _ in range(3):
        again.step([np.ones(3)])
    assert (theta == other).all()
