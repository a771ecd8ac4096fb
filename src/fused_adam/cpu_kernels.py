"""What Numba compiles: the element formula in its variants, and the loop over segments that calls them.

Everything that decides the machine code is in this file, and `cpu_driver` keys the cache by its text.

A *kernel* is the element formula for one `Variant`, serial, over one segment of one tensor. It is
made by `kernel_source`, whose closure holds constants only, so that no branch is left inside the loop.
A *driver* walks the segments of a plan and calls kernels by their address; `walk_parallel` does it in
static parts on Numba's threads, `walk_serial` on the calling thread. No result depends on the parts.

Loads and stores say which array they belong to, so that LLVM knows that the five arrays of a parameter
do not overlap (the planner refuses those that do) and vectorises without run-time checks.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, register_jitable

from fused_adam.layout import (
    BETA_2,
    CLIP,
    COLUMNS,
    DECAY,
    EPSILON,
    L2,
    ONE_MINUS_BETA_1,
    ONE_MINUS_BETA_2,
    RESCALE,
    ROW_WIDTH,
    STEP_SIZE,
    Variant,
)

OPTIONS: dict[str, Any] = {"fastmath": {"contract", "nsz"}, "error_model": "numpy", "boundscheck": False}
"""contract: a * b + c may be one fused operation. No arcp, no reassoc, no ninf, no nnan: division and
square root stay exactly rounded and NaN goes where it belongs."""

_ARRAYS = ("p", "g", "m", "v", "x")
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_FLUSH = 0x8040
"""MXCSR: flush results to zero, take subnormal inputs as zero."""


# Memory


def _mark(context: Any, builder: Any, instruction: Any, array: str) -> None:
    """Attach to a load or store the fact that it touches `array` and none of the others."""
    module = builder.module
    domain = module.add_metadata([ir.MetaDataString(module, "fused_adam arrays")])
    scopes = {a: module.add_metadata([ir.MetaDataString(module, f"fused_adam {a}"), domain]) for a in _ARRAYS}
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[array]]))
    instruction.set_metadata("noalias", module.add_metadata([scopes[a] for a in _ARRAYS if a != array]))


def _at(builder: Any, address: Any, index: Any, element: Any) -> Any:
    return builder.gep(builder.inttoptr(address, element.as_pointer()), [index])


def _loader(array: str) -> Any:
    @intrinsic
    def load(typingctx: Any, address: Any, index: Any, like: Any) -> Any:
        """Element `index` of the array at `address`, which holds numbers of the type of `like`."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = builder.load(_at(builder, arguments[0], arguments[1], context.get_data_type(like)))
            _mark(context, builder, value, array)
            return value

        return like(types.int64, types.int64, like), codegen

    return load


def _storer(array: str) -> Any:
    @intrinsic
    def store(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            done = builder.store(arguments[2], _at(builder, arguments[0], arguments[1], context.get_data_type(value)))
            _mark(context, builder, done, array)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, value), codegen

    return store


# Globals of this module: in the closure of a kernel they would differ from process to process, and the
# cache would never hit.
_load_p, _load_g, _load_m, _load_v, _load_x = (_loader(a) for a in _ARRAYS)
_store_p, _, _store_m, _store_v, _store_x = (_storer(a) for a in _ARRAYS)


@intrinsic
def _scalar(typingctx: Any, row: Any, column: Any) -> Any:
    """Number `column` of the scalar row at address `row`."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_at(builder, arguments[0], arguments[1], ir.DoubleType()))

    return types.float64(types.int64, types.int64), codegen


# The element formula

KERNEL_SIGNATURE = types.void(*[types.int64] * 8)
"""Addresses of p, g, m, v, v_max and the scalar row; first element; number of elements."""


def kernel_source(variant: Variant) -> Callable[..., None]:
    """The element formula of `variant`, to be compiled as a C function of `KERNEL_SIGNATURE`.

    m is formed as m + (1 - beta_1)(g - m); v as a sum, so that a square that overflows freezes its
    element at infinity instead of turning it into NaN. The comparisons of clipping and of the maximum
    are written so that NaN goes through.
    """
    number = np.float32 if variant.dtype == "float32" else np.float64
    rescale, l2, amsgrad, divide = variant.rescale, variant.l2, variant.amsgrad, variant.divide
    clip_before, clip_after = variant.clip == "before l2", variant.clip == "after l2"
    decay_before, decay_inside = variant.decay == "before", variant.decay == "inside"

    def kernel(p: int, g: int, m: int, v: int, x: int, row: int, first: int, count: int) -> None:
        one_minus_beta_1 = number(_scalar(row, ONE_MINUS_BETA_1))
        beta_2 = number(_scalar(row, BETA_2))
        one_minus_beta_2 = number(_scalar(row, ONE_MINUS_BETA_2))
        step_size = number(_scalar(row, STEP_SIZE))
        epsilon = number(_scalar(row, EPSILON))
        decay = number(_scalar(row, DECAY))
        l2_factor = number(_scalar(row, L2))
        rescale_grad = number(_scalar(row, RESCALE))
        bound = number(_scalar(row, CLIP))
        for i in range(first, first + count):
            theta = _load_p(p, i, step_size)
            gradient = _load_g(g, i, step_size)
            if decay_before:
                theta = theta - decay * theta
            if rescale:
                gradient = rescale_grad * gradient
            if clip_before:
                gradient = bound if gradient > bound else gradient
                gradient = -bound if gradient < -bound else gradient
            if l2:
                gradient = gradient + l2_factor * theta
            if clip_after:
                gradient = bound if gradient > bound else gradient
                gradient = -bound if gradient < -bound else gradient
            mean = _load_m(m, i, step_size)
            mean = mean + one_minus_beta_1 * (gradient - mean)
            _store_m(m, i, mean)
            second = beta_2 * _load_v(v, i, step_size) + one_minus_beta_2 * (gradient * gradient)
            _store_v(v, i, second)
            if amsgrad:
                largest = _load_x(x, i, step_size)
                second = second if second > largest or second != second else largest
                _store_x(x, i, second)
            update = step_size * mean
            if divide:
                update = update / (np.sqrt(second) + epsilon)
            if decay_inside:
                update = update + decay * theta
            _store_p(p, i, theta - update)

    kernel.__name__ = kernel.__qualname__ = f"kernel_{variant.key}"
    return kernel


# Drivers


@intrinsic
def _call(typingctx: Any, kernel: Any, p: Any, g: Any, m: Any, v: Any, x: Any, row: Any, first: Any, count: Any) -> Any:
    """Call the kernel at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [word] * 8).as_pointer()
        builder.call(builder.inttoptr(arguments[0], function), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 9), codegen


