"""Whether the files that show a failure show it by themselves: each is run once, in a process of its own.

What an optimizer keeps in its class or its module lives as long as the process: a failure may need what ran before.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from conformance.ndjson import write
from conformance.process import run_alone
from conformance.run import reproducers
from conformance.verdict import Result

SECONDS = 60.0
"""Of wall clock for the files of one implementation; of one that no time is left for, nothing is said."""


def try_files(result: Result) -> None:
    """The diagnosis says which of its files do not show the failure."""
    if result.diagnosis is None:
        return
    end = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory() as folder:
        for path, text in reproducers(result, Path(folder)).items():
            write(path, text)
            result.diagnosis.setdefault("notes", []).extend(_said(path, max(end - time.monotonic(), 0)))


def _said(path: Path, seconds: float) -> Iterator[str]:
    """Nothing of one that shows it, or that is not done in time."""
    status, output = run_alone([str(path)], time_limit=seconds)
    if status == 0:
        why = "it depends on what ran before in the process, or is random"
        yield f"{path.name} by itself, in a process of its own, does not show the failure: {why}"
    elif status is not None and not (status == 1 and "obtained " in output):
        last = (output.strip().splitlines() or ["nothing was printed"])[-1]
        yield f"{path.name} by itself does not come so far (exit code {status}): {last}"
