"""Trajectories, bounds and errors as pictures: ``python -m conformance plot``.

    problem.py   what is drawn: the standard problem, a golden case, the problem of a finding
    curves.py    the numbers: a trajectory of the reference, and of each implementation errors and bounds
    child.py     one implementation's numbers, in a process of its own
    picture.py   a picture out of the numbers, by matplotlib; panels.py has its panels, words.py its words
    command.py   whose, whereto, and what is said

The numbers are all that a picture is made of; ``--json`` prints them, and needs no matplotlib.
"""
