"""Why a change of the reference that nothing rejects is no mistake, each with its reason.

"Equivalent" is refuted by one bit that differs, on the problems or in the search, and "below the bound" by one
effect that reaches it: either fails the run.
"""

from __future__ import annotations

from conformance.mutants.tokens.proofs import Proof

PROOFS: tuple[Proof, ...] = ()
"""Of the reference."""
