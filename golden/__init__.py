"""Trajectories as fixtures that any language can read: the format, its checks and its command line.

Stands on `reference` alone. Reading needs NumPy; `python -m golden verify` needs jsonschema besides, and
`python -m golden regenerate` mpmath.

    from golden import cases_of

    for case in cases_of("torch-adam"):
        case.parameters, case.gradients, case.expected
"""

from golden.case import Case, Expected, Generator, GoldenError
from golden.files import CASES, cases_of

__all__ = ["CASES", "Case", "Expected", "Generator", "GoldenError", "cases_of"]
