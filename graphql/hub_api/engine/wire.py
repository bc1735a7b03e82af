"""The HTTP side of the GraphQL view: what a client accepts, reading a body, writing an answer."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from random import getrandbits
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.types import Message, Receive, Scope, Send

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
HTML = "text/html"

_OFFERS = {
    JSON: JSON,
    GRAPHQL_RESPONSE: GRAPHQL_RESPONSE,
    EVENT_STREAM: EVENT_STREAM,
    HTML: HTML,
    "application/*": JSON,
    "*/*": JSON,
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
ACCEPT_PARTS_MAX = 32
ERROR_CODE_BAD_REQUEST = "BAD_REQUEST"

Headers = Mapping[bytes, bytes]
ReplyHeaders = tuple[tuple[bytes, bytes], ...]


class RequestError(Exception):
    """A request that was refused before anything ran. Next: it is answered, and nothing else.

    `status` counts for clients that asked for application/graphql-response+json; where
    `forced`, it counts for everybody: then it is HTTP that was used wrongly, not GraphQL.
    """

    def __init__(
        self,
        errors: Iterable[Mapping[str, Any]],
        status: int = 400,
        *,
        forced: bool = False,
        headers: ReplyHeaders = (),
    ) -> None:
        self.errors = list(errors)
        self.status = status
        self.forced = forced
        self.headers = headers
        super().__init__(self.errors[0]["message"] if self.errors else "")

    @classmethod
    def of(
        cls,
        message: str,
        code: str = ERROR_CODE_BAD_REQUEST,
        status: int = 400,
        *,
        forced: bool = True,
        headers: ReplyHeaders = (),
    ) -> "RequestError":
        """Make a refusal of one sentence."""
        error = {"message": message, "extensions": {"code": code}}
        return cls([error], status, forced=forced, headers=headers)


#: The code of what passes by itself: the database is away, or a commit's answer was lost.
TRY_AGAIN = "TRY_AGAIN"
TRY_AGAIN_WORDS = (
    "The database can not be reached just now. A mutation may have taken effect: repeat it with "
    "the same idempotency key."
)
RETRY_AFTER = (b"retry-after", b"1")


def try_again() -> RequestError:
    """Make the refusal of a request that is to be repeated as it is."""
    return RequestError.of(TRY_AGAIN_WORDS, TRY_AGAIN, 503, headers=(RETRY_AFTER,))


class ClientGone(Exception):
    """The client hung up before it had asked. Next: nothing."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a client takes: `media` for its answer, and whether it would take a stream."""

    media: str
    events: bool = False


def accepted(header: bytes | None) -> Accepted:
    """Choose among our media types as the Accept header asks; without it, application/json."""
    if not header:
        return Accepted(JSON)
    return _accepted(header) if len(header) <= 200 else _accepted.__wrapped__(header)


@lru_cache(maxsize=256)
def _accepted(header: bytes) -> Accepted:
    best, media, events = 0.0, None, False
    for part in header.decode("latin-1").split(",")[:ACCEPT_PARTS_MAX]:
        name, _, parameters = part.partition(";")
        offer = _OFFERS.get(name.strip().lower())
        quality = _quality(parameters)
        if offer is None or quality <= 0:
            continue
        events = events or offer == EVENT_STREAM
        if quality > best:
            best, media = quality, offer
    if media is None:
        raise RequestError.of(f"Accept {JSON} or {GRAPHQL_RESPONSE}.", status=406)
    return Accepted(media, events)


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def request_id(scope: Scope, headers: Headers) -> str:
    """Return the correlation id: from the layer above, from the client, or a new one."""
    state = scope.setdefault("state", {})
    known = state.get("request_id")
    if known is None:
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        known = given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(64):016x}"
        state["request_id"] = known
    return str(known)


async def read_body(receive: Receive, headers: Headers, bytes_max: int) -> bytes:
    """Return the whole body, or raise `RequestError` 413 as soon as it is too large."""
    too_large = RequestError.of(
        f"The body is larger than {bytes_max} bytes.", "BODY_LIMIT", status=413
    )
    with suppress(ValueError):
        if int(headers.get(b"content-length", b"0")) > bytes_max:
            raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise too_large
        if not message.get("more_body", False):
            return chunk if not chunks else b"".join([*chunks, chunk])
        chunks.append(chunk)


