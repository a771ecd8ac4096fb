"""A run over one implementation in this process: starting two interpreters costs as much as a smoke run."""

from __future__ import annotations

import io
import json

from conformance.child import Child
from conformance.problems import PROFILES
from conformance.process import ChildEnd
from conformance.verdict import Result, judge

SMOKE = PROFILES["smoke"].problems


def judged(adapter: str, problems: int = SMOKE) -> Result:
    """What a run says of it, with nothing declared and no diagnosis."""
    out = io.StringIO()
    order = {"adapter": adapter, "problems": problems, "seed": 0, "checks": [], "only": None}
    Child(order | {"environments": [], "counterparts": [], "diagnose": False}, out).run()
    events = tuple(json.loads(line) for line in out.getvalue().splitlines())
    return judge(adapter, ChildEnd(events=events, failure=None, output="", seconds=0.0))


def failing(result: Result) -> set[str]:
    """Names of the checks that fail."""
    return {check["check"] for check in result.checks if check["failing"]}
