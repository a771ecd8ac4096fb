"""``load_state_dict`` of ``fused_adam.numpy.Adam``: what is refused before anything is written, and what is taken."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from fused_adam.numpy import Adam

BAD_STATES: list[tuple[dict[str, Any], str]] = [
    ({"dialect": "keras-v2-adam"}, r"state\['dialect'\] is 'keras-v2-adam'"),
    ({"m": []}, r"len\(state\['m'\]\) is 0; accepted: 1"),
    ({"m": None}, r"state\['m'\] is 'NoneType'; accepted: a list of 1"),
    ({"m": [np.ma.ones(3)]}, r"state\['m'\]\[0\] is 'MaskedArray'; accepted: an array of float64 \(3,\), not masked"),
    ({"dialect": np.array(["torch-adam"])}, r"state\['dialect'\] is array"),
    ({"dialect": np.array(["torch-adam", "x"])}, r"state\['dialect'\] is array"),
    ({"v": [np.ones(4)]}, r"state\['v'\]\[0\]"),
    ({"t": []}, r"len\(state\['t'\]\) is 0; accepted: 1"),
    ({"t": 3}, r"state\['t'\] is 'int'; accepted: a list of 1"),
    *[
        ({"t": [t]}, r"state\['t'\]\[0\] is .*; accepted: a whole number from 0 to 9007199254740992")
        for t in (-1, 1.5, True, "1", 2**53 + 1, 2**63 - 1, 10**30, np.int64(-1), np.uint64(2**64 - 1), np.bool_(True))
    ],
    ({"hyperparameters": None}, r"state\['hyperparameters'\] is None"),
]


@pytest.mark.parametrize(("change", "message"), BAD_STATES, ids=range(len(BAD_STATES)))
def test_bad_states_change_nothing(change: dict[str, Any], message: str) -> None:
    optimizer = Adam([np.ones(3)])
    optimizer.step([np.ones(3)])
    good = optimizer.state_dict()
    other = {**good, "m": [np.zeros(3)]}
    with pytest.raises((ValueError, TypeError), match=message):
        optimizer.load_state_dict({**other, **change})
    assert pickle.dumps(optimizer.state_dict()) == pickle.dumps(good)


def test_a_state_without_an_entry_is_refused() -> None:
    optimizer = Adam([np.ones(3)], amsgrad=True)
    good = optimizer.state_dict()
    for name in good:
        state = {key: value for key, value in good.items() if key != name}
        with pytest.raises(ValueError, match=rf"state\['{name}'\] is 'missing'; accepted: all entries"):
            optimizer.load_state_dict(state)
    with pytest.raises(ValueError, match=r"state\['dialect'\] is 'missing'"):
        optimizer.load_state_dict({})
    with pytest.raises(TypeError, match="state is 'list'; accepted: what state_dict"):
        optimizer.load_state_dict([])  # type: ignore[arg-type]


@pytest.mark.parametrize("t", [0, 2**53, np.int32(7), np.uint64(2**53)])
def test_step_counts_that_a_state_may_have(t: Any) -> None:
    optimizer = Adam([np.ones(3)])
    optimizer.load_state_dict({**optimizer.state_dict(), "t": np.array([t]) if isinstance(t, np.integer) else [t]})
    if t == 2**53:
        with pytest.raises(ValueError, match="t is 9007199254740992; accepted: a number below"):
            optimizer.step([np.ones(3)])
        assert (optimizer.m[0] == 0).all()
    else:
        optimizer.step([np.ones(3)])
    assert optimizer.t == (min(int(t) + 1, 2**53),)
    optimizer.load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize("dialect", ["keras-v2-adam", "tf-keras-adam", "tfa-rectified-adam"])
def test_where_there_is_one_t_a_state_has_one(dialect: str) -> None:
    optimizer = Adam([np.ones(3), np.ones(2)], dialect=dialect)
    with pytest.raises(ValueError, match=r"state\['t'\] is \[1, 7\]; accepted: one number.*has one t"):
        optimizer.load_state_dict({**optimizer.state_dict(), "t": [1, 7]})
    optimizer.load_state_dict({**optimizer.state_dict(), "t": [7, 7]})
    assert optimizer.t == (7, 7)


def test_a_state_may_hold_the_optimizers_own_moments() -> None:
    optimizer = Adam([np.ones(3), np.ones(3)])
    optimizer.step([np.ones(3), np.full(3, 2.0)])
    one, two = (m.copy() for m in optimizer.m)
    optimizer.load_state_dict({**optimizer.state_dict(), "m": [optimizer.m[1], optimizer.m[0]]})
    assert (optimizer.m[0] == two).all()
    assert (optimizer.m[1] == one).all()
