"""One optimizer of a twin: its slots, groups, and procedures."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from adapters.contract import Array, Gradient, Hyperparameters, Schedule, State
from adapters.memory import copied
from adapters.procedures import Functions

if TYPE_CHECKING:
    from conformance.mutants.twin import Slot, Twin


class TwinRun:
    """One optimizer over one list of parameters."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.slots: list[Slot] = []
        self.own: list[Hyperparameters] = []
        """Of every group."""
        self.first: list[Hyperparameters] = []
        """Of every group when it was made."""
        self.groups: list[int] = []
        """Of every parameter."""

    def add_group(self, parameters: Sequence[Array], hyperparameters: Hyperparameters) -> None:
        new = self.twin.slots(parameters, hyperparameters)
        for slot in new:
            self.twin.late(slot, self.slots)
        self.groups += [len(self.own)] * len(new)
        self.slots += new
        self.own.append(hyperparameters)
        self.first.append(hyperparameters)

    def step(self, gradients: Sequence[Gradient]) -> State:
        with np.errstate(all="ignore"):
            self.twin.count(self.slots, gradients)
            held = [self.twin.of_group(h, self.own) for h in self.own]
            for i, (slot, gradient) in enumerate(zip(self.slots, self._clipped(gradients, held), strict=True)):
                h = self.twin.of_parameter(held[self.groups[i]], i)
                self.twin.update(slot, gradient, h)
                self.twin.behind(slot, gradient, h)
        return self._state()

    def _state(self) -> State:
        """With a maximum where any group has one."""
        first, amsgrad = self.own[0], any(h.amsgrad for h in self.own)
        return self.twin.state(self.slots, first if first.amsgrad == amsgrad else replace(first, amsgrad=amsgrad))

    def _clipped(self, gradients: Sequence[Gradient], held: Sequence[Hyperparameters]) -> list[Gradient]:
        """Group by group, each with the hyper-parameters that hold for it."""
        clipped = list(gradients)
        for k, h in enumerate(held):
            mine = [i for i, group in enumerate(self.groups) if group == k]
            for i, g in zip(mine, self.twin.clipped([gradients[i] for i in mine], h), strict=True):
                clipped[i] = g
        return clipped

    def save(self) -> bytes:
        return pickle.dumps({"slots": [self.twin.saved(slot) for slot in self.slots], "own": self.own})

    def load(self, saved: bytes) -> None:
        content = pickle.loads(saved)
        self.twin.load(self.slots, content["slots"])
        self.own = self.twin.loaded_groups(self.own, content["own"])

    def put(self, state: State) -> None:
        for i, slot in enumerate(self.slots):
            held = slot.m.dtype
            slot.theta, slot.m, slot.v = (
                copied(arrays[i]).astype(held, copy=False) for arrays in (state.parameters, state.m, state.v)
            )
            slot.weight = None if slot.weight is None else self.twin.rounded_master(slot)
            slot.v_max = None if state.v_max is None else copied(state.v_max[i])
            slot.slow = None if state.slow is None else copied(state.slow[i])
            slot.average = None if state.average is None else copied(state.average[i])
            slot.t = state.t[i]

    def finalize(self) -> State:
        for slot in self.slots:
            self.twin.finalize(slot)
        return self._state()

    def weights(self) -> tuple[Array, ...]:
        return self.twin.listed(self.slots, self.own[0])

    def configuration(self) -> bytes:
        content = self.twin.configuration(self.own[0], self.first[0])
        return json.dumps(content, default=Schedule.as_json).encode()

    def change(self, hyperparameters: Hyperparameters) -> None:
        self.own = [self.twin.after_change(h, hyperparameters) for h in self.own]

    def change_group(self, group: int, hyperparameters: Hyperparameters) -> None:
        self.own[group] = self.twin.after_group_change(group, self.own[group], hyperparameters)


class CallingRun(TwinRun):
    """One optimizer that is given functions for numbers."""

    def __init__(self, twin: Twin, functions: Functions) -> None:
        super().__init__(twin)
        self.functions = functions
        self.steps = 0

    def step(self, gradients: Sequence[Gradient]) -> State:
        self.own = [self.twin.called(h, self.functions, self.steps) for h in self.own]
        self.steps += 1
        return super().step(gradients)
