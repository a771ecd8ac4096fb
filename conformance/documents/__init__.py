"""What the documents of the frameworks say, thing by thing, and what holds it here: docs/documents.md."""

from __future__ import annotations

from conformance.documents import keras_adam, mxnet2, optimizer_v2, tf_keras, tfa
from conformance.documents.row import KINDS as KINDS
from conformance.documents.row import Document as Document
from conformance.documents.row import Row as Row

DOCUMENTS: tuple[Document, ...] = (
    keras_adam.DOCUMENT,
    optimizer_v2.DOCUMENT,
    tf_keras.DOCUMENT,
    mxnet2.DOCUMENT,
    tfa.DOCUMENT,
)
