"""Signatures of the Standard Webhooks specification, over ``id.timestamp.body``.

`whsec_` names a shared secret (HMAC-SHA256, signature ``v1``), `whsk_` a private key (Ed25519,
``v1a``) of which the partner is given the public one, `whpk_`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.errors import InvalidInput

SHARED, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64  # as the specification says


class Signature(StrEnum):
    """How messages are signed."""

    HMAC = "hmac"  # with a secret that both sides have
    ED25519 = "ed25519"  # with a key that only the hub has


def new_secret(kind: Signature) -> str:
    """Make a secret."""
    prefix = SHARED if kind is Signature.HMAC else PRIVATE
    return prefix + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def checked(secret: str) -> str:
    """Return a shared secret that a partner brings along, or raise InvalidInput."""
    try:
        known = secret.startswith(SHARED)
        size = len(base64.b64decode(secret.removeprefix(SHARED), validate=True)) if known else 0
    except ValueError:  # binascii.Error is one, and so is a letter outside ASCII
        size = 0
    if not SECRET_BYTES_MIN <= size <= SECRET_BYTES_MAX:
        raise InvalidInput("a secret is whsec_ and 24 to 64 bytes in base64", field="secret")
    return secret


def shown(secret: str) -> str:
    """Return what the partner needs to verify: the secret itself, or the public key."""
    if not secret.startswith(PRIVATE):
        return secret
    public = _private(secret).public_key().public_bytes_raw()
    return PUBLIC + base64.b64encode(public).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign one message with one secret."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    if secret.startswith(PRIVATE):
        return "v1a," + base64.b64encode(_private(secret).sign(signed)).decode()
    key = base64.b64decode(secret.removeprefix(SHARED))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(keys: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers; during a rotation there is a signature for each secret."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(each, message_id, timestamp, body) for each in keys),
    }


def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE)))
