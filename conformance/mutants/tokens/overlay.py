"""A package with one module replaced: an importer in front of the others that knows the changed file alone."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


def source_of(module: str) -> Path:
    """The file of `module`, which is not imported; its package is.

    Raises ModuleNotFoundError where there is none.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return Path(spec.origin)


@dataclass
class _Replaced(MetaPathFinder):
    """Finds one module, in a file; also where its package imports it by itself."""

    module: str
    file: Path

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(fullname, self.file) if fullname == self.module else None


def lay(module: str, source: str, folder: Path) -> None:
    """From now on this process imports `module` from `source`, and every module of its package anew.

    What was imported before lives on in whoever holds it. There is no way back: meant for a forked child.
    """
    package, _, name = module.rpartition(".")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    if not file.exists():  # a cache of compiled code may go by its time
        file.write_text(source)
    for known in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[known]
    sys.meta_path.insert(0, _Replaced(module, file))
