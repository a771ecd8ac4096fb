"""The machine and its threads: one number of threads for every arm, and what a report says about where it ran.

`set_threads` must run before NumPy or a framework is imported, so this module imports neither.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, MutableMapping
from importlib import metadata
from pathlib import Path

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "MXNET_OMP_MAX_THREADS",
    "NPROC",  # the pool of XLA, and so of jax
)
_SHOWN_VARIABLES = (
    *THREAD_VARIABLES,
    "OMP_WAIT_POLICY",
    "OMP_PROC_BIND",
    "GOMP_SPINCOUNT",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "NUMBA_THREADING_LAYER",
    "NUMBA_CPU_NAME",
    "TF_ENABLE_ONEDNN_OPTS",
    "XLA_FLAGS",
    "JAX_PLATFORMS",
    "MXNET_ENGINE_TYPE",
    "THP_MEM_ALLOC_ENABLE",
    "CUDA_VISIBLE_DEVICES",
)
_DISTRIBUTIONS = (
    "numpy",
    "numba",
    "llvmlite",
    "torch",
    "triton",
    "jax",
    "jaxlib",
    "optax",
    "tensorflow-cpu",
    "keras",
    "tensorflow-addons",
    "mxnet",
)


def available_cpus() -> list[int]:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def set_threads(threads: int, environ: MutableMapping[str, str] = os.environ) -> None:
    """`threads` threads for every pool, and the process pinned to as many CPUs.

    Raises RuntimeError if NumPy is imported already: its pool and others would keep what they found.
    """
    if "numpy" in sys.modules:
        raise RuntimeError("threads must be set before numpy is imported")
    environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    environ.setdefault("JAX_PLATFORMS", "cpu")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, available_cpus()[:threads])  # pools that read no variable count these


def facts() -> dict[str, object]:
    """Versions, CPU, memory and thread settings, for the header of a report."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpus": available_cpus(),
        "memory_bytes": memory("MemTotal"),
        "last_level_cache_bytes": last_level_cache(),
        "transparent_hugepages": _text("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load": list(os.getloadavg()),
        "versions": versions(),
        "threads": {name: os.environ[name] for name in _SHOWN_VARIABLES if name in os.environ},
    }


def versions() -> dict[str, str]:
    """Installed distributions that a figure depends on."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def memory(field: str, table: str = "/proc/meminfo") -> int:
    """A field of /proc/meminfo or /proc/self/status in bytes; 0 where there is none."""
    return _table(table).get(field, 0)


def last_level_cache() -> int:
    """Bytes of the largest cache of the first CPU; 32 MiB where the system does not say."""
    sizes = [_text(str(path)) for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    return max((int(size[:-1]) * 1024 for size in sizes if size.endswith("K")), default=32 * 2**20)


def _table(path: str) -> Mapping[str, int]:
    lines = (line.partition(":") for line in _text(path).splitlines())
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in lines if rest.strip().endswith("kB")}


def _cpu_name() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
