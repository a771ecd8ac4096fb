"""Any Keras 3 optimizer class with Adam's spelling behind the contract, on the backend of TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters import keras3
from adapters.contract import Array, Hyperparameters
from adapters.keras_class import KerasClass
from adapters.tensorflow_support import Bench


class Keras3Class(KerasClass):
    """As `KerasClass`, of Keras 3: its variables, and what it saves of its own.

    Raises ImportError where Keras has another backend than TensorFlow.
    """

    dialects = ("keras3-adam",)
    save = keras3.SAVE

    def __init__(self, path: str, **about: Any) -> None:
        self.package = keras3.import_keras()
        super().__init__(path, **about)

    @property
    def keras(self) -> Any:
        """The package."""
        return self.package

    def own_dialect(self) -> str:
        """The one there is."""
        return "keras3-adam"

    def variables(self, parameters: Sequence[Array], constraint: Any) -> tuple[Any, ...]:
        """Of Keras' own class."""
        return keras3.new_variables(self.keras, self.tensorflow, parameters, constraint)

    def run(self, bench: Bench) -> keras3.Keras3Run:
        """With a v_max where the class has the argument and it is on."""
        amsgrad = "amsgrad" in self.takes and bool(getattr(bench.optimizer, "amsgrad", False))
        return keras3.Keras3Run(self.tensorflow, bench, self.slot, amsgrad=amsgrad, settings=self.settings)

    def reproduction(self, hyperparameters: Hyperparameters) -> str:
        """Over variables of Keras 3."""
        text = super().reproduction(hyperparameters)
        text = text.replace("tf.Variable(tf.constant(p))", "keras.Variable(p, dtype=p.dtype.name)")
        text = text.replace("variable.shape.as_list()", "list(variable.shape)")
        return '\nimport os\n\nos.environ.setdefault("KERAS_BACKEND", "tensorflow")\nimport keras' + text
