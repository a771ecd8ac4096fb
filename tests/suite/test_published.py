"""What the frameworks' own checks let pass is rejected here, and the page that says so is the command's.

By which check each is rejected, test_mutants.py knows, which judges every mutant anyhow.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from suite_inside import published_page

from conformance.mutants import published
from conformance.mutants.twin import Twin
from conformance.mutants.twins import Mxnet2LazyTwin, RectifiedTwin, TorchTwin


def test_what_published_checks_let_pass_is_rejected_here_and_the_page_says_so() -> None:
    """One test, because half a minute goes into the table."""
    page, by = published_page()
    found = published.rows(by=lambda mutant: by.get(type(mutant).__name__))
    assert [mutant.name for row in found for mutant, by in row.lets_pass.items() if by is None] == []
    assert sum(len(row.lets_pass) for row in found) >= 60
    # All but the one that compared a thing with itself reject something.
    assert {row.check.name for row in found if not row.rejects} == {published.CHECKS[-1].name}
    assert page == published.markdown(found), "python -m conformance.mutants.published --markdown"


@pytest.mark.parametrize("twin", [TorchTwin, Mxnet2LazyTwin])
def test_nothing_of_the_suite_rejects_what_is_right(twin: type[Twin]) -> None:
    """All of them, on more problems: test_mutants.py."""
    assert published.rejected_by(twin()) is None


def test_a_mutant_that_nothing_rejects_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "MUTANTS", (TorchTwin,))
    monkeypatch.setattr(published.rows, "__defaults__", (published.CHECKS[-1:], published.rejected_by))
    assert published.main(["--json"]) == 1


def test_a_check_that_is_restated_wrongly_is_refused() -> None:
    wrong = replace(published.CHECKS[1], accepts=lambda _: False)
    with pytest.raises(ValueError, match=f"rejects {RectifiedTwin.name}"):
        published.rows([wrong])
