"""The real frameworks behind one contract: `contract.py`, `registry.py`, and one module per framework."""
