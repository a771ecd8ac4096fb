"""The classes of the environment that `--environment` names."""

from __future__ import annotations

import pytest

from adapters.signatures import TABLE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "signature" in metafunc.fixturenames:
        environment = metafunc.config.getoption("--environment")
        if environment is None:
            raise pytest.UsageError("--environment is missing; accepted: the tox environment that runs here")
        chosen = [s for s in TABLE if s.environment == environment]
        metafunc.parametrize("signature", chosen, ids=lambda s: s.path)
