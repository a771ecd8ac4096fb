"""``fused_adam.numpy.Adam``: layouts, state, and bad input, which is refused before anything is written."""

from __future__ import annotations

import copy
import math
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fused_adam
from fused_adam.numpy import Adam
from fused_adam.options import DIALECTS

LAYOUTS: dict[str, Any] = {
    "contiguous": lambda: np.zeros((4, 6), np.float32),
    "transposed": lambda: np.zeros((6, 4), np.float32).T,
    "every second": lambda: np.zeros((4, 12), np.float32)[:, ::2],
    "reversed": lambda: np.zeros((4, 6), np.float32)[::-1],
    "permuted": lambda: np.zeros((2, 2, 6), np.float32).transpose(2, 0, 1).reshape(-1)[:24].reshape(4, 6),
}


@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("of_parameter", LAYOUTS)
def test_any_layout_is_the_same_training(of_parameter: str, of_gradient: str) -> None:
    random = np.random.default_rng(1)
    start = random.normal(size=(4, 6)).astype(np.float32)
    plain, other = start.copy(), LAYOUTS[of_parameter]()
    other[...] = start
    one, two = Adam([plain], amsgrad=True), Adam([other], amsgrad=True)
    for _ in range(3):
        g = random.normal(size=(4, 6)).astype(np.float32)
        laid = LAYOUTS[of_gradient]()
        laid[...] = g
        one.step([g])
        two.step([laid])
    assert (plain == other).all()
    assert (one.m[0] == two.m[0]).all()


def test_no_dimension_and_no_element() -> None:
    scalar, empty = np.array(1.0), np.zeros((0, 3))
    optimizer = Adam([scalar, empty], learning_rate=0.5)
    optimizer.step([np.array(2.0), np.zeros((0, 3))])
    assert scalar == pytest.approx(0.5)
    assert optimizer.t == (1, 1)


@pytest.mark.parametrize(("dialect", "expected"), [("torch-adam", (2, 1)), ("keras-v2-adam", (2, 2))])
def test_parameters_without_gradient(dialect: str, expected: tuple[int, int]) -> None:
    theta = [np.ones(2), np.ones(2)]
    optimizer = Adam(theta, dialect=dialect)
    optimizer.step([np.ones(2), np.ones(2)])
    kept = theta[1].copy()
    optimizer.step([np.ones(2), None])
    assert (theta[1] == kept).all()
    assert optimizer.t == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
def test_going_on_from_a_saved_state(dialect: str, how: str) -> None:
    random = np.random.default_rng(2)
    gradients = [random.normal(size=(5, 3)) for _ in range(9)]
    theta = np.ones((3, 5)).T
    optimizer = Adam([theta], dialect=dialect, learning_rate=0.1)
    for g in gradients[:4]:
        optimizer.step([g])
    if how == "state_dict":
        other = Adam([theta.copy()], dialect=dialect)
        other.load_state_dict(pickle.loads(pickle.dumps(optimizer.state_dict())))
    else:
        other = pickle.loads(pickle.dumps(optimizer)) if how == "pickle" else copy.deepcopy(optimizer)
    for g in gradients[4:]:
        optimizer.step([g])
        other.step([g])
    assert (other.parameters[0] == theta).all()
    assert other.t == optimizer.t == (9,)
    assert other.parameters[0] is not theta


