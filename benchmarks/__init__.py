"""What one step costs: fused_adam, the frameworks' own optimizers and the memory's limit, in one interleaved run.

    python -m benchmarks cpu --quick --json cpu.json
    python -m benchmarks table cpu.json keras.json mxnet.json

docs/performance.md holds the method and the figures. Nothing imports this room.
"""
