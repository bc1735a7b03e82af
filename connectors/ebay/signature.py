"""Notifications of eBay: ECDSA signatures under keys that eBay hands out by id, and its challenge.

A key is fetched when a notification names one that is not known. Anybody can name one, so at most
one unknown key a minute is asked for; eBay delivers again what came too early.
"""

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from connectors.errors import AuthFailed, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import parsed_json

KEY_PATH = "/commerce/notification/v1/public_key"
KEY_SECONDS = 3600.0
ASK_SECONDS_MIN = 60.0
KEYS_MAX = 8
HEADER = "x-ebay-signature"
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
# eBay signs with SHA-1; SHA-256 is what it may turn to.
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA1": hashes.SHA1,
    "SHA256": hashes.SHA256,
}


class Keys:
    """The public keys of eBay, kept for an hour each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, ec.EllipticCurvePublicKey]] = {}
        self._asked_at = -ASK_SECONDS_MIN

    async def fetch(self, api: RemoteApi, headers: Mapping[str, str]) -> None:
        """Fetch the key that a notification names, if it is time to."""
        kid = str(signature_in(headers).get("kid") or "")
        now = self._clock()
        if self._get(kid) or not _ID.fullmatch(kid) or now - self._asked_at < ASK_SECONDS_MIN:
            return
        self._asked_at = now
        try:
            answer = await api.json_object("GET", f"{KEY_PATH}/{kid}")
        except (NotFound, Rejected) as refusal:
            raise AuthFailed("eBay has no key of this id") from refusal
        if len(self._known) >= KEYS_MAX:
            del self._known[next(iter(self._known))]
        self._known[kid] = (now + KEY_SECONDS, _key_of(answer))
        self._asked_at = -ASK_SECONDS_MIN  # it was a real one

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Check the signature over the raw body, or raise AuthFailed."""
        given = signature_in(headers)
        key, digest = self._get(str(given.get("kid"))), _DIGESTS.get(str(given.get("digest")))
        if key is None or digest is None:
            raise AuthFailed("the key of the notification is not known")
        try:
            signature = base64.b64decode(str(given.get("signature")), validate=True)
            key.verify(signature, body, ec.ECDSA(digest()))
        except (InvalidSignature, binascii.Error) as error:
            raise AuthFailed("the signature of the notification is wrong") from error

    def _get(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        until, key = self._known.get(kid, (0.0, None))
        return key if self._clock() < until else None


def signature_in(headers: Mapping[str, str]) -> Mapping[str, Any]:
    """Decode the header of the signature; what cannot be read is empty."""
    try:
        given = parsed_json(base64.b64decode(headers.get(HEADER, ""), validate=True))
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _key_of(answer: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """Read a key; eBay writes PEM without its line breaks."""
    text = re.sub(r"-----[A-Z ]+-----|\s", "", str(answer.get("key") or ""))
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise AuthFailed("eBay's key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise AuthFailed("eBay's key is of another kind")
    return key


def challenge_response(code: str, token: str, address: str) -> str:
    """Answer the question by which eBay sees that an address is ours."""
    return hashlib.sha256(f"{code}{token}{address}".encode()).hexdigest()
