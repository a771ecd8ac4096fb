"""What is timed: a workload is a list of shapes, a case is a workload under a condition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.architectures import Shape, bert_base, gpt2_small, resnet_50

WORKLOADS: Mapping[str, tuple[Shape, ...]] = MappingProxyType(
    {
        "1x1K": ((1_000,),),
        "1x1M": ((1_000_000,),),
        "1x20M": ((20_000_000,),),
        "1x100M": ((100_000_000,),),
        "1x1G": ((1_000_000_000,),),
        "1x999983": ((999_983,),),
        "100x1K": ((1_000,),) * 100,
        "100x10K": ((10_000,),) * 100,
        "100x10007": ((10_007,),) * 100,
        "1000x1K": ((1_000,),) * 1000,
        "resnet-50": tuple(resnet_50()),
        "bert-base": tuple(bert_base()),
        "gpt2-small": tuple(gpt2_small()),
    }
)
"""999 983 and 10 007 are primes: no vector and no part of them comes out even."""

CONDITIONS: Mapping[str, str] = MappingProxyType(
    {
        "hot": "in one parameter group, the same gradients every step, one untimed step first",
        "cold": "caches flushed before every step",
        "fresh": "gradients freshly allocated before every step",
        "groups-10": "10 parameter groups, a learning rate each",
        "groups-100": "100 parameter groups, a learning rate each",
        "none-10": "every tenth parameter without gradient",
        "after-torch": "every step right after a threaded torch operation",
        "wrapper": "nothing computed: what a step costs around the kernel",
    }
)


@dataclass(frozen=True)
class Case:
    """A workload under a condition."""

    workload: str
    condition: str = "hot"

    @property
    def name(self) -> str:
        """For example "100x10K cold"."""
        return f"{self.workload} {self.condition}"

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Of the parameters."""
        return WORKLOADS[self.workload]

    @property
    def elements(self) -> int:
        """Parameters in all."""
        return sum(map(math.prod, self.shapes))

    @property
    def groups(self) -> int:
        """Number of parameter groups."""
        return int(self.condition.removeprefix("groups-")) if self.condition.startswith("groups") else 1


def _cases(condition: str, *workloads: str) -> tuple[Case, ...]:
    return tuple(Case(workload, condition) for workload in workloads)


_MANY = ("100x10K", "1000x1K")
_SMALL = ("1x1K", "1x1M", *_MANY)
_LISTS = ("resnet-50", "bert-base", "gpt2-small")
_CONDITIONS = (
    *_cases("fresh", "1x1M", *_MANY, "resnet-50"),
    *_cases("groups-10", *_MANY),
    *_cases("groups-100", *_MANY),
    *_cases("none-10", *_MANY, "resnet-50"),
)
CPU: tuple[Case, ...] = (
    *_cases("hot", "1x1K", "1x1M", "1x20M", "1x100M", *_MANY, *_LISTS, "1x999983", "100x10007"),
    *_cases("cold", *_SMALL),
    *_CONDITIONS,
    *_cases("after-torch", *_SMALL, "resnet-50"),
    *_cases("wrapper", "1x1K", "100x1K", "1000x1K"),
)
GPU: tuple[Case, ...] = (
    *_cases("hot", "1x1K", "1x1M", "1x20M", "1x100M", "1x1G", *_MANY, *_LISTS, "1x999983", "100x10007"),
    *_CONDITIONS,
)
NOT_QUICK = frozenset({"1x100M", "1x1G", "bert-base", "gpt2-small"})


def select(
    cases: Sequence[Case], *, quick: bool, workloads: Sequence[str] = (), conditions: Sequence[str] = ()
) -> tuple[Case, ...]:
    """The cases of these workloads and conditions; none named means all, the large ones only if not quick.

    Raises ValueError where nothing is left.
    """
    chosen = tuple(
        case
        for case in cases
        if (case.workload in workloads if workloads else not (quick and case.workload in NOT_QUICK))
        and (not conditions or case.condition in conditions)
    )
    if not chosen:
        pairs = ", ".join(case.name for case in cases)
        raise ValueError(f"no case has workload {list(workloads)} and condition {list(conditions)}; accepted: {pairs}")
    return chosen
