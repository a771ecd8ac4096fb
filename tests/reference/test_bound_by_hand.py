"""The rules of the bound, term by term: each number is worked by hand from what `reference.bound` prints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plain_adam import F

from reference import Bound, Hyperparameters, Rounding, State, bounded_step, dialect, initial_bound, step

SINGLE = Rounding(compute="float32", powers="float32", step_size="float32")
DOUBLE = Rounding(compute="float64", powers="float64", step_size="float64")
U = 2.0**-24 + 2.0**-53
ETA = 2.0**-126
E_THETA = 1e-5
"""Error of theta that a step begins with, where a test says so."""


def single(theta: float, m: float = 0.0, v: float = 0.0, t: int = 0) -> State:
    """A state of one element."""
    return State((np.array([theta]),), (np.array([m]),), (np.array([v]),), None, (t,))


def one_step(name: str, state: State, gradient: Any, a: Rounding = SINGLE, e_theta: float = 0.0, **h: Any) -> Bound:
    start = replace(initial_bound(state), theta=(np.array([e_theta]),))
    return bounded_step(dialect(name), Hyperparameters(**h), a, state, start, [gradient])[1]


def close(got: Any, wanted: float, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(got[0], [wanted], rtol=rtol)


# Gradient and rows, as they reach m where beta_1 is 0: 4 u |g| + 4 eta are m's own


def e_m(g: float, e_g: float) -> float:
    return e_g + 4 * U * abs(g) + 4 * ETA


def test_an_exact_gradient() -> None:
    close(one_step("mxnet1-adam", single(1.0), [3.0], rescale_grad=1.0, beta_1=0.0).m, e_m(3.0, 4 * U * 3 + ETA))
    close(one_step("keras-v2-adam", single(1.0), [3.0], beta_1=0.0).m, e_m(3.0, 0.0))


def test_rescale_takes_four_roundings() -> None:
    close(one_step("mxnet2-adam", single(1.0), [3.0], rescale_grad=0.5, beta_1=0.0).m, e_m(1.5, 4 * U * 1.5 + ETA))


@pytest.mark.parametrize(("clip", "g"), [(2.0, 2.0), (5.0, 3.0)])
def test_clip_rounds_its_own_bound(clip: float, g: float) -> None:
    bound = one_step("mxnet2-adam", single(1.0), [3.0], clip_gradient=clip, beta_1=0.0)
    close(bound.m, e_m(g, 4 * U * 3 + ETA + U * clip))


@pytest.mark.parametrize("name", ["keras-v2-adam", "tf-keras-adam", "keras3-adam", "tfa-rectified-adam"])
@pytest.mark.parametrize(("clip", "g", "e_g"), [(2.0, 2.0, U * 2), (3.0, 3.0, U * 3), (5.0, 3.0, 0.0)])
def test_clipvalue_rounds_where_it_acts_or_nearly_does(name: str, clip: float, g: float, e_g: float) -> None:
    close(one_step(name, single(1.0), [3.0], clipvalue=clip, beta_1=0.0).m, e_m(g, e_g))


def test_each_of_three_duplicates_is_clipped() -> None:
    """To 0.5, -0.5 and 0.5, each with its own u / 2."""
    rows = np.array([0, 0, 0]), np.array([1.0, -2.0, 4.0])
    for name in ("keras-v2-adam", "tf-keras-adam", "keras3-adam"):
        bound = one_step(name, single(1.0), rows, clipvalue=0.5, beta_1=0.0)
        close(bound.m, e_m(0.5, 3 * U / 2 + 2 * U * 1.5))


def test_the_squares_of_clipped_duplicates_bring_their_errors() -> None:
    """Keras 3: three squares of 1/4, each off by (2 + u) u / 4 + eta, and two additions; then v's own."""
    rows = np.array([0, 0, 0]), np.array([1.0, -2.0, 4.0])
    bound = one_step("keras3-adam", single(1.0), rows, clipvalue=0.5, beta_2=0.0)
    close(bound.v, 3 * ((1 + U / 2) * U / 2 + ETA) + 2 * U * 0.75 + 4 * (U * 0.75 + ETA))


CLIPPING = ["keras-v2-adam", "tf-keras-adam", "keras3-adam", "tfa-rectified-adam"]


