"""What a failing implementation computes instead, if that is known, and what was measured if it is not.

    trail       what was observed, beside what the claim makes of it
    candidate   an explanation that can be tried; forms, directions, moments, gradients, counts, scalars, kept, company,
                planted: the explanations
    places      where the claim does not hold
    search      which explanations hold everywhere
    pairs       two of them at once
    loaded      what a load does not bring back
    facts, sentences, reproducer, law_script: what is said beside the name

An explanation is true of *every* step of every problem that is looked at, or it is not named: each step is
predicted from the state observed before it, and compared within the explanation's own rounding bound. It must
also tell what the claim leaves unexplained from the claim. Nothing of it changes a verdict.
"""

from conformance.diagnosis.diagnose import Diagnosis, diagnose
from conformance.diagnosis.sentences import Failure

__all__ = ["Diagnosis", "Failure", "diagnose"]
