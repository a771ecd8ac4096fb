"""``optimizer.state`` that notices when somebody writes to it: an engine works with addresses and would not see it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch


class Watch:
    """Shared by the state of one optimizer."""

    written = False
    """Whether something has been written, taken away or replaced since the optimizer last looked."""


def _noticed(kind: type, name: str) -> Callable[..., Any]:
    method = getattr(kind, name)

    def write(self: Any, *given: Any, **named: Any) -> Any:
        self.watch.written = True
        return method(self, *given, **named)

    return write


class Slots(dict[str, Any]):
    """State of one parameter: its moments under torch's names, and whatever else a user keeps there."""

    def __init__(self, items: Mapping[str, Any], watch: Watch, t: int = 0) -> None:
        super().__init__(items)
        self.watch = watch
        self.t = t
        """Step count, while no engine has it. A "step" that somebody has written counts instead."""

    def put(self, name: str, value: Any) -> None:
        """Write without being noticed."""
        super().__setitem__(name, value)

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
        locals()[_name] = _noticed(dict, _name)
    del _name


class State(defaultdict[Any, Any]):
    """`Slots` by parameter; other keys are the user's own."""

    def __init__(self, items: Mapping[Any, Any], watch: Watch) -> None:
        super().__init__(dict)
        self.watch = watch
        for key, value in items.items():
            super().__setitem__(key, self._watched(key, value))

    def _watched(self, key: Any, value: Any) -> Any:
        if isinstance(value, Slots):
            value.watch = self.watch
        elif isinstance(key, torch.Tensor) and isinstance(value, Mapping):
            return Slots(value, self.watch)
        return value

    def __missing__(self, key: Any) -> Any:
        slots: Any = Slots({}, self.watch) if isinstance(key, torch.Tensor) else {}
        super().__setitem__(key, slots)
        return slots

    def __setitem__(self, key: Any, value: Any) -> None:
        self.watch.written = True
        super().__setitem__(key, self._watched(key, value))

    def setdefault(self, key: Any, value: Any = None) -> Any:
        """As in a dict."""
        if key not in self:
            self[key] = value
        return self[key]

    def update(self, *given: Any, **named: Any) -> None:
        """As in a dict."""
        for key, value in dict(*given, **named).items():
            self[key] = value

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return defaultdict, (dict,), None, None, iter(self.items())

    for _name in ("__delitem__", "clear", "pop", "popitem"):
        locals()[_name] = _noticed(defaultdict, _name)
    del _name