def e_norm(squares: float, n: int, given: float = 0.0) -> float:
    """Of a norm: n roundings of the sum of n squares, then four of its root's."""
    root = np.sqrt(squares)
    return float((given + n * (U * (squares + given) + 4 * ETA)) / root + 4 * U * root)


def e_clipped(g: float, c: float, norm: float, e: float, e_g: float = 0.0) -> float:
    """Of one element that is scaled by c / max(norm, c), with the error e of the norm."""
    least, between, most = (max(n, c) for n in (norm - e, norm, norm + e))
    relative = max(between / least - 1, 1 - between / most) + 4 * U
    return c / least * e_g + g * c / between * relative + (4 + g + 1 / least) * ETA


@pytest.mark.parametrize("name", CLIPPING)
@pytest.mark.parametrize(("clip", "g"), [(1.0, 0.6), (5.0, 3.0), (7.0, 3.0)])
def test_clipnorm_brings_the_error_of_the_norm_where_it_acts_or_nearly_does(name: str, clip: float, g: float) -> None:
    """The norm of 3 and 4 is 5; at 5 it may act, at 7 it does not and rounds all the same."""
    bound = one_step(name, State(*[(np.ones(2),)] * 3, None, (0,)), [3.0, 4.0], clipnorm=clip, beta_1=0.0)
    close([bound.m[0][:1]], e_m(g, e_clipped(3.0, clip, 5.0, e_norm(25.0, 2))), rtol=1e-9)


@pytest.mark.parametrize("name", CLIPPING)
def test_global_clipnorm_brings_the_error_of_the_norm_of_all(name: str) -> None:
    """Of 3 in the first and 4 in the third parameter; the second has no gradient."""
    start = State(*[(np.ones(1),) * 3] * 3, None, (0, 0, 0))
    h = Hyperparameters(beta_1=0.0, global_clipnorm=1.0)
    gradients = [np.array([3.0]), None, np.array([4.0])]
    _, bound = bounded_step(dialect(name), h, SINGLE, start, initial_bound(start), gradients)
    for i, g in ((0, 3.0), (2, 4.0)):
        close([bound.m[i]], e_m(g / 5, e_clipped(g, 1.0, 5.0, e_norm(25.0, 2))), rtol=1e-9)
    assert bound.m[1] == 0


def test_the_norm_of_clipped_values_has_their_errors() -> None:
    """3 and 4 clipped to 2: the squares are off by (4 + 2 u) 2 u each."""
    start = State(*[(np.ones(2),)] * 3, None, (0,))
    bound = one_step("keras-v2-adam", start, [3.0, 4.0], clipvalue=2.0, clipnorm=1.0, beta_1=0.0)
    e = e_norm(8.0, 2, given=2 * (4 + 2 * U) * 2 * U)
    close([bound.m[0][:1]], e_m(np.sqrt(0.5), e_clipped(2.0, 1.0, np.sqrt(8.0), e, e_g=2 * U)), rtol=1e-9)


def test_a_norm_that_may_overflow_or_be_nothing_is_ambiguous() -> None:
    start = State(*[(np.ones(2),)] * 3, None, (0,))
    overflows = one_step("keras-v2-adam", start, [1.5e19, 1.5e19], clipnorm=1.0)
    nothing_by_nothing = one_step("keras-v2-adam", start, [0.0, 0.0], clipnorm=0.0)
    too_large = one_step("keras-v2-adam", start, [1e15, 1.0], global_clipnorm=1e25)
    assert overflows.out_of_range[0].all()
    assert nothing_by_nothing.out_of_range[0].all()
    assert too_large.out_of_range[0].tolist() == [True, False]
    assert not one_step("keras-v2-adam", start, [1.0, 0.0], clipnorm=0.0).out_of_range[0].any()


@pytest.mark.parametrize(("name", "before"), [("torch-adam", 0.0), ("mxnet2-adam", 4 * U * 3 + ETA)])
def test_l2_brings_the_error_of_theta(name: str, before: float) -> None:
    bound = one_step(name, single(7.0), [3.0], e_theta=E_THETA, l2=0.5, beta_1=0.0)
    close(bound.m, e_m(6.5, before + 0.5 * E_THETA + 4 * U * 6.5 + 4 * ETA))