def test_options_change_between_steps() -> None:
    theta = np.ones(1)
    optimizer = Adam([theta], learning_rate=0.1)
    optimizer.step([np.ones(1)])
    optimizer.set(learning_rate=0.0)
    kept = theta.copy()
    optimizer.step([np.ones(1)])
    assert (theta == kept).all()
    with pytest.raises(ValueError, match="amsgrad"):
        optimizer.set(amsgrad=True)


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"learning_rate": -0.1}, "learning_rate is -0.1; accepted: a finite number >= 0"),
    ({"learning_rate": math.nan}, "learning_rate is nan"),
    ({"learning_rate": math.inf}, "learning_rate is inf"),
    ({"learning_rate": "0.1"}, "learning_rate is '0.1'"),
    ({"learning_rate": True}, "learning_rate is True"),
    ({"beta_1": 1.0}, r"beta_1 is 1.0; accepted: a number in \[0, 1\)"),
    ({"beta_2": -1e-9}, "beta_2 is"),
    ({"epsilon": -1}, "epsilon is -1"),
    ({"amsgrad": 1}, "amsgrad is 1; accepted: True or False"),
    ({"dialect": "adam"}, "dialect is 'adam'; accepted: keras-v2-adam"),
    ({"dialect": "mxnet2-adam-lazy"}, "not implemented yet"),
    ({"dialect": "keras-v2-adam", "weight_decay": 0.1}, "weight_decay is 0.1; .*keras-v2-adam does not have it"),
    ({"dialect": "torch-adam", "clip_gradient": 1.0}, "clip_gradient is 1.0; .*torch-adam does not have it"),
    ({"dialect": "tfa-rectified-adam", "sma_threshold": 3.0}, "sma_threshold is 3.0; .* >= 4 with beta_2 0.999; the"),
    ({"dialect": "tfa-rectified-adam", "sma_threshold": -1.0}, "sma_threshold is -1.0; accepted: a finite number >= 0"),
    ({"dialect": "tfa-rectified-adam", "total_steps": 1.5}, "total_steps is 1.5; accepted: an int"),
    ({"use_ema": True}, "use_ema is True; accepted: nothing"),
]


@pytest.mark.parametrize(("given", "message"), BAD_OPTIONS, ids=[m[:24] for _, m in BAD_OPTIONS])
def test_bad_options(given: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        Adam([np.ones(2)], **given)


BASE = np.ones(10)
READ_ONLY = np.ones(2)
READ_ONLY.flags.writeable = False
BAD_PARAMETERS: list[tuple[Any, str]] = [
    ([np.ones(2, np.int64)], r"parameters\[0\].dtype is 'int64'; accepted: float32 or float64"),
    ([np.ones(2, np.float16)], "float16"),
    ([np.ones(2, ">f4")], "native byte order"),
    ([[1.0, 2.0]], r"parameters\[0\] is 'list'"),
    ([np.float64(1)], r"parameters\[0\] is 'float64'; accepted: a NumPy array"),
    (np.ones(3), "accepted: a list of arrays"),
    ([READ_ONLY], "writeable"),
    ([np.ma.ones(3)], r"parameters\[0\] is 'MaskedArray'; accepted: a NumPy array, not masked"),
    (3, "parameters is 'int'; accepted: a list of arrays"),
    ([BASE, BASE], r"memory of parameters\[1\] is 'shared with parameters\[0\]'"),
    ([BASE[:6], BASE[5:]], "does not overlap"),
    ([np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,))], "no two elements share memory"),
    ([np.lib.stride_tricks.as_strided(np.ones(9), (3, 3), (8, 8))], "no two elements share memory"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS, ids=range(len(BAD_PARAMETERS)))
