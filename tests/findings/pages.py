"""docs/findings, read: a page is a report for the people who maintain a package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "findings"
SECTIONS = ("Code", "Expected", "Obtained", "Why", "Here")
FACTS = ("Package", "Versions", "Where", "Runs in")


@dataclass(frozen=True)
class Page:
    """One finding."""

    path: Path
    facts: dict[str, str]
    """What stands in its list, by `FACTS`."""
    sections: dict[str, str]

    @property
    def environment(self) -> str:
        """The tox environment that has the package."""
        return self.facts["Runs in"].removeprefix("`tox run -e ").removesuffix("`")

    @property
    def code(self) -> str:
        """The reproducer."""
        return self._block("Code", "python")

    @property
    def obtained(self) -> str:
        """What it prints."""
        return self._block("Obtained", "text")

    def _block(self, section: str, language: str) -> str:
        (found,) = re.findall(rf"```{language}\n(.*?)```", self.sections[section], re.DOTALL)
        return str(found)


def read(path: Path) -> Page:
    """A page; ValueError for one that lacks a section or a fact."""
    text = path.read_text(encoding="utf-8")
    head, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    facts = dict(re.findall(r"^- ([^:]+): (.+)$", head, re.MULTILINE))
    lacking = [name for name in (*SECTIONS, *FACTS) if not {**sections, **facts}.get(name, "").strip()]
    if lacking:
        raise ValueError(f"{path.name} lacks {', '.join(lacking)}")
    return Page(path, facts, sections)


PAGES = tuple(read(path) for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md")
