"""How the suite's own tests use its command line, as a person would: as a process."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TWIN = "conformance/mutants/twins.py:KerasV2Twin"
"""A correct implementation: whatever else happens in a run, it must conform."""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @cached_property
    def text(self) -> str:
        """Both streams, one space for every run of white space, so that no terminal width matters."""
        return " ".join(f"{self.out} {self.err}".split())

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The report of `run --json`."""
        return [json.loads(line) for line in self.out.splitlines()]

    def implementation(self, adapter: str) -> dict[str, Any]:
        """Its record with verdict and reason."""
        (found,) = (r for r in self.records if r["record"] == "implementation" and r["implementation"] == adapter)
        return found

    def failing(self, adapter: str) -> set[str]:
        """Names of its checks that fail."""
        return {
            r["check"]
            for r in self.records
            if r["record"] == "check" and r["implementation"] == adapter and r["failing"]
        }


def named(implementation: type) -> str:
    """FILE.py:NAME."""
    return f"{Path(inspect.getfile(implementation)).relative_to(ROOT)}:{implementation.__name__}"


def conformance(
    *arguments: object, cwd: Path = ROOT, variables: Mapping[str, str] | None = None, timeout: float = 120
) -> Ended:
    """Run ``python -m conformance`` to its end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
    command = [sys.executable, "-m", "conformance", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=timeout, check=False)
    return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def run(
    *adapters: str, options: tuple[object, ...] = ("--profile", "smoke"), diagnosis: bool = False, **how: Any
) -> Ended:
    """``run --json`` of `adapters`; diagnosis: of what fails, which takes as long as the checks do."""
    words = [word for name in adapters for word in ("--adapter", name)]
    words += [] if diagnosis else ["--no-diagnosis"]
    return conformance("run", "--json", *words, *options, **how)
