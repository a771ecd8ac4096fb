"""The torch face over the GPU driver, under Triton's interpreter; and the adapters that need a GPU, without one."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import fused_adam
from adapters import fused_adam_cuda
from conformance import checks
from conformance.subjects import subjects
from fused_adam import cpu_kernels
from fused_adam.cpu_driver import CpuDriver
from fused_adam.triton_driver import driver_for

CPU = torch.device("cpu")
ADAPTERS = [a for a in vars(fused_adam_cuda).values() if isinstance(a, type) and "name" in vars(a)]


def over(face: type, driver: Any) -> Any:
    """The face with another driver for the CPU."""
    return type(face.__name__, (face,), {"_driver": lambda *_: driver})


@pytest.fixture(scope="module")
def unfused() -> Iterator[CpuDriver]:
    """The CPU driver without fused multiply-add, as the interpreter computes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cpu_kernels.OPTIONS, "fastmath", set())
        yield CpuDriver()


def groups() -> list[dict[str, Any]]:
    """Every shape and layout that a step treats in its own way, in groups of different formulas."""
    torch.manual_seed(0)
    dense, wide, long = torch.randn(3, 5), torch.randn(6, 8), torch.randn(2049)
    return [
        {"params": [dense, torch.randn(()), torch.randn(0), long[1:]], "lr": 0.01},
        {"params": [wide[:, ::2], torch.randn(4, 3).t()], "amsgrad": True, "weight_decay": 0.1},
        {"params": [torch.randn(1030, dtype=torch.float64)], "weight_decay": 0.1, "decoupled_weight_decay": True},
    ]


def leaves(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**group, "params": [p.requires_grad_() for p in group["params"]]} for group in given]


def train(optimizer: Any, steps: int = 3) -> list[Any]:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    generator = torch.Generator().manual_seed(1)
    for k in range(steps):
        for i, p in enumerate(params):
            g = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            p.grad = None if (i + k) % 4 == 3 else g.t().contiguous().t() if g.ndim == 2 and k == 1 else g
        optimizer.step()
    return [p.detach().clone() for p in params]


def test_the_bits_of_the_cpu_driver_in_every_layout(unfused: CpuDriver) -> None:
    ours, theirs = (over(fused_adam.Adam, d)(leaves(groups()), lr=0.02) for d in (driver_for(CPU), unfused))
    for a, b in zip(train(ours), train(theirs), strict=True):
        assert torch.equal(a, b)
    assert "triton interpreter cpu" in ours.ran
    state = [{k: v.tolist() for k, v in s.items()} for s in ours.state_dict()["state"].values()]
    assert state == [{k: v.tolist() for k, v in s.items()} for s in theirs.state_dict()["state"].values()]


def test_torch_goes_on_from_its_state_and_it_from_torchs() -> None:
    face = over(fused_adam.Adam, driver_for(CPU))
    ours = face(leaves([groups()[0]]))
    train(ours)
    theirs = torch.optim.Adam(copy.deepcopy(ours.param_groups), lr=0.01)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))  # torch would share the moments
    again = face(copy.deepcopy(ours.param_groups))
    again.load_state_dict(theirs.state_dict())
    for a, b, c in zip(train(ours), train(theirs), train(again), strict=True):
        assert torch.equal(a, c)
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


def without_gpu(adapter: type) -> Any:
    """A CUDA adapter whose tensors live on the CPU, where the interpreter runs the same driver and kernel."""

    class Here(adapter):  # type: ignore[misc]
        device = "cpu"

        def __init__(self) -> None:
            face = over(getattr(fused_adam, self.face), driver_for(CPU))
            self._have(torch, face, "triton interpreter cpu")

    return Here()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=[a.name for a in ADAPTERS])
def test_the_adapters_for_a_gpu_conform(adapter: type) -> None:
    assert len(ADAPTERS) == 7  # every face that runs on a GPU is among them
    implementation = without_gpu(adapter)
    assert checks.identity(implementation.identity()).findings == []
    for problem in subjects(implementation, "general", 6, 0):
        for check in checks.CHECKS:
            if check.problems == "general":
                assert check.judge(implementation, problem).findings == []


def test_their_identity_sees_the_cpu_driver() -> None:
    implementation = without_gpu(fused_adam_cuda.Torch)
    implementation._optimizer = fused_adam.Adam
    messages = [finding.message for finding in checks.identity(implementation.identity()).findings]
    assert any(m.startswith("operation 'triton interpreter cpu' did not run") for m in messages)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize(
    ("name", "interpret", "why"),
    [
        ("fused-adam-cuda", None, "an NVIDIA GPU and torch for CUDA: torch.cuda.is_available() is False"),
        ("fused-adam-cuda-mxnet2", "1", "an NVIDIA GPU and torch for CUDA"),
        ("fused-adam-triton-torch", None, "Triton's interpreter, which the environment variable TRITON_INTERPRET=1"),
    ],
)
def test_what_cannot_run_here_says_why(name: str, interpret: str | None, why: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "--adapter", name, "--problems", "1"],
        env=environment | ({"TRITON_INTERPRET": interpret} if interpret else {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert why in " ".join(done.stdout.split())
