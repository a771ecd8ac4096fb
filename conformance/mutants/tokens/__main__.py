"""``python -m conformance.mutants.tokens``: the production code, one token at a time."""

from __future__ import annotations

import sys

from conformance.mutants.command import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m conformance.mutants.tokens", targets=("fused-adam",)))
