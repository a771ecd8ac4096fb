"""The suite: decides whether an implementation is the Adam that it says it is.

The only room that knows all the others. `python -m conformance --help` is the way in.
"""
