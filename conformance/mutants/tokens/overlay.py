"""A package with one module replaced: the changed file alone, in front of the package's own folder."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def source_of(module: str) -> Path:
    """The file of `module`, which is not imported; its package is.

    Raises ModuleNotFoundError where there is none.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return Path(spec.origin)


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
    importlib.invalidate_caches()
    importlib.import_module(package).__path__.insert(0, str(folder))
