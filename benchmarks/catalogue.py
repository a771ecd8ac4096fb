"""All arms."""

from __future__ import annotations

from adapters.contract import Arithmetic
from benchmarks.arm import Arm

TORCH = ("torch",)
OURS = ("numpy", "numba", "fused_adam")
TENSORFLOW = ("tensorflow",)

_OPTAX = Arithmetic(storage="float32", compute="float32", powers="float32", step_size="float32")
"""``optax.tree.bias_correction`` computes decay**count and 1 - that in float32 (optax/_src/transform.py)."""
_CUDA = Arithmetic(storage="float32", compute="float32")
_CUDA_OURS = Arithmetic(storage="float32", compute="float32", step_size="float32", first_moment="lerp")
_CAPTURABLE = Arithmetic(storage="float32", compute="float32", powers="float32", step_size="float32")
"""Step counts are float32 tensors on the device, and so are the powers (torch/optim/adam.py)."""

LIMIT = Arm(
    name="in-place limit",
    role="limit",
    dialect="",
    module="benchmarks.limit",
    cls="Limit",
    needs=("numba",),
    groups=True,
)


def _torch(name: str, cls: str, adapter: str) -> Arm:
    return Arm(
        name=name,
        role="peer",
        dialect="torch-adam",
        module="benchmarks.torch_arms",
        cls=cls,
        needs=TORCH,
        adapter=adapter,
        groups=True,
    )


def _ours(dialect: str, cls: str, adapter: str, environment: str, framework: tuple[str, ...]) -> Arm:
    return Arm(
        name=f"fused_adam.numpy {dialect}",
        role="ours",
        dialect=dialect,
        module="benchmarks.numpy_arms",
        cls=cls,
        needs=(*OURS, *framework),
        environment=environment,
        adapter=adapter,
    )


def _tensorflow(name: str, dialect: str, cls: str, adapter: str, needs: tuple[str, ...] = TENSORFLOW) -> Arm:
    return Arm(
        name=name,
        role="peer",
        dialect=dialect,
        module="benchmarks.tensorflow_arms",
        cls=cls,
        needs=needs,
        environment="bench-keras",
        adapter=adapter,
    )


def _wrapper(name: str, module: str, cls: str, needs: tuple[str, ...]) -> Arm:
    return Arm(name=name, role="wrapper", dialect="", module=module, cls=cls, needs=needs)


CPU: tuple[Arm, ...] = (
    Arm(
        name="fused_adam",
        role="ours",
        dialect="torch-adam",
        module="benchmarks.torch_arms",
        cls="Ours",
        needs=(*TORCH, *OURS),
        adapter="fused-adam-torch-face",
        groups=True,
    ),
    LIMIT,
    _torch("torch fused", "Fused", "torch-fused"),
    _torch("torch foreach", "Foreach", "torch-foreach"),
    _torch("torch loop", "Loop", "torch-loop"),
    Arm(
        name="optax jit",
        role="peer",
        dialect="torch-adam",
        module="benchmarks.optax_arm",
        cls="Optax",
        needs=("jax", "optax"),
        declared=_OPTAX,
        groups=True,
    ),
    _ours("torch-adam", "Torch", "fused-adam-torch", "bench", ("torch",)),
    _ours("keras-v2-adam", "KerasV2", "fused-adam-keras-v2", "bench-keras", TENSORFLOW),
    _tensorflow("Keras fused", "keras-v2-adam", "KerasV2Fused", "keras-v2-fused"),
    _ours("tf-keras-adam", "TfKeras", "fused-adam-tf-keras", "bench-keras", TENSORFLOW),
    _tensorflow("tf.keras", "tf-keras-adam", "TfKeras", "tf-keras"),
    _ours("tfa-rectified-adam", "TfaRectified", "fused-adam-tfa-rectified", "bench-keras", TENSORFLOW),
    _tensorflow(
        "TF-Addons RectifiedAdam",
        "tfa-rectified-adam",
        "TfaRectified",
        "tfa-rectified-adam",
        ("tensorflow", "tensorflow_addons"),
    ),
    _ours("mxnet2-adam", "Mxnet2", "fused-adam-mxnet2", "bench-mxnet", ("mxnet",)),
    Arm(
        name="MXNet fused",
        role="peer",
        dialect="mxnet2-adam",
        module="benchmarks.mxnet_arms",
        cls="Fused",
        needs=("mxnet",),
        environment="bench-mxnet",
        adapter="mxnet2-fused",
    ),
    _wrapper("empty torch step", "benchmarks.torch_arms", "EmptyOptimizer", TORCH),
    _wrapper("fused_adam, empty driver", "benchmarks.torch_arms", "OursEmpty", (*TORCH, *OURS)),
    _wrapper("fused_adam.numpy, empty driver", "benchmarks.numpy_arms", "Empty", OURS),
)


def _cuda(name: str, cls: str, declared: Arithmetic, *, ours: bool = False) -> Arm:
    return Arm(
        name=name,
        role="ours" if ours else "peer",
        dialect="torch-adam",
        module="benchmarks.torch_arms",
        cls=cls,
        needs=(*TORCH, "fused_adam") if ours else TORCH,
        declared=declared,
        groups=True,
    )


GPU: tuple[Arm, ...] = (
    _cuda("fused_adam", "CudaOurs", _CUDA_OURS, ours=True),
    Arm(
        name="copy limit",
        role="limit",
        dialect="",
        module="benchmarks.torch_arms",
        cls="CudaLimit",
        needs=TORCH,
        groups=True,
    ),
    _cuda("torch fused", "CudaFused", _CUDA),
    _cuda("torch foreach", "CudaForeach", _CUDA),
    _cuda("torch capturable", "CudaCapturable", _CAPTURABLE),
)
