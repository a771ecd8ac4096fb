"""A run over an optimizer class that is given, in this process: importing a framework costs more than the run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.child import Child
from conformance.given import Given
from conformance.process import ChildEnd
from conformance.verdict import Result, judge

ROOT = Path(__file__).resolve().parents[2]


def judged(
    option: str, path: str, problems: int = 40, only: Sequence[str] = (), diagnose: bool = True, **about: Any
) -> Result:
    """What a run says of a class; only: names of checks."""
    given = Given(option=option, path=path, **about)
    order = {"adapter": given.name, "problems": problems, "seed": 0, "checks": list(only), "only": None}
    out = io.StringIO()
    Child(order | {"environments": [], "counterparts": [], "given": given.order(), "diagnose": diagnose}, out).run()
    events = tuple(json.loads(line) for line in out.getvalue().splitlines())
    return judge(given.name, ChildEnd(events=events, failure=None, output="", seconds=0.0))


def command(*words: object, cwd: Path = Path(__file__).parent) -> subprocess.CompletedProcess[str]:
    """``python -m conformance run --json``, in the folder of these tests, whose modules can be imported there."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", "run", "--json", *map(str, words)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
