"""`--environment NAME`: the tox environment whose packages are installed here."""

from __future__ import annotations

from contextlib import suppress

import pytest

from adapters.registry import ENVIRONMENTS


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # tests/findings has it too, and one call may run both
        parser.addoption("--environment", choices=ENVIRONMENTS, help="the tox environment that runs here")


@pytest.fixture
def environment(request: pytest.FixtureRequest) -> str:
    name = request.config.getoption("--environment")
    if name is None:
        raise pytest.UsageError("--environment is missing; accepted: the tox environment that runs here")
    return str(name)
