"""One token at a time: every small change of a piece of this project's own code, and what rejects it.

    changes.py    what a change is, and all of them in a piece of Python: knows no target
    overlay.py    a package with one module replaced
    pool.py       forked children with a time limit
    mutant.py     target, mutant, verdict
    gate.py       the judge of fused_adam: adapters, problems, golden cases, checks
    tests.py      ... and the project's own tests, for what the contract cannot say
    fused.py      what is changed in fused_adam, and who judges it
    proofs.py     why some changes are no mistakes
    trial.py      from mutants to outcomes
    report.py     the table

`python -m conformance.mutants.tokens --help` is the way in. To change something else, write another list
of targets, as in fused.py.
"""
