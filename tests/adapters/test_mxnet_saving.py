"""What MXNet 2 loses when it is saved in other ways than the adapters'."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.contract import Hyperparameters
from adapters.mxnet2 import Fused, LazyRowSparse


def test_without_the_optimizer_a_saved_state_has_neither_t_nor_learning_rate() -> None:
    """``get_states()`` by default: the next step has the bias correction of a first one, and old moments."""
    mxnet = Fused()._mxnet
    weight, gradient = mxnet.nd.ones(2), mxnet.nd.array([1.0, -2.0])
    updater = mxnet.optimizer.get_updater(mxnet.optimizer.Adam(learning_rate=0.1))
    for _ in range(3):
        updater([0], [gradient], [weight])
    found = {}
    for whole in (False, True):
        other = mxnet.optimizer.get_updater(mxnet.optimizer.Adam(learning_rate=0.3))
        other.set_states(updater.get_states(dump_optimizer=whole))
        moved = weight.copy()
        other([0], [gradient], [moved])
        found[whole] = other.optimizer._index_update_count[0], other.optimizer.learning_rate
        np.testing.assert_allclose((weight - moved).asnumpy()[0], 0.1 if whole else 0.516, rtol=1e-3)
    assert found == {False: (1, 0.3), True: (4, 0.1)}


def test_why_saving_row_sparse_states_is_not_claimed() -> None:
    run = LazyRowSparse().start([np.ones((3, 2), np.float32)], Hyperparameters())
    with pytest.raises(Exception, match="only allow serializing ndarray of default storage type"):
        run.save()
