"""What Triton compiles: the element formula, and the program that applies it to one segment.

One kernel per dtype serves every variant: a row of scalars carries the bits of its formula, and a program, which works
on one tensor and so on one row, branches on them. Such a branch is uniform: it costs a few cycles and splits no warp.
"""

import triton
import triton.language as tl

from fused_adam import layout
from fused_adam.layout import Variant

BLOCK = 1024
"""Elements of a segment, and of a program: two 128-bit accesses of each array by each of 128 threads in float32."""
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}
"""a * b + c may be one fused operation."""

DECAY_BEFORE = tl.constexpr(1)
RESCALE_GRAD = tl.constexpr(2)
CLIP_BEFORE_L2 = tl.constexpr(4)
ADD_L2 = tl.constexpr(8)
CLIP_AFTER_L2 = tl.constexpr(16)
AMSGRAD = tl.constexpr(32)
DIVIDE = tl.constexpr(64)
DECAY_INSIDE = tl.constexpr(128)

ONE_MINUS_BETA_1 = tl.constexpr(layout.ONE_MINUS_BETA_1)
BETA_2 = tl.constexpr(layout.BETA_2)
ONE_MINUS_BETA_2 = tl.constexpr(layout.ONE_MINUS_BETA_2)
STEP_SIZE = tl.constexpr(layout.STEP_SIZE)
EPSILON = tl.constexpr(layout.EPSILON)
DECAY = tl.constexpr(layout.DECAY)
L2 = tl.constexpr(layout.L2)
RESCALE = tl.constexpr(layout.RESCALE)
CLIP = tl.constexpr(layout.CLIP)
FORMULA = tl.constexpr(layout.FORMULA)
ROW_WIDTH = tl.constexpr(layout.ROW_WIDTH)


def formula_bits(variant: Variant) -> int:
    """What `FORMULA` holds in the rows of `variant`; a float32 holds it exactly."""
    bits = {
        DECAY_BEFORE: variant.decay == "before",
        RESCALE_GRAD: variant.rescale,
        CLIP_BEFORE_L2: variant.clip == "before l2",
        ADD_L2: variant.l2,
        CLIP_AFTER_L2: variant.clip == "after l2",
        AMSGRAD: variant.amsgrad,
        DIVIDE: variant.divide,
        DECAY_INSIDE: variant.decay == "inside",
    }
    return sum(int(bit.value) for bit, present in bits.items() if present)


def _inlined(function):
    """A function that kernels call. Triton's interpreter takes longer to enter another kernel than to run this one."""
    return function if triton.knobs.runtime.interpret else triton.jit(function)


@_inlined
def _divided(update, second, epsilon):
    """update / (sqrt(second) + epsilon), rounded to nearest; in float32 Triton's plain operators are approximations."""
    if second.dtype == tl.float32:
        return tl.div_rn(update, tl.sqrt_rn(second) + epsilon)
    return update / (tl.sqrt(second) + epsilon)


@_inlined
def _clipped(g, bound):
    """Comparisons let NaN through."""
    g = tl.where(g > bound, bound, g)
    return tl.where(g < -bound, -bound, g)


@_inlined
def _update(p, g, m, v, v_max, row, mask):
    """The element formula of docs/engine.md, at these pointers.

    The arrays are asked for first, so that they are on their way while the scalars are.
    """
    theta = tl.load(p, mask)
    gradient = tl.load(g, mask)
    mean = tl.load(m, mask)
    second = tl.load(v, mask)
    formula = tl.load(row + FORMULA).to(tl.int32)
    if formula & DECAY_BEFORE != 0:
        theta = theta - tl.load(row + DECAY) * theta
    if formula & RESCALE_GRAD != 0:
        gradient = tl.load(row + RESCALE) * gradient
    if formula & CLIP_BEFORE_L2 != 0:
        gradient = _clipped(gradient, tl.load(row + CLIP))
    if formula & ADD_L2 != 0:
        gradient = gradient + tl.load(row + L2) * theta
    if formula & CLIP_AFTER_L2 != 0:
        gradient = _clipped(gradient, tl.load(row + CLIP))
    mean = mean + tl.load(row + ONE_MINUS_BETA_1) * (gradient - mean)
    tl.store(m, mean, mask)
    second = tl.load(row + BETA_2) * second + tl.load(row + ONE_MINUS_BETA_2) * (gradient * gradient)
    tl.store(v, second, mask)
    if formula & AMSGRAD != 0:
        largest = tl.load(v_max, mask)
        second = tl.where((second > largest) | (second != second), second, largest)
        tl.store(v_max, second, mask)
    update = tl.load(row + STEP_SIZE) * mean
    if formula & DIVIDE != 0:
        update = _divided(update, second, tl.load(row + EPSILON))
    if formula & DECAY_INSIDE != 0:
        update = update + tl.load(row + DECAY) * theta
    tl.store(p, theta - update, mask)


@triton.jit(do_not_specialize=["tensors"])
def step_segments(segments, fixed, moving, rows, tensors, number: tl.constexpr, block: tl.constexpr):
    """Program k: one step of segment k.

    segments: int64 [k, 3]. fixed: int64 [4, tensors], addresses of p, m, v, v_max. moving: int64 [2, tensors],
    addresses of g and numbers of rows. rows: number [r, ROW_WIDTH]. Offsets are 64-bit up to a segment, 32-bit in it.

    A full segment whose arrays all lie on 16 bytes takes the path without a mask, in 128-bit accesses. Its first
    element is a multiple of `block`, so that the addresses of the tensors decide.
    """
    segment = segments + 3 * tl.program_id(0).to(tl.int64)
    tensor = tl.load(segment)
    first = tl.load(segment + 1)
    count = tl.load(segment + 2)
    g = tl.load(moving + tensor)
    if g != 0:
        row = rows + ROW_WIDTH * tl.load(moving + tensors + tensor)
        p = tl.load(fixed + tensor)
        m = tl.load(fixed + tensors + tensor)
        v = tl.load(fixed + 2 * tensors + tensor)
        v_max = tl.load(fixed + 3 * tensors + tensor)
        pointer = tl.pointer_type(number)
        p_at = p.to(pointer) + first
        g_at = g.to(pointer) + first
        m_at = m.to(pointer) + first
        v_at = v.to(pointer) + first
        v_max_at = v_max.to(pointer) + first
        i = tl.arange(0, block)
        if (count == block) & ((p | g | m | v | v_max) % 16 == 0):
            p_at = tl.multiple_of(p_at, 16)
            g_at = tl.multiple_of(g_at, 16)
            m_at = tl.multiple_of(m_at, 16)
            v_at = tl.multiple_of(v_at, 16)
            v_max_at = tl.multiple_of(v_max_at, 16)
            _update(p_at + i, g_at + i, m_at + i, v_at + i, v_max_at + i, row, None)
        else:
            _update(p_at + i, g_at + i, m_at + i, v_at + i, v_max_at + i, row, i < count)
