"""An optimizer class that is not ours, as the command line gives it: ``--torch-optimizer package.module:Class``."""

from __future__ import annotations

import importlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from adapters.registry import KINDS


@dataclass(frozen=True, kw_only=True)
class Given:
    """A class, and how it is to be constructed and judged."""

    option: str
    """Which kind of class it is: an option out of `adapters.registry.KINDS`."""
    path: str
    """``package.module:Class``."""
    dialect: str | None = None
    """None: the kind's own."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    decay: str | None = None
    arithmetic: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in tables and in deviations: the class, and the arguments that choose its code path."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.path}({arguments})" if arguments else self.path

    def words(self) -> str:
        """The options that give it again, for a shell."""
        words = [f"--{self.option}", self.path]
        words += ["--dialect", self.dialect] if self.dialect else []
        words += ["--kwargs", json.dumps(self.kwargs)] if self.kwargs else []
        words += ["--decay", self.decay] if self.decay else []
        words += ["--arithmetic", json.dumps(self.arithmetic)] if self.arithmetic else []
        return shlex.join(words)

    def order(self) -> dict[str, Any]:
        """As JSON, for the child."""
        return asdict(self)

    def adapter(self) -> Any:
        """The adapter, which says what it was made with.

        Raises ImportError without the framework, ContractError for what cannot be tested.
        """
        kind = KINDS[self.option]
        make = getattr(importlib.import_module(kind.module), kind.cls)
        about = {"dialect": self.dialect, "kwargs": self.kwargs, "decay": self.decay, "arithmetic": self.arithmetic}
        made = make(self.path, **about)
        made.constructed_with = ", ".join([repr(self.path), *(f"{name}={value!r}" for name, value in about.items())])
        return made
