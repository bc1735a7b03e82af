"""Webhooks of Saleor: detached JSON Web Signatures (RFC 7515, 7797) under the keys of the shop.

The keys stand at an address of the shop that the settings name, never one that a webhook names.
Anybody can name a key that is not known: the keys are fetched again at most once a minute.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.errors import AuthFailed
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import parsed_json

KEYS_PATH = "/.well-known/jwks.json"
HEADER = "saleor-signature"
ALGORITHM = "RS256"
KEY_SECONDS = 3600.0
ASK_SECONDS_MIN = 60.0
KEYS_MAX = 16
BITS_MIN = 2048
HEADER_CHARS_MAX = 4096


class ShopKeys:
    """The public keys of one shop, kept for an hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, rsa.RSAPublicKey] = {}
        self._until = 0.0
        self._asked_at = -ASK_SECONDS_MIN

    async def fetch(self, api: RemoteApi, headers: Mapping[str, str]) -> None:
        """Fetch the keys of the shop, if a webhook names one that is not known and it is time."""
        try:
            kid = _read(headers)[0].get("kid")
        except AuthFailed:
            return
        now = self._clock()
        if not isinstance(kid, str) or self._get(kid) or now - self._asked_at < ASK_SECONDS_MIN:
            return
        self._asked_at = now
        self._known = _keys_of(await api.json("GET", KEYS_PATH))
        self._until = now + KEY_SECONDS

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Check the signature over the raw body, or raise AuthFailed."""
        head, protected, signature = _read(headers)
        if head.get("alg") != ALGORITHM or head.get("crit", ["b64"]) != ["b64"]:
            raise AuthFailed("the signature of the webhook is of another kind")
        key = self._get(str(head.get("kid")))
        if key is None:
            raise AuthFailed("the key of the webhook is not known")
        payload = body if head.get("b64") is False else base64.urlsafe_b64encode(body).rstrip(b"=")
        try:
            text = protected + b"." + payload
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as error:
            raise AuthFailed("the signature of the webhook is wrong") from error

    def _get(self, kid: str) -> rsa.RSAPublicKey | None:
        return self._known.get(kid) if self._clock() < self._until else None


def _read(headers: Mapping[str, str]) -> tuple[Mapping[str, Any], bytes, bytes]:
    """Take a detached signature apart: what its header says, the header as sent, the signature."""
    given = headers.get(HEADER, "")[:HEADER_CHARS_MAX]
    try:
        protected, payload, signature = given.encode("ascii").split(b".")
        head = parsed_json(_decoded(protected))
        made = _decoded(signature)
    except (ValueError, UnicodeError) as error:
        raise AuthFailed("the webhook is not signed") from error
    if payload or not isinstance(head, dict):
        raise AuthFailed("the webhook is not signed with a detached signature")
    return head, protected, made


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error


def _keys_of(answer: object) -> dict[str, rsa.RSAPublicKey]:
    """Read a set of keys (RFC 7517); what is no RSA key to sign with is left out."""
    listed = answer.get("keys") if isinstance(answer, dict) else None
    found: dict[str, rsa.RSAPublicKey] = {}
    for each in listed[:KEYS_MAX] if isinstance(listed, list) else ():
        try:
            if each["kty"] == "RSA" and each.get("use", "sig") == "sig":
                numbers = (int.from_bytes(_decoded(str(each[name]).encode())) for name in "en")
                key = rsa.RSAPublicNumbers(*numbers).public_key()
                if key.key_size >= BITS_MIN:
                    found[str(each["kid"])] = key
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
    return found