def test_three_duplicates_take_two_additions() -> None:
    rows = np.array([0, 0, 0]), np.array([1.0, -2.0, 4.0])
    close(one_step("keras-v2-adam", single(1.0), rows, beta_1=0.0).m, e_m(3.0, 2 * U * 7))


def test_the_square_doubles_the_error_of_the_gradient() -> None:
    e_g = 4 * U * 3 + ETA
    bound = one_step("mxnet2-adam", single(1.0), [3.0], beta_2=0.0)
    close(bound.v, (2 * 3 + e_g) * e_g + 4 * U * 9 + 4 * ETA)


def test_lerp_rounds_the_whole_of_the_old_moment() -> None:
    """And the square once more than a product of the sum: weight, square, difference, product, sum."""
    lerp = replace(SINGLE, first_moment="lerp", second_moment="lerp")
    for a, kept, roundings in ((SINGLE, 0.75, 4), (lerp, 1.0, 5)):
        bound = one_step("keras-v2-adam", single(1.0, m=2.0, v=5.0), [3.0], a, beta_1=0.75, beta_2=0.75)
        close(bound.m, 4 * U * (kept * 2 + 0.25 * 3) + 4 * ETA)
        close(bound.v, roundings * (U * (kept * 5 + 0.25 * 9) + ETA))


# Decay, seen where the Adam step itself is 0


def test_decay_before_the_step() -> None:
    """theta 8 becomes 6: twice 2 u |theta|, of the decay and of the step."""
    h: dict[str, Any] = {"learning_rate": 0.5, "weight_decay": 0.5, "epsilon": 0.25}
    bound = one_step("tf-keras-adam", single(8.0), [0.0], e_theta=E_THETA, **h)
    rounding = 4 * U * 0.25 * 8 + 2 * (2 * U * 6)
    close(bound.update, 0.25 * E_THETA + rounding)
    close(bound.theta, 0.75 * E_THETA + rounding)


def test_decay_in_the_direction() -> None:
    h: dict[str, Any] = {"learning_rate": 0.5, "weight_decay": 0.5}
    bound = one_step("tfa-rectified-adam", single(8.0), [0.0], e_theta=E_THETA, **h)
    update = 0.25 * E_THETA + 4 * U * 2 + 2 * U * 6 + U * 2
    close(bound.update, update)
    close(bound.theta, E_THETA + update)


@pytest.mark.parametrize("name", ["keras-v2-adam", "tfa-rectified-adam", "tfa-lookahead-keras-v2-adam"])
def test_inverse_time_decay_rounds_the_learning_rate(name: str) -> None:
    """By 4 u of the direction and of its error; the rate 1 with decay 1/3 is that of 3/4 without in the second step."""
    own: dict[str, Any] = {"sync_period": 5} if "lookahead" in name else {}
    state = replace(single(8.0, m=2.0, v=4.0, t=1), slow=(np.array([8.0]),) if own else None)
    new, without = (
        one_step(name, state, [2.0], **own, **h)
        for h in ({"learning_rate": 1.0, "decay": 1 / 3}, {"learning_rate": 0.75})
    )
    after = step(dialect(name), Hyperparameters(learning_rate=0.75, **own), state, [np.array([2.0])])
    d, theta = 8.0 - after.theta[0][0], after.theta[0][0]
    e_direction = without.update[0][0] - 2 * U * abs(theta) - U * abs(d) - ETA
    close(new.update - without.update[0], 4 * U * (abs(d) + e_direction), rtol=1e-6)
    assert new.m == without.m


def test_rows_that_are_not_named_have_no_direction() -> None:
    """RectifiedAdam: they stay as they are, bit for bit."""
    start = State((np.array([8.0, 8.0]),), (np.full(2, 0.5),), (np.full(2, 0.25),), None, (99,))
    gradient = np.array([1]), np.array([3.0])
    _, bound = bounded_step(
        dialect("tfa-rectified-adam"), Hyperparameters(), SINGLE, start, initial_bound(start), [gradient]
    )
    assert bound.update[0][0] == bound.theta[0][0] == 0
    assert bound.update[0][1] > 2 * U * 8


