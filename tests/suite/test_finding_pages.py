"""docs/findings is whole: every page has what a report needs and is run, and every declared deviation has a page."""

from __future__ import annotations

import re
import sys
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
        assert f"{environment}: python -m pytest tests/findings --environment {environment}" in tox


def test_every_page_has_code_and_output() -> None:
    for page in PAGES:
        assert "print(" in page.code
        assert page.obtained.strip()


def test_every_page_is_listed() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([a-z0-9-]+\.md)\)", index)) == {page.path.name for page in PAGES}


def test_a_declared_deviation_that_links_to_a_page_is_named_there() -> None:
    linked = [e for e in deviations.read(deviations.DEFAULT_FILE) if e.link.startswith("docs/")]
    assert len(linked) >= 4
    for entry in linked:
        assert (ROOT / entry.link).parent == FOLDER
        page = read(ROOT / entry.link)
        assert entry.id in page.sections["Here"]
        assert entry.distribution in page.facts["Package"]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_page_that_lacks_a_section_is_refused(tmp_path: Path, section: str) -> None:
    page = PAGES[0]
    wrong = tmp_path / "page.md"
    wrong.write_text(page.path.read_text(encoding="utf-8").replace(f"## {section}\n", ""), encoding="utf-8")
    with pytest.raises(ValueError, match=f"page.md lacks {section}"):
        read(wrong)
