"""Where a run comes from: commit, hash of the harness's sources, versions, platform."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_ROOMS = ("reference", "adapters", "conformance", "golden", "src")
_PINS = ("pyproject.toml", "tox.ini")
_SHOWN = (
    "numpy",
    "hypothesis",
    "tensorflow-cpu",
    "keras",
    "tf-keras",
    "tensorflow",
    "tensorflow-addons",
    "mxnet",
    "torch",
    "jax",
    "optax",
    "triton",
    "adam-conformance",
)
_VARIABLES = (
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "XLA_FLAGS",
    "MXNET_ENGINE_TYPE",
    "PYTHONHASHSEED",
    "TRITON_INTERPRET",
)


def tree_hash() -> str:
    """SHA-256 of every file that can change a verdict, the pins among them, by path and content."""
    digest = hashlib.sha256()
    sources = [path for room in _ROOMS for path in sorted((ROOT / room).rglob("*"))]
    for path in [ROOT / name for name in _PINS] + sources:
        if path.is_file() and path.suffix in (".py", ".toml", ".json", ".ini"):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def commit() -> str | None:
    """The checkout's commit, None outside a git checkout."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of what is installed here and matters."""
    found = {"python": platform.python_version()}
    for name in _SHOWN:
        version = version_of(name)
        if version is not None:
            found[name] = version
    return found


def version_of(distribution: str) -> str | None:
    """Installed version, None if it is not."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, str]:
    """Platform, and the environment variables that can change what a framework computes."""
    return {"platform": platform.platform(), "machine": platform.machine(), **variables()}


def variables() -> dict[str, str]:
    """Those environment variables, where they are set."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}
