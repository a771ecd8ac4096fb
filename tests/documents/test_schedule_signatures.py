"""Every class of `adapters.schedule_signatures`, as it is installed: names and defaults of its arguments."""

from __future__ import annotations

import inspect

from adapters.schedule_signatures import ScheduleClass
from adapters.signatures import installed


def test_a_schedule_takes_what_the_contract_s_takes_with_its_defaults(schedule_class: ScheduleClass) -> None:
    assert schedule_class.differs(installed(schedule_class.path)) == {}


def test_a_schedule_with_another_default_or_name_is_seen(schedule_class: ScheduleClass) -> None:
    """Every argument of the installed class in turn, changed, renamed or gone."""
    real = inspect.signature(installed(schedule_class.path))
    for number, parameter in enumerate(real.parameters.values()):
        if parameter.name == "name":
            continue
        for change in ({"default": "another"}, {"name": f"{parameter.name}_"}, None):
            others = [p for k, p in enumerate(real.parameters.values()) if k != number]
            found = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in others]
            found += [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, **change)] if change else []

            def changed(**kwargs: object) -> None:
                """Has the signature below."""

            changed.__signature__ = real.replace(parameters=found)  # type: ignore[attr-defined]
            assert schedule_class.differs(changed)
