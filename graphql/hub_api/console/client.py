"""The console as a client of our own API: it asks the operations of files, in process.

No page has a query of its own, so what people see here is what the API says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hub_api.common.context import Context
from hub_api.engine.asked import Asked
from hub_api.engine.execution import Execution
from hub_api.engine.wire import RequestError

#: What a page answers for a code of the API; any other code is a fault of what was asked.
STATUSES = {
    "UNKNOWN_REFERENCE": 404,
    "UNKNOWN_UNIT": 404,
    "FORBIDDEN": 403,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "TIMEOUT": 503,
}


class Unanswered(Exception):
    """The API refused what a page asked. Next: the page shows the message and the code."""

    def __init__(
        self, message: str, code: str, status: int | None = None, wait_seconds: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or STATUSES.get(code, 400)
        self.wait_seconds = wait_seconds

    @classmethod
    def of(cls, error: Mapping[str, Any], wait_seconds: int = 0) -> "Unanswered":
        """Read an error of GraphQL."""
        extensions = error.get("extensions") or {}
        message = str(error["message"])
        if "requestId" in extensions:
            message += f" Request id: {extensions['requestId']}"
        return cls(message, str(extensions.get("code", "INTERNAL")), wait_seconds=wait_seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said; `errors` are of single fields that could not be read."""

    data: Mapping[str, Any]
    errors: Sequence[Mapping[str, Any]] = ()

    def error_at(self, *path: str) -> Mapping[str, Any] | None:
        """Return the error of one field, if it could not be read."""
        return next((each for each in self.errors if each.get("path") == list(path)), None)


class Client:
    """Asks the console's operations; `operations` is their text by name."""

    def __init__(self, execution: Execution, operations: Mapping[str, str]) -> None:
        self._execution = execution
        self._operations = operations

    async def ask(self, context: Context, name: str, variables: Mapping[str, Any]) -> Answer:
        """Run ``console_<name>`` for a caller; raise `Unanswered` when nothing came of it."""
        given = {key: value for key, value in variables.items() if value is not None}
        asked = Asked(self._operations[f"console_{name}"], None, given, {}, None)
        try:
            document = await self._execution.find(asked, context)
            operation = await self._execution.admit(document, asked, context)
            payload = await self._execution.run(operation, asked, context, uuid4().hex)
        except RequestError as error:
            raise Unanswered.of(error.errors[0], _wait_seconds(error)) from None
        errors = payload.get("errors", ())
        if payload["data"] is None:
            raise Unanswered.of(errors[0])
        return Answer(payload["data"], errors)


def _wait_seconds(error: RequestError) -> int:
    return next((int(value) for name, value in error.headers if name == b"retry-after"), 0)
