"""What the oracle would be without one of its features: a check on a real framework must fail then."""

from conformance.ablation.features import Feature, features_of
from conformance.ablation.shown import Shown, shown_by

__all__ = ["Feature", "Shown", "features_of", "shown_by"]
