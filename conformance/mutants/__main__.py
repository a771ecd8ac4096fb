"""``python -m conformance.mutants``: every mutant, and what rejects it."""

from __future__ import annotations

import sys

from conformance.mutants.command import main

if __name__ == "__main__":
    sys.exit(main())
