"""Why a mutant that nothing rejects is not wrong, each with its reason.

An entry goes by the lines before and after the change and by what they are in, so that it follows them
through the file. An entry whose change is not made any more, or is rejected after all, fails the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Key = tuple[str, str, str, str]
"""Module, scope, lines before, lines after."""


@dataclass(frozen=True)
class Proof:
    """What the changes of one reason are, and why."""

    cls: Literal["equivalent", "only speed", "below the bound"]
    reason: str
    module: str
    scope: str
    changes: Sequence[tuple[str, str]]
    """Lines before, lines after."""

    def keyed(self) -> Iterator[Key]:
        """Of every change."""
        for before, after in self.changes:
            yield self.module, self.scope, before, after


def by_key(proofs: Sequence[Proof]) -> Mapping[Key, Proof]:
    """The proof of every change that has one."""
    return {key: proof for proof in proofs for key in proof.keyed()}


_KERNELS, _SCALARS, _LAYOUT, _OPTIONS = (f"fused_adam.{m}" for m in ("cpu_kernels", "scalars", "layout", "options"))
_KERNEL = "kernel_source.kernel"
_FIRST, _REST = "first, _ = _coth_minus_inverse(half)", "_, rest = _coth_minus_inverse(t * half)"


def _all(before: str, *pairs: tuple[str, str]) -> list[tuple[str, str]]:
    """`before`, with each pair's first replaced by its second."""
    return [(before, before.replace(old, new)) for old, new in pairs]


_ABOVE = "gradient = bound if gradient > bound else gradient"
_BELOW = "gradient = -bound if gradient < -bound else gradient"
_BEYOND = "beyond = 2 / math.expm1(2 * y) if y < 350 else 0.0"

PROOFS: tuple[Proof, ...] = (
    Proof(
        "equivalent",
        "the third argument of a load gives its type, and all scalars are of one type",
        _KERNELS,
        _KERNEL,
        [
            (line, line.replace("step_size", "epsilon"))
            for line in (
                "theta = _load_p(p, i, step_size)",
                "gradient = _load_g(g, i, step_size)",
                "mean = _load_m(m, i, step_size)",
                "second = beta_2 * _load_v(v, i, step_size) + one_minus_beta_2 * (gradient * gradient)",
                "largest = _load_x(x, i, step_size)",
            )
        ],
    ),
    Proof(
        "equivalent",
        "the mark says what may overlap; each element is read once, then written with what depends on it",
        _KERNELS,
        _KERNEL,
        [
            *_all("theta = _load_p(p, i, step_size)", ("_load_p", "_load_g")),
            *_all("gradient = _load_g(g, i, step_size)", ("_load_g", "_load_m")),
            *_all("mean = _load_m(m, i, step_size)", ("_load_m", "_load_v")),
            *_all(
                "second = beta_2 * _load_v(v, i, step_size) + one_minus_beta_2 * (gradient * gradient)",
                ("_load_v", "_load_x"),
            ),
            *_all("largest = _load_x(x, i, step_size)", ("_load_x", "_load_p")),
            *_all("_store_p(p, i, theta - update)", ("_store_p", "_store_m")),
            *_all("_store_m(m, i, mean)", ("_store_m", "_store_v")),
            *_all("_store_v(v, i, second)", ("_store_v", "_store_x")),
            *_all("_store_x(x, i, second)", ("_store_x", "_store_p")),
        ],
    ),
    Proof(
        "equivalent",
        "at equality both arms are the same number",
        _KERNELS,
        _KERNEL,
        [
            *_all(_ABOVE, (">", ">=")),
            *_all(_BELOW, ("<", "<=")),
            *_all(
                "second = second if second > largest or second != second else largest",
                ("second > largest", "second >= largest"),
            ),
        ],
    ),
    Proof(
        "equivalent",
        "-c <= c: what one bound has caught the other leaves alone, in either order",
        _KERNELS,
        _KERNEL,
        [(f"{_ABOVE} {_BELOW}", f"{_BELOW} {_ABOVE}")],
    ),
    Proof(
        "equivalent",
        "a name for profilers; the address is what is called",
        _KERNELS,
        "kernel_source",
        [('kernel.__name__ = kernel.__qualname__ = f"kernel_{variant.key}"', "pass")],
    ),
    Proof(
        "equivalent",
        "the smallest normal number is replaced by itself",
        _SCALARS,
        "row",
        _all("if 0 < epsilon < tiny:", ("< tiny", "<= tiny")),
    ),
    Proof(
        "equivalent",
        "the tail's terms end at 5 either way, because they are odd",
        _SCALARS,
        "_coth_minus_inverse",
        _all("for n in range(23, 3, -2):", ("3, -2", "4, -2")),
    ),
    Proof(
        "equivalent",
        "2 / expm1(2 y) is below 2^-900 there and is lost in the sums with 1 and 1 / y",
        _SCALARS,
        "_coth_minus_inverse",
        _all(_BEYOND, ("< 350", "<= 350"), ("350", "349"), ("350", "351")),
    ),
    Proof(
        "equivalent",
        "at t = warm_up both branches give learning_rate",
        _SCALARS,
        "warmed_up",
        _all("if t <= warm_up:", ("<=", "<")),
    ),
    Proof(
        "equivalent",
        "where two numbers do not fit, the other one is named",
        _SCALARS,
        "row",
        [
            (f"{one}, {other},", f"{other}, {one},")
            for one, other in pairwise(
                (
                    '("learning_rate", step_size)',
                    '("epsilon", epsilon)',
                    '("learning_rate * weight_decay", decay)',
                    '("l2", o.l2)',
                    '("rescale_grad", o.rescale_grad)',
                )
            )
        ],
    ),
    Proof(
        "equivalent",
        "two calls that share nothing",
        _SCALARS,
        "sma",
        [(f"{_FIRST} {_REST}", f"{_REST} {_FIRST}")],
    ),
    Proof(
        "below the bound",
        "there the fraction and the closed form agree within a few units of the last place",
        _SCALARS,
        "_coth_minus_inverse",
        _all("if y < 1:", ("< 1", "<= 1"), ("< 1", "< 2")),
    ),
    Proof(
        "below the bound",
        "eleven levels down; of the result not 2^-60",
        _SCALARS,
        "_coth_minus_inverse",
        _all("tail = 0.0", ("0.0", "1.0")),
    ),
    Proof(
        "only speed",
        "rows lie further apart or closer; every reader and writer goes by the same width, which holds nine",
        _LAYOUT,
        "ROW_WIDTH",
        _all("ROW_WIDTH = 16", ("16", "15"), ("16", "17")),
    ),
    Proof(
        "only speed",
        "how many elements a segment has; no element depends on another",
        _LAYOUT,
        "CHUNK",
        _all("CHUNK = 16384", ("16384", "16383"), ("16384", "16385")),
    ),
    Proof(
        "equivalent",
        "a dialect that does not say where it decays or clips takes no such option",
        _OPTIONS,
        "Dialect",
        [
            *_all('decay: Literal["", "before", "inside"] = ""', ('= ""', '= "before"'), ('= ""', '= "inside"')),
            *_all(
                'clip: Literal["", "before l2", "after l2"] = ""', ('= ""', '= "before l2"'), ('= ""', '= "after l2"')
            ),
        ],
    ),
)
"""Of fused_adam."""