def check_content_type(header: bytes | None) -> None:
    """Refuse what a form on a foreign page could send without asking first (CSRF)."""
    if header == b"application/json":
        return
    name, _, parameters = (header or b"").decode("latin-1").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "").partition("charset=")[2]
    if name.strip() != JSON or charset.partition(";")[0] not in ("", "utf-8", "utf8"):
        raise RequestError.of(
            "Send the question as application/json in UTF-8.", "UNSUPPORTED_MEDIA_TYPE", 415
        )


def parsed_json(text: bytes | str) -> Any:
    """Return the JSON value, or raise `RequestError` 400."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError.of(f"This is not JSON: {error}") from None


def query_parameters(scope: Scope) -> dict[str, Any]:
    """Return the parameters of a GET request as the same object that a POST would send."""
    try:
        pairs = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
    except ValueError:
        raise RequestError.of("The query string has too many fields.") from None
    asked: dict[str, Any] = {name: values[-1] for name, values in pairs.items()}
    for name in ("variables", "extensions"):
        if name in asked:
            asked[name] = parsed_json(asked[name])
    return asked


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete answer."""

    status: int
    media: str
    body: bytes
    headers: ReplyHeaders = ()

    async def write(self, receive: Receive, send: Send, correlation: str) -> None:  # noqa: ARG002
        """Write it in two messages."""
        headers = [
            (b"content-type", f"{self.media}; charset=utf-8".encode()),
            (b"content-length", str(len(self.body)).encode()),
            (b"x-request-id", correlation.encode()),
            *self.headers,
        ]
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


def refusal(error: RequestError, media: str) -> Reply:
    """Answer a refused request: JSON always, in the media type asked for where that is JSON."""
    if media not in (JSON, GRAPHQL_RESPONSE):
        media, forced = JSON, True
    else:
        forced = error.forced or media == GRAPHQL_RESPONSE
    body = orjson.dumps({"errors": error.errors})
    return Reply(error.status if forced else 200, media, body, error.headers)


@dataclass(frozen=True, slots=True)
class EventStream:
    """An answer in pieces: server-sent events, one connection for one operation.

    `next` carries a result and `complete` ends it; while nothing happens a comment is sent, so
    that proxies do not hang up.
    """

    payloads: AsyncGenerator[dict[str, Any], None]
    keep_alive_seconds: float
    stopping: asyncio.Event | None = None
    """When it is set the stream ends, without `complete`: the client comes again, elsewhere."""

    async def write(self, receive: Receive, send: Send, correlation: str) -> None:
        """Write the events until there are no more or the client has gone."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            (b"x-request-id", correlation.encode()),
        ]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        gone = asyncio.create_task(_hung_up(receive))
        pumping = asyncio.create_task(self._pump(send, start))
        tasks: set[asyncio.Task[Any]] = {gone, pumping}
        if self.stopping is not None:
            tasks.add(asyncio.create_task(self.stopping.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if pumping.done():
                pumping.result()
            ended = not gone.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.payloads.aclose()
        if ended:
            await send({"type": "http.response.body", "body": b""})

    async def _pump(self, send: Send, start: Message) -> None:
        await send(start)
        upcoming = asyncio.ensure_future(_next(self.payloads))
        try:
            while True:
                done, _ = await asyncio.wait({upcoming}, timeout=self.keep_alive_seconds)
                event = b":\n\n"
                if done:
                    payload = upcoming.result()
                    if payload is None:
                        break
                    event = _event(payload)
                    upcoming = asyncio.ensure_future(_next(self.payloads))
                await send({"type": "http.response.body", "body": event, "more_body": True})
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        # Browsers drop an event that has no data line.
        complete = b"event: complete\ndata:\n\n"
        await send({"type": "http.response.body", "body": complete, "more_body": True})


def _event(payload: Mapping[str, Any]) -> bytes:
    """Write an event; its id is its cursor, which a client sends back as `Last-Event-ID`."""
    cursor = payload.get("extensions", {}).get("cursor")
    name = b"" if cursor is None else b"id: " + str(cursor).encode() + b"\n"
    return name + b"event: next\ndata: " + orjson.dumps(payload) + b"\n\n"


async def _next(payloads: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any] | None:
    return await anext(payloads, None)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
