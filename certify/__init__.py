"""Certification: how far the float64 oracle is from its own formulas at 50 digits, stage by stage.

    python -m certify --profile short

Three things are measured, each against a bound that is stated and not tuned: every *stage* by itself, from the float64
values that it really receives (`certify.measure`, `certify.terms`); a *whole step* (`certify.measure`); and every
*scalar*, against the papers' formulas as printed (`certify.scalars`). Needs mpmath and rich.
"""
