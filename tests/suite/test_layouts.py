"""Arrays in other layouts, and numbers in formats that NumPy does not have, across the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from adapters.contract import LAYOUTS, Array, ContractError, Hyperparameters, Layout, Precision, Problem
from adapters.memory import GAP, copied, gaps, laid_out, offset
from conformance.formats import holds, rounded
from conformance.laws.layouts import in_layout
from conformance.mutants.twin import Slot
from conformance.mutants.twins import TorchTwin
from conformance.observe import ContractBreach, observe
from conformance.subjects import subjects

SHAPES = [(4, 6), (2, 3, 4, 5), (7,), (5, 1, 3), (), (0, 3), (1, 4)]


def numbers(shape: tuple[int, ...], dtype: str = "float32") -> Array:
    return np.arange(1, 1 + int(np.prod(shape)), dtype=dtype).reshape(shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_copy_lies_as_the_original_does_and_holds_the_same(
    layout: Layout, shape: tuple[int, ...], dtype: str
) -> None:
    values = numbers(shape, dtype)
    laid = laid_out(values, layout)
    copy = copied(laid)
    wanted = np.broadcast_to(values[:1], shape) if layout == "expanded" and shape else values
    assert np.array_equal(laid, wanted)
    assert np.array_equal(copy, wanted)
    assert not np.may_share_memory(copy, laid)
    strides = [(a, b) for n, a, b in zip(shape, laid.strides, copy.strides, strict=True) if n > 1 and laid.size]
    assert all(a == b for a, b in strides)
    assert offset(copy) == offset(laid)
    assert set(gaps(copy).tolist()) <= {GAP}


def test_each_layout_is_one_that_c_contiguous_is_not() -> None:
    array = numbers((2, 3, 4, 5))
    for layout in LAYOUTS:
        laid = laid_out(array, layout)
        assert laid.strides != array.strides or offset(laid) == laid.itemsize, layout
    assert len(gaps(laid_out(array, "strided"))) == array.size - 1
    assert laid_out(array, "expanded").strides[0] == 0
    assert laid_out(array, "channels-last").strides[1] == array.itemsize


class LaysOutAnew(TorchTwin):
    """Whatever it is given, its parameters are C-contiguous: no layout is ever tried."""

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        return super().slots([np.array(theta, order="C") for theta in parameters], h)


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "expanded"])
def test_who_lays_parameters_out_anew_has_not_shown_that_he_takes_them(layout: Layout) -> None:
    (problem, *_) = subjects(TorchTwin(), "layouts", 40, 0)
    assert isinstance(problem, Problem)
    assert not in_layout(TorchTwin(), problem, layout).findings
    (finding, *_) = in_layout(LaysOutAnew(), problem, layout).findings
    assert f"was given {layout} and is returned with" in finding.message


def test_a_layout_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ContractError, match=r"claim.layouts is 'sideways'; accepted: transposed, channels-last"):
        type(TorchTwin.claim)(
            **{**vars(TorchTwin.claim), "layouts": frozenset({"sideways"})},
        )


# Formats


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        (1.0, 1.0),
        (1 + 2**-8, 1.0),
        (1 + 3 * 2**-8, 1 + 2**-6),
        (1 + 2**-8 + 2**-20, 1 + 2**-7),
        (-0.1, -0.10009765625),
        (0.0, 0.0),
        (2.0**-126, 2.0**-126),
    ],
)
def test_bfloat16_is_the_nearest_of_eight_digits_ties_to_even(value: float, nearest: float) -> None:
    assert float(rounded(value, "bfloat16")) == nearest
    assert holds("bfloat16", rounded([value], "bfloat16"))


def test_bfloat16_does_not_hold_what_it_would_round() -> None:
    assert not holds("bfloat16", np.array([1.0, 1 + 2.0**-8], np.float32))
    assert holds("float16", np.array([1.1], np.float16))


class Told(TorchTwin):
    """Takes the dtype that arrays do not show, and rounds to it or does not."""

    rounds = True

    def start(
        self, parameters: Sequence[Array], hyperparameters: Hyperparameters, dtype: Precision | None = None
    ) -> Any:
        self.told = dtype
        return super().start(parameters, hyperparameters)

    def stored(self, w: Any, value: Any) -> Any:
        return rounded(value, "bfloat16") if self.rounds else value


def test_who_claims_bfloat16_is_told_and_must_return_such_numbers() -> None:
    theta = rounded(np.linspace(0.1, 1, 5), "bfloat16")
    problem = Problem(dtype="bfloat16", hyperparameters=Hyperparameters(), parameters=(theta,), gradients=((theta,),))
    implementation = Told()
    observe(implementation, problem)
    assert implementation.told == "bfloat16"
    implementation = Told()
    implementation.rounds = False
    with pytest.raises(ContractBreach, match="accepted: numbers of bfloat16"):
        observe(implementation, problem)
