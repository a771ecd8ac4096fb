"""What Numba compiles: the element formula in its variants, and the walk over segments that calls them.

Everything that decides the machine code is in this file, and `cpu_driver` keys the cache by its text.

A *kernel* is the element formula for one `Variant`, serial, over one segment of one tensor. It is
made by `kernel_source`, whose closure holds constants only, so that no branch is left inside the loop.
`step` does one whole step: it walks the segments in static parts, on the calling thread or on those of the
OpenMP runtime that it is given, and calls kernels by their address. No result depends on the parts.

Loads and stores say which array they belong to, so that LLVM knows that the five arrays of a parameter
do not overlap (the planner refuses those that do) and vectorises without run-time checks.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

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


# One step

WORK = (
    "parts",
    "number_of_parts",
    "segments",
    "pointers",
    "row_of",
    "rows",
    "kernels",
    "counts",
    "tensors",
    "together",
    "threads",
    "walk",
    "parallel",
    "thread",
    "team",
)
"""Words of the int64 table at which `step` and `walk` look: addresses of the planner's tables and their
lengths, then the number of threads, the address of `walk`, and three functions of the OpenMP runtime."""
(
    _PARTS,
    _NUMBER_OF_PARTS,
    _SEGMENTS,
    _POINTERS,
    _ROW_OF,
    _ROWS,
    _KERNELS,
    _COUNTS,
    _TENSORS,
    _TOGETHER,
    _THREADS,
    _WALK,
    _PARALLEL,
    _THREAD,
    _TEAM,
) = range(len(WORK))

WORK_SIGNATURE = types.void(types.int64)
"""Of `step` and `walk`: the address of the work table."""


@intrinsic
def _word(typingctx: Any, table: Any, index: Any) -> Any:
    """Word `index` of the int64 table at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_at(builder, arguments[0], arguments[1], ir.IntType(64)))

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def _set_word(typingctx: Any, table: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _at(builder, arguments[0], arguments[1], ir.IntType(64)))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def _function(builder: Any, address: Any, result: Any, arguments: list[Any]) -> Any:
    return builder.inttoptr(address, ir.FunctionType(result, arguments).as_pointer())


@intrinsic
def _call(typingctx: Any, kernel: Any, p: Any, g: Any, m: Any, v: Any, x: Any, row: Any, first: Any, count: Any) -> Any:
    """Call the kernel at an address."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kernel = _function(builder, arguments[0], ir.VoidType(), [ir.IntType(64)] * 8)
        builder.call(kernel, arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 9), codegen


@intrinsic
def _parallel(typingctx: Any, gomp_parallel: Any, task: Any, work: Any, threads: Any) -> Any:
    """void GOMP_parallel(void (*task)(void *), void *work, unsigned threads, unsigned flags)."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, unsigned = ir.IntType(64), ir.IntType(32)
        function = _function(builder, arguments[0], ir.VoidType(), [word, word, unsigned, unsigned])
        threads = builder.trunc(arguments[3], unsigned)
        builder.call(function, [arguments[1], arguments[2], threads, unsigned(0)])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


@intrinsic
def _ask(typingctx: Any, function: Any) -> Any:
    """int function(void)."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        answer = builder.call(_function(builder, arguments[0], ir.IntType(32), []), [])
        return builder.sext(answer, ir.IntType(64))

    return types.int64(types.int64), codegen


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
def _walk_part(work: int, part: int) -> None:
    """Call the kernel of every segment of `part`; a tensor without gradient has pointer 0."""
    parts, segments, pointers = _word(work, _PARTS), _word(work, _SEGMENTS), _word(work, _POINTERS)
    row_of, rows, kernels = _word(work, _ROW_OF), _word(work, _ROWS), _word(work, _KERNELS)
    for s in range(_word(parts, part), _word(parts, part + 1)):
        tensor = _word(segments, 3 * s)
        p = 5 * tensor
        if _word(pointers, p + 1) != 0:
            row = _word(row_of, tensor)
            _call(
                _word(kernels, row),
                _word(pointers, p),
                _word(pointers, p + 1),
                _word(pointers, p + 2),
                _word(pointers, p + 3),
                _word(pointers, p + 4),
                rows + row * (8 * ROW_WIDTH),
                _word(segments, 3 * s + 1),
                _word(segments, 3 * s + 2),
            )


@register_jitable
def _walk_parts(work: int, first: int, stride: int) -> None:
    old = _flush_subnormals()
    for part in range(first, _word(work, _NUMBER_OF_PARTS), stride):
        _walk_part(work, part)
    _restore_subnormals(old)


def walk(work: int) -> None:
    """What one thread of a team does. The team may be smaller than what was asked for."""
    _walk_parts(work, _ask(_word(work, _THREAD)), _ask(_word(work, _TEAM)))


def step(work: int) -> None:
    """One step. t advances in the same call that moves the parameters, so that no interrupt comes between them."""
    if _word(work, _THREADS) > 1:
        _parallel(_word(work, _PARALLEL), _word(work, _WALK), work, _word(work, _THREADS))
    else:
        _walk_parts(work, 0, 1)
    counts, pointers, together = _word(work, _COUNTS), _word(work, _POINTERS), _word(work, _TOGETHER)
    for tensor in range(_word(work, _TENSORS)):
        if together != 0 or _word(pointers, 5 * tensor + 1) != 0:
            _set_word(counts, tensor, _word(counts, tensor) + 1)


# Addresses of tensors

COLLECT_SIGNATURE = types.int64(*[types.int64] * 5)


@intrinsic
def _address_of(typingctx: Any, function: Any, tensor: Any) -> Any:
    """void *function(PyObject *tensor)."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        return builder.call(_function(builder, arguments[0], word, [word]), [arguments[1]])

    return types.int64(types.int64, types.int64), codegen


def collect(function: int, none: int, objects: int, number: int, addresses: int) -> int:
    """Write what `function` says of each object, 0 for None; whether any address is another than before."""
    changed = 0
    for i in range(number):
        thing = _word(objects, i)
        address = 0
        if thing != none:
            address = _address_of(function, thing)
        if address != _word(addresses, i):
            _set_word(addresses, i, address)
            changed = 1
    return changed


assert COLUMNS == ("p", "g", "m", "v", "v_max")
