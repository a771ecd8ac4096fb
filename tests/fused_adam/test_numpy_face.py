"""``fused_adam.numpy.Adam``: layouts, state, and bad input, which is refused before anything is written."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
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
    ({"dialect": "tfa-rectified-adam", "sma_threshold": 3.0}, "sma_threshold is 3.0; accepted: a finite number >= 4"),
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


def test_bad_states_change_nothing() -> None:
    optimizer = Adam([np.ones(3)])
    optimizer.step([np.ones(3)])
    good = optimizer.state_dict()
    for change in ({"dialect": "keras-v2-adam"}, {"m": []}, {"v": [np.ones(4)]}, {"t": [-1]}, {"t": [1.5]}):
        with pytest.raises(ValueError, match=r"state\["):
            optimizer.load_state_dict({**good, **change})
    assert pickle.dumps(optimizer.state_dict()) == pickle.dumps(good)


@pytest.mark.parametrize("absent", ["torch", "numba", "numpy"])
def test_the_error_names_the_package_that_is_missing(absent: str) -> None:
    text = f"""
import sys
sys.modules[{absent!r}] = None
import fused_adam
assert fused_adam.__version__
use = {{
    "torch": lambda: fused_adam.Adam,
    "numba": lambda: fused_adam.numpy.Adam([__import__("numpy").ones(2)]).step([__import__("numpy").ones(2)]),
    "numpy": lambda: fused_adam.numpy.Adam,
}}[{absent!r}]
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
