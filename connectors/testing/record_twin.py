"""A base for simulators of REST APIs: a door, versioned records, predicates, pages, keys.

    class ShopTwin(RecordTwin):
        def __init__(self, clock=None):
            super().__init__(OAuthDoor(), clock)
            self.orders = self.records("order")

        @route("GET", "/orders/{ref}")
        async def order(self, request):
            return self.orders[request.path_params["ref"]]

What a route returns is sent as JSON, unless it is a response; a `Refusal` is sent with its status.
Where the twin defines methods of `SimulatorDriver`, a `TwinDriver` needs none of its own.
"""

import hashlib
import hmac
import json
import operator
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.doors import Door
from connectors.testing.simulator import Simulator, Webhook
from connectors.testing.simulator_driver import SimulatorDriver

Record = dict[str, Any]
Handler = Callable[[Any, Request], Awaitable[Any]]
Method = TypeVar("Method", bound=Handler)
LIMIT_DEFAULT = 50
_CLAUSE = re.compile(r"\s*([\w.]+)\s*(=|!=|<=|>=|<|>|in)\s*(.+?)\s*")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, known: value in known,
}


class Refusal(Exception):
    """The remote refuses a request: a status, and the JSON that it answers."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Missing(Refusal, KeyError):
    """There is no such record: 404."""

    def __init__(self, kind: str, ref: str) -> None:
        super().__init__(404, {"error": f"no such {kind}", "id": ref})


class Records(Mapping[str, Record]):
    """Records of one kind, by id: each has `id`, `version`, `createdAt` and `lastModifiedAt`."""

    def __init__(self, twin: "RecordTwin", kind: str) -> None:
        self._twin, self._kind = twin, kind
        self._records: dict[str, Record] = {}

    def __getitem__(self, ref: str) -> Record:
        """Return a record; raises Missing, which is a Refusal with 404."""
        if ref not in self._records:
            raise Missing(self._kind, ref)
        return self._records[ref]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def add(self, **fields: Any) -> Record:
        """Add a record; returns it."""
        ref, at = str(self._twin.next_id()), self._twin.stamp()
        self._records[ref] = {
            "id": ref,
            "version": 1,
            "createdAt": at,
            "lastModifiedAt": at,
            **fields,
        }
        return self._records[ref]

    def change(self, ref: str, version: int | None = None, **fields: Any) -> Record:
        """Change a record, which moves its version and its time; returns it.

        Where `version` is named and is another, it is a Refusal with 409 that names the present.
        """
        record = self[ref]
        if version not in (None, record["version"]):
            raise Refusal(409, {"error": "stale", "currentVersion": record["version"]})
        at = self._twin.stamp()
        record |= {**fields, "version": record["version"] + 1, "lastModifiedAt": at}
        return record

    def where(self, text: str | None) -> list[Record]:
        """Return the records for which a predicate holds: clauses that are joined by ``and``.

        A clause is a field, an operator (``= != < <= > >= in``) and JSON: ``total > 5``,
        ``customer.id = "7"``, ``id in ("1", "2")``.
        """
        return [each for each in self._records.values() if holds(text, each)]


def holds(text: str | None, record: Mapping[str, Any]) -> bool:
    """Say whether a predicate holds for a record; one that cannot be read is a Refusal with 400."""
    for clause in re.split(r"\s+and\s+", text) if text else ():
        read = _CLAUSE.fullmatch(clause)
        if read is None:
            raise Refusal(400, {"error": f"malformed predicate: {clause}"})
        name, word, written = read.groups()
        wanted = json.loads(f"[{written.strip('()')}]")
        found: Any = record
        for step in name.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if found is None or not _OPERATORS[word](found, wanted if word == "in" else wanted[0]):
            return False
    return True


def route(method: str, path: str) -> Callable[[Method], Method]:
    """Make a method of a twin answer requests; see the module."""

    def marked(handler: Method) -> Method:
        handler.route = (method, path)  # type: ignore[attr-defined]
        return handler

    return marked


class RecordTwin(Simulator):
    """A simulator whose door checks every request; subclass it and mark methods with `route`."""

    webhook_secret = "twin-webhook-secret"
    webhook_prefix = "x-twin"

    def __init__(self, door: Door, clock: Callable[[], datetime] | None = None) -> None:
        self.door = door
        self._answers: dict[str, tuple[bytes, Any]] = {}
        marked = [getattr(type(self), name) for name in dir(type(self))]
        routes = [
            Route(each.route[1], self._guarded(each), methods=[each.route[0]])
            for each in sorted(marked, key=lambda each: str(getattr(each, "route", "")).count("{"))
            if hasattr(each, "route")
        ]
        super().__init__([*door.routes(), *routes], clock)

    def records(self, kind: str) -> Records:
        """Return a new collection of records."""
        return Records(self, kind)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector reaches this twin."""
        return {"base_url": url, "calls_per_second": 1000, **self.door.settings()}

    def stamp(self) -> str:
        """Return the time of the twin as RFC 3339 with milliseconds."""
        text = self.now().astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    def page(self, found: Iterable[Record], request: Request) -> Record:
        """Return one page as ``results``, by ``sort``, from ``offset``; ``total`` is of all pages.

        A ``sort`` is a field and ``asc`` or ``desc``; without any the order is that of the ids.
        """
        asked = request.query_params
        shown = sorted(found, key=lambda each: int(each["id"]))
        for text in reversed(asked.getlist("sort")):
            name, _, way = text.partition(" ")
            shown.sort(key=lambda each: each[name], reverse=way == "desc")
        start, limit = int(asked.get("offset", "0")), int(asked.get("limit", str(LIMIT_DEFAULT)))
        return {"results": shown[start : start + limit], "offset": start, "total": len(shown)}

    def once(self, key: str | None, body: bytes, make: Callable[[], Any]) -> Any:
        """Answer a request with an idempotency key: the same again as the first time.

        Without a key it is a Refusal with 400, with other content one with 422.
        """
        if not key:
            raise Refusal(400, {"error": "an idempotency key is required"})
        if key not in self._answers:
            self._answers[key] = (body, make())
        known, answer = self._answers[key]
        if known != body:
            raise Refusal(422, {"error": "the key was used for other content"})
        return answer

    def announce(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Send a webhook with an id of its own."""
        self.send_webhook(topic, f"hook-{self.next_id()}", json.dumps(payload).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign the raw body with HMAC-SHA256, in hexadecimal."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {
            f"{self.webhook_prefix}-signature": digest,
            f"{self.webhook_prefix}-delivery": webhook.id,
            f"{self.webhook_prefix}-topic": webhook.topic,
        }

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if not await self.door.lets_in(request):
                return JSONResponse({"error": "unauthorized"}, 401)
            try:
                answer = await handler(self, request)
            except Refusal as refusal:
                return JSONResponse(refusal.body, refusal.status)
            return answer if isinstance(answer, Response) else JSONResponse(answer)

        return guarded


class TwinDriver(SimulatorDriver):
    """A driver of a `RecordTwin`: driver methods that the twin defines are used as they are."""

    twin: ClassVar[type[RecordTwin]]
    """The class of the simulator; it takes the clock as `clock`."""
    given: ClassVar[Sequence[str]] = tuple(
        name for name in vars(SimulatorDriver) if not name.startswith("_")
    )
    simulator: Any

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        for name in self.given:
            own = name in vars(type(self)) or name in vars(TwinDriver)
            if not own and callable(getattr(type(self.simulator), name, None)):
                setattr(self, name, getattr(self.simulator, name))

    def build(self) -> RecordTwin:
        """Return the twin, with the clock of the driver."""
        return self.twin(clock=self.clock)  # type: ignore[call-arg]

    def settings(self, url: str) -> Mapping[str, Any]:
        """Return the settings with which the connector reaches the twin at `url`."""
        return dict(self.simulator.settings(url))

    def revoke(self) -> None:
        """Refuse the credentials of the settings from now on."""
        self.simulator.door.revoke()

    def settings_with_tokens(self, url: str) -> Mapping[str, Any] | None:
        """Return settings whose access tokens are fetched; None where the door gives none."""
        return self.settings(url) if self.simulator.door.fetches_tokens else None

    def expire_tokens(self) -> None:
        """Expire every issued token before its time."""
        self.simulator.door.expire()

    def tokens_issued(self) -> int:
        """Return how many tokens were issued."""
        return int(self.simulator.door.tokens_issued)

    def place_order(self, sku: str, quantity: int) -> str:
        """Sell an article, paid and to be shipped; return the order's reference."""
        return str(self.place_order_of([(sku, quantity)]))
