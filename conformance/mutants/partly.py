"""The result so far, in a file: a run that is interrupted loses nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.findings import to_json
from conformance.mutants.tokens import report
from conformance.mutants.tokens.gate import Outcome
from conformance.mutants.tokens.mutant import Verdict

SECONDS_BETWEEN = 15.0


class Partly:
    """Verdicts of every target, as they are found; written now and then, and at the end."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._verdicts: dict[str, list[Verdict]] = {}
        self._known: dict[str, set[int]] = {}
        self._target = ""
        self._wrote = time.monotonic()

    def begin(self, target: str, verdicts: Sequence[Verdict]) -> None:
        """`verdicts`: with nothing found yet."""
        self._target = target
        self._verdicts[target], self._known[target] = list(verdicts), set()

    def found(self, number: int, outcome: Outcome) -> None:
        """What is known of the mutant of that number of the target that was begun last."""
        group = self._verdicts[self._target]
        group[number] = replace(group[number], outcome=outcome)
        self._known[self._target].add(number)
        if time.monotonic() - self._wrote > SECONDS_BETWEEN:
            self.write()

    def verdicts(self, target: str) -> list[Verdict]:
        """Of all its mutants."""
        return self._verdicts[target]

    def write(self, **result: Any) -> None:
        """The verdicts of those that are known; result: of the run as a whole, when it has come to its end."""
        self._wrote = time.monotonic()
        if self._file is None:
            return
        changes = [
            record
            for target, group in self._verdicts.items()
            for number, record in enumerate(report.records(target, group))
            if number in self._known[target]
        ]
        content = {"complete": bool(result), **result, "changes": changes}
        beside = self._file.with_name(f"{self._file.name}.part")
        beside.write_text(json.dumps(to_json(content), indent=1, allow_nan=False) + "\n")
        beside.replace(self._file)
