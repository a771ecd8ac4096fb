"""Trajectories and tolerances as fixtures that any language can read.

Owns the fixture format, its checks and its command line, and stands on `reference` alone. Holds no
case yet: the first set comes with the production optimizer.
"""
