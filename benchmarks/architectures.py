"""The shapes of the parameters of three well-known models, out of their architectures."""

from __future__ import annotations

from collections.abc import Iterator

Shape = tuple[int, ...]


def resnet_50(classes: int = 1000) -> Iterator[Shape]:
    """161 tensors, 25 557 032 parameters. He et al. (2015), table 1; torchvision's ``resnet50``.

    Bottlenecks 1x1, 3x3, 1x1 with expansion 4; every convolution without bias, followed by weight and
    bias of a batch normalisation.
    """

    def convolution(outputs: int, inputs: int, side: int) -> Iterator[Shape]:
        yield (outputs, inputs, side, side)
        yield from ((outputs,), (outputs,))

    yield from convolution(64, 3, 7)
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            yield from convolution(width, inputs, 1)
            yield from convolution(width, width, 3)
            yield from convolution(4 * width, width, 1)
            if block == 0:
                yield from convolution(4 * width, inputs, 1)
            inputs = 4 * width
    yield from ((classes, inputs), (classes,))


def bert_base(hidden: int = 768, layers: int = 12, vocabulary: int = 30522) -> Iterator[Shape]:
    """199 tensors, 109 482 240 parameters. Devlin et al. (2018); ``BertModel`` with its pooler."""
    yield from ((vocabulary, hidden), (512, hidden), (2, hidden), (hidden,), (hidden,))
    for _ in range(layers):
        for _ in ("query", "key", "value", "output"):
            yield from ((hidden, hidden), (hidden,))
        yield from ((hidden,), (hidden,))
        yield from ((4 * hidden, hidden), (4 * hidden,), (hidden, 4 * hidden), (hidden,))
        yield from ((hidden,), (hidden,))
    yield from ((hidden, hidden), (hidden,))


def gpt2_small(hidden: int = 768, layers: int = 12, vocabulary: int = 50257) -> Iterator[Shape]:
    """148 tensors, 124 439 808 parameters. Radford et al. (2019); the output layer is the token embedding."""
    yield from ((vocabulary, hidden), (1024, hidden))
    for _ in range(layers):
        yield from ((hidden,), (hidden,))
        yield from ((hidden, 3 * hidden), (3 * hidden,), (hidden, hidden), (hidden,))
        yield from ((hidden,), (hidden,))
        yield from ((hidden, 4 * hidden), (4 * hidden,), (4 * hidden, hidden), (hidden,))
    yield from ((hidden,), (hidden,))