# The whole first step


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_first_step_with_epsilon_hat(adaptive: bool) -> None:
    g, b1, b2, lr, epsilon = 3.0, 0.75, 0.875, 0.5, 16.0
    given = Hyperparameters(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=epsilon, adaptive_epsilon=adaptive)
    start = single(2.0)
    _, bound = bounded_step(dialect("tf-keras-adam"), given, SINGLE, start, initial_bound(start), [np.array([g])])
    e_moment = 4 * U * (1 - b1) * g + 4 * ETA
    e_v = 4 * U * (1 - b2) * g * g + 4 * ETA
    e_1, e_2 = (U + b / (1 - b) * (4 + abs(np.log(b))) * U for b in (b1, b2))
    root = np.sqrt((1 - b2) * g * g)
    epsilon *= np.sqrt(1 - b2) if adaptive else 1
    alpha = lr * np.sqrt(1 - b2) / (1 - b1)
    direction = alpha * (1 - b1) * g / (root + epsilon)
    e_d = e_v / root + 4 * U * (root + epsilon) + ETA + (e_2 / 2 * epsilon if adaptive else 0)
    rho = 4 * U + e_1 + e_2 / 2
    e_direction = direction * (rho + 4 * U) + (alpha * e_moment + direction * e_d + 4 * ETA) / (root + epsilon - e_d)
    update = e_direction + 2 * U * (2 - direction) + U * direction + ETA
    for got, wanted in ((bound.m, e_moment), (bound.v, e_v), (bound.theta, update), (bound.update, update)):
        close(got, wanted)


def test_the_first_step_with_paper_epsilon() -> None:
    g, b1, b2, lr, epsilon = 3.0, 0.75, 0.875, 0.5, 16.0
    bound = one_step("torch-adam", single(2.0), [g], learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=epsilon)
    e_1, e_2 = (U + b / (1 - b) * (4 + abs(np.log(b))) * U for b in (b1, b2))
    direction = lr * g / (g + epsilon)
    e_d = 4 * U * g + e_2 / 2 * g + 4 * U * (g + epsilon)
    e_direction = direction * (4 * U + e_1 + 4 * U) + (lr * 4 * U * g + direction * e_d) / (g + epsilon - e_d)
    close(bound.update, e_direction + 2 * U * (2 - direction) + U * direction)


def test_product_powers_have_a_larger_bound_than_a_power_function() -> None:
    state = single(0.0, m=0.5, v=0.25, t=999)
    a_power, a_product = (
        one_step("keras-v2-adam", state, [0.5], replace(SINGLE, power_form=form)) for form in ("pow", "product")
    )
    assert a_product.update[0] > 5 * a_power.update[0]
    np.testing.assert_array_equal(a_product.m[0], a_power.m[0])


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_formats_are_those_of_numpy(name: str) -> None:
    a, info = Rounding(compute=name, powers=name, step_size=name), np.finfo(name)
    assert a.u == float(info.eps) / 2 + 2.0**-53 == a.u_powers == a.u_step
    assert a.tiny == float(info.tiny)
    assert a.largest == float(info.max)


def test_the_step_size_is_no_finer_than_the_element_formula() -> None:
    assert replace(SINGLE, step_size="float64").u_step == U
    assert replace(DOUBLE, step_size="float32").u_step == U


def test_the_second_moment_by_difference_with_a_rounded_weight() -> None:
    """torch's arithmetic of scalars in a lerp of v: the weight is 1 - beta_2 in double, rounded to float32."""
    g, v = F(float.fromhex("0x1.002a52p+0")), F(float.fromhex("0x1.839f66p-23"))
    beta_2 = float.fromhex("0x1.ff7ffe818000ap-1")
    v_1 = float(v + F(1 - beta_2) * (g * g - v))
    a = replace(SINGLE, powers="float64", second_moment="lerp")
    start, h = single(0.0, v=float(v), t=1), Hyperparameters(beta_2=beta_2)
    state, bound = bounded_step(dialect("torch-adam"), h, a, start, initial_bound(start), [np.array([float(g)])])
    assert abs(v_1 - state.v[0][0]) <= bound.v[0][0]
