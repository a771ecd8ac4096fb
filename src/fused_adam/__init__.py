"""One production Adam that will speak every dialect in one pass over memory.

Planned here: ``Adam``, ``AdamW`` and ``RAdam`` as torch optimizers and ``fused_adam.numpy.Adam`` for
people without torch, over one CPU driver (Numba) and one GPU driver (Triton). Nothing of it exists
yet: this package holds its version and this text, so that nobody can train with a stub by mistake.
"""

__version__ = "0.1.0.dev0"
