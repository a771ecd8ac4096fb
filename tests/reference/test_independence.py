"""The oracle stands on NumPy and the standard library alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import reference

ROOM = Path(reference.__file__).parent
MODULES = sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")

# Refuses every import but NumPy's, the standard library's and the oracle's own.
HOOK = """
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in sys.stdlib_module_names and root not in ("numpy", "reference"):
            raise ImportError(f"{name} is refused")

sys.meta_path.insert(0, Refuse())
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({module.partition(".")[0] for module in set(sys.modules) - before}))
"""


def import_under_hook(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HOOK, *names],
        env=os.environ | {"PYTHONPATH": str(ROOM.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_oracle_loads_numpy_and_the_standard_library_and_nothing_else() -> None:
    modules = [f"reference.{name}" for name in MODULES if name != "fifty_digits"]
    done = import_under_hook("reference", *modules)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert loaded - set(sys.stdlib_module_names) == {"numpy", "reference"}


def test_the_modules_are_those_of_the_folder() -> None:
    """So that no module escapes the test above."""
    assert {"stages", "step", "bound", "dialects", "fifty_digits"} <= set(MODULES)


@pytest.mark.parametrize("name", ["adapters", "conformance", "golden", "fused_adam", "mpmath", "hypothesis", "torch"])
def test_the_hook_refuses(name: str) -> None:
    done = import_under_hook(name)
    assert done.returncode == 1
    assert f"{name} is refused" in done.stderr


def test_fifty_digits_alone_needs_mpmath() -> None:
    done = import_under_hook("reference.fifty_digits")
    assert done.returncode == 1
    assert "mpmath is refused" in done.stderr
