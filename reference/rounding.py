"""Units of rounding: what the bound needs to know about an implementation's arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from reference.model import FORMATS
from reference.model import C as C

_REFERENCE_UNIT = 2.0 ** -FORMATS["float64"][0]


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """The rounding model of one implementation, for `reference.bound`.

    A unit is the unit roundoff of the stated format plus that of float64, because the reference that
    an implementation is compared with rounds as well.
    """

    compute: str
    """Format of the element formula."""
    powers: str
    """Format of beta^t and of what is formed from it."""
    step_size: str
    """Format that the step size is rounded to before the element formula."""
    storage: str | None = None
    """Format of parameters, gradients and state; None for that of `compute`."""
    power_form: Literal["pow", "product", "rounded"] = "pow"
    """A power function; a running product; a power function of a beta that is rounded to `powers` for it alone."""
    schedule: str = "float64"
    """Format that schedules are formed in."""
    momentum_product: str = "float64"
    """Format that the product of NAdam's momentum schedule is carried in."""
    first_moment: Literal["sum", "lerp"] = "sum"
    second_moment: Literal["sum", "lerp"] = "sum"

    def __post_init__(self) -> None:
        if self.storage is None:
            object.__setattr__(self, "storage", self.compute)
        for name in ("compute", "powers", "step_size", "storage", "schedule", "momentum_product"):
            if getattr(self, name) not in FORMATS:
                raise ValueError(f"{name} is {getattr(self, name)!r}; accepted: {', '.join(FORMATS)}")

    @cached_property
    def u(self) -> float:
        """Unit of the element formula, or of what its results are stored in if that is coarser."""
        return max(unit(name) for name in self._elements)

    @property
    def _elements(self) -> tuple[str, str]:
        return self.compute, self.storage or self.compute

    @cached_property
    def u_powers(self) -> float:
        """Unit of beta^t and the bias correction."""
        return unit(self.powers)

    @cached_property
    def u_schedule(self) -> float:
        """Unit of a schedule."""
        return unit(self.schedule)

    @cached_property
    def u_product(self) -> float:
        """Unit of the product of NAdam's momentum schedule."""
        return unit(self.momentum_product)

    @cached_property
    def u_step(self) -> float:
        """Unit of the step size: the coarser of its own format and the element formula's."""
        return max(unit(self.step_size), self.u)

    @cached_property
    def tiny(self) -> float:
        """Smallest normal number: the largest that flushing a subnormal to zero can lose."""
        return max(float(2.0 ** FORMATS[name][1]) for name in self._elements)

    @cached_property
    def largest(self) -> float:
        """Largest finite number."""
        return min(_largest(name) for name in self._elements)


def _largest(name: str) -> float:
    digits, _, exponent = FORMATS[name]
    return float((2.0 - 2.0 ** (1 - digits)) * 2.0**exponent)


def unit(name: str) -> float:
    """Unit roundoff of format `name` plus that of the float64 reference."""
    return float(2.0 ** -FORMATS[name][0] + _REFERENCE_UNIT)
