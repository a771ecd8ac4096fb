"""The oracle: every dialect of Adam in float64, and the rounding bound beside it.

Plain arrays in and out. Imports NumPy and nothing else; shares nothing with the production code.

    from reference import Hyperparameters, dialect, initial_state, step

    h = Hyperparameters(learning_rate=0.1)
    state = initial_state([np.array([10.0])], h)
    state = step(dialect("keras-v2-adam"), h, state, [np.array([10.0])])   # theta: 9.9
"""

from reference.bound import Bound, bounded_step, initial_bound
from reference.dialects import DIALECTS, Dialect, dialect
from reference.hyperparameters import Hyperparameters
from reference.rounding import Rounding
from reference.schedules import Schedule
from reference.step import State, initial_state, step

__all__ = [
    "DIALECTS",
    "Bound",
    "Dialect",
    "Hyperparameters",
    "Rounding",
    "Schedule",
    "State",
    "bounded_step",
    "dialect",
    "initial_bound",
    "initial_state",
    "step",
]
