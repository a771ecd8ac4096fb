"""The checks under pytest: ``python -m pytest conformance --adapter NAME [-k CHECK] [-x --pdb] [-n 2]``."""

from __future__ import annotations

import pytest

from adapters.contract import Implementation
from conformance import checks, direct, problems
from conformance.load import CannotTest, load
from conformance.subjects import DIRECT, Subject, beside, subjects


def pytest_addoption(parser: pytest.Parser) -> None:
    """The same options as the command line's."""
    group = parser.getgroup("conformance")
    group.addoption("--adapter", action="append", default=[], help="adapter's name or FILE.py:NAME; may be repeated")
    group.addoption("--profile", choices=tuple(problems.PROFILES), default="quick", help="how many problems")
    group.addoption("--seed", type=int, default=0, help="seed of the problems")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per adapter and check."""
    names = metafunc.config.getoption("--adapter")
    if "adapter" in metafunc.fixturenames:
        if not names:
            raise pytest.UsageError("--adapter is missing; accepted: a name out of `python -m conformance adapters`")
        metafunc.parametrize("adapter", names, scope="session")
    if "check" in metafunc.fixturenames:
        metafunc.parametrize("check", checks.CHECKS, ids=lambda check: check.name)


@pytest.fixture(scope="session")
def implementation(adapter: str) -> Implementation:
    """The implementation, in this very process."""
    try:
        return load(adapter)
    except CannotTest as reason:
        raise pytest.UsageError(str(reason)) from None


_drawn: dict[tuple[str, str], list[Subject]] = {}


def _problems(
    request: pytest.FixtureRequest, adapter: str, implementation: Implementation, set_name: str
) -> list[Subject]:
    key = (adapter, set_name)
    if key not in _drawn:
        number = problems.PROFILES[request.config.getoption("--profile")].problems
        seed = request.config.getoption("--seed")
        if set_name == DIRECT:
            others, _ = direct.counterparts(adapter)
            _drawn[key] = [s for other in others.values() for s in beside(implementation, other, number, seed)]
        else:
            _drawn[key] = subjects(implementation, set_name, number, seed)
    return _drawn[key]


@pytest.fixture
def drawn(
    request: pytest.FixtureRequest, adapter: str, implementation: Implementation, check: checks.Check
) -> list[Subject]:
    """The check's problems."""
    return _problems(request, adapter, implementation, check.problems)


@pytest.fixture
def general(request: pytest.FixtureRequest, adapter: str, implementation: Implementation) -> list[Subject]:
    """The general problems."""
    return _problems(request, adapter, implementation, "general")
