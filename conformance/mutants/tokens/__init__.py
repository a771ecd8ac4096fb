"""One change at a time: every small change of a piece of this project's own code, and what rejects it.

    changes.py    what a change is, and all of them in a piece of Python: knows no target
    fields.py     which fields of an object a piece of code reads and writes
    overlay.py    a package with one module replaced
    pool.py       forked children with a time limit
    mutant.py     target, mutant, verdict
    gate.py       the judge: implementations, problems, golden cases, checks
    tests.py      ... and the project's own tests, for what the contract cannot say
    aim.py        all that the engine is told about one piece of code
    fused.py      ... about fused_adam; proofs.py: why some of its changes are no mistakes
    reference.py  ... about the reference; reference_proofs.py likewise; order.py: those that are derived
    float32.py    the reference's lines as an implementation in float32
    search.py     the largest effect of a change of the reference
    trial.py      from mutants to outcomes
    report.py     the tables

`python -m conformance.mutants --help` is the way in. To change something else, write another `Aim`.
"""