def test_bad_parameters(parameters: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        Adam(parameters)


BAD_GRADIENTS: list[tuple[Any, str]] = [
    ([np.ones(3)], r"len\(gradients\) is 1; accepted: 2"),
    ([np.ones(3), np.ones(4, np.float32)], r"gradients\[1\].dtype is 'float32'; accepted: float64"),
    ([np.ones(3), np.ones(5)], r"gradients\[1\].shape is \(5,\); accepted: \(4,\)"),
    ([np.ones(3), [1.0] * 4], "row-sparse gradients are not implemented yet"),
    ([np.ones(3), np.ones(4, ">f8")], "dtype"),
    ([np.ones(3), np.ma.ones(4)], r"gradients\[1\] is 'MaskedArray'; .* not masked"),
    ((g for g in (np.ones(3), np.ones(4))), "gradients is 'generator'; accepted: a list of 2, one per parameter"),
    (None, "gradients is 'NoneType'; accepted: a list of 2"),
    (np.float64(1), "gradients is 'float64'; accepted: a list of 2"),
]


@pytest.mark.parametrize(("gradients", "message"), BAD_GRADIENTS, ids=range(len(BAD_GRADIENTS)))
def test_bad_gradients_change_nothing(gradients: Any, message: str) -> None:
    theta = [np.ones(3), np.ones(4)]
    optimizer = Adam(theta)
    optimizer.step([np.ones(3), np.ones(4)])
    before = pickle.dumps((theta, optimizer.state_dict()))
    with pytest.raises((ValueError, TypeError), match=message):
        optimizer.step(gradients)
    assert pickle.dumps((theta, optimizer.state_dict())) == before


def test_a_parameter_that_was_resized_or_re_typed_is_refused() -> None:
    for change in ("shape", "resize"):
        theta = np.ones(6)
        optimizer = Adam([theta])
        optimizer.step([np.ones(6)])
        if change == "shape":
            theta = theta.reshape(2, 3)
            optimizer.parameters = (theta,)
        else:
            theta.resize(3, refcheck=False)
        kept = theta.copy()
        with pytest.raises(ValueError, match="neither resized nor re-typed"):
            optimizer.step([np.ones(theta.shape)])
        assert (theta == kept).all()


def _resize(a: Any) -> None:
    a.resize((100_000,), refcheck=False)


def _reshape(a: Any) -> None:
    a.resize((2, 3), refcheck=False)


def _retype(a: Any) -> None:
    a.__setstate__((1, (6,), np.dtype(np.float32), False, bytes(24)))


def _move(a: Any) -> None:
    before, shape = a.ctypes.data, a.shape
    _resize(a)
    taken = [np.empty(shape) for _ in range(16)]  # where it lay
    a.resize(shape, refcheck=False)
    assert a.ctypes.data != before
    assert taken


@pytest.mark.parametrize("change", [_resize, _reshape, _retype, _move])
@pytest.mark.parametrize("state", ["m", "v", "v_max"])
def test_a_moment_that_was_resized_or_re_typed_or_moved_is_refused(state: str, change: Callable[[Any], None]) -> None:
    theta = [np.ones(2), np.ones(6)]
    optimizer = Adam(theta, amsgrad=True)
    optimizer.step([np.ones(2), np.ones(6)])
    good, kept = optimizer.state_dict(), pickle.dumps(theta)
    change(getattr(optimizer, state)[1])
    with pytest.raises(ValueError, match=rf"^{state}\[1\] is .*neither resized nor re-typed nor moved"):
        optimizer.step([np.ones(2), np.ones(6)])
    with pytest.raises(ValueError, match=rf"^{state}\[1\] is "):
        optimizer.load_state_dict(good)
    assert pickle.dumps(theta) == kept
    assert optimizer.t == (1, 1)


@pytest.mark.parametrize("name", ["parameters", "m", "v"])
def test_an_array_made_read_only_is_refused(name: str) -> None:
    optimizer = Adam([np.ones(2)])
    getattr(optimizer, name)[0].flags.writeable = False
    with pytest.raises(ValueError, match=rf"^{name}\[0\].flags.writeable is False; accepted: True"):
        optimizer.step([np.ones(2)])
    assert (optimizer.parameters[0] == 1).all()


def _shared(which: str) -> tuple[list[Any], Callable[[Adam], list[Any]]]:
    """Parameters, and gradients that share memory with what the step writes."""
    memory = np.random.default_rng(3).normal(size=48)
    a, b, c, spaced = memory[:8], memory[8:16], memory[16:24], memory[24:40:2]
    ways: dict[str, Callable[[Adam], list[Any]]] = {
        "swapped": lambda _: [b, a, a, b],
        "shifted": lambda _: [memory[1:9], memory[7:15], memory[10:18], memory[25:33]],
        "reversed": lambda _: [a[::-1], b[::-1], c[::-1], spaced[::-1]],
        "itself": lambda _: [a, b, c, spaced],
        "moments": lambda o: [o.m[1], o.v[0], o.m[2][::-1], o.m[0]],
    }
    return [a, b, c, spaced], ways[which]


@pytest.mark.parametrize("which", ["swapped", "shifted", "reversed", "itself", "moments"])
def test_gradients_in_the_memory_that_the_step_writes(which: str) -> None:
    theta, gradients = _shared(which)
    plain = [a.copy() for a in theta]
    one, two = Adam(plain, learning_rate=0.1), Adam(theta, learning_rate=0.1)
    for optimizer in (one, two):
        optimizer.step([np.arange(8.0)] * 4)
    for _ in range(2):
        copies = [g.copy() for g in gradients(two)]
        one.step(copies)
        two.step(gradients(two))
    for mine, other in ((plain, theta), (one.m, two.m), (one.v, two.v)):
        assert all((a == b).all() for a, b in zip(mine, other, strict=True))


PACKAGE = str(Path(fused_adam.__file__).parent)


class _At:
    """Does something before the k-th bytecode that the package executes."""

    def __init__(self, k: int, act: Callable[[], None]) -> None:
        self._left, self._act = k, act

    def __enter__(self) -> _At:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._left -= 1
            if self._left == 0:
                self._act()
        return self._trace

    @property
    def happened(self) -> bool:
        return self._left <= 0


def _interrupt() -> None:
    raise KeyboardInterrupt


def _press() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("spacing", "act"), [(1, _interrupt), (2, _press)], ids=["dense", "staged"])
def test_an_interrupt_anywhere_in_a_step_leaves_a_whole_step_or_none(spacing: int, act: Callable[[], None]) -> None:
    def fresh() -> Adam:
        optimizer = Adam([np.ones(3 * spacing)[::spacing], np.ones(2 * spacing)[::spacing]], learning_rate=0.1)
        optimizer.step([np.ones(3), None])
        return optimizer

    def values(optimizer: Adam) -> bytes:
        return b"".join(a.tobytes() for a in (*optimizer.parameters, *optimizer.m, *optimizer.v))

    second, third = [np.arange(3.0), np.arange(2.0)], [np.ones(3), None]  # third: the tables as before
    expected: dict[tuple[int, ...], tuple[bytes, bytes]] = {}
    for steps in ([], [second]):
        optimizer = fresh()
        for gradients in steps:
            optimizer.step(gradients)
        t, before = optimizer.t, values(optimizer)
        optimizer.step(third)
        expected[t] = before, values(optimizer)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        seen, k = set(), 0
        while True:
            k += 1
            optimizer, at = fresh(), _At(k, act)
            try:
                with at:
                    optimizer.step(second)
                assert not at.happened
                break
            except KeyboardInterrupt:
                pass
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            t = optimizer.t
            assert values(optimizer) == expected[t][0], k
            optimizer.step(third)
            assert values(optimizer) == expected[t][1], k
            seen.add(t)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert seen == set(expected)
    assert k > 500


