"""Checking documents before they are trusted."""

from collections.abc import Iterable

from strawberry import Schema

from hub.errors import InvalidInput
from hub_api.engine.documents import Documents
from hub_api.public.fields import COORDINATES


def check(schema: Schema, documents: Iterable[tuple[str, str]]) -> None:
    """Raise InvalidInput for the first document, of (name, text), that cannot be trusted.

    It is malformed or invalid, asks about the schema, or selects a field that is not public.
    """
    reader = Documents(schema)
    for name, text in documents:
        document = reader.load(text)
        if document.errors:
            raise InvalidInput(f"{name}: {document.errors[0]['message']}", field="documents")
        for operation in document.operations.values():
            if operation.static.introspection:
                raise InvalidInput(f"{name} asks about the schema", field="documents")
            if hidden := sorted(operation.static.coordinates - COORDINATES):
                names = ", ".join(hidden[:5])
                raise InvalidInput(f"{name} selects what is not public: {names}", field="documents")
