"""The same digits on every machine: what regenerate makes does not depend on what the CPU can do.

Under the oldest NumPy it is the tox environment golden-oldest that shows it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pytest
from golden_copies import ROOT

from golden import CASES

SCRIPT = """
import hashlib, json, sys
import numpy as np
from test_golden_everywhere import core
from golden.__main__ import main
codes = [main(["diff", "--json", "--only", only]) for only in sys.argv[1:]]
x = np.linspace(0.1, 20, 4001)
exp = hashlib.sha256(np.exp(x).tobytes() + np.log(x).tobytes() + np.sin(x).tobytes()).hexdigest()
print(json.dumps({"codes": codes, "exp": exp, "on": [name for name, on in core().__cpu_features__.items() if on]}))
"""


def core() -> Any:
    """NumPy's own account of the CPU; NumPy 2 has it elsewhere than 1."""
    name = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    return importlib.import_module(f"{name}._multiarray_umath")


def dispatched(*, beyond: tuple[str, ...] = ("",)) -> list[str]:
    """What NumPy chooses at run time and this CPU has. The name of what the CPU lacks would make NumPy complain."""
    features = core().__cpu_features__
    return [name for name in core().__cpu_dispatch__ if features.get(name) and name.startswith(beyond)]


def recomputed(disabled: list[str], *only: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Of a fresh process: what diff found by each pattern, and what NumPy gave and used."""
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(disabled), "PYTHONWARNINGS": "error"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "golden")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *only], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    *found, told = map(json.loads, done.stdout.splitlines())
    return found, told


def left_out(*only: str) -> set[str]:
    """The topics that none of the patterns matches."""
    names = {f"{path.parent.name}/{path.stem}" for path in CASES.glob("*/*.json")}
    return {name.partition("/")[2] for name in names if not any(fnmatchcase(name, pattern) for pattern in only)}


@pytest.mark.parametrize("without", ["AVX-512", "what is not in every x86-64"])
def test_the_digits_do_not_depend_on_the_cpu(without: str) -> None:
    """All but the long runs."""
    disabled = dispatched(beyond=("AVX512", "X86_V4")) if without == "AVX-512" else dispatched()
    only = ("*/[!nt]*", "*/ten-d*")
    long = {"narrow-counts", "narrow-counts-saved", "thousand-steps", "ten-thousand-steps"}
    assert left_out(*only) == long
    found, told = recomputed(disabled, *only)
    assert [(one["changes"], one["unreadable"], one["exit_code"]) for one in found] == [([], [], 0)] * 2
    assert sum(one["files"] for one in found) == sum(path.stem not in long for path in CASES.glob("*/*.json"))
    assert told["codes"] == [0, 0]
    assert set(told["on"]).isdisjoint(disabled)
    assert not any(name.startswith("AVX512") for name in told["on"] if name in core().__cpu_dispatch__)


def test_the_oldest_numpy_is_asked_for_all_but_thousands_of_steps() -> None:
    section = (
        (ROOT / "tox.ini").read_text(encoding="utf-8").partition("[testenv:golden-oldest]")[2].partition("\n\n")[0]
    )
    only = re.findall(r"golden diff --only (\S+)$", section, re.MULTILINE)
    assert left_out(*only) == {"thousand-steps", "ten-thousand-steps"}


def test_numpys_own_functions_do() -> None:
    """Else nothing has been shown: on a CPU that has AVX-512, exp, log or sin give other digits with it."""
    with_avx512 = dispatched(beyond=("AVX512", "X86_V4"))
    if with_avx512:
        told = [recomputed(disabled, "torch-adam/spike")[1] for disabled in ([], with_avx512)]
        assert told[0]["exp"] != told[1]["exp"]
