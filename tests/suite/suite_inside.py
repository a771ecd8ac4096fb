"""A run over one implementation in this process: starting two interpreters costs as much as a smoke run."""

from __future__ import annotations

import io
import json
import re
from functools import cache

from suite_cli import ROOT

from conformance import checks
from conformance.child import Child
from conformance.problems import PROFILES
from conformance.process import ChildEnd
from conformance.subjects import SETS
from conformance.verdict import Result, judge

SMOKE = PROFILES["smoke"].problems


def judged(adapter: str, problems: int = SMOKE) -> Result:
    """What a run says of it, with nothing declared and no diagnosis."""
    out = io.StringIO()
    order = {"adapter": adapter, "problems": problems, "seed": 0, "checks": [], "only": None}
    Child(order | {"environments": [], "counterparts": [], "diagnose": False}, out).run()
    events = tuple(json.loads(line) for line in out.getvalue().splitlines())
    return judge(adapter, ChildEnd(events=events, failure=None, output="", seconds=0.0))


def first_failing(result: Result) -> str | None:
    """The check that rejects it first, where every check is asked about one problem before the next one is taken."""
    of_sets = [check for name in SETS for check in checks.CHECKS if check.problems == name]
    order = {check.name: (1 + SETS.index(check.problems), n) for n, check in enumerate(of_sets)}
    found = []
    for check in result.checks:
        if check["failing"]:
            number = min((f.get("problem") or 0 for f in check["outcome"]["findings"]), default=0)
            which, n = order.get(check["check"], (0 if check["check"] == "identity" else 1 + len(SETS), 0))
            found.append((which, number, n, check["check"]))
    return min(found)[-1] if found else None


def failing(result: Result) -> set[str]:
    """Names of the checks that fail."""
    return {check["check"] for check in result.checks if check["failing"]}


@cache
def published_page() -> tuple[str, dict[str, str]]:
    """docs/published-checks.md, and by which check it says that each mutant is rejected."""
    page = (ROOT / "docs" / "published-checks.md").read_text(encoding="utf-8")
    return page, dict(re.findall(r"^\| (\w+) \|.*\| ([\w-]+) \|$", page, re.MULTILINE))
