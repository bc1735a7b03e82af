"""Conditional requests (RFC 9110, 13): an answer that the client has is not sent again."""

import hashlib

from hub_api.engine.wire import Headers, Reply, ReplyHeaders

#: A client asks each time whether its copy is still right; nobody else keeps one.
_REVALIDATED = (b"cache-control", b"private, no-cache")
_VARY = (b"vary", b"authorization, accept")


def entity_tag(body: bytes) -> bytes:
    """Return the weak validator of a body: compressed and plain forms share it."""
    return b'W/"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'


def is_known(tag: bytes, headers: Headers) -> bool:
    """Return whether the client states that it has this version (`If-None-Match`)."""
    given = headers.get(b"if-none-match", b"")
    if given.strip() == b"*":
        return True
    plain = tag.removeprefix(b"W/")
    return any(each.strip().removeprefix(b"W/") == plain for each in given.split(b",")[:50])


def conditional(body: bytes, media: str, headers: Headers, more: ReplyHeaders = ()) -> Reply:
    """Answer a GET: 304 without a body where the client has it, else 200 with its validator."""
    tag = entity_tag(body)
    cached = ((b"etag", tag), _REVALIDATED, _VARY, *more)
    if is_known(tag, headers):
        return Reply(304, media, b"", cached)
    return Reply(200, media, body, cached)
