"""`--environment NAME`: the tox environment whose packages are installed here."""

from __future__ import annotations

from contextlib import suppress

import pytest
from pages import PAGES

from adapters.registry import ENVIRONMENTS


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # tests/documents has it too, and one call may run both
        parser.addoption("--environment", choices=ENVIRONMENTS, help="the tox environment that runs here")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        environment = metafunc.config.getoption("--environment")
        if environment is None:
            raise pytest.UsageError("--environment is missing; accepted: the tox environment that runs here")
        chosen = [page for page in PAGES if page.environment == environment]
        metafunc.parametrize("page", chosen, ids=lambda page: page.path.stem)
