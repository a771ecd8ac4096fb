"""How this package says no: argument, value, what is accepted."""

from __future__ import annotations


def refused(argument: str, value: object, accepted: str, kind: type[Exception] = ValueError) -> Exception:
    """An exception to raise; the value is cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # of an int with thousands of digits
        text = f"{type(value).__name__} too long to be shown"
    text = text if len(text) <= 120 else f"{text[:117]}..."
    return kind(f"{argument} is {text}; accepted: {accepted}")


def missing(package: str, purpose: str, error: ImportError) -> ImportError:
    """What to raise where `package`, or what it stands on, cannot be imported."""
    culprit = (error.name or package).partition(".")[0]
    package = package if culprit == __package__ else culprit
    return ImportError(f"{purpose} needs {package}, which cannot be imported here: {error}", name=package)


def no_copy() -> Exception:
    """What to raise where a shallow copy of an optimizer would share the moments and not t."""
    accepted = "copy.deepcopy(optimizer), or a new optimizer and load_state_dict"
    return TypeError(f"copy.copy(optimizer) would share its moments and not its step counts; accepted: {accepted}")
