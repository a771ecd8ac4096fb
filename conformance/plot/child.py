"""One implementation's curve, in a process of its own: as `conformance.child`, which says why.

Events: "drawn" with the figure, of the reference and this one curve; "cannot-test", "crashed" and "suite-failed", each
with its reason; "done".
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from typing import Any, TextIO

from conformance.child import answer, say
from conformance.findings import short_text
from conformance.given import Given
from conformance.load import CannotTest, load
from conformance.observe import ContractBreach, ImplementationFailed
from conformance.plot.curves import curve, figure
from conformance.plot.problem import OutsideClaim, from_order, title


def measure(order: dict[str, Any], out: TextIO) -> None:
    """The keys of the order are those that `conformance.plot.command` gives."""
    try:
        implementation = load(order["adapter"], Given(**order["given"]) if order["given"] else None)
        subject = from_order(order["subject"])
        problem = subject.of(implementation)
        alone = figure(implementation.claim.dialect, problem, title(subject, problem))
        one = curve(implementation, order["adapter"], problem, alone)
        say(out, "drawn", figure=replace(alone, curves=(one,)))
    except OutsideClaim as reason:
        say(out, "cannot-test", reason=f"{order['adapter']} {reason}", missing=False, outside=True)
    except CannotTest as reason:
        say(out, "cannot-test", reason=str(reason), missing=reason.missing, outside=False)
    except (ImplementationFailed, ContractBreach) as failure:
        say(out, "crashed", reason=str(failure))
    except Exception as error:
        say(out, "suite-failed", reason=short_text(error), traceback=traceback.format_exc()[-5000:])
    else:
        say(out, "done")


if __name__ == "__main__":
    answer(sys.argv[1:], measure)