@intrinsic
def _flush_subnormals(typingctx: Any) -> Any:
    """Flush subnormals to zero on this thread; the control word to restore. Elsewhere than on x86-64: nothing.

    A parameter whose gradient has become 0 drives m into the subnormals and leaves it there.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        if not _X86:
            return word(0)
        place = ir.IRBuilder(builder.function.entry_basic_block)
        place.position_at_start(builder.function.entry_basic_block)
        slot = place.alloca(word)
        pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
        get = builder.module.declare_intrinsic("llvm.x86.sse.stmxcsr", (), kind)
        set_ = builder.module.declare_intrinsic("llvm.x86.sse.ldmxcsr", (), kind)
        builder.call(get, [pointer])
        old = builder.load(slot)
        builder.store(builder.or_(old, word(_FLUSH)), slot)
        builder.call(set_, [pointer])
        return old

    return types.int32(), codegen


@intrinsic
def _restore_subnormals(typingctx: Any, old: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            place = ir.IRBuilder(builder.function.entry_basic_block)
            place.position_at_start(builder.function.entry_basic_block)
            slot = place.alloca(ir.IntType(32))
            builder.store(arguments[0], slot)
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
            set_ = builder.module.declare_intrinsic("llvm.x86.sse.ldmxcsr", (), kind)
            builder.call(set_, [builder.bitcast(slot, ir.IntType(8).as_pointer())])
        return context.get_dummy_value()

    return types.void(types.int32), codegen


@register_jitable
def _walk(begin: int, end: int, segments: Any, pointers: Any, row_of: Any, rows: Any, kernels: Any) -> None:
    """Call the kernel of every segment from `begin` to `end`; a tensor without gradient has pointer 0."""
    table = rows.ctypes.data
    old = _flush_subnormals()
    for s in range(begin, end):
        tensor = segments[s, 0]
        g = pointers[tensor, 1]
        if g != 0:
            row = row_of[tensor]
            _call(
                kernels[row],
                pointers[tensor, 0],
                g,
                pointers[tensor, 2],
                pointers[tensor, 3],
                pointers[tensor, 4],
                table + row * (8 * ROW_WIDTH),
                segments[s, 1],
                segments[s, 2],
            )
    _restore_subnormals(old)


@register_jitable
def _count(pointers: Any, counts: Any, together: int) -> None:
    """Advance t in the same call that moves the parameters, so that no interrupt comes between them."""
    for tensor in range(counts.size):
        if together != 0 or pointers[tensor, 1] != 0:
            counts[tensor] += 1


def walk_serial(
    parts: Any, segments: Any, pointers: Any, row_of: Any, rows: Any, kernels: Any, counts: Any, together: int
) -> None:
    """All parts one after the other, on the calling thread."""
    _walk(0, segments.shape[0], segments, pointers, row_of, rows, kernels)
    _count(pointers, counts, together)


def walk_parallel(
    parts: Any, segments: Any, pointers: Any, row_of: Any, rows: Any, kernels: Any, counts: Any, together: int
) -> None:
    """Part k, the segments from parts[k] to parts[k + 1], on one of Numba's threads."""
    for k in numba.prange(parts.size - 1):
        _walk(parts[k], parts[k + 1], segments, pointers, row_of, rows, kernels)
    _count(pointers, counts, together)


_integers = types.Array(types.int64, 1, "C")
_table = types.Array(types.int64, 2, "C")
WALK_SIGNATURE = types.void(
    _integers, _table, _table, _integers, types.Array(types.float64, 2, "C"), _integers, _integers, types.int64
)
assert COLUMNS == ("p", "g", "m", "v", "v_max")
