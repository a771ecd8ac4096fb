"""`--environment NAME`: the tox environment whose packages are installed here, for tests of what is installed."""

from __future__ import annotations

import pytest

from adapters.registry import ENVIRONMENTS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--environment", choices=ENVIRONMENTS, help="the tox environment that runs here")
