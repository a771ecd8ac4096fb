"""Which adapters there are, where they live, and in which tox environment they run.

Imports no framework: an adapter's module is imported when it is asked for, and its framework when it
is constructed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Entry:
    """One adapter of this project."""

    name: str
    module: str
    cls: str
    environments: tuple[str, ...]
    """tox environments whose packages it needs; it runs in each of them. None: it needs what no environment has."""
    distribution: str
    """Distribution that ships the implementation; deviations are judged by its version."""


_EVERY = ("keras", "mxnet", "torch")
_TRITON = ("triton",)
_NONE = ()  # a GPU is needed: by name, where there is one
_TABLE = (
    Entry("keras-v2-fused", "adapters.keras_v2", "Fused", ("keras",), "keras"),
    Entry("keras-v2-nonfused", "adapters.keras_v2", "NonFused", ("keras",), "keras"),
    Entry("tf-keras", "adapters.tf_keras_adam", "TfKeras", ("keras",), "keras"),
    Entry("tfa-rectified-adam", "adapters.tfa_rectified", "Rectified", ("keras",), "tensorflow-addons"),
    Entry("tfa-lookahead-keras-v2-adam", "adapters.tfa_lookahead", "LookaheadAdam", ("keras",), "tensorflow-addons"),
    Entry(
        "tfa-lookahead-rectified-adam", "adapters.tfa_lookahead", "LookaheadRectified", ("keras",), "tensorflow-addons"
    ),
    Entry("tf-keras-package", "adapters.tf_keras_adam", "Package", ("keras3",), "tf-keras"),
    Entry("keras3-adam", "adapters.keras3", "Adam", ("keras3",), "keras"),
    Entry("keras3-adamw", "adapters.keras3", "AdamW", ("keras3",), "keras"),
    Entry("mxnet2-fused", "adapters.mxnet2", "Fused", ("mxnet",), "mxnet"),
    Entry("mxnet2-step", "adapters.mxnet2", "Step", ("mxnet",), "mxnet"),
    Entry("mxnet2-lazy", "adapters.mxnet2", "Lazy", ("mxnet",), "mxnet"),
    Entry("mxnet2-lazy-row-sparse", "adapters.mxnet2", "LazyRowSparse", ("mxnet",), "mxnet"),
    Entry("mxnet1-standard", "adapters.mxnet1", "Standard", ("mxnet1",), "mxnet"),
    Entry("mxnet1-lazy", "adapters.mxnet1", "Lazy", ("mxnet1",), "mxnet"),
    Entry("mxnet1-lazy-row-sparse", "adapters.mxnet1", "LazyRowSparse", ("mxnet1",), "mxnet"),
    Entry("torch-loop", "adapters.torch_optim", "Loop", ("torch",), "torch"),
    Entry("torch-foreach", "adapters.torch_optim", "Foreach", ("torch",), "torch"),
    Entry("torch-fused", "adapters.torch_optim", "Fused", ("torch",), "torch"),
    Entry("torch-adamw-loop", "adapters.torch_variants", "AdamWLoop", ("torch",), "torch"),
    Entry("torch-adamw-foreach", "adapters.torch_variants", "AdamWForeach", ("torch",), "torch"),
    Entry("torch-adamw-fused", "adapters.torch_variants", "AdamWFused", ("torch",), "torch"),
    Entry("torch-radam-loop", "adapters.torch_variants", "RAdamLoop", ("torch",), "torch"),
    Entry("torch-radam-foreach", "adapters.torch_variants", "RAdamForeach", ("torch",), "torch"),
    Entry("torch-nadam-loop", "adapters.torch_variants", "NAdamLoop", ("torch",), "torch"),
    Entry("torch-nadam-foreach", "adapters.torch_variants", "NAdamForeach", ("torch",), "torch"),
    Entry("torch-sparse-adam", "adapters.torch_variants", "SparseAdam", ("torch",), "torch"),
    Entry("optax-adam", "adapters.optax_adam", "Adam", ("optax",), "optax"),
    Entry("optax-adamw", "adapters.optax_adam", "AdamW", ("optax",), "optax"),
    Entry("optax-amsgrad", "adapters.optax_adam", "Amsgrad", ("optax",), "optax"),
    Entry("optax-radam", "adapters.optax_adam", "RAdam", ("optax",), "optax"),
    Entry("optax-nadam", "adapters.optax_adam", "NAdam", ("optax",), "optax"),
    Entry("optax-nadamw", "adapters.optax_adam", "NAdamW", ("optax",), "optax"),
    Entry("fused-adam-keras-v2", "adapters.fused_adam_numpy", "KerasV2", _EVERY, "adam-conformance"),
    Entry("fused-adam-tf-keras", "adapters.fused_adam_numpy", "TfKeras", (*_EVERY, "keras3"), "adam-conformance"),
    Entry("fused-adam-tfa-rectified", "adapters.fused_adam_numpy", "TfaRectified", _EVERY, "adam-conformance"),
    Entry("fused-adam-mxnet2", "adapters.fused_adam_numpy", "Mxnet2", _EVERY, "adam-conformance"),
    Entry("fused-adam-mxnet1", "adapters.fused_adam_numpy", "Mxnet1", (*_EVERY, "mxnet1"), "adam-conformance"),
    Entry("fused-adam-torch-face", "adapters.fused_adam_torch", "TorchFace", ("torch",), "adam-conformance"),
    Entry("fused-adam-torch", "adapters.fused_adam_numpy", "Torch", _EVERY, "adam-conformance"),
    Entry("fused-adam-torch-face-radam", "adapters.fused_adam_torch", "TorchFaceRadam", ("torch",), "adam-conformance"),
    Entry("fused-adam-torch-radam", "adapters.fused_adam_numpy", "TorchRadam", ("torch",), "adam-conformance"),
    Entry("fused-adam-triton-keras-v2", "adapters.fused_adam_triton", "KerasV2", _TRITON, "adam-conformance"),
    Entry("fused-adam-triton-tf-keras", "adapters.fused_adam_triton", "TfKeras", _TRITON, "adam-conformance"),
    Entry("fused-adam-triton-tfa-rectified", "adapters.fused_adam_triton", "TfaRectified", _TRITON, "adam-conformance"),
    Entry("fused-adam-triton-mxnet2", "adapters.fused_adam_triton", "Mxnet2", _TRITON, "adam-conformance"),
    Entry("fused-adam-triton-mxnet1", "adapters.fused_adam_triton", "Mxnet1", _TRITON, "adam-conformance"),
    Entry("fused-adam-triton-torch", "adapters.fused_adam_triton", "Torch", _TRITON, "adam-conformance"),
    Entry("fused-adam-triton-torch-radam", "adapters.fused_adam_triton", "TorchRadam", _TRITON, "adam-conformance"),
    Entry("fused-adam-cuda", "adapters.fused_adam_cuda", "Torch", _NONE, "adam-conformance"),
    Entry("fused-adam-cuda-keras-v2", "adapters.fused_adam_cuda", "KerasV2", _NONE, "adam-conformance"),
    Entry("fused-adam-cuda-tf-keras", "adapters.fused_adam_cuda", "TfKeras", _NONE, "adam-conformance"),
    Entry("fused-adam-cuda-tfa-rectified", "adapters.fused_adam_cuda", "TfaRectified", _NONE, "adam-conformance"),
    Entry("fused-adam-cuda-mxnet2", "adapters.fused_adam_cuda", "Mxnet2", _NONE, "adam-conformance"),
    Entry("fused-adam-cuda-mxnet1", "adapters.fused_adam_cuda", "Mxnet1", _NONE, "adam-conformance"),
    Entry("fused-adam-cuda-torch-radam", "adapters.fused_adam_cuda", "TorchRadam", _NONE, "adam-conformance"),
)


@dataclass(frozen=True)
class Kind:
    """A kind of optimizer class that an adapter is made for when a user gives one."""

    option: str
    """Of the command line, without its dashes."""
    module: str
    cls: str
    """Or a function that makes one."""
    example: str
    """A class of the kind."""
    distribution: str
    """The framework that every class of the kind runs on."""
    what: str = "class"
    """That is given."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.option: kind
        for kind in (
            Kind("torch-optimizer", "adapters.torch_class", "TorchClass", "torch.optim:Adam", "torch"),
            Kind("keras-optimizer", "adapters.keras_class", "of_its_base", "keras.optimizers.legacy:Adam", "keras"),
            Kind("optax", "adapters.optax_factory", "OptaxFactory", "optax:adam", "optax", "factory"),
        )
    }
)

ADAPTERS: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _TABLE})
ENVIRONMENTS: tuple[str, ...] = tuple(dict.fromkeys(name for entry in _TABLE for name in entry.environments))


def of_environment(environment: str) -> tuple[str, ...]:
    """Names of the adapters that `environment` must run; ValueError naming the known environments."""
    if environment not in ENVIRONMENTS:
        raise ValueError(f"environment is {environment!r}; accepted: {', '.join(ENVIRONMENTS)}")
    return tuple(entry.name for entry in _TABLE if environment in entry.environments)
