"""The tables that the planner fills and every driver reads. docs/engine.md shows them.

Scalars are formed in double on the host, once per row and step. A driver rounds them to its own
arithmetic where they meet the elements.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

COLUMNS = ("p", "g", "m", "v", "v_max")
"""Columns of the pointer table; 0 stands for "no gradient" and for "no v_max"."""

# Columns of the scalar table.
ONE_MINUS_BETA_1 = 0
BETA_2 = 1
ONE_MINUS_BETA_2 = 2
STEP_SIZE = 3
EPSILON = 4
DECAY = 5
L2 = 6
RESCALE = 7
CLIP = 8
FORMULA = 9
"""Of a driver whose kernel branches: it writes there what its `kernel` returned."""
ROW_WIDTH = 16
"""float64 columns of a row: 128 bytes."""

CHUNK = 16384
"""Elements of a full segment on the CPU: 448 KiB of memory traffic in float32."""


class Variant(NamedTuple):
    """Which element formula: everything that would be a branch inside the loop."""

    dtype: Literal["float32", "float64"]
    rescale: bool = False
    """g <- rescale_grad g."""
    clip: Literal["", "before l2", "after l2"] = ""
    """g <- min(max(g, -c), c)."""
    l2: bool = False
    """g <- g + l2 theta."""
    decay: Literal["", "before", "inside"] = ""
    """theta <- theta - learning_rate weight_decay theta: before the step, or as part of the update."""
    amsgrad: bool = False
    divide: bool = True
    """update = step_size m / (sqrt(v) + epsilon); False: step_size m (rectification below its threshold)."""

    @property
    def key(self) -> str:
        """A name for files, symbols and reports."""
        words: list[str] = [self.dtype]
        words += [name for name in ("rescale", "l2", "amsgrad") if getattr(self, name)]
        words += [f"clip {self.clip}"] if self.clip else []
        words += [f"decay {self.decay}"] if self.decay else []
        words += [] if self.divide else ["undivided"]
        return "_".join(words).replace(" ", "_")
