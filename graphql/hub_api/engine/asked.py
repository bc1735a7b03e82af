"""A question as it came in, over whatever carries it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_api.engine.wire import RequestError

_KINDS = {"query": str, "operationName": str, "documentId": str} | dict.fromkeys(
    ("variables", "extensions"), dict
)


@dataclass(slots=True)
class Asked:
    """One question as it came in; the shape is checked, the content is not."""

    query: str | None
    operation_name: str | None
    variables: Mapping[str, Any]
    extensions: Mapping[str, Any]
    document_id: str | None

    @classmethod
    def of(cls, body: object) -> "Asked":
        """Check the shape of a request; raise `RequestError` 400 saying what is wrong."""
        if not isinstance(body, dict):
            raise RequestError.of("Send one JSON object; batches are not accepted.")
        for name, value in body.items():  # of JSON: each value has one of seven types
            kind = _KINDS.get(name)
            if kind is not None and value is not None and type(value) is not kind:
                what = "a string" if kind is str else "an object"
                raise RequestError.of(f"{name} must be {what}.")
        return cls(
            body.get("query"),
            body.get("operationName"),
            body.get("variables") or {},
            body.get("extensions") or {},
            body.get("documentId"),
        )

    def sha256(self) -> str | None:
        """Return the hash by which a persisted document is meant, if any."""
        if self.document_id is not None:
            return self.document_id.removeprefix("sha256:").lower()
        persisted = self.extensions.get("persistedQuery")
        if persisted is None:
            return None
        sha256 = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        if not isinstance(sha256, str) or persisted.get("version") != 1:
            raise RequestError.of("persistedQuery needs version 1 and a sha256Hash.")
        return sha256.lower()
