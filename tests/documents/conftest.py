"""`--environment NAME`: the tox environment whose packages are installed here."""

from __future__ import annotations

from contextlib import suppress

import pytest

from adapters.registry import ENVIRONMENTS
from adapters.schedule_signatures import SCHEDULE_CLASSES
from adapters.signatures import TABLE


def pytest_addoption(parser: pytest.Parser) -> None:
    with suppress(ValueError):  # tests/findings has it too, and one call may run both
        parser.addoption("--environment", choices=ENVIRONMENTS, help="the tox environment that runs here")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "signature" in metafunc.fixturenames:
        environment = metafunc.config.getoption("--environment")
        if environment is None:
            raise pytest.UsageError("--environment is missing; accepted: the tox environment that runs here")
        chosen = [s for s in TABLE if s.environment == environment]
        metafunc.parametrize("signature", chosen, ids=lambda s: s.path)
    if "schedule_class" in metafunc.fixturenames:
        environment = metafunc.config.getoption("--environment")
        classes = [c for c in SCHEDULE_CLASSES if c.environment == environment]
        metafunc.parametrize("schedule_class", classes, ids=lambda c: c.path)