def test_ctrl_c_is_left_alone_where_nothing_is_staged(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = Adam([np.ones(3), np.ones(6)[::2]])
    optimizer.step([np.ones(3), None])
    monkeypatch.setattr(signal, "signal", _press)  # takes no arguments: a call fails
    optimizer.step([np.ones(3), None])
    with pytest.raises(TypeError):
        optimizer.step([np.ones(3), np.ones(3)])


def test_epsilon_none_is_the_default_of_the_dialect() -> None:
    optimizer = Adam([np.ones(2)], dialect="keras-v2-adam", epsilon=0.5)
    optimizer.set(epsilon=None, learning_rate=0.1)
    assert optimizer.hyperparameters["epsilon"] == 1e-7
    assert optimizer.hyperparameters["learning_rate"] == 0.1


@pytest.mark.parametrize(
    ("absent", "use"),
    [("torch", "torch"), ("numba", "numba"), ("llvmlite", "numba"), ("numpy", "numpy"), ("numpy", "torch")],
)
def test_the_error_names_the_package_that_is_missing(absent: str, use: str) -> None:
    text = f"""
import sys
sys.modules[{absent!r}] = None
import fused_adam
assert fused_adam.__version__
use = {{
    "torch": lambda: fused_adam.Adam,
    "numba": lambda: fused_adam.numpy.Adam([__import__("numpy").ones(2)]).step([__import__("numpy").ones(2)]),
    "numpy": lambda: fused_adam.numpy.Adam,
}}[{use!r}]
try:
    use()
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=True)
    assert f"needs {absent}, which cannot be imported here" in done.stdout


def test_the_package_knows_nothing_of_the_harness() -> None:
    rooms = ("reference", "adapters", "conformance", "golden")
    text = f"import sys, fused_adam.numpy, fused_adam.cpu_driver; print([m for m in sys.modules if m in {rooms}])"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
    assert fused_adam.numpy.Adam is Adam
