"""The pages of the environment that `--environment` names."""

from __future__ import annotations

import pytest
from pages import PAGES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        environment = metafunc.config.getoption("--environment")
        if environment is None:
            raise pytest.UsageError("--environment is missing; accepted: the tox environment that runs here")
        chosen = [page for page in PAGES if page.environment == environment]
        metafunc.parametrize("page", chosen, ids=lambda page: page.path.stem)
