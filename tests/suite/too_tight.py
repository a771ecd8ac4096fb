"""A correct Adam that declares a finer arithmetic than its own: its bound is too tight. Used as FILE.py:NAME."""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import Arithmetic, Precision
from conformance.mutants.arithmetics import PowersInFloat32
from conformance.mutants.twins import TorchTwin


class PowersInDouble(PowersInFloat32):
    """beta^t in float32, declared as double."""

    name = "too-tight-powers"

    def arithmetic(self, dtype: Precision) -> Arithmetic:
        return replace(TorchTwin.arithmetic(self, dtype), power_betas="float32")
