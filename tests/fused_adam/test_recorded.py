"""The production code beside what Keras, TF-Addons and MXNet returned, in an environment that has none of them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from conformance import recorded
from conformance.load import load

BESIDE = {
    "fused-adam-keras-v2": {"keras-v2-fused", "keras-v2-nonfused"},
    "fused-adam-tfa-rectified": {"tfa-rectified-adam"},
    "fused-adam-mxnet2": {"mxnet2-fused", "mxnet2-step", "mxnet2-lazy", "mxnet2-lazy-row-sparse"},
    "fused-adam-mxnet1": {"mxnet1-standard", "mxnet1-lazy", "mxnet1-lazy-row-sparse"},
}


@pytest.mark.parametrize("name", BESIDE)
def test_production_is_within_both_bounds_of_what_was_recorded(name: str) -> None:
    assert [module for module in ("keras", "tensorflow", "mxnet") if find_spec(module)] == []
    answer = recorded.against(load(name))
    assert {row.recorded for row in answer.beside} == BESIDE[name]
    for row in answer.beside:
        assert row.outcome.findings == [], row.recorded
        assert row.outcome.compared > 1000
        assert 0 < row.outcome.worst_fraction < 1
