"""Mutants of what an optimizer keeps: step counts, stored moments, other people's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Rows, State
from conformance.mutants.twin import Scalar, Slot, Work, write
from conformance.mutants.twins import KerasV2Twin, Mxnet1Twin, Mxnet2Twin, TfKerasTwin, TorchTwin

# Step count


class StepCountOffByOne(KerasV2Twin):
    """Step count off by one: bias correction sees t + 1, the state says t.

    Passed the golden test of Keras's Adam. Exposed by the first steps, in the parameters.
    """

    name = "mutant-step-count-off-by-one"

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        return w.scalar(1) - beta ** w.scalar(w.t + 1)


class CountSticks(TorchTwin):
    """The step count that bias correction sees sticks at 256, where bfloat16 has no next integer; the state says t.

    torch's load_state_dict, which cast step to the parameter's dtype. Exposed by more than 256 steps with beta_2
    near 1, in the parameters.
    """

    name = "mutant-count-sticks"

    def bias_correction(self, w: Work, beta: Scalar) -> Scalar:
        return w.scalar(1) - beta ** w.scalar(min(w.t, 256))


class FirstCorrectionEnds(TorchTwin):
    """From step 300 on m is not corrected.

    What beta_1 = 0.9 has left of it by then is nothing. Exposed by a beta_1 that has not forgotten the first step.
    """

    name = "mutant-first-correction-ends"

    def step_size(self, w: Work) -> Scalar:
        return TorchTwin.step_size(self, w) if w.t < 300 else self.rate(w)


class DecayStops(TorchTwin):
    """From step 51 on nothing decays.

    A warm-up or a schedule of somebody's, left in. Exposed by a long run alone.
    """

    name = "mutant-decay-stops"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        TorchTwin.update(self, slot, gradient, h if slot.t <= 50 else replace(h, l2=0.0, weight_decay=0.0))


class FirstDtypeForAll(TorchTwin):
    """First moments of all parameters are rounded to the dtype of the first one.

    A list of tensors for one kernel that asks its first element what it is. Exposed by two dtypes in one list.
    """

    name = "mutant-first-dtype-for-all"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        TorchTwin.count(self, slots, gradients)
        for slot in slots:
            slot.m = slot.m.astype(slots[0].m.dtype).astype(slot.m.dtype)


class CountOfPlaceInBucket(TorchTwin):
    """Parameters are taken dtype by dtype, and the counts in the order of the list.

    Two lists that are zipped, of which one has been sorted. Exposed by two dtypes, and a parameter that has missed a
    step.
    """

    name = "mutant-count-of-place-in-bucket"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        TorchTwin.count(self, slots, gradients)
        present = [slot for slot, gradient in zip(slots, gradients, strict=True) if gradient is not None]
        counts = [slot.t for slot in present]
        for dtype in {slot.theta.dtype for slot in present}:
            for slot, t in zip([slot for slot in present if slot.theta.dtype == dtype], counts, strict=False):
                slot.t = t


class CountsPerParameter(KerasV2Twin):
    """t per parameter, where the dialect has one for the optimizer.

    torch's count in Keras's dialect. Exposed by a parameter that has no gradient in some step.
    """

    name = "mutant-counts-per-parameter"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        for slot, gradient in zip(slots, gradients, strict=True):
            slot.t += gradient is not None


class CountsEveryParameter(Mxnet2Twin):
    """One count that every parameter's update advances.

    Paddle 2018 (one beta-power accumulator, multiplied once per parameter) and MXNet with several devices.
    Exposed by two parameters.
    """

    name = "mutant-counts-every-parameter"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        updates = sum(gradient is not None for gradient in gradients)
        for slot in slots:
            slot.t += updates


class CountNotReported(TfKerasTwin):
    """t stays 0 in the state.

    A count that is kept elsewhere and lost by whoever saves the state. Exposed by t.
    """

    name = "mutant-count-not-reported"

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        return replace(TfKerasTwin.state(self, slots, h), t=(0,) * len(slots))


class NoneIsZero(TorchTwin):
    """A parameter without gradient takes a step with gradient 0.

    Gradients that are set to zero instead of None. Exposed by a step without gradient, in m and v.
    """

    name = "mutant-none-is-zero"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if gradient is None and slot.t > 0:
            gradient = np.zeros_like(slot.theta)
        TorchTwin.update(self, slot, gradient, h)


class NoneForgets(TorchTwin):
    """A step without gradient sets the moments to 0.

    State that is made anew where there is nothing to update. Exposed by a step without gradient, in m and v.
    """

    name = "mutant-none-forgets"

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        if gradient is None:
            slot.m, slot.v = np.zeros_like(slot.m), np.zeros_like(slot.v)
        TorchTwin.update(self, slot, gradient, h)


class NoneShiftsGradients(TorchTwin):
    """Gradients lie one after the other, those that are None left out; each is read where its parameter would be.

    A flat buffer, and offsets that count every parameter. Exposed by a step without gradient, in the next parameter.
    """

    name = "mutant-none-shifts-gradients"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        TorchTwin.count(self, slots, gradients)
        flat = [np.ravel(g) for g in gradients if isinstance(g, np.ndarray)]
        short = sum(slot.theta.size for slot in slots) - sum(g.size for g in flat)
        self.flat = np.concatenate([*flat, np.zeros(short, slots[0].theta.dtype)])
        self.offset = 0

    def update(self, slot: Slot, gradient: Gradient, h: Hyperparameters) -> None:
        read = self.flat[self.offset : self.offset + slot.theta.size].reshape(slot.theta.shape)
        self.offset += slot.theta.size
        TorchTwin.update(self, slot, None if gradient is None else read, h)


# Moments


class AmsgradMaximumNotStored(TorchTwin):
    """The AMSGrad maximum is computed and used, but not stored.

    torch's foreach Adam before 1.13. Exposed by a spike and then small gradients, and by v_max in the state.
    """

    name = "mutant-amsgrad-maximum-not-stored"

    def store(self, slot: Slot, w: Work) -> None:
        write(slot.theta, self.stored(w, w.theta))
        write(slot.m, self.stored(w, w.m))
        write(slot.v, self.stored(w, w.v))


class SharedMoments(KerasV2Twin):
    """Parameters of equal shape share the first one's m and v.

    Keras 2.15 and tf_keras 2.21, NonFusedAdam, whose compiled function captured them: with g = 1 and -2, three
    steps at learning rate 0.1 end at 0.915 and 1.141 instead of 0.700 and 1.300. Exposed by two such parameters.
    """

    name = "mutant-shared-moments"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        slots = KerasV2Twin.slots(self, parameters, h)
        first: dict[tuple[int, ...], Slot] = {}
        for slot in slots:
            owner = first.setdefault(slot.theta.shape, slot)
            slot.m, slot.v, slot.v_max = owner.m, owner.v, owner.v_max
        return slots


class OnlyRemainderStored(Mxnet1Twin):
    """Full vectors are computed and never stored, only the remainder is.

    torch's fused SGD on CPU in low precision. Exposed by any size from one vector (8 here) on.
    """

    name = "mutant-only-remainder-stored"

    def move(self, w: Work, direction: Any) -> Any:
        moved = w.theta - direction
        remainder = np.arange(moved.size).reshape(moved.shape) >= moved.size // 8 * 8
        return np.where(remainder, moved, w.theta)


class OnlyFirstBlockStored(TfKerasTwin):
    """Nothing is stored from element 256 on.

    A grid of one block. Exposed by any size above the block's.
    """

    name = "mutant-only-first-block-stored"

    def move(self, w: Work, direction: Any) -> Any:
        moved = TfKerasTwin.move(self, w, direction)
        return np.where(np.arange(moved.size).reshape(moved.shape) < 256, moved, w.theta)


class SecondVectorTwice(TorchTwin):
    """In each second vector of 32 elements m holds what belongs to the first.

    An unrolled loop whose second half has the offset of the first one. Exposed by 64 elements.
    """

    name = "mutant-second-vector-twice"

    def first_moment(self, w: Work) -> Any:
        right = np.array(TorchTwin.first_moment(self, w))
        flat = right.reshape(-1)
        pairs = flat[: flat.size // 64 * 64].reshape(-1, 2, 32)
        pairs[:, 1] = pairs[:, 0]
        return right


class ZeroStaysZero(KerasV2Twin):
    """A parameter's element that is 0 is not moved.

    What sparse training wants, in ordinary Adam. Exposed by a parameter that is 0, as a new bias is.
    """

    name = "mutant-zero-stays-zero"

    def move(self, w: Work, direction: Any) -> Any:
        return np.where(w.theta == 0, w.theta, w.theta - direction)


class RowsShareMoments(KerasV2Twin):
    """Parameters of equal shape share m and v from their first row-sparse gradient on.

    Keras' NonFusedAdam, in the function that it compiles for rows. Exposed by two such parameters.
    """

    name = "mutant-rows-share-moments"

    def count(self, slots: Sequence[Slot], gradients: Sequence[Gradient]) -> None:
        KerasV2Twin.count(self, slots, gradients)
        first: dict[tuple[int, ...], Slot] = {}
        for slot, gradient in zip(slots, gradients, strict=True):
            owner = first.setdefault(slot.theta.shape, slot)
            if isinstance(gradient, Rows):
                slot.m, slot.v, slot.v_max = owner.m, owner.v, owner.v_max


# Other people's arrays


class GradientsOverwritten(KerasV2Twin):
    """The caller's gradient is squared in place.

    Saves a buffer; whoever logs or reuses the gradient reads g^2. Exposed by the gradient after the step.
    """

    name = "mutant-gradients-overwritten"

    def square(self, w: Work) -> Any:
        theirs = w.gradient.values if isinstance(w.gradient, Rows) else w.gradient
        g_squared = w.g * w.g
        np.multiply(theirs, theirs, out=theirs)
        return g_squared


class InitialParametersOverwritten(TorchTwin):
    """The caller's initial parameters are the buffers that the steps write.

    What an adapter does that forgets to copy. Exposed by the initial parameters after a step.
    """

    name = "mutant-initial-parameters-overwritten"

    def slots(self, parameters: Sequence[Array], h: Hyperparameters) -> list[Slot]:
        slots = TorchTwin.slots(self, parameters, h)
        for slot, theta in zip(slots, parameters, strict=True):
            slot.theta = theta
        return slots


class LiveViews(TfKerasTwin):
    """The state is the optimizer's own buffers, which later steps change.

    Exposed by keeping a state and comparing it after the next step; a suite that compares at once sees nothing.
    """

    name = "mutant-live-views"

    def state(self, slots: Sequence[Slot], h: Hyperparameters) -> State:
        return replace(
            super().state(slots, h),
            parameters=tuple(slot.theta for slot in slots),
            m=tuple(slot.m for slot in slots),
            v=tuple(slot.v for slot in slots),
            v_max=tuple(np.asarray(slot.v_max) for slot in slots) if h.amsgrad else None,
        )
