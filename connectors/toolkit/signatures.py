"""Webhook signatures: HMAC-SHA256 over the signed bytes, compared in constant time.

Channels differ in what they sign (the body; the URL and the body; id, time and body), in how they
write the digest (base64, hexadecimal) and in the header that carries it. A connector names these
three; the comparison is the same for all. `HmacAuth` signs requests, where a channel wants that.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from connectors.errors import AuthFailed

STANDARD_WEBHOOKS_TOLERANCE = timedelta(minutes=5)
"""The clock difference that Standard Webhooks recommends."""


def hmac_sha256(key: SecretStr | bytes, signed: bytes) -> bytes:
    """Return the HMAC-SHA256 digest of the signed bytes; raises AuthFailed for an empty key."""
    secret = key if isinstance(key, bytes) else key.get_secret_value().encode()
    if not secret.strip():
        raise AuthFailed("the secret of the webhooks is empty: anybody could sign with it")
    return hmac.new(secret, signed, hashlib.sha256).digest()


def require_hex(key: SecretStr | bytes, signed: bytes, given: str) -> None:
    """Compare a signature written in lower-case hexadecimal.

    Raises AuthFailed where it is missing or another.
    """
    _require_one_of([hmac_sha256(key, signed).hex()], [given])


def require_base64(key: SecretStr | bytes, signed: bytes, given: str) -> None:
    """Compare a signature written in base64.

    Raises AuthFailed where it is missing or another.
    """
    _require_one_of([_base64(hmac_sha256(key, signed))], [given])


def require_hex_or_base64(digest: bytes, given: str) -> None:
    """Compare a digest with a signature in either notation, for a channel that documents none.

    Raises AuthFailed where it is missing or another.
    """
    _require_one_of([_base64(digest), digest.hex()], [given])


def require_standard_webhook(
    key: bytes, headers: Mapping[str, str], body: bytes, received_at: datetime
) -> str:
    """Verify a call signed as Standard Webhooks specify; return its id.

    `headers` has lower-case names: ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and
    ``webhook-signature`` (one or more ``v1,<base64>``, separated by blanks). `received_at` is
    compared with the timestamp, so that a recorded call cannot be sent again later.

    Raises AuthFailed for a wrong signature and for a time further away than the tolerance.
    Source: Standard Webhooks specification, "Verifying signatures".
    """
    call_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    digest = hmac_sha256(key, f"{call_id}.{sent_at}.".encode() + body)
    given = headers.get("webhook-signature", "").split()
    _require_one_of([f"v1,{_base64(digest)}"], given)
    if not call_id or not sent_at.isdecimal():
        raise AuthFailed("the signature of the webhook is wrong")
    if abs(received_at - datetime.fromtimestamp(int(sent_at), UTC)) > STANDARD_WEBHOOKS_TOLERANCE:
        raise AuthFailed("the webhook is too old, or from the future")
    return call_id


def standard_webhooks_key(secret: SecretStr) -> bytes:
    """Return the key that a Standard Webhooks secret stands for.

    The specification writes keys as ``whsec_`` and base64; any other text is the key itself.
    """
    text = secret.get_secret_value()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return text.encode()


def body_digest(body: bytes) -> str:
    """Return an id for a call whose channel gives none: the SHA-256 of its body, hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _require_one_of(expected: Iterable[str], given: Iterable[str]) -> None:
    """Compare every pair, however many agree, so that the time taken says nothing."""
    pairs = [(each, other) for each in expected for other in given]
    equal = [hmac.compare_digest(each.encode(), other.encode()) for each, other in pairs]
    if not any(equal):
        raise AuthFailed("the signature of the webhook is wrong")


class HmacAuth(httpx.Auth):
    """Sign each request with HMAC-SHA256, in hexadecimal.

    Signed are method, path with its query, time (seconds since 1970) and the SHA-256 of the body,
    each on a line of its own. The headers are `prefix` and ``-key``, ``-timestamp``,
    ``-signature``. Adapt it to what your channel documents.
    """

    requires_request_body = True

    def __init__(
        self, key: str, secret: str, prefix: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key, self._secret, self._prefix, self._clock = key, secret, prefix, clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign a request; a repeat of it gets a time of its own."""
        stamp = str(int(self._clock()))
        path = request.url.raw_path.decode()
        body = hashlib.sha256(request.content).hexdigest()
        text = f"{request.method}\n{path}\n{stamp}\n{body}"
        request.headers[f"{self._prefix}-key"] = self._key
        request.headers[f"{self._prefix}-timestamp"] = stamp
        request.headers[f"{self._prefix}-signature"] = hmac.digest(
            self._secret.encode(), text.encode(), "sha256"
        ).hex()
        yield request
