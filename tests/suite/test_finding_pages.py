"""docs/findings is whole: every page has what a report needs and is run, and every declared deviation has a page."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from suite_cli import ROOT

from adapters.registry import ENVIRONMENTS
from conformance import deviations

sys.path.append(str(ROOT / "tests" / "findings"))
from pages import FOLDER, PAGES, SECTIONS, read


def test_every_page_is_run_by_its_environment() -> None:
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert len(PAGES) >= 10
    for environment in {page.environment for page in PAGES}:
        assert environment in ENVIRONMENTS
        assert re.search(rf"^    (.*, )?{environment}(, .*)?: {{\[gate\]tests}}", tox, re.MULTILINE), environment
    assert re.search(r"^tests = python -m pytest .*--environment {env_name} tests/findings ", tox, re.MULTILINE)


def test_every_page_has_code_and_output() -> None:
    for page in PAGES:
        assert "print(" in page.code
        assert page.obtained.strip()


def test_every_page_is_listed() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([a-z0-9-]+\.md)\)", index)) == {page.path.name for page in PAGES}


def without_page(entries: Sequence[deviations.Deviation]) -> list[str]:
    """Ids of the deviations whose link is no page, or one that does not name them and their package."""
    pages = {page.path: page for page in PAGES}
    return [
        entry.id
        for entry in entries
        for page in [pages.get(ROOT / entry.link)]
        if page is None
        or f"`{entry.id}`" not in page.sections["Here"]
        or entry.distribution not in re.split(r"[\s,]+", page.facts["Package"])
    ]


def test_every_declared_deviation_of_a_released_package_has_a_page_that_names_it() -> None:
    entries = deviations.read(deviations.DEFAULT_FILE)
    assert len(entries) >= 12
    assert without_page(entries) == []


@pytest.mark.parametrize(
    "change",
    [
        {"link": "https://example.org/adam.py"},
        {"link": "docs/findings/README.md"},
        {"id": "another-one"},
        {"distribution": "numpy"},
    ],
    ids=str,
)
def test_a_deviation_without_a_page_of_its_own_is_seen(change: dict[str, str]) -> None:
    entry = replace(deviations.read(deviations.DEFAULT_FILE)[0], **change)
    assert without_page([entry]) == [entry.id]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_page_that_lacks_a_section_is_refused(tmp_path: Path, section: str) -> None:
    page = PAGES[0]
    wrong = tmp_path / "page.md"
    wrong.write_text(page.path.read_text(encoding="utf-8").replace(f"## {section}\n", ""), encoding="utf-8")
    with pytest.raises(ValueError, match=f"page.md lacks {section}"):
        read(wrong)
