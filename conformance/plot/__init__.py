"""Trajectories, bounds and errors as pictures: ``python -m conformance plot``.

    problem.py   what is drawn: the standard problem, a golden case, the problem of a finding
    curves.py    the numbers: a trajectory of the reference, and of each implementation errors and bounds
    child.py     one implementation's numbers, in a process of its own
    picture.py   a figure out of the numbers; the one module that knows matplotlib
    command.py   whose, whereto, and what is said

The numbers are all that a picture is made of; ``--json`` prints them, and needs no matplotlib.
"""
